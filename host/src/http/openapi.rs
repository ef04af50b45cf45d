//! `GET /openapi.json`: what clients may send and what they are answered, by OpenAPI 3.1.
//!
//! Each operation describes itself beside its handler; here is what they have in common. What pages load from
//! `/static/` is theirs and not described.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Ref, RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::answer::Told;
use super::{health, put_token, request_reset, set_password, view_form, view_reset};

/// The description, without what is different from machine to machine.
static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| Description::openapi().to_json().unwrap_or_else(|error| error.to_string()));

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Setpass",
        description = "Users who hold a mailed link and a PIN choose a password; programs register them. Browsers get \
                       pages, clients that accept JSON get JSON, and clients that accept plain text get that."
    ),
    paths(
        view_form::view_form,
        set_password::set_password,
        put_token::put_token,
        view_reset::view_reset,
        request_reset::request_reset,
        health::alive,
        health::ready
    ),
    components(schemas(Told)),
    tags(
        (name = "pages", description = "For users, and for programs in their place"),
        (name = "programs", description = "For programs alone"),
        (name = "probes", description = "For what watches the server")
    ),
    modifiers(&KeystoneToken, &NoBodyNeeded, &EveryForm)
)]
struct Description;

/// Shows the description.
pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// What any operation may answer.
pub(super) struct Everywhere;

impl IntoResponses for Everywhere {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let told = |description: &str| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Told"))).build();
            ResponseBuilder::new().description(description).content("application/json", content)
        };
        let seconds = || {
            let schema = ObjectBuilder::new().schema_type(Type::Integer);
            HeaderBuilder::new()
                .schema(Some(schema))
                .description(Some("Seconds until another try makes sense"))
                .build()
        };
        let responses = [
            ("408", told("The body does not come in time")),
            ("413", told("The body is too long")),
            ("429", told("Too many requests").header("Retry-After", seconds())),
            ("500", told("Setpass itself failed")),
            (
                "503",
                told("Keystone does not answer, or there is too much to do at this moment")
                    .header("Retry-After", seconds()),
            ),
        ];
        responses.into_iter().map(|(status, response)| (status.to_owned(), response.build().into())).collect()
    }
}

/// The token that programs show.
struct KeystoneToken;

impl Modify for KeystoneToken {
    fn modify(&self, document: &mut Document) {
        let description = "A Keystone token that can be scoped to the admin project";
        let key = ApiKey::Header(ApiKeyValue::with_description("X-Auth-Token", description));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("keystone", SecurityScheme::ApiKey(key));
    }
}

/// Nothing at all registers a user who is known.
struct NoBodyNeeded;

impl Modify for NoBodyNeeded {
    fn modify(&self, document: &mut Document) {
        for item in document.paths.paths.values_mut() {
            let body = item.put.as_mut().and_then(|operation| operation.request_body.as_mut());
            if let Some(RefOr::T(body)) = body {
                body.required = Some(Required::False);
            }
        }
    }
}

/// What is told is told in every form, where it is described as JSON; programs get no pages.
struct EveryForm;

impl Modify for EveryForm {
    fn modify(&self, document: &mut Document) {
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.put, &mut item.post].into_iter().flatten() {
                tell_in_every_form(operation);
            }
        }
    }
}

fn tell_in_every_form(operation: &mut Operation) {
    let is_page = operation.tags.iter().flatten().any(|tag| tag == "pages");
    let forms: &[&str] = if is_page { &["text/html", "text/plain"] } else { &["text/plain"] };
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        if !response.content.contains_key("application/json") {
            continue;
        }
        for form in forms {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let content = ContentBuilder::new().schema(Some(text)).build();
            response.content.insert((*form).to_owned(), content.into());
        }
    }
}

#[cfg(test)]
mod tests;
