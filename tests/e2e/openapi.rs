//! What setpass answers is what its OpenAPI description says, whatever it is asked.

use usher_tests::schemathesis;
use usher_tests::site::Site;

use crate::stage::{Stage, expect_status};

/// How many examples for each operation, besides those that are derived from the description one by one.
const EXAMPLES: u32 = 25;

#[test]
fn every_answer_is_one_that_the_description_allows() {
    schemathesis::install().unwrap();
    let stage = Stage::new();
    let site = Site::for_setpass_alone(&stage.cloud, &stage.mail).unwrap();
    let serving = site.serve().unwrap();
    let identity = stage.cloud.identity().unwrap();
    for accept in [None, Some("application/json")] {
        let mut headers = vec![("X-Auth-Token", identity.token())];
        headers.extend(accept.map(|accept| ("Accept", accept)));
        let run = schemathesis::run(serving.url(), EXAMPLES, &headers).unwrap();
        expect_status(&run, 0);
        // It would be as content with a server that describes nothing.
        assert!(tried(&run.stdout).is_some_and(|tried| tried >= 100), "{}", run.said());
    }
}

/// How many requests were made.
fn tried(said: &str) -> Option<u32> {
    let (before, _) = said.rsplit_once(" generated")?;
    before.split_whitespace().next_back()?.parse().ok()
}
