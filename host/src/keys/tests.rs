use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn set_mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn whoever_holds_the_keys_takes_changes_of_the_file_up_at_the_next_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let first = Keys::create(&file, Timestamp::UNIX_EPOCH).unwrap();
    let running = Keys::load(&file).unwrap();
    let pin: SecretString = "4711".into();
    let (sealed, hash) = (running.seal("p", b"x"), running.hash_pin(&pin));

    let second = Keys::add(&file, Timestamp::UNIX_EPOCH).unwrap();
    let others = Keys::load(&file).unwrap();
    assert_eq!(running.open("p", &others.seal("p", b"y")).unwrap().as_slice(), b"y");
    assert!(running.verify_pin(&pin, &others.hash_pin(&pin)).unwrap());
    assert_eq!(running.list().iter().map(|key| key.id).collect::<Vec<_>>(), [second, first]);
    assert_eq!(running.open("p", &sealed).unwrap().as_slice(), b"x", "the older key still opens");
    assert!(running.verify_pin(&pin, &hash).unwrap());

    Keys::remove(&file, first).unwrap();
    let gone = |error: &KeysError| matches!(error, KeysError::UnknownKey { id } if *id == first);
    assert!(gone(&running.open("p", &sealed).unwrap_err()));
    assert!(gone(&running.verify_pin(&pin, &hash).unwrap_err()));
}

#[test]
fn a_file_that_cannot_be_used_any_more_leaves_those_who_run_the_keys_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    Keys::create(&file, Timestamp::UNIX_EPOCH).unwrap();
    let running = Keys::load(&file).unwrap();
    let sealed = running.seal("p", b"x");
    set_mode(&file, 0o644);
    assert!(matches!(Keys::load(&file), Err(KeysError::Exposed { .. })));
    assert_eq!(running.open("p", &sealed).unwrap().as_slice(), b"x");
    let text = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(running.open("p", &sealed).unwrap().as_slice(), b"x");
    std::fs::write(&file, text).unwrap();
    set_mode(&file, 0o600);
    let added = Keys::add(&file, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(running.list()[0].id, added, "and take it up once it can be");
}

#[test]
fn what_is_written_about_keys_names_them_and_holds_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let id = Keys::create(&file, Timestamp::UNIX_EPOCH).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let material = text.lines().nth(1).unwrap().split(' ').nth(1).unwrap();
    let shown = format!("{:?}", Keys::load(&file).unwrap());
    assert!(shown.contains(&id.to_string()) && !shown.contains(&material[..8]), "{shown}");
}
