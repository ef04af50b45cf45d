//! What the mails about requests in the sheets have in common: which sheets there are, the sending, the marks that the
//! mails earn, and the report.
//!
//! A mail is recorded together with the requests that it is about; only when the mail server has taken it do their rows
//! get the mark. Whatever happens in between, the next run finds the mail in the records, sends it once, and writes
//! the marks that are missing. Rows are found by the names of their requests, never by where they were.

mod marks;
pub mod report;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use self::marks::{Verdict, try_to_write_marks};
use self::report::{Report, ReportedNotice};
pub(crate) use self::run::{Mailing, run};
use crate::app::App;
use crate::batch::BatchError;
use crate::batch::report::mail_server_trouble;
use crate::batch::source::Source;
use crate::database::{Notice, NoticeKind, NoticeMail};
use crate::mail_content;
use crate::outbox::{self, Delivery, DeliveryOutcome};
use crate::plugin::{MailTemplates, RowParser};
use crate::registration::{Body, Layout, Outcome, ParsedRow, SheetKind, Stage};

/// How long a run waits for mail that another process is sending at that moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it looks whether that is done.
const LOOK: Duration = Duration::from_millis(200);

/// What a run works with, made before it changes anything: what is wrong with the settings comes to light then.
pub(crate) struct Prepared {
    parser: RowParser,
    layout: Layout,
    /// What words the mails.
    pub mail_templates: MailTemplates,
}

impl Prepared {
    /// Loads the components, and words a mail of this kind with sample values.
    pub async fn new(app: &App, mail_kind: &str) -> Result<Self, BatchError> {
        let parser = app.row_parser().await?;
        let layout = parser.describe().await?;
        let mail_templates = app.mail_templates().await?;
        for content in mail_content::samples().iter().filter(|content| content.kind() == mail_kind) {
            let message = mail_templates.render(content).await?;
            outbox::check_wording(&app.settings.mail.sender, message)
                .map_err(|source| BatchError::Wording { kind: content.kind(), source })?;
        }
        Ok(Self { parser, layout, mail_templates })
    }

    /// The site's sheets, the access sheet first.
    pub fn sources<'a>(&'a self, app: &'a App) -> Result<Vec<Source<'a>>, BatchError> {
        let parser = &self.parser;
        let access = Source {
            app,
            kind: SheetKind::Access,
            sheet: app.sheets.access()?,
            parser,
            layout: &self.layout.access,
        };
        let quota = app.sheets.quota.as_ref().zip(self.layout.quota.as_ref());
        let quota =
            quota.map(|(sheet, layout)| Source { app, kind: SheetKind::Quota, sheet, parser, layout });
        Ok(std::iter::once(access).chain(quota).collect())
    }
}

/// Who sent a request: address, first and last name, project, and what was written to the approvers.
pub(crate) struct Requester<'a> {
    pub email: &'a str,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub project: &'a str,
    pub comment: &'a str,
}

impl<'a> Requester<'a> {
    pub fn of(body: &'a Body) -> Self {
        match body {
            Body::Access(access) => Self {
                email: access.email.trim(),
                first_name: access.first_name.trim(),
                last_name: access.last_name.trim(),
                project: access.project.name().trim(),
                comment: access.comment.trim(),
            },
            Body::Quota(quota) => Self {
                email: quota.email.trim(),
                first_name: quota.first_name.trim(),
                last_name: quota.last_name.trim(),
                project: quota.project.trim(),
                comment: quota.comment.trim(),
            },
        }
    }

    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }
}

/// Tells the operator of rows that nobody can tell anything about.
pub(crate) fn note_unusable(kind: SheetKind, rows: &[ParsedRow], report: &mut Report) {
    for row in rows {
        let Outcome::Rejected(rejection) = &row.outcome else { continue };
        let place = format!("{} sheet, row {}", kind.name(), row.number);
        let column = named_column(&rejection.reason).map_or_else(String::new, |column| format!(", {column}"));
        // A reason quotes what people typed, and that is for those who look at the sheet.
        let kept = format!("{place}{column}: the row cannot be used; a dry run tells why");
        report.note_privately(format!("{place}: {}", rejection.reason), kept);
    }
}

/// The column that a reason begins with, as reasons of the bundled parser do: `column D (timestamp): …`.
fn named_column(reason: &str) -> Option<&str> {
    let letters = reason.strip_prefix("column ")?;
    let length = letters.bytes().take_while(u8::is_ascii_uppercase).count();
    (1..=3).contains(&length).then(|| &reason[.."column ".len() + length])
}

/// Notes the rows that need no mark any more, by their stage, although nobody has noted that: an earlier run ended before
/// it could, or a person was quicker.
pub(crate) async fn note_settled(
    source: &Source<'_>,
    kind: NoticeKind,
    rows: &[ParsedRow],
    is_settled: impl Fn(&Stage) -> bool,
) -> Result<(), BatchError> {
    let database = &source.app.database;
    let unmarked: BTreeSet<String> =
        database.unmarked_requests(source.kind, kind).await?.into_iter().collect();
    let settled: Vec<&str> = rows
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::Request(request) if is_settled(&request.stage) => Some(request.key.as_str()),
            _ => None,
        })
        .filter(|key| unmarked.contains(*key))
        .collect();
    if !settled.is_empty() {
        database.note_marks(source.kind, kind, settled.into_iter(), source.app.clock.now()).await?;
    }
    Ok(())
}

/// Notes which requests of a sheet are over, by its rows as they are: who was decided against, and whoever is not there.
pub(crate) async fn note_ends(source: &Source<'_>, rows: &[ParsedRow]) -> Result<(), BatchError> {
    let open = rows.iter().filter_map(|row| match &row.outcome {
        Outcome::Request(request) if request.stage != Stage::Denied => Some(request.key.as_str()),
        _ => None,
    });
    let app = source.app;
    Ok(app.database.note_ends(source.kind, &open.collect(), app.clock.now()).await?)
}

/// Sends the mail that is due, and waits a little for mail of these requests that another process is sending.
pub(crate) async fn send(
    app: &App,
    noticed: &[Noticed<'_>],
    kind: NoticeKind,
    report: &mut Report,
) -> Result<(), BatchError> {
    let mut deliveries: Vec<Delivery> = Vec::new();
    let sent = app.outbox.deliver_while(&mut deliveries, || !app.stop.is_asked()).await;
    if let Err(error) = sent {
        report.unreachable = true;
        report.failed.push(error.to_string());
    }
    let mut own: BTreeSet<String> = BTreeSet::new();
    let mut waited = Duration::ZERO;
    loop {
        let mut claimed = false;
        for noticed in noticed {
            for notice in noticed.notices(kind).await?.into_values().flatten() {
                claimed |= notice.mail == NoticeMail::Queued { claimed: true };
                own.insert(notice.origin);
            }
        }
        if !claimed || waited >= PATIENCE {
            break;
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
    report.mail_server = mail_server_trouble(&deliveries);
    for delivery in deliveries {
        if let DeliveryOutcome::Later { error, .. } | DeliveryOutcome::Refused { error, .. } =
            &delivery.outcome
        {
            report.unreachable |= error.server_is_unreachable();
            if delivery.server_is_unusable() {
                report.fail_for_good(format!("the mail server cannot be used: {error}"));
            }
        }
        // What becomes of other mail is told by whoever caused it.
        if own.iter().any(|origin| delivery.origin.starts_with(origin.as_str())) {
            report.mail_errors.extend(delivery.trouble());
        }
    }
    Ok(())
}

/// A sheet with the requests that there are mails about, or would be.
pub(crate) struct Noticed<'a> {
    /// The sheet.
    pub source: Source<'a>,
    /// The requests as they are reported, by their names.
    pub requests: Vec<(String, ReportedNotice)>,
}

impl Noticed<'_> {
    /// The mails about the requests, by the requests' names.
    pub async fn notices(&self, kind: NoticeKind) -> Result<BTreeMap<String, Vec<Notice>>, BatchError> {
        let Source { app, kind: sheet, .. } = self.source;
        let keys: Vec<&str> = self.requests.iter().map(|(key, _)| key.as_str()).collect();
        Ok(app.database.notices_about(sheet, kind, &keys, app.clock.now()).await?)
    }
}

/// When the mail server took a mail; none where it has not.
pub(crate) fn accepted(notice: &Notice) -> Option<Timestamp> {
    match notice.mail {
        NoticeMail::Accepted(at) => Some(at),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
