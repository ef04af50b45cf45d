//! An import that is killed at every place of its work, each in turn: the next one finishes what it began, and
//! the end is the same as without the kill.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use usher_tests::google_sheets::GoogleSheets;
use usher_tests::site;

use crate::scene::{Scene, Stagehand, difference, in_parallel, kill_import_at};
use crate::stage::{announce, expect_status};

/// The least number of places that there have to be: each step of the journal has four.
const PLACES: usize = 40;

#[test]
fn the_next_import_makes_good_whatever_the_last_one_left() {
    let hand = Stagehand::new();
    hand.create_member("places");
    let (places, wanted) = undisturbed(&hand, &Scene::new(&hand.stage, "places", "undisturbed"));
    assert!(places.len() >= PLACES, "only {}: {places:?}", places.len());
    let faults = in_parallel(&places, |places| {
        let hand = Stagehand::new();
        let killed = places.map(|(number, place)| {
            let scene = Scene::new(&hand.stage, "places", &format!("place{number}"));
            play(&hand, &scene, place, &wanted)
        });
        killed.flatten().collect()
    });
    announce(&format!("killed at {} places", places.len()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Only the places that have to do with the sheet: the others are what they are wherever the sheet is.
#[test]
fn rows_move_once_at_google_wherever_the_last_import_was_killed() {
    const TEST: &str = "places-at-google";
    let folder = tempfile::Builder::new().prefix("usher-google-").tempdir().unwrap();
    let google = Arc::new(GoogleSheets::start(folder.path()).unwrap());
    let hand = Stagehand::new();
    hand.create_member(TEST);
    let scene = Scene::at_google(&hand.stage, &google, TEST, "undisturbed");
    let (mut places, wanted) = undisturbed(&hand, &scene);
    places.retain(|place| {
        ["run begun", "announce finished", "requests finished", "rows ", "mail sent"]
            .iter()
            .any(|concerned| place.starts_with(concerned))
    });
    assert!(places.len() >= 7, "only {places:?}");
    let faults = in_parallel(&places, |places| {
        let hand = Stagehand::new();
        let killed = places.map(|(number, place)| {
            let scene = Scene::at_google(&hand.stage, &google, TEST, &format!("place{number}"));
            play(&hand, &scene, place, &wanted)
        });
        killed.flatten().collect()
    });
    google.expect_order().unwrap();
    announce(&format!("killed at {} places with the sheet at Google", places.len()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The places of an import that nothing happens to, and its end.
fn undisturbed(hand: &Stagehand, scene: &Scene) -> (Vec<String>, BTreeSet<String>) {
    let log = scene.site.folder().join("places");
    let mut command = scene.site.command(&["import", "--all"]);
    let run = site::run(command.env("USHER_PLACES", &log), None).unwrap();
    expect_status(&run, 0);
    let end = scene.end(hand);
    assert_eq!(scene.try_links(&hand.stage), None);
    (places(&fs::read_to_string(log).unwrap()), end)
}

/// The names of all places that were reached, each the first time.
fn places(log: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    log.lines().filter(|line| line.ends_with("#1") && seen.insert(*line)).map(str::to_owned).collect()
}

/// Kills an import, and tells what was wrong with what the next ones made of it.
fn play(hand: &Stagehand, scene: &Scene, place: &str, wanted: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut note = |fault: String| faults.push(format!("{place}: {fault}"));
    kill_import_at(&scene.site, place).into_iter().for_each(&mut note);
    let run = scene.import();
    if run.status != Some(0) {
        note(run.said());
        return faults;
    }
    let end = scene.end(hand);
    difference(wanted, &end).into_iter().for_each(&mut note);
    // A mail that the server took before that could be recorded comes twice, as one mail by its Message-ID.
    let doubled = scene.doubled(&hand.stage);
    let allowed = usize::from(place.starts_with("mail ") && place.contains(" taken"));
    if doubled != allowed {
        note(format!("{doubled} mails came twice"));
    }
    let again = scene.import();
    if again.status != Some(0) || scene.end(hand) != end {
        note(format!("a third import changes something: {}", again.said()));
    }
    scene.try_links(&hand.stage).into_iter().for_each(&mut note);
    faults
}
