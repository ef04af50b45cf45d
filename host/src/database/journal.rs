//! The journal: which submissions are being worked on, and how far each has come.
//!
//! A step is recorded before its effect (see [`super::steps`]), so that whoever comes after a crash knows what
//! may have happened. Knows nothing of what the steps do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::Row as _;

use super::erased_names::digest_in;
use super::{Database, DatabaseError, Transaction};
use crate::registration::SheetKind;

/// How far a submission has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// Steps are left.
    Open,
    /// All steps are done; the row is still where the form wrote it.
    Done,
    /// All steps are done and the row has moved.
    Moved,
}

/// A submission that the journal knows.
#[derive(Clone, Debug)]
pub struct JournalRequest {
    /// Number in the journal.
    pub id: i64,
    /// What the parser calls it.
    pub key: String,
    /// What users and projects that it created carry in Keystone.
    pub marker: String,
    /// How far it has come.
    pub state: RequestState,
    /// The run that first took it up: submissions with the same one were in one batch.
    pub first_run: i64,
    /// The run that last worked on it.
    pub run: i64,
    /// The steps that were begun, by name; with what they made, where they are finished.
    pub steps: BTreeMap<String, Option<String>>,
}

impl JournalRequest {
    /// What a step made, if it is finished.
    #[must_use]
    pub fn finished(&self, step: &str) -> Option<&str> {
        self.steps.get(step)?.as_deref()
    }
}

impl Database {
    /// The submissions among `keys` that the journal knows, by key.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn known_requests(
        &self,
        sheet: SheetKind,
        keys: &[&str],
    ) -> Result<BTreeMap<String, JournalRequest>, DatabaseError> {
        let digest = self.name_digest().await?;
        let mut known = BTreeMap::new();
        for key in keys {
            let row = sqlx::query(
                "SELECT id, key, marker, state, first_run, run FROM request WHERE sheet = $1 AND key IN ($2, $3) \
                 ORDER BY key = $2 DESC LIMIT 1",
            )
            .bind(sheet.name())
            .bind(*key)
            .bind(digest.of(sheet, key))
            .fetch_optional(&self.pool)
            .await?;
            if let Some(row) = row {
                let mut request = journal_request(&row)?;
                (*key).clone_into(&mut request.key);
                request.steps = self.steps(request.id).await?;
                known.insert(request.key.clone(), request);
            }
        }
        Ok(known)
    }

    /// Those of these submissions whose rows have moved before a moment.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn moved_before(
        &self,
        sheet: SheetKind,
        keys: &[&str],
        before: Timestamp,
    ) -> Result<BTreeSet<String>, DatabaseError> {
        let digest = self.name_digest().await?;
        let mut moved = BTreeSet::new();
        for key in keys {
            let found: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM request WHERE sheet = $1 AND key IN ($2, $3) AND state = 'moved' AND updated < $4",
            )
            .bind(sheet.name())
            .bind(*key)
            .bind(digest.of(sheet, key))
            .bind(before.as_millisecond())
            .fetch_one(&self.pool)
            .await?;
            if found > 0 {
                moved.insert((*key).to_owned());
            }
        }
        Ok(moved)
    }

    /// The submissions whose steps are all done but whose rows have not been seen to move.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn unmoved_requests(&self, sheet: SheetKind) -> Result<Vec<JournalRequest>, DatabaseError> {
        self.requests_in(sheet, "done").await
    }

    /// Those of them that have these names, or had them before they were erased, by their numbers in the journal.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn unmoved_among(
        &self,
        sheet: SheetKind,
        keys: &BTreeSet<&str>,
    ) -> Result<Vec<i64>, DatabaseError> {
        let digest = self.name_digest().await?;
        let names: BTreeSet<String> = keys.iter().map(|key| digest.of(sheet, key)).collect();
        let unmoved = self.unmoved_requests(sheet).await?;
        let is_among = |request: &&JournalRequest| {
            keys.contains(request.key.as_str()) || names.contains(digest_in(&request.key))
        };
        Ok(unmoved.iter().filter(is_among).map(|request| request.id).collect())
    }

    /// The submissions that were begun and are not finished.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn open_requests(&self, sheet: SheetKind) -> Result<Vec<JournalRequest>, DatabaseError> {
        self.requests_in(sheet, "open").await
    }

    async fn requests_in(&self, sheet: SheetKind, state: &str) -> Result<Vec<JournalRequest>, DatabaseError> {
        sqlx::query(
            "SELECT id, key, marker, state, first_run, run FROM request
             WHERE sheet = $1 AND state = $2 ORDER BY id",
        )
        .bind(sheet.name())
        .bind(state)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(journal_request)
        .collect()
    }

    /// The steps of a submission that were begun, by name; with what they made, where they are finished.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn steps(&self, request: i64) -> Result<BTreeMap<String, Option<String>>, DatabaseError> {
        let rows = sqlx::query("SELECT name, finished, result FROM step WHERE request = $1")
            .bind(request)
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let result: Option<String> = row.try_get("result")?;
                let finished = row.try_get::<Option<i64>, _>("finished")?.is_some();
                Ok((row.try_get("name")?, finished.then(|| result.unwrap_or_default())))
            })
            .collect()
    }

    /// The submission that left `marker` on a user or project.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn request_by_marker(&self, marker: &str) -> Result<Option<JournalRequest>, DatabaseError> {
        sqlx::query("SELECT id, key, marker, state, first_run, run FROM request WHERE marker = $1")
            .bind(marker)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(journal_request)
            .transpose()
    }

    /// Takes up a batch of submissions, all or none: records those that the journal does not know,
    /// each with the marker beside its key, and notes the run. One whose name was erased gets it back. The answer is in
    /// the order given.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn take_up_requests(
        &self,
        sheet: SheetKind,
        keys_and_markers: &[(&str, String)],
        run: i64,
        now: Timestamp,
    ) -> Result<Vec<JournalRequest>, DatabaseError> {
        let digest = self.name_digest().await?;
        let mut transaction = self.begin().await?;
        let mut requests = Vec::with_capacity(keys_and_markers.len());
        for (key, marker) in keys_and_markers {
            // Else it would be in the journal twice.
            sqlx::query(
                "UPDATE request SET key = $3 WHERE sheet = $1 AND key = $2
                 AND NOT EXISTS (SELECT 1 FROM request WHERE sheet = $1 AND key = $3)",
            )
            .bind(sheet.name())
            .bind(digest.of(sheet, key))
            .bind(*key)
            .execute(&mut *transaction)
            .await?;
            let row = sqlx::query(
                "INSERT INTO request (sheet, key, marker, state, first_run, run, created, updated)
                 VALUES ($1, $2, $3, 'open', $4, $4, $5, $5)
                 ON CONFLICT (sheet, key) DO UPDATE SET run = excluded.run, updated = excluded.updated
                 RETURNING id, key, marker, state, first_run, run",
            )
            .bind(sheet.name())
            .bind(*key)
            .bind(marker)
            .bind(run)
            .bind(now.as_millisecond())
            .fetch_one(&mut *transaction)
            .await?;
            requests.push(journal_request(&row)?);
        }
        transaction.commit().await?;
        for request in &mut requests {
            request.steps = self.steps(request.id).await?;
        }
        Ok(requests)
    }

    /// Records why a submission could not be finished.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note_request_error(
        &self,
        request: i64,
        error: &str,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        sqlx::query("UPDATE request SET error = $2, updated = $3 WHERE id = $1")
            .bind(request)
            .bind(error)
            .bind(now.as_millisecond())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Records that the rows of finished submissions have moved.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mark_moved(&self, requests: &[i64], now: Timestamp) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        for request in requests {
            sqlx::query("UPDATE request SET state = 'moved', updated = $2 WHERE id = $1 AND state = 'done'")
                .bind(request)
                .bind(now.as_millisecond())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Records that all steps of a submission are done. Secrets that its steps kept are erased: from
/// here on setpass alone holds the password.
///
/// # Errors
/// Where the database fails.
pub async fn finish_request_in(
    transaction: &mut Transaction,
    request: i64,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE step SET secret = NULL WHERE request = $1")
        .bind(request)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "UPDATE request SET state = 'done', error = NULL, updated = $2 WHERE id = $1 AND state = 'open'",
    )
    .bind(request)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn journal_request(row: &sqlx::sqlite::SqliteRow) -> Result<JournalRequest, DatabaseError> {
    let state: String = row.try_get("state")?;
    Ok(JournalRequest {
        id: row.try_get("id")?,
        key: row.try_get("key")?,
        marker: row.try_get("marker")?,
        state: match state.as_str() {
            "open" => RequestState::Open,
            "done" => RequestState::Done,
            "moved" => RequestState::Moved,
            other => return Err(DatabaseError::Damaged(format!("request state {other}"))),
        },
        first_run: row.try_get("first_run")?,
        run: row.try_get("run")?,
        steps: BTreeMap::new(),
    })
}

#[cfg(test)]
mod tests;
