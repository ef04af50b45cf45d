//! What is known of a submission after a crash.

use super::*;
use crate::database::Begun;

async fn take_up(database: &Database, marker: &str, run: i64) -> JournalRequest {
    let batch = [("k", marker.to_owned())];
    let mut taken =
        database.take_up_requests(SheetKind::Access, &batch, run, Timestamp::UNIX_EPOCH).await.unwrap();
    taken.remove(0)
}

#[tokio::test]
async fn a_step_that_was_begun_is_known_after_a_crash_and_keeps_its_first_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.sqlite");
    let now = Timestamp::UNIX_EPOCH;
    let database = Database::open(&file).await.unwrap();
    let run = database.begin_run("import", now).await.unwrap();
    let request = take_up(&database, "m1", run).await;
    assert_eq!(
        database.begin_step(request.id, "create-user", Some(b"one"), run, now).await.unwrap(),
        Begun::First
    );
    database.close().await;

    let database = Database::open(&file).await.unwrap();
    let again = take_up(&database, "m2", run).await;
    assert_eq!((again.id, again.marker.as_str()), (request.id, "m1"));
    let begun = database.begin_step(request.id, "create-user", Some(b"two"), run, now).await.unwrap();
    assert_eq!(begun, Begun::Again(Some(b"one".to_vec())));
    database.finish_step(request.id, "create-user", "u-1", now).await.unwrap();
    let begun = database.begin_step(request.id, "create-user", None, run, now).await.unwrap();
    assert_eq!(begun, Begun::Finished("u-1".to_owned()));

    let mut transaction = database.begin().await.unwrap();
    finish_request_in(&mut transaction, request.id, now).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(database.step_secret(request.id, "create-user").await.unwrap(), None);
    assert_eq!(database.unmoved_requests(SheetKind::Access).await.unwrap().len(), 1);
    database.mark_moved(&[request.id], now).await.unwrap();
    assert!(database.unmoved_requests(SheetKind::Access).await.unwrap().is_empty());
    let known = database.known_requests(SheetKind::Access, &["k", "other"]).await.unwrap();
    assert_eq!(known["k"].state, RequestState::Moved);
    assert_eq!(known["k"].finished("create-user"), Some("u-1"));
}
