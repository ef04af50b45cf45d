//! Quotas of compute, network and volumes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use usher::clock::Clock;
use usher::keystone::{Keystone, KeystoneError};
use usher::quotas::{QuotaError, Quotas};
use usher::registration::QuotaService;
use usher_tests::cloud;

use crate::cloud::{Cloud, administrator, clouds_yaml, create_project, fresh, settings};

#[tokio::test]
async fn quotas_of_every_service_are_set_and_read() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let quotas = Quotas::new(keystone.clone());
    assert_eq!(quotas.services().await.unwrap(), BTreeSet::from(QuotaService::ALL));
    let project = create_project(&keystone, &fresh("biology")).await;
    for (service, limits) in [
        (QuotaService::Compute, [("cores", 7), ("ram", 8192)]),
        (QuotaService::Network, [("floatingip", 3), ("port", -1)]),
        (QuotaService::Volume, [("volumes", 5), ("gigabytes", 0)]),
    ] {
        quotas.set(&project.id, service, &limits).await.unwrap();
        let read = quotas.get(&project.id, service).await.unwrap();
        let defaults = quotas.defaults(&project.id, service).await.unwrap();
        for (key, limit) in limits {
            let found = read.iter().find(|found| found.key == key).unwrap();
            assert_eq!((found.service, found.limit, found.taken()), (service, limit, 0), "{key}");
            assert_eq!(found.default, defaults.get(key).copied(), "{key}");
            assert!(found.default.is_some_and(|default| default != limit), "{found:?}");
        }
        assert!(read.iter().all(|limit| limit.key != "id" && limit.default.is_some()), "{read:?}");
        assert_eq!(read.len(), defaults.len());

        let error = quotas.set(&project.id, service, &[("no-such-key", 1)]).await.unwrap_err();
        let refused = matches!(&error, QuotaError::Call(KeystoneError::Refused { status: 400, message, .. })
            if message.contains("no-such-key"));
        assert!(refused && !error.is_passing(), "{error}");
    }
    quotas.set(&project.id, QuotaService::Compute, &[]).await.unwrap();
    let all = quotas.all(&project.id).await.unwrap();
    assert!(all.absent.is_empty());
    let key = |key: &str| all.limits.iter().find(|limit| limit.key == key).map(|limit| limit.limit);
    assert_eq!([key("cores"), key("port"), key("gigabytes")], [Some(7), Some(-1), Some(0)]);
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn ports_of_instances_and_others_are_told_apart() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let quotas = Quotas::new(keystone.clone());
    let project = create_project(&keystone, &fresh("harbour")).await;
    let identity = cloud::Cloud::shared().unwrap().identity().unwrap();
    let neutron = |method: &str, path: &str, body: Option<Value>| {
        identity.call_service("network", method, path, body.as_ref()).unwrap()
    };
    let id = |answer: &Value, kind: &str| answer[kind]["id"].as_str().unwrap().to_owned();
    let network = json!({ "network": { "name": "quay", "project_id": project.id } });
    let network = id(&neutron("POST", "/v2.0/networks", Some(network)), "network");
    assert_eq!(quotas.ports_not_held_by_instances(&project.id).await.unwrap(), 0);
    let mut ports = Vec::new();
    for owner in ["", "compute:nova", "network:dhcp"] {
        let port =
            json!({ "port": { "network_id": network, "project_id": project.id, "device_owner": owner } });
        ports.push(id(&neutron("POST", "/v2.0/ports", Some(port)), "port"));
    }
    assert_eq!(quotas.ports_not_held_by_instances(&project.id).await.unwrap(), 2);
    let read = quotas.get(&project.id, QuotaService::Network).await.unwrap();
    assert_eq!(read.iter().find(|limit| limit.key == "port").unwrap().in_use, 3);
    let refused = quotas.set(&project.id, QuotaService::Network, &[("port", 2)]).await;
    quotas.set_even_below_use(&project.id, QuotaService::Network, &[("port", 1)]).await.unwrap();
    assert!(refused.is_err(), "this Neutron looks at what is in use");
    for port in ports {
        neutron("DELETE", &format!("/v2.0/ports/{port}"), None);
    }
    neutron("DELETE", &format!("/v2.0/networks/{network}"), None);
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn an_unknown_region_has_no_services() {
    let mut settings = settings(&format!(
        "method = \"cloud\"\ncloud = \"minicloud\"\nfile = \"{}\"",
        clouds_yaml().display()
    ));
    settings.region = Some("Atlantis".to_owned());
    let quotas = Quotas::new(Keystone::new(&settings, Clock::system()).unwrap());
    assert!(quotas.services().await.unwrap().is_empty());
}
