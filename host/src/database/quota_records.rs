//! The records of what was decided about quotas: by people, by the quota policy, by an operator.

mod decision;
mod ends;

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row as _;

use super::{Database, DatabaseError, Transaction};
use crate::registration::QuotaService;

use decision::{service_from_name, with_changes};

pub use decision::{
    ChangeFate, QuotaApproval, QuotaChange, QuotaDecision, QuotaOutcome, RecordedQuotaDecision,
};
pub use ends::{EndedLimit, mark_quota_warned_in, record_quota_fates_and_end_in};

/// A limit's value, by the service that keeps it and OpenStack's key.
pub type LimitValues = BTreeMap<(QuotaService, String), i64>;

/// Records a decision, together with whatever else the transaction holds, and numbers it. One about a request
/// takes the place, and the number, of an earlier one that was a denial, or that nobody has begun to apply.
/// None where the earlier one stands: it is applied, or a step of its request was begun.
///
/// # Errors
/// Where the database fails.
pub async fn record_quota_decision_in(
    transaction: &mut Transaction,
    decision: &QuotaDecision,
) -> Result<Option<i64>, DatabaseError> {
    let notices = serde_json::Value::from(decision.notices.clone()).to_string();
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO quota_decision (request, project_id, project, requester_email, requester_name, decided, \
             outcome, wish, approved_by, reason, notices, policy, ends) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (request) DO UPDATE SET project_id = excluded.project_id, project = excluded.project, \
             requester_email = excluded.requester_email, requester_name = excluded.requester_name, \
             decided = excluded.decided, outcome = excluded.outcome, wish = excluded.wish, \
             approved_by = excluded.approved_by, reason = excluded.reason, notices = excluded.notices, \
             policy = excluded.policy, ends = excluded.ends, applied = NULL, warned = NULL, ended = NULL \
         WHERE quota_decision.outcome = 'denied' OR (quota_decision.applied IS NULL \
             AND NOT EXISTS (SELECT 1 FROM step WHERE step.request = quota_decision.request)) \
         RETURNING id",
    )
    .bind(decision.request)
    .bind(&decision.project_id)
    .bind(&decision.project)
    .bind(&decision.requester_email)
    .bind(&decision.requester_name)
    .bind(decision.decided.as_millisecond())
    .bind(decision.outcome.name())
    .bind(&decision.wish)
    .bind(decision.approved_by.name())
    .bind(&decision.reason)
    .bind(notices)
    .bind(&decision.policy)
    .bind(decision.ends.map(Timestamp::as_millisecond))
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(id) = id else { return Ok(None) };
    sqlx::query("DELETE FROM quota_change WHERE decision = $1").bind(id).execute(&mut **transaction).await?;
    for change in &decision.changes {
        sqlx::query(
            "INSERT INTO quota_change (decision, service, key, old, new, reason) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(change.service.name())
        .bind(&change.key)
        .bind(change.old)
        .bind(change.new)
        .bind(&change.reason)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(Some(id))
}

/// Records that all of a decision is in force, together with whatever else the transaction holds.
///
/// # Errors
/// Where the database fails.
pub async fn mark_quota_applied_in(
    transaction: &mut Transaction,
    decision: i64,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE quota_decision SET applied = $2 WHERE id = $1 AND applied IS NULL")
        .bind(decision)
        .bind(now.as_millisecond())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Leaves out of a decision what in the end it did not set, together with whatever else the transaction holds.
///
/// # Errors
/// Where the database fails.
pub async fn keep_quota_changes_in(
    transaction: &mut Transaction,
    decision: i64,
    kept: &[(QuotaService, &str)],
) -> Result<(), DatabaseError> {
    let rows = sqlx::query("SELECT service, key FROM quota_change WHERE decision = $1")
        .bind(decision)
        .fetch_all(&mut **transaction)
        .await?;
    for row in rows {
        let (service, key): (String, String) = (row.try_get("service")?, row.try_get("key")?);
        if kept.contains(&(service_from_name(&service)?, key.as_str())) {
            continue;
        }
        sqlx::query("DELETE FROM quota_change WHERE decision = $1 AND service = $2 AND key = $3")
            .bind(decision)
            .bind(service)
            .bind(key)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Forgets what was decided about a request and what was done for it, because all of it was taken back: it is decided
/// anew. Together with whatever else the transaction holds.
///
/// # Errors
/// Where the database fails.
pub async fn forget_quota_decision_in(
    transaction: &mut Transaction,
    request: i64,
) -> Result<(), DatabaseError> {
    for statement in [
        "DELETE FROM quota_change WHERE decision IN (SELECT id FROM quota_decision WHERE request = $1)",
        "DELETE FROM quota_decision WHERE request = $1",
        "DELETE FROM step WHERE request = $1",
    ] {
        sqlx::query(statement).bind(request).execute(&mut **transaction).await?;
    }
    Ok(())
}

impl Database {
    /// Records a decision on its own, as [`record_quota_decision_in`].
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_quota_decision(
        &self,
        decision: &QuotaDecision,
    ) -> Result<Option<i64>, DatabaseError> {
        let mut transaction = self.begin().await?;
        let id = record_quota_decision_in(&mut transaction, decision).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Records on its own that all of a decision is in force.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mark_quota_applied(&self, decision: i64, now: Timestamp) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        mark_quota_applied_in(&mut transaction, decision, now).await?;
        Ok(transaction.commit().await?)
    }

    /// What was decided about a request.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn quota_decision_of_request(
        &self,
        request: i64,
    ) -> Result<Option<RecordedQuotaDecision>, DatabaseError> {
        let rows = sqlx::query("SELECT * FROM quota_decision WHERE request = $1").bind(request);
        Ok(with_changes(&self.pool, rows.fetch_all(&self.pool).await?).await?.pop())
    }

    /// What was decided about a project, the latest first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn quota_decisions_of_project(
        &self,
        project_id: &str,
    ) -> Result<Vec<RecordedQuotaDecision>, DatabaseError> {
        let rows =
            sqlx::query("SELECT * FROM quota_decision WHERE project_id = $1 ORDER BY decided DESC, id DESC")
                .bind(project_id);
        with_changes(&self.pool, rows.fetch_all(&self.pool).await?).await
    }

    /// The value that each limit of a project last got by a decision that was applied and has not ended.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn last_applied_limits(&self, project_id: &str) -> Result<LimitValues, DatabaseError> {
        Ok(self.applied_limits(Some(project_id)).await?.remove(project_id).unwrap_or_default())
    }

    /// As [`Database::last_applied_limits`] for every project that has any, by its id.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn last_applied_limits_of_all(&self) -> Result<BTreeMap<String, LimitValues>, DatabaseError> {
        self.applied_limits(None).await
    }

    async fn applied_limits(
        &self,
        project_id: Option<&str>,
    ) -> Result<BTreeMap<String, LimitValues>, DatabaseError> {
        // What has ended says nothing any more: what was decided before or after it counts.
        let rows = sqlx::query(
            "SELECT project_id, service, key, new AS value \
             FROM quota_decision d JOIN quota_change ON decision = d.id \
             WHERE outcome = 'granted' AND applied IS NOT NULL AND ended IS NULL \
                 AND ($1 IS NULL OR project_id = $1) \
             ORDER BY applied, d.id",
        )
        .bind(project_id)
        .fetch_all(&self.pool)
        .await?;
        let mut applied: BTreeMap<String, LimitValues> = BTreeMap::new();
        for row in &rows {
            let service = service_from_name(&row.try_get::<String, _>("service")?)?;
            applied
                .entry(row.try_get("project_id")?)
                .or_default()
                .insert((service, row.try_get("key")?), row.try_get("value")?);
        }
        Ok(applied)
    }
}

#[cfg(test)]
mod tests;
