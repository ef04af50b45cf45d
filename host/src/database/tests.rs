//! What opening a database finds, and what it brings up to date.

use super::*;

/// An error as the program prints it, with what it comes from.
fn told(error: DatabaseError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

#[tokio::test]
async fn tables_that_are_not_ours_are_of_another_version() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let foreign = folder.path().join("foreign");
    let options = SqliteConnectOptions::new().filename(&foreign).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE phonebook (name TEXT)").execute(&pool).await.unwrap();
    pool.close().await;
    for file in [empty, foreign] {
        let error = Database::open_for_reading(&file).await.unwrap_err();
        assert!(matches!(error, DatabaseError::OtherVersion { .. }), "{}", told(error));
    }
}

/// A folder that may not be entered comes to the same, but not for root.
#[tokio::test]
async fn a_database_that_may_not_be_seen_is_not_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let around = folder.path().join("around");
    std::os::unix::fs::symlink(&around, &around).unwrap();
    let error = Database::open_for_reading(&around).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Hidden { .. }), "{}", told(error));
    Database::open_for_reading(&folder.path().join("nothing yet")).await.unwrap();
}

#[tokio::test]
async fn as_many_versions_are_not_the_same_versions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.sqlite");
    let database = Database::open(&file).await.unwrap();
    Database::open_for_reading(&file).await.unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
        .execute(&database.pool)
        .await
        .unwrap();
    let error = Database::open_for_reading(&file).await.unwrap_err();
    assert!(matches!(error, DatabaseError::OtherVersion { .. }), "{}", told(error));
}

#[tokio::test]
async fn what_sqlite_says_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
    let error = sqlx::query("SELECT * FROM phonebook").execute(&database.pool).await.unwrap_err();
    let told = told(error.into());
    assert_eq!(told.matches("no such table").count(), 1, "{told}");
}

/// A database of the version before mails could be tried again, with a mail in every state, is brought up to date
/// with all that is in it.
#[tokio::test]
async fn a_database_of_an_earlier_version_keeps_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.sqlite");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true).foreign_keys(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let mut earlier = sqlx::migrate!("./migrations");
    earlier.migrations.to_mut().truncate(4);
    earlier.run(&pool).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO run (id, kind, started) VALUES (1, 'import', 1);
         INSERT INTO request (id, sheet, key, marker, state, first_run, run, created, updated)
             VALUES (1, 'access', 'k', 'm', 'open', 1, 1, 1, 1);
         INSERT INTO step (request, name, started, secret) VALUES (1, 'create-user:a', 1, x'01');
         INSERT INTO outbox (origin, position, kind, state, payload, created, next_attempt, claimed_by, claimed_until,
             worthless_from) VALUES ('a', 1, 'password', 'queued', x'02', 1, 1, 'somebody', 9, 99);
         INSERT INTO outbox (origin, position, kind, state, created, next_attempt, finished)
             VALUES ('b', 2, 'welcome', 'sent', 1, 1, 2);
         INSERT INTO outbox (origin, position, kind, state, created, next_attempt, finished, last_error, kept_in)
             VALUES ('c', 3, 'welcome', 'refused', 1, 1, 2, 'no', '/kept/c.eml');",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;

    let database = Database::open(&file).await.unwrap();
    let all = [MailState::Queued, MailState::Sent, MailState::Refused, MailState::Dropped];
    let mails = database.mails_in(&all).await.unwrap();
    let states: Vec<_> = mails.iter().map(|mail| (mail.origin.as_str(), mail.state)).collect();
    assert_eq!(states, [("a", MailState::Queued), ("b", MailState::Sent), ("c", MailState::Refused)]);
    assert_eq!(mails[0].payload.as_deref(), Some(&[2][..]));
    let claims = database.mail_claims().await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.claimant.as_str()).collect::<Vec<_>>(), ["somebody"]);
    assert_eq!(mails[2].kept_in.as_deref(), Some(Path::new("/kept/c.eml")));
    assert!(!database.retry_mail(3, jiff::Timestamp::UNIX_EPOCH).await.unwrap(), "its content was wiped");
    assert_eq!(database.step_secret(1, "create-user:a").await.unwrap(), Some(vec![1]));
    assert!(database.run("import", 1).await.unwrap().unwrap().report.is_none());
    assert!(database.steps_of_run(1).await.unwrap().is_empty());
}

/// A link from before links could be asked for goes on working, and a retired key is refused as before.
#[tokio::test]
async fn a_link_of_an_earlier_version_goes_on_working() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.sqlite");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true).foreign_keys(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let mut earlier = sqlx::migrate!("./migrations");
    earlier.migrations.to_mut().truncate(8);
    earlier.run(&pool).await.unwrap();
    sqlx::query(
        "INSERT INTO setpass_link (user_id, token_hash, expires, attempts, password, password_name, pin_hash, issued) \
         VALUES ('u1', ?, 2000, 1, x'0101010101ff', 'name', '01010101$hash', 1000)",
    )
    .bind([7_u8; 32].as_slice())
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO retired_key (id, retired) VALUES ('02020202', 1)").execute(&pool).await.unwrap();
    pool.close().await;

    let database = Database::open(&file).await.unwrap();
    let now = jiff::Timestamp::from_millisecond(1500).unwrap();
    let limits = AttemptLimits { per_link: 5, per_window: 5 };
    let attempt = Attempt { token_hash: &[7; 32], now, limits, client: None };
    let counted = database.count_attempt(&attempt).await.unwrap();
    let AttemptStart::Counted(attempt) = counted else { panic!("{counted:?}") };
    assert_eq!((attempt.user_id.as_str(), attempt.left), ("u1", 3));
    let claim = database.claim_change(&attempt, b"drawn", now, now, now).await.unwrap();
    let Claim::Granted(claim) = claim else { panic!("{claim:?}") };
    assert_eq!(claim.password, [1, 1, 1, 1, 1, 255]);
    assert!(claim.is_password_set && !claim.unsettled && claim.superseded.is_none());
    for statement in [
        "UPDATE setpass_link SET password = x'0102020202ff'",
        "UPDATE setpass_link SET pin_hash = '02020202$hash'",
        "INSERT INTO reset_request (who, pin_hash, created, next_try) VALUES (x'0102020202ff', '', 1, 1)",
        "INSERT INTO setpass_link (token_hash, user_id, kind, expires, pin_hash, issued) \
         VALUES (x'08', 'u1', 'reset', 1, '02020202$hash', 1)",
    ] {
        let refused = sqlx::query(statement).execute(&database.pool).await.unwrap_err();
        assert!(refused.to_string().contains("was retired"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn the_log_is_emptied_unless_somebody_reads_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
    let log = || std::fs::metadata(folder.path().join("usher.sqlite-wal")).unwrap().len();
    let mut reading = database.pool.begin().await.unwrap();
    sqlx::query("SELECT COUNT(*) FROM run").fetch_one(&mut *reading).await.unwrap();
    database.begin_run("import", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let kept = database.overwrite_log().await;
    assert!(matches!(kept, Err(DatabaseError::LogInUse)), "{kept:?}");
    assert!(log() > 0);
    reading.rollback().await.unwrap();
    database.overwrite_log().await.unwrap();
    assert_eq!(log(), 0);
}
