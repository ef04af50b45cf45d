//! What a run did, row by row.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BatchError;
use super::apply::{Ending, Endings};
use super::moving::Moved;
use super::plan::{Fate, Plan, PlannedRow, Work};
use super::subscribing::Subscriptions;
use crate::database::RefusedMail;
use crate::outbox::{Delivery, DeliveryOutcome, OutboxError, PendingMail};
use crate::registration::RowNumber;

/// What a run did.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The run's number in the journal.
    pub run: i64,
    /// The rows, in the order of the sheet.
    pub rows: Vec<ReportedRow>,
    /// What the operator should know about the whole.
    pub notices: Vec<String>,
    /// How many rows moved to the done worksheet.
    pub moved: usize,
    /// Why finished rows could not be moved. The next run moves them.
    pub move_error: Option<String>,
    /// What became of mail that was due, and what waits, also from earlier runs.
    pub mails: Vec<ReportedMail>,
    /// What became of subscriptions to the mailing list; none where there is no list.
    pub subscriptions: Option<Subscriptions>,
    /// Whether a service was out of reach.
    pub unreachable: bool,
    /// Whether the mail server cannot be used as the settings say.
    pub mail_server_unusable: bool,
    /// Why the mail server cannot be used at present. People read it with the mail that waits; this is kept with the job.
    #[serde(skip)]
    pub mail_server: Option<String>,
    /// Whether the mailing list cannot be used as the settings say.
    #[serde(default)]
    pub mailing_list_unusable: bool,
    /// Whether something besides the rows was left undone: mail that was tried in vain.
    pub incomplete: bool,
}

/// What the outbox did at the end of a run.
pub struct Mail {
    /// What became of the mails that were due.
    pub deliveries: Vec<Delivery>,
    /// Why some that were due could not even be tried.
    pub failure: Option<OutboxError>,
    /// The mails that wait.
    pub pending: Result<Vec<PendingMail>, OutboxError>,
    /// The mails that were given up since the run before, whoever tried to send them.
    pub refused: Result<Vec<RefusedMail>, OutboxError>,
}

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReportedRow {
    /// Its number when the sheet was read.
    pub row: RowNumber,
    /// The requester's user name; blank where the row could not be read.
    pub user: String,
    /// The project; blank where the row could not be read.
    pub project: String,
    /// What happened.
    pub outcome: RowOutcome,
    /// What was done, one entry each.
    pub done: Vec<String>,
    /// Why it was not finished.
    pub error: Option<String>,
    /// What the approvers should know.
    pub warnings: Vec<String>,
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowOutcome {
    /// All of it is done.
    Done,
    /// An earlier run had done all of it; its row was still to be moved.
    Finished,
    /// A step failed.
    Failed,
    /// It asks for something that cannot be done.
    Conflict,
    /// The site's policy refuses it; the requester is told, and the row stays.
    Refused,
    /// The parser could not use it.
    Rejected,
    /// Nobody has decided on it.
    Waiting,
    /// It was decided against, or set aside.
    Denied,
    /// It is approved, and the helpdesk has not been told.
    Unnotified,
}

impl RowOutcome {
    /// The outcome in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Finished => "done before",
            Self::Failed => "failed",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Waiting => "waits for a decision",
            Self::Denied => "denied",
            Self::Unnotified => "helpdesk not notified",
        }
    }

    /// Whether somebody has to do something about the row.
    #[must_use]
    pub fn is_problem(self) -> bool {
        matches!(self, Self::Failed | Self::Conflict | Self::Refused | Self::Rejected)
    }

    /// Whether the run was not asked to do anything with the row.
    #[must_use]
    pub fn is_left_alone(self) -> bool {
        matches!(self, Self::Waiting | Self::Denied | Self::Unnotified)
    }
}

/// What became of one mail.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReportedMail {
    /// The kind of mail.
    pub kind: String,
    /// Its recipients.
    pub to: Vec<String>,
    /// What became of it.
    pub outcome: MailOutcome,
    /// Why it was not sent, or not to everybody, and where it is kept.
    pub error: Option<String>,
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailOutcome {
    /// The mail server has it.
    Sent,
    /// It waits in the outbox for the next attempt.
    Later,
    /// It was finally refused.
    Refused,
}

/// Why the mail server could not be used, in words that may be kept: without anybody's address. None where it could.
pub(crate) fn mail_server_trouble(deliveries: &[Delivery]) -> Option<String> {
    deliveries.iter().find_map(|delivery| match &delivery.outcome {
        DeliveryOutcome::Later { error: trouble, .. } | DeliveryOutcome::Refused { error: trouble, .. } => {
            let (OutboxError::Mailer(error) | OutboxError::GivenUp { last: error, .. }) = trouble else {
                return None;
            };
            error.why_away().or_else(|| trouble.concerns_server().then(|| error.to_string()))
        }
        DeliveryOutcome::Sent { .. } => None,
    })
}

impl Report {
    pub(super) fn new<W: Work>(
        run: i64,
        plan: &Plan<W>,
        endings: &Endings,
        moved: Result<Moved, BatchError>,
        mail: Mail,
        subscriptions: Option<Subscriptions>,
    ) -> Self {
        let rows: Vec<ReportedRow> =
            plan.rows.iter().map(|row| reported_row(row, endings.get(&row.row))).collect();
        let mut notices = plan.notices.clone();
        let mut incomplete = false;
        let mut told = |error: OutboxError| {
            incomplete = true;
            notices.push(format!("mail could not be worked through: {error}"));
        };
        let deliveries = last_of_each(mail.deliveries);
        if let Some(error) = mail.failure {
            told(error);
        }
        let pending = mail.pending.unwrap_or_else(|error| {
            told(error);
            Vec::new()
        });
        let refused = mail.refused.unwrap_or_else(|error| {
            told(error);
            Vec::new()
        });
        // A mail that nobody has tried yet is no trouble; one that was tried in vain is.
        incomplete |= pending.iter().any(|mail| mail.last_error.is_some());
        let put_off = |condition: fn(&OutboxError) -> bool| {
            deliveries.iter().any(
                |delivery| matches!(&delivery.outcome, DeliveryOutcome::Later { error, .. } if condition(error)),
            )
        };
        let mail_server_unreachable = put_off(OutboxError::server_is_unreachable);
        let mail_server_unusable = put_off(OutboxError::concerns_server) && !mail_server_unreachable;
        let mail_server = mail_server_trouble(&deliveries);
        let own: BTreeSet<String> = deliveries.iter().map(|delivery| delivery.origin.clone()).collect();
        let mails: Vec<ReportedMail> = deliveries
            .into_iter()
            .filter_map(settled_mail)
            .chain(refused.into_iter().filter(|mail| !own.contains(&mail.origin)).map(refused_mail))
            .chain(pending.into_iter().map(waiting_mail))
            .collect();
        let unreachable =
            endings.values().any(|ending| matches!(ending, Ending::Failed { unreachable: true, .. }))
                || mail_server_unreachable
                || subscriptions.as_ref().is_some_and(|subscriptions| subscriptions.unreachable);
        let mailing_list_unusable =
            subscriptions.as_ref().is_some_and(|subscriptions| subscriptions.unusable);
        notices.extend(subscriptions.as_ref().and_then(Subscriptions::notice));
        let (moved, move_error) = match moved {
            Ok(moved) => {
                notices.extend(moved.notices);
                (moved.rows, None)
            }
            Err(error) => (0, Some(error.to_string())),
        };
        Self {
            run,
            rows,
            notices,
            moved,
            move_error,
            mails,
            subscriptions,
            unreachable,
            mail_server_unusable,
            mail_server,
            mailing_list_unusable,
            incomplete,
        }
    }

    /// Whether everything that could be done is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.incomplete
            && self.move_error.is_none()
            && self.subscriptions.as_ref().is_none_or(Subscriptions::is_complete)
            && !self.rows.iter().any(|row| row.outcome.is_problem())
            && !self.mails.iter().any(|mail| mail.outcome == MailOutcome::Refused)
    }

    /// The report as the journal keeps it: JSON, without the rows that nobody asked anything of.
    pub(super) fn to_keep(&self) -> String {
        let mut kept = self.clone();
        kept.rows.retain(|row| !row.outcome.is_left_alone());
        // Nothing in it can fail to be JSON; were it so, the run would count as one that did not end.
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// One sentence about the whole.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<RowOutcome, usize> = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(row.outcome).or_default() += 1;
        }
        let mut parts: Vec<String> =
            counts.into_iter().map(|(outcome, count)| format!("{count} {}", outcome.name())).collect();
        if parts.is_empty() {
            parts.push("no rows".to_owned());
        }
        let mails = |wanted| self.mails.iter().filter(|mail| mail.outcome == wanted).count();
        parts.push(counted(self.moved, "row moved", "rows moved"));
        parts.push(counted(mails(MailOutcome::Sent), "mail sent", "mails sent"));
        let rest = [
            (MailOutcome::Later, "mail waits", "mails wait"),
            (MailOutcome::Refused, "mail refused", "mails refused"),
        ];
        for (outcome, one, several) in rest {
            if mails(outcome) > 0 {
                parts.push(counted(mails(outcome), one, several));
            }
        }
        parts.extend(self.subscriptions.iter().flat_map(Subscriptions::counts));
        parts.join(", ")
    }
}

fn reported_row<W: Work>(row: &PlannedRow<W>, ending: Option<&Ending>) -> ReportedRow {
    let (outcome, error) = match (&row.fate, ending) {
        (Fate::Apply(_), Some(Ending::Done)) => (RowOutcome::Done, None),
        (Fate::Apply(_), Some(Ending::Failed { reason, .. })) => (RowOutcome::Failed, Some(reason.clone())),
        (Fate::Apply(_), Some(Ending::Refused) | None) => (RowOutcome::Failed, Some("not tried".to_owned())),
        (Fate::Refuse { reason, .. }, Some(Ending::Done | Ending::Refused)) => {
            (RowOutcome::Refused, Some(reason.clone()))
        }
        (Fate::Refuse { reason: refusal, .. }, Some(Ending::Failed { reason, .. })) => {
            (RowOutcome::Refused, Some(format!("{refusal} (the requester could not be told: {reason})")))
        }
        (Fate::Refuse { reason, .. }, None) => {
            (RowOutcome::Refused, Some(format!("{reason} (the requester was not told)")))
        }
        (Fate::Move { .. }, _) => (RowOutcome::Finished, None),
        (Fate::Conflict { reason }, _) => (RowOutcome::Conflict, Some(reason.clone())),
        (Fate::Rejected { reason }, _) => (RowOutcome::Rejected, Some(reason.clone())),
        (Fate::Waiting, _) => (RowOutcome::Waiting, None),
        (Fate::Denied, _) => (RowOutcome::Denied, None),
        (Fate::Unnotified, _) => (RowOutcome::Unnotified, None),
    };
    let done = match &row.fate {
        Fate::Apply(work) if outcome == RowOutcome::Done => work.describe(),
        _ => Vec::new(),
    };
    ReportedRow {
        row: row.row,
        user: row.user.clone(),
        project: row.project.clone(),
        outcome,
        done,
        error,
        warnings: row.warnings.clone(),
    }
}

/// A number with the words for one or for several.
#[must_use]
pub fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// What became of each mail in the end: one that failed while requests were worked on may have been sent since.
fn last_of_each(deliveries: Vec<Delivery>) -> Vec<Delivery> {
    let mut seen = BTreeSet::new();
    let mut last: Vec<Delivery> =
        deliveries.into_iter().rev().filter(|delivery| seen.insert(delivery.origin.clone())).collect();
    last.reverse();
    last
}

/// A mail that is sent or refused. One that waits is among the pending ones.
fn settled_mail(delivery: Delivery) -> Option<ReportedMail> {
    let (outcome, error) = match delivery.outcome {
        DeliveryOutcome::Sent { refused } => {
            let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
            (MailOutcome::Sent, (!refused.is_empty()).then(|| refused.join("; ")))
        }
        DeliveryOutcome::Later { .. } => return None,
        DeliveryOutcome::Refused { error, kept_in } => {
            (MailOutcome::Refused, Some(format!("{error}; kept in {}", kept_in.display())))
        }
    };
    Some(ReportedMail { kind: delivery.kind, to: delivery.to, outcome, error })
}

/// A mail that `usher serve` or another command gave up. Whom it was for, only its file says.
fn refused_mail(mail: RefusedMail) -> ReportedMail {
    let error = format!("{}; kept in {}", mail.error, mail.kept_in.display());
    ReportedMail { kind: mail.kind, to: Vec::new(), outcome: MailOutcome::Refused, error: Some(error) }
}

fn waiting_mail(mail: PendingMail) -> ReportedMail {
    ReportedMail { kind: mail.kind, to: mail.to, outcome: MailOutcome::Later, error: mail.last_error }
}
