//! What a dry run finds where it only reads.

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
