//! A decision about quotas, as it is recorded.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use crate::database::{DatabaseError, timestamp};
use crate::registration::QuotaService;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaOutcome {
    /// Limits are to be set.
    Granted,
    /// Nothing is to be set.
    Denied,
}

impl QuotaOutcome {
    const ALL: [Self; 2] = [Self::Granted, Self::Denied];

    /// The name, as in reports and the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
        }
    }
}

/// Who approved a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaApproval {
    /// Approvers, in the sheet.
    People,
    /// The quota policy, of a request that waited.
    Policy,
    /// An operator, who made it.
    Operator,
}

impl QuotaApproval {
    const ALL: [Self; 3] = [Self::People, Self::Policy, Self::Operator];

    /// The name, as in reports and the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Policy => "policy",
            Self::Operator => "operator",
        }
    }
}

/// What became of a limit at the end of a temporary change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeFate {
    /// It has the value from before again.
    Restored,
    /// It was changed meanwhile, and left at that.
    Kept,
}

impl ChangeFate {
    const ALL: [Self; 2] = [Self::Restored, Self::Kept];

    /// The name, as in reports and the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Kept => "kept",
        }
    }
}

/// One limit of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaChange {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit when it was decided; -1 means unlimited.
    pub old: i64,
    /// The limit that was decided.
    pub new: i64,
    /// Why it has this value; may be blank.
    pub reason: String,
    /// What became of it at the end of a temporary change; none before, and not recorded with the decision.
    pub fate: Option<ChangeFate>,
}

/// A decision about a project's quotas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaDecision {
    /// The request's number in the journal; none for an operator's own change.
    pub request: Option<i64>,
    /// Keystone's id of the project.
    pub project_id: String,
    /// The project's name at that time.
    pub project: String,
    /// E-mail address of who asked; blank for an operator's own change.
    pub requester_email: String,
    /// Name of who asked; blank as above.
    pub requester_name: String,
    /// When it was decided.
    pub decided: Timestamp,
    /// What was decided.
    pub outcome: QuotaOutcome,
    /// Fingerprint of what was asked for: a row that was edited since is decided anew.
    pub wish: String,
    /// Who approved it.
    pub approved_by: QuotaApproval,
    /// The denial's words, or the operator's; may be blank.
    pub reason: String,
    /// What the operator should know.
    pub notices: Vec<String>,
    /// SHA-256, in hexadecimal digits, of the component that decided; none for an operator.
    pub policy: Option<String>,
    /// From when a temporary change is to be undone; none for a permanent one.
    pub ends: Option<Timestamp>,
    /// The limits; none of a denial.
    pub changes: Vec<QuotaChange>,
}

/// A decision with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedQuotaDecision {
    /// Its number.
    pub id: i64,
    /// What was decided.
    pub decision: QuotaDecision,
    /// When all of it was in force.
    pub applied: Option<Timestamp>,
    /// When the requester was told that it is about to end.
    pub warned: Option<Timestamp>,
    /// When it was undone.
    pub ended: Option<Timestamp>,
}

/// Decisions from rows of all columns of their table, each with its changes.
pub(super) async fn with_changes(
    pool: &SqlitePool,
    rows: Vec<SqliteRow>,
) -> Result<Vec<RecordedQuotaDecision>, DatabaseError> {
    let mut decisions = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut recorded = decision(row)?;
        let changes = sqlx::query(
            "SELECT service, key, old, new, reason, fate FROM quota_change WHERE decision = $1 \
             ORDER BY service, key",
        )
        .bind(recorded.id)
        .fetch_all(pool)
        .await?;
        recorded.decision.changes = changes.iter().map(change).collect::<Result<_, _>>()?;
        decisions.push(recorded);
    }
    Ok(decisions)
}

fn decision(row: &SqliteRow) -> Result<RecordedQuotaDecision, DatabaseError> {
    let moment = |column| row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose();
    let outcome: String = row.try_get("outcome")?;
    let approved_by: String = row.try_get("approved_by")?;
    let notices: String = row.try_get("notices")?;
    let damaged = |what: String| DatabaseError::Damaged(what);
    Ok(RecordedQuotaDecision {
        id: row.try_get("id")?,
        decision: QuotaDecision {
            request: row.try_get("request")?,
            project_id: row.try_get("project_id")?,
            project: row.try_get("project")?,
            requester_email: row.try_get("requester_email")?,
            requester_name: row.try_get("requester_name")?,
            decided: timestamp(row.try_get("decided")?)?,
            outcome: QuotaOutcome::ALL
                .into_iter()
                .find(|known| known.name() == outcome)
                .ok_or_else(|| damaged(format!("a quota decision that is {outcome}")))?,
            wish: row.try_get("wish")?,
            approved_by: QuotaApproval::ALL
                .into_iter()
                .find(|known| known.name() == approved_by)
                .ok_or_else(|| damaged(format!("a quota decision approved by {approved_by}")))?,
            reason: row.try_get("reason")?,
            notices: serde_json::from_str(&notices)
                .map_err(|_| damaged("notices of a quota decision that are no list".to_owned()))?,
            policy: row.try_get("policy")?,
            ends: moment("ends")?,
            changes: Vec::new(),
        },
        applied: moment("applied")?,
        warned: moment("warned")?,
        ended: moment("ended")?,
    })
}

fn change(row: &SqliteRow) -> Result<QuotaChange, DatabaseError> {
    let fate: Option<String> = row.try_get("fate")?;
    Ok(QuotaChange {
        service: service_from_name(&row.try_get::<String, _>("service")?)?,
        key: row.try_get("key")?,
        old: row.try_get("old")?,
        new: row.try_get("new")?,
        reason: row.try_get("reason")?,
        fate: match fate {
            None => None,
            Some(fate) => Some(
                ChangeFate::ALL
                    .into_iter()
                    .find(|known| known.name() == fate)
                    .ok_or_else(|| DatabaseError::Damaged(format!("a quota change that was {fate}")))?,
            ),
        },
    })
}

pub(super) fn service_from_name(name: &str) -> Result<QuotaService, DatabaseError> {
    QuotaService::ALL
        .into_iter()
        .find(|service| service.name() == name)
        .ok_or_else(|| DatabaseError::Damaged(format!("a quota of the service {name}")))
}
