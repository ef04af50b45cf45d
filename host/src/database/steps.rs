//! The steps of a submission: which have begun, which have ended, and what they keep meanwhile.

use jiff::Timestamp;
use sqlx::Row as _;

use super::{Database, DatabaseError, Transaction};

/// What the journal knew of a step when it was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nobody tried it before.
    First,
    /// Somebody tried it, and it is not known whether it took effect. With the secret recorded then.
    Again(Option<Vec<u8>>),
    /// It is finished, with what it made.
    Finished(String),
}

impl Database {
    /// Records that a step is about to be taken by a run. `secret` is kept with it, and is what a later
    /// attempt gets back instead of its own.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn begin_step(
        &self,
        request: i64,
        name: &str,
        secret: Option<&[u8]>,
        run: i64,
        now: Timestamp,
    ) -> Result<Begun, DatabaseError> {
        let mut transaction = self.begin().await?;
        let before =
            sqlx::query("SELECT finished, result, secret FROM step WHERE request = $1 AND name = $2")
                .bind(request)
                .bind(name)
                .fetch_optional(&mut *transaction)
                .await?;
        let begun = match before {
            None => {
                sqlx::query(
                    "INSERT INTO step (request, name, started, secret, run) VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(request)
                .bind(name)
                .bind(now.as_millisecond())
                .bind(secret)
                .bind(run)
                .execute(&mut *transaction)
                .await?;
                Begun::First
            }
            Some(row) if row.try_get::<Option<i64>, _>("finished")?.is_some() => {
                Begun::Finished(row.try_get::<Option<String>, _>("result")?.unwrap_or_default())
            }
            Some(row) => {
                sqlx::query(
                    "UPDATE step SET attempts = attempts + 1, run = $3 WHERE request = $1 AND name = $2",
                )
                .bind(request)
                .bind(name)
                .bind(run)
                .execute(&mut *transaction)
                .await?;
                Begun::Again(row.try_get("secret")?)
            }
        };
        transaction.commit().await?;
        Ok(begun)
    }

    /// Records that a step is done and what it made.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn finish_step(
        &self,
        request: i64,
        name: &str,
        result: &str,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        if finish_step_in(&mut transaction, request, name, result, now).await? {
            transaction.commit().await?;
        }
        Ok(())
    }

    /// The secret that was recorded with a step, sealed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn step_secret(&self, request: i64, name: &str) -> Result<Option<Vec<u8>>, DatabaseError> {
        secret(&self.pool, request, name).await
    }
}

/// Records that a step is done, together with whatever else the transaction holds. False where
/// somebody else has finished it meanwhile: the transaction must not be committed then.
///
/// # Errors
/// Where the database fails.
pub async fn finish_step_in(
    transaction: &mut Transaction,
    request: i64,
    name: &str,
    result: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let updated = sqlx::query(
        "UPDATE step SET finished = $3, result = $4 WHERE request = $1 AND name = $2 AND finished IS NULL",
    )
    .bind(request)
    .bind(name)
    .bind(now.as_millisecond())
    .bind(result)
    .execute(&mut **transaction)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// The secret of a step, as [`Database::step_secret`], as it is until the transaction ends.
///
/// # Errors
/// Where the database fails.
pub async fn step_secret_in(
    transaction: &mut Transaction,
    request: i64,
    name: &str,
) -> Result<Option<Vec<u8>>, DatabaseError> {
    secret(&mut **transaction, request, name).await
}

async fn secret(
    from: impl sqlx::SqliteExecutor<'_>,
    request: i64,
    name: &str,
) -> Result<Option<Vec<u8>>, DatabaseError> {
    let row = sqlx::query("SELECT secret FROM step WHERE request = $1 AND name = $2")
        .bind(request)
        .bind(name)
        .fetch_optional(from)
        .await?;
    Ok(row.map(|row| row.try_get("secret")).transpose()?.flatten())
}

/// Forgets the password that a step keeps for the user with this marker, because the user was given
/// another one: who finishes the request must not register the old one with setpass.
///
/// # Errors
/// Where the database fails.
pub async fn forget_step_password_in(
    transaction: &mut Transaction,
    marker: &str,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE step SET secret = NULL WHERE request IN (SELECT id FROM request WHERE marker = $1)")
        .bind(marker)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
