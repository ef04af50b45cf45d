//! What setpass answers is what its OpenAPI description says, whatever it is asked.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use usher_tests::identity::Identity;
use usher_tests::schemathesis::{self, Tried};
use usher_tests::serving::Serving;
use usher_tests::site::Site;
use usher_tests::web;

use crate::stage::{Stage, announce, expect_status};

/// How many examples for each operation, besides those that are derived from the description one by one.
const EXAMPLES: u32 = 25;

/// How many links that work each run gets: the description has an example of each form of a body.
const LINKS: usize = 3;

/// The PIN in the description's examples.
const PIN: &str = "6204";

/// Nobody is to be turned away for trying too often.
const LIMITS: &str = "max_attempts = 100000\nmax_attempts_per_day = 100000\nmax_attempts_per_client = 100000\n\
                      reset = { max_per_client = 100000, max_per_client_per_day = 100000, max_in_total = 100001 }\n";

#[test]
fn every_answer_is_one_that_the_description_allows_and_every_operation_succeeds() {
    schemathesis::install().unwrap();
    let stage = Stage::new();
    let site = Site::for_setpass_alone(&stage.cloud, &stage.mail).unwrap();
    site.change_settings("[setpass]\n", &format!("[setpass]\n{LIMITS}")).unwrap();
    let serving = site.serve().unwrap();
    let identity = stage.cloud.identity().unwrap();
    for (run, accept) in [None, Some("application/json")].into_iter().enumerate() {
        let mut headers = vec![("X-Auth-Token", identity.token())];
        headers.extend(accept.map(|accept| ("Accept", accept)));
        let link = |number| link(&serving, &identity, &format!("user{run}{number}@openapi.example.org"));
        let tokens: Vec<_> = (0..LINKS).map(link).collect();
        let Tried { run, answers } = schemathesis::run(serving.url(), EXAMPLES, &headers, &tokens).unwrap();
        announce(&format!("answers: {answers:?}"));
        expect_status(&run, 0);
        // It would be as content with a server that describes nothing.
        assert!(tried(&run.stdout).is_some_and(|tried| tried >= 100), "{}", run.said());
        let succeeded = answers
            .into_iter()
            .filter(|(_, statuses)| statuses.keys().any(|status| (200..300).contains(status)))
            .map(|(operation, _)| operation);
        assert_eq!(succeeded.collect::<BTreeSet<_>>(), described(&serving));
    }
}

/// The ids of all operations.
fn described(serving: &Serving) -> BTreeSet<String> {
    let description = web::get(&format!("{}/openapi.json", serving.url())).unwrap().json().unwrap();
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
    operations.filter_map(|operation| operation["operationId"].as_str()).map(str::to_owned).collect()
}

/// The token of a link of a new user that works with [`PIN`].
fn link(serving: &Serving, admin: &Identity, name: &str) -> String {
    let user = admin.create_user(name, "a random first password").unwrap();
    let body: Value = json!({ "password": "a random first password", "pin": PIN });
    let request = web::request("PUT", &format!("{}/token/{user}", serving.url()));
    let issued = request.header("X-Auth-Token", admin.token()).json(&body).send().unwrap();
    assert_eq!(issued.status, 200, "{issued:?}");
    issued.body.trim().to_owned()
}

/// How many requests were made.
fn tried(said: &str) -> Option<u32> {
    let (before, _) = said.rsplit_once(" generated")?;
    before.split_whitespace().next_back()?.parse().ok()
}
