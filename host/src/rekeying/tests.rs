//! Secrets change their key while others use them, and a key goes only when nothing needs it.

use std::path::PathBuf;

use super::*;
use crate::setpass::fixture::{Fixture, PIN, USER, WRONG_PIN, token_hash};
use crate::setpass::{RedeemError, SetpassError};

const CHOSEN: &str = "correct horse battery staple";

fn key_file(fixture: &Fixture) -> PathBuf {
    fixture.folder.path().join("keys")
}

async fn rotate_all(fixture: &Fixture) -> Rotation {
    rotate(&key_file(fixture), &fixture.database, &fixture.clock).await.unwrap()
}

async fn retire_key(fixture: &Fixture, id: KeyId) -> Result<(), RekeyingError> {
    retire(&key_file(fixture), id, &fixture.database, &fixture.clock).await
}

/// A step that keeps a password and a mail that waits, both sealed with the key in use.
async fn step_and_mail(fixture: &Fixture) {
    let Fixture { database, keys, clock, .. } = fixture;
    let run = database.begin_run("import", clock.now()).await.unwrap();
    let batch = [("key", "marker".to_owned())];
    let kind = crate::registration::SheetKind::Access;
    let request = database.take_up_requests(kind, &batch, run, clock.now()).await.unwrap().remove(0);
    let sealed = keys.seal(&import::journey::password_purpose("marker"), b"of the step");
    database.begin_step(request.id, "create-user", Some(&sealed), run, clock.now()).await.unwrap();
    let mut tx = database.begin().await.unwrap();
    let sealed = keys.seal(outbox::PURPOSE, b"of the mail");
    Database::add_mail(&mut tx, "origin", "kind", &sealed, clock.now(), None).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_secret_moves_to_the_new_key_and_opens_with_it_alone() {
    let fixture = Fixture::new().await;
    let first = current(&fixture.keys);
    let link = fixture.link().await;
    step_and_mail(&fixture).await;
    let rotation = rotate_all(&fixture).await;
    assert!(rotation.is_new && rotation.unopened.is_empty(), "{rotation:?}");
    assert_eq!((rotation.sealed_again, rotation.pins_of_older_keys), (3, 1));

    let uses = uses(&fixture.keys, &fixture.database).await.unwrap();
    let protects = |secrets, pins| Protected { secrets, pins };
    let found: Vec<_> = uses.iter().map(|used| (used.id, used.is_in_use, used.protected)).collect();
    assert_eq!(found, [(rotation.key, true, protects(3, 0)), (first, false, protects(0, 1))]);

    // Each is bound to its own purpose, as it was before.
    let places = fixture.database.secrets_of_other_keys("none").await.unwrap();
    let (mut contents, mut wrong) = (Vec::new(), 0);
    for place in &places {
        let sealed = fixture.database.sealed_secret(place).await.unwrap().unwrap();
        let purpose = purpose(&fixture.database, place).await.unwrap();
        contents.push(fixture.keys.open(&purpose, &sealed).unwrap().to_vec());
        wrong += usize::from(fixture.keys.open("another purpose", &sealed).is_err());
    }
    assert_eq!((contents.len(), wrong), (3, 3));
    assert!(contents.contains(&b"of the step".to_vec()) && contents.contains(&b"of the mail".to_vec()));

    // The PIN's key is still there, so the link works; afterwards nothing needs the old key.
    let refused = retire_key(&fixture, first).await.unwrap_err();
    assert!(matches!(refused, RekeyingError::Needed { .. }), "{refused}");
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
    retire_key(&fixture, first).await.unwrap();
    assert_eq!(fixture.keys.list().len(), 1);
    let again = retire_key(&fixture, first).await.unwrap_err();
    assert!(matches!(again, RekeyingError::Keys(KeysError::NoSuchKey { .. })), "{again}");
    let in_use = retire_key(&fixture, rotation.key).await.unwrap_err();
    assert!(matches!(in_use, RekeyingError::Keys(KeysError::InUse { .. })), "{in_use}");
}

/// Between counting the attempt and erasing the link lies a call to Keystone: the password is sealed anew meanwhile.
#[tokio::test]
async fn a_password_change_that_a_rotation_overtakes_still_uses_the_link_up() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let hash = token_hash(&link.token);
    let limits = crate::database::AttemptLimits { per_link: 5, per_window: 5 };
    let now = fixture.clock.now();
    let attempt = crate::database::Attempt { token_hash: &hash, now, limits, client: None };
    let counted = fixture.database.count_attempt(&attempt).await.unwrap();
    let crate::database::AttemptStart::Counted(attempt) = counted else { panic!("{counted:?}") };
    assert_eq!(rotate_all(&fixture).await.sealed_again, 1);
    fixture.database.erase_used_link(&attempt, None, now).await.unwrap();
    let again = fixture.redeem(&link.token, PIN, CHOSEN).await;
    assert!(matches!(again, Err(RedeemError::Unknown)), "{again:?}");
}

#[tokio::test]
async fn a_rotation_that_was_interrupted_is_finished_and_makes_no_further_key() {
    let fixture = Fixture::new().await;
    fixture.link().await;
    step_and_mail(&fixture).await;
    // As the first try left it: the key is in the file, and nothing has moved.
    let second = Keys::add(&key_file(&fixture), fixture.clock.now()).unwrap();
    let rotation = rotate_all(&fixture).await;
    assert_eq!((rotation.is_new, rotation.key, rotation.sealed_again), (false, second, 3));
    let rotation = rotate_all(&fixture).await;
    assert!(rotation.is_new && rotation.key != second, "{rotation:?}");
}

#[tokio::test]
async fn who_still_has_a_retired_key_in_memory_cannot_store_anything_with_it() {
    let fixture = Fixture::new().await;
    let first = current(&fixture.keys);
    let sealed = fixture.keys.seal(outbox::PURPOSE, b"sealed before");
    let password = fixture.keys.seal(&setpass::password_purpose(USER), b"sealed before");
    let pin_hash = fixture.keys.hash_pin(&PIN.into());
    let case = fixture.setpass.number_reset_case(1, "user@example.org").await.unwrap().unwrap();
    rotate_all(&fixture).await;
    retire_key(&fixture, first).await.unwrap();

    let (database, now) = (&fixture.database, fixture.clock.now());
    let mut tx = database.begin().await.unwrap();
    let mut refusals = vec![
        Database::add_mail(&mut tx, "origin", "kind", &sealed, now, None).await.unwrap_err(),
        database.open_reset_case(&mut tx, case, &pin_hash, now).await.unwrap_err(),
    ];
    let fresh = fixture.keys.seal(&setpass::password_purpose(USER), b"fresh");
    let fresh_hash = fixture.keys.hash_pin(&PIN.into());
    for (sealed, pin_hash) in [(&password, &fresh_hash), (&fresh, &pin_hash)] {
        let password = crate::database::LinkPassword { sealed, name: "name" };
        let link = crate::database::LinkIssue {
            user_id: USER,
            token_hash: &[7; 32],
            password: Some(password),
            pin_hash: Some(pin_hash),
            issued: now,
            expires: now,
        };
        refusals.push(database.issue_link(&mut tx, &link).await.unwrap_err());
    }
    drop(tx);
    fixture.link().await;
    step_and_mail(&fixture).await;
    for place in database.secrets_of_other_keys("none").await.unwrap() {
        let stored = database.sealed_secret(&place).await.unwrap().unwrap();
        let mut tx = database.begin().await.unwrap();
        refusals.push(replace_secret_in(&mut tx, &place, &stored, &sealed).await.unwrap_err());
    }
    assert_eq!(refusals.len(), 7);
    for refusal in refusals {
        assert!(refusal.to_string().contains("try again"), "{refusal}");
    }
}

#[tokio::test]
async fn beside_another_key_file_the_right_pin_is_not_called_wrong_and_the_missing_key_is_named() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    step_and_mail(&fixture).await;
    let (file, first) = (key_file(&fixture), current(&fixture.keys));
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    Keys::create(&file, fixture.clock.now()).unwrap();
    for pin in [PIN, WRONG_PIN] {
        let refused = fixture.redeem(&link.token, pin, CHOSEN).await.unwrap_err();
        let RedeemError::Setpass(SetpassError::Keys(KeysError::UnknownKey { id })) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(id, first);
    }
    let uses = uses(&fixture.keys, &fixture.database).await.unwrap();
    assert_eq!((uses.len(), uses[1].id, uses[1].key), (2, first, None));
    let rotation = rotate_all(&fixture).await;
    assert_eq!((rotation.sealed_again, rotation.unopened.len()), (0, 3), "{rotation:?}");

    // The old line is put back, below the others. No attempt was counted meanwhile.
    let line = String::from_utf8(kept).unwrap().lines().nth(1).unwrap().to_owned();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{line}\n")).unwrap();
    assert_eq!(rotate_all(&fixture).await.sealed_again, 3);
    let wrong = fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await;
    assert!(matches!(wrong, Err(RedeemError::WrongPin { left: 4 })), "{wrong:?}");
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_was_tampered_with_is_reported_and_does_not_stop_the_others() {
    let fixture = Fixture::new().await;
    fixture.link().await;
    step_and_mail(&fixture).await;
    let place = SecretPlace::Mail { origin: "origin".to_owned() };
    let stored = fixture.database.sealed_secret(&place).await.unwrap().unwrap();
    let mut changed = stored.clone();
    *changed.last_mut().unwrap() ^= 1;
    let mut tx = fixture.database.begin().await.unwrap();
    assert!(replace_secret_in(&mut tx, &place, &stored, &changed).await.unwrap());
    tx.commit().await.unwrap();
    let rotation = rotate_all(&fixture).await;
    assert_eq!(rotation.sealed_again, 2);
    assert!(matches!(rotation.unopened.as_slice(), [KeysError::Damaged]), "{rotation:?}");
}

#[tokio::test]
async fn two_do_not_change_keys_at_once() {
    let fixture = Fixture::new().await;
    let others = Leases::new(fixture.database.clone(), fixture.clock.clone());
    others.take(LEASE, "another host", &Stop::default()).await.unwrap().unwrap();
    let refused = rotate(&key_file(&fixture), &fixture.database, &fixture.clock).await.unwrap_err();
    assert!(matches!(refused, RekeyingError::Busy(_)), "{refused}");
    assert_eq!(fixture.keys.list().len(), 1);
}

/// What users ask for waits a few seconds at most, and longer only while Keystone does not answer.
#[tokio::test]
async fn a_request_for_a_link_moves_to_the_new_key_and_its_pin_holds_the_old_one() {
    let fixture = Fixture::new().await;
    let (first, old_hash) = (current(&fixture.keys), fixture.keys.hash_pin(&PIN.into()));
    let asker = setpass::Asker { name: "New User".to_owned(), email: "user@example.org".to_owned() };
    fixture.setpass.ask_for_link(&asker, &old_hash, None).await.unwrap();
    let rotation = rotate_all(&fixture).await;
    assert_eq!((rotation.sealed_again, rotation.pins_of_older_keys), (1, 1));
    assert!(matches!(retire_key(&fixture, first).await, Err(RekeyingError::Needed { .. })));

    let (database, now) = (&fixture.database, fixture.clock.now());
    let request = database.claim_reset_request("test", now, now, |_| false).await.unwrap().unwrap();
    assert_eq!(fixture.setpass.open_asker(&request.who).unwrap(), asker);
    let mut tx = database.begin().await.unwrap();
    assert!(crate::database::finish_reset_request_in(&mut tx, request.id, "test").await.unwrap());
    tx.commit().await.unwrap();
    retire_key(&fixture, first).await.unwrap();
    // Who still has the old key in memory is refused.
    let refused = fixture.setpass.ask_for_link(&asker, &old_hash, None).await.unwrap_err();
    assert!(refused.to_string().contains("try again"), "{refused}");
}
