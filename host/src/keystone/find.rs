//! Finding something by its name, whatever its case, in one call; and listing all there is.
//!
//! Keystone compares `name=` in the way of its database: with regard to case on SQLite and
//! PostgreSQL, without on MySQL. `name__icontains` disregards case with every driver, but finds more
//! than was asked for, so what comes back is compared here. A Keystone that ignores the filter or
//! refuses it costs a longer list, never a wrong answer.

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::error::KeystoneError;
use super::http::Request;
use super::{Keystone, NAME};
use crate::registration::same_name;

/// What Keystone keeps in lists.
pub(super) trait Listed: DeserializeOwned {
    /// What one is called in errors.
    const KIND: &'static str;
    /// The list's name in URLs and answers.
    const PLURAL: &'static str;

    /// The name.
    fn name(&self) -> &str;
}

impl Keystone {
    /// The one of this name, whatever its case; in a domain where one is given.
    pub(super) async fn find<T: Listed>(
        &self,
        name: &str,
        domain: Option<&str>,
    ) -> Result<Option<T>, KeystoneError> {
        let filter = match fragment(name) {
            Some(fragment) => ("name__icontains", fragment),
            None => ("name", name.trim()),
        };
        let has_name = |item: &T| same_name(item.name(), name);
        let listed = match self.list(domain, Some(filter), has_name).await {
            // The filter may be gone one day; the whole list is slower, and as right.
            Err(KeystoneError::Refused { status: 400, .. }) => self.list(domain, None, has_name).await?,
            outcome => outcome?,
        };
        let (mut matches, cut_short) = listed;
        match matches.len() {
            0 if cut_short => Err(KeystoneError::Truncated { kind: T::KIND, name: name.to_owned() }),
            0 | 1 => Ok(matches.pop()),
            _ => Err(KeystoneError::Ambiguous {
                kind: T::KIND,
                name: name.to_owned(),
                matches: matches.iter().map(|found| found.name().to_owned()).collect(),
            }),
        }
    }

    /// All there are in a domain.
    pub(super) async fn list_all<T: Listed>(&self, domain: &str) -> Result<Vec<T>, KeystoneError> {
        match self.list(Some(domain), None, |_: &T| true).await? {
            (_, true) => Err(KeystoneError::ListCutShort { kind: T::KIND }),
            (all, false) => Ok(all),
        }
    }

    /// Those that are wanted, from all pages, and whether Keystone cut the list short with no way to go on.
    async fn list<T: Listed>(
        &self,
        domain: Option<&str>,
        filter: Option<(&str, &str)>,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<(Vec<T>, bool), KeystoneError> {
        let mut wanted = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut url = self.url(&[T::PLURAL]);
            {
                let mut query = url.query_pairs_mut();
                if let Some(domain) = domain {
                    query.append_pair("domain_id", domain);
                }
                if let Some((key, value)) = filter {
                    query.append_pair(key, value);
                }
                if let Some(marker) = &marker {
                    query.append_pair("marker", marker);
                }
            }
            let answer = self.call(Request::new(NAME, Method::GET, url)).await?;
            let page: Page = answer.json()?;
            let items = page
                .rest
                .get(T::PLURAL)
                .cloned()
                .ok_or_else(|| answer.unintelligible(format!("it has no list of {}", T::PLURAL)))?;
            let items: Vec<T> = serde_json::from_value(items)
                .map_err(|_| answer.unintelligible(format!("its {} lack id or name", T::PLURAL)))?;
            wanted.extend(items.into_iter().filter(&is_wanted));
            let next = page.links.next.as_deref().and_then(next_marker);
            match next {
                Some(next) if marker.as_ref() != Some(&next) => marker = Some(next),
                _ => return Ok((wanted, page.truncated && page.links.next.is_none())),
            }
        }
    }
}

/// The longest part of a name that every database compares alike: lower and upper case of other
/// letters than ASCII's are the same to PostgreSQL, but not to SQLite, and a backslash is a
/// character to SQLite, but an escape to PostgreSQL.
fn fragment(name: &str) -> Option<&str> {
    name.trim()
        .split(|c: char| !c.is_ascii() || c == '\\')
        .max_by_key(|part| part.len())
        .filter(|part| !part.trim().is_empty())
}

/// Where the next page starts. Only the marker is taken of the link, whose host is what Keystone
/// believes to be its own, which the token must not follow.
fn next_marker(link: &str) -> Option<String> {
    let link = Url::parse(link).ok()?;
    link.query_pairs().find(|(key, _)| key == "marker").map(|(_, marker)| marker.into_owned())
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    links: Links,
    #[serde(default)]
    truncated: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct Links {
    next: Option<String>,
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::extract::RawQuery;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;
    use serde_json::json;

    use super::*;
    use crate::keystone::fake::{Fake, with_token};

    fn user(name: &str) -> Value {
        json!({ "id": name, "name": name, "enabled": true })
    }

    #[test]
    fn the_fragment_is_the_longest_part_in_ascii() {
        assert_eq!(fragment(" a.b@example.org "), Some("a.b@example.org"));
        assert_eq!(fragment("josé@example.org"), Some("@example.org"));
        assert_eq!(fragment("ab\\cde"), Some("cde"));
        assert_eq!(fragment("王"), None);
    }

    #[tokio::test]
    async fn only_the_same_name_is_found_and_case_does_not_count() {
        let fake = Fake::start(with_token().route(
            "/v3/users",
            get(async |RawQuery(query): RawQuery| {
                assert_eq!(query.unwrap(), "domain_id=default&name__icontains=user%40example.org");
                Json(json!({ "users": [user("superuser@example.org"), user("User@Example.org")],
                    "links": { "next": null } }))
            }),
        ))
        .await;
        let found = fake.keystone().find_user("user@example.org").await.unwrap().unwrap();
        assert_eq!(found.name, "User@Example.org");
        assert_eq!(fake.calls("GET /v3/users"), 1);
    }

    #[tokio::test]
    async fn names_that_differ_only_in_case_are_ambiguous() {
        let fake = Fake::start(with_token().route(
            "/v3/users",
            get(async || Json(json!({ "users": [user("user"), user("User")], "links": {} }))),
        ))
        .await;
        let error = fake.keystone().find_user("USER").await.unwrap_err();
        assert!(matches!(&error, KeystoneError::Ambiguous { matches, .. } if matches.len() == 2), "{error}");
        assert!(!error.is_passing());
    }

    #[tokio::test]
    async fn pages_are_followed_on_the_same_host() {
        let fake = Fake::start(with_token().route(
            "/v3/projects",
            get(async |RawQuery(query): RawQuery| {
                let next = match query.unwrap().contains("marker=second") {
                    true => return Json(json!({ "projects": [user("Physics")], "links": { "next": null } })),
                    false => "http://elsewhere.invalid/v3/projects?limit=1&marker=second",
                };
                Json(json!({ "projects": [user("astrophysics")], "links": { "next": next }, "truncated": true }))
            }),
        ))
        .await;
        assert_eq!(fake.keystone().find_project("physics").await.unwrap().unwrap().name, "Physics");
        assert_eq!(fake.calls("GET /v3/projects"), 2);
    }

    #[tokio::test]
    async fn a_list_cut_short_does_not_say_that_there_is_none() {
        let fake = Fake::start(with_token().route(
            "/v3/users",
            get(async || Json(json!({ "users": [user("b")], "links": { "next": null }, "truncated": true }))),
        ))
        .await;
        let error = fake.keystone().find_user("a").await.unwrap_err();
        assert!(matches!(error, KeystoneError::Truncated { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_refused_filter_costs_the_whole_list() {
        async fn users(RawQuery(query): RawQuery) -> Response {
            if query.unwrap_or_default().contains("icontains") {
                let body = json!({ "error": { "message": "Additional properties are not allowed" } });
                return (StatusCode::BAD_REQUEST, Json(body)).into_response();
            }
            Json(json!({ "users": [user("x"), user("USER")], "links": {} })).into_response()
        }
        let fake = Fake::start(with_token().route("/v3/users", get(users))).await;
        assert_eq!(fake.keystone().find_user("user").await.unwrap().unwrap().name, "USER");
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_last_page_or_not_taken_for_whole() {
        async fn projects(RawQuery(query): RawQuery) -> Json<Value> {
            let query = query.unwrap_or_default();
            assert!(query.contains("domain_id=default"), "{query}");
            let project = |name: &str| json!({ "id": name, "name": name, "enabled": true });
            let (page, links) = match query.contains("marker=b") {
                false => (vec!["a", "b"], json!({ "next": "http://elsewhere/v3/projects?limit=2&marker=b" })),
                true => (vec!["c"], json!({ "next": null })),
            };
            let page: Vec<_> = page.into_iter().map(project).collect();
            Json(json!({ "projects": page, "links": links, "truncated": links["next"].is_string() }))
        }
        let fake = Fake::start(with_token().route("/v3/projects", get(projects))).await;
        let names: Vec<_> =
            fake.keystone().projects().await.unwrap().into_iter().map(|project| project.name).collect();
        assert_eq!(names, ["a", "b", "c"]);

        let cut = json!({ "projects": [], "links": { "next": null }, "truncated": true });
        let fake = Fake::start(with_token().route("/v3/projects", get(async move || Json(cut)))).await;
        let error = fake.keystone().projects().await.unwrap_err();
        assert!(error.to_string().contains("list_limit"), "{error}");
    }
}
