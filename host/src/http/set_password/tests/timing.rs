//! A link that nobody knows, a wrong PIN, a locked link and one that has ended take the same time.
//!
//! They are tried by turns, thousands of times, with PINs that cost a tenth of what they do otherwise. What is compared
//! are the quicker ones of the times, which a machine that is busy with something else moves least, and the bound is a part
//! of what hashing cost in the same run: never an absolute time. The answers are JSON, since a page says by its very length
//! whether it holds a form.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::json;

use crate::http::tests::Served;
use crate::setpass::fixture::{Fixture, PIN, WRONG_PIN, text};

const CHOSEN: &str = "correct horse battery staple";

/// Of twenty tries that a link allows all but the last, which locks it.
const TRIES_OF_A_LINK: usize = 19;

const LINKS: usize = 30;

/// By how much quantiles may differ, as a part of what comparing a PIN costs. One that is not compared differs by all
/// of it.
const BOUND: f64 = 0.35;

/// What is tried, by turns.
const KINDS: [&str; 4] = ["unknown", "wrong PIN", "locked", "expired"];

#[tokio::test]
async fn unknown_wrong_locked_and_expired_take_the_same_time() {
    let served = Served::on(Fixture::for_many_tries().await);
    let expired = served.fixture.link_of("expired").await;
    served.fixture.clock.advance(jiff::SignedDuration::from_hours(1));
    let locked = served.fixture.link_of("locked").await;
    for _ in 0..20 {
        let _ = served.fixture.redeem(&locked.token, WRONG_PIN, CHOSEN).await;
    }
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut hashing = Vec::new();
    for link in 0..LINKS {
        let wrong = served.fixture.link_of(&format!("user {link}")).await;
        for try_number in 0..TRIES_OF_A_LINK {
            for turn in 0..KINDS.len() {
                // Each kind comes after each other one as often.
                let kind = (turn + try_number) % KINDS.len();
                let (token, pin, status) = match kind {
                    0 => ("unknown-unknown-unknown-unknown-unknown-unk", PIN, 404),
                    1 => (text(&wrong.token), WRONG_PIN, 403),
                    2 => (text(&locked.token), PIN, 403),
                    _ => (text(&expired.token), PIN, 403),
                };
                let path = format!("/?token={token}");
                let fields = json!({ "pin": pin, "password": CHOSEN, "confirm_password": CHOSEN });
                let begun = Instant::now();
                let answer = served.post_json(&path, &fields).await;
                times[kind].push(begun.elapsed());
                assert_eq!(answer.status, status, "{}: {}", KINDS[kind], answer.body);
            }
            let begun = Instant::now();
            served.fixture.setpass.hash_pin(&SecretString::from(PIN)).await.unwrap();
            hashing.push(begun.elapsed());
        }
    }
    let [.., cost] = quantiles(&hashing);
    let quantiles = times.each_ref().map(|times| quantiles(times));
    println!("a hash: {cost:.0} us; quantiles 1/8, 1/4 and 1/2 of {} calls each:", times[0].len());
    for (kind, [low, middle, high]) in KINDS.iter().zip(quantiles) {
        println!("  {kind}: {low:.0} {middle:.0} {high:.0} us");
    }
    for one in 0..KINDS.len() {
        for other in one + 1..KINDS.len() {
            let (a, b) = (KINDS[one], KINDS[other]);
            let quicker = chance_that_quicker(&times[one], &times[other]);
            println!("  {a} quicker than {b}: {:.0} % of pairs", quicker * 100.0);
            // The medians of a machine that is busy with other tests differ by more than a hash costs.
            for (one, other) in quantiles[one].into_iter().zip(quantiles[other]).take(2) {
                let difference = (one - other).abs();
                assert!(
                    difference < BOUND * cost,
                    "{a} and {b} differ by {difference:.0} us, where a hash costs {cost:.0} us"
                );
            }
        }
    }
}

/// An eighth, a quarter and a half of the times are shorter than these, in microseconds.
fn quantiles(times: &[Duration]) -> [f64; 3] {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    [1, 2, 4].map(|eighths| sorted[sorted.len() * eighths / 8].as_secs_f64() * 1e6)
}

/// How often one of these takes less time than one of those: a half where nothing tells them apart (the statistic of
/// Mann and Whitney).
fn chance_that_quicker(these: &[Duration], those: &[Duration]) -> f64 {
    let mut those = those.to_vec();
    those.sort_unstable();
    let slower: usize =
        these.iter().map(|time| those.len() - those.partition_point(|other| other <= time)).sum();
    slower as f64 / (these.len() * those.len()) as f64
}
