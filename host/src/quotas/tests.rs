//! What a real cloud cannot be made to answer at will.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;
use crate::keystone::fake::{Fake, with_catalog, with_token};

#[tokio::test]
async fn a_cloud_without_the_service_says_so() {
    let fake = Fake::start(with_token()).await;
    let quotas = Quotas::new(fake.keystone());
    assert!(quotas.services().await.unwrap().is_empty());
    let error = quotas.get("p1", QuotaService::Volume).await.unwrap_err();
    assert!(matches!(error, QuotaError::Absent(QuotaService::Volume)) && !error.is_passing(), "{error}");
    assert!(error.to_string().contains("keystone.region"), "{error}");
    let all = quotas.all("p1").await.unwrap();
    assert_eq!(all, AllLimits { limits: Vec::new(), absent: QuotaService::ALL.to_vec() });
}

/// A Keystone whose catalog has this one service.
async fn catalog(kind: &str, url: String) -> Fake {
    Fake::start(with_catalog(json!([{ "type": kind, "endpoints": [
        { "interface": "public", "region_id": "east", "url": url },
    ] }])))
    .await
}

/// A server on which `answer` is what Nova says of limits.
async fn nova(answer: (StatusCode, Value)) -> (Fake, Fake) {
    let defaults = json!({ "quota_set": { "id": "p1", "cores": 10, "floating_ips": -1 } });
    let nova = Fake::start(
        Router::new()
            .route("/v2.1/os-quota-sets/p1/detail", get(async move || (answer.0, Json(answer.1))))
            .route("/v2.1/os-quota-sets/p1/defaults", get(async move || Json(defaults))),
    )
    .await;
    (catalog("compute", format!("{}/v2.1/", nova.url())).await, nova)
}

#[tokio::test]
async fn limits_are_read_with_usage_and_defaults() {
    let detail = |limit: i64| json!({ "limit": limit, "in_use": 3, "reserved": 1 });
    let body = json!({ "quota_set": {
        "id": "p1", "ram": detail(-1), "cores": detail(20), "floating_ips": detail(-1),
    } });
    let (keystone, nova) = nova((StatusCode::OK, body)).await;
    let quotas = Quotas::new(keystone.keystone());
    assert_eq!(quotas.services().await.unwrap(), BTreeSet::from([QuotaService::Compute]));
    let limit = |key: &str, limit, default| Limit {
        service: QuotaService::Compute,
        key: key.to_owned(),
        limit,
        in_use: 3,
        reserved: 1,
        default,
    };
    let all = quotas.all("p1").await.unwrap();
    assert_eq!(all.limits, [limit("cores", 20, Some(10)), limit("ram", -1, None)]);
    assert_eq!(all.absent, [QuotaService::Network, QuotaService::Volume]);
    assert!(
        all.limits[0].is_below_use(3) && !all.limits[0].is_below_use(4) && !all.limits[0].is_below_use(-1)
    );
    assert_eq!(nova.calls("GET /v2.1/os-quota-sets/p1/detail"), 1);
    assert_eq!(nova.calls("GET /v2.1/os-quota-sets/p1/defaults"), 1);
    assert_eq!(quotas.limits("p1", QuotaService::Compute).await.unwrap()[0], limit("cores", 20, None));
    assert_eq!(nova.calls("GET /v2.1/os-quota-sets/p1/defaults"), 1, "limits alone take one call");
}

#[tokio::test]
async fn errors_name_the_service_and_its_words() {
    let body = json!({ "badRequest": { "code": 400, "message": "no such project" } });
    let (keystone, _nova) = nova((StatusCode::BAD_REQUEST, body)).await;
    let quotas = Quotas::new(keystone.keystone());
    for error in
        [quotas.get("p1", QuotaService::Compute).await.unwrap_err(), quotas.all("p1").await.unwrap_err()]
    {
        let text = error.to_string();
        assert!(text.contains("Nova refuses (400") && text.contains("no such project"), "{text}");
    }
}

#[tokio::test]
async fn an_answer_without_usage_is_not_taken_for_none_in_use() {
    let body = json!({ "quota_set": { "cores": 20 } });
    let (keystone, _nova) = nova((StatusCode::OK, body)).await;
    let error = Quotas::new(keystone.keystone()).get("p1", QuotaService::Compute).await.unwrap_err();
    assert!(error.to_string().contains("cores"), "{error}");
}

#[tokio::test]
async fn ports_are_counted_on_every_page_and_none_of_an_instance() {
    async fn ports(RawQuery(query): RawQuery) -> Json<Value> {
        let query = query.unwrap_or_default();
        assert!(query.contains("project_id=p1") && query.contains("fields=device_owner"), "{query}");
        if query.contains("marker=c") {
            return Json(json!({ "ports": [{ "id": "d", "device_owner": "" }], "ports_links": [
                { "rel": "previous", "href": "http://elsewhere/v2.0/ports?marker=d&page_reverse=True" },
            ] }));
        }
        Json(json!({
            "ports": [
                { "id": "a", "device_owner": "compute:nova" },
                { "id": "b", "device_owner": "network:dhcp" },
                { "id": "c", "device_owner": "compute:east" },
            ],
            "ports_links": [{ "rel": "next", "href": "http://elsewhere/v2.0/ports?limit=3&marker=c" }],
        }))
    }
    let neutron = Fake::start(Router::new().route("/v2.0/ports", get(ports))).await;
    let keystone = catalog("network", neutron.url()).await;
    let quotas = Quotas::new(keystone.keystone());
    assert_eq!(quotas.ports_not_held_by_instances("p1").await.unwrap(), 2);
    assert_eq!(neutron.calls("GET /v2.0/ports"), 2);
}

/// Neutron says so itself only from some version on; earlier ones take any limit, and refuse the word.
#[tokio::test]
async fn a_limit_below_use_is_forced_where_the_service_knows_the_word() {
    async fn put(Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
        match body["quota"].get("force") {
            Some(_) => {
                let words = "Unrecognized attribute(s) 'force'";
                (StatusCode::BAD_REQUEST, Json(json!({ "NeutronError": { "message": words } })))
            }
            None => (StatusCode::OK, Json(body)),
        }
    }
    let neutron = Fake::start(Router::new().route("/v2.0/quotas/p1", axum::routing::put(put))).await;
    let keystone = catalog("network", neutron.url()).await;
    let quotas = Quotas::new(keystone.keystone());
    quotas.set_even_below_use("p1", QuotaService::Network, &[("port", 1)]).await.unwrap();
    assert_eq!(neutron.calls("PUT /v2.0/quotas/p1"), 2);
}
