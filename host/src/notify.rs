//! The helpdesk's tickets: one for each request that was approved and that the helpdesk has not been told of, and the
//! mark that makes its row ready.
//!
//! There is one ticket for a request, for ever. A mark that somebody takes out of the sheet is written again.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use crate::app::App;
use crate::batch::source::Source;
use crate::batch::{BatchError, Exclusive};
use crate::database::{DatabaseError, Notice, NoticeKind, NoticeMail, add_notice_in};
use crate::fail_point;
use crate::mail_content::{MailContent, TicketMail};
use crate::notices::report::{NoticeState, Report, ReportedNotice};
use crate::notices::{
    self, Mailing, Noticed, Prepared, Requester, Verdict, accepted, note_ends, note_settled, note_unusable,
    try_to_write_marks,
};
use crate::outbox::Compose;
use crate::random;
use crate::registration::{Body, Outcome, Request, SheetKind, Stage};

/// What a run is called.
pub const KIND: &str = "notify";

const MAIL: &str = "helpdesk-ticket";

/// Mails the tickets that are due and writes the marks that tickets have earned. With `dry_run`, nothing is changed
/// anywhere.
///
/// # Errors
/// Where another such run is being made, no sheet can be read, or the database or a component fails.
pub async fn run(app: &App, dry_run: bool) -> Result<Report, BatchError> {
    let prepared = Prepared::new(app, MAIL).await?;
    notices::run(&Tickets { app, prepared: &prepared }, dry_run).await
}

struct Tickets<'a> {
    app: &'a App,
    prepared: &'a Prepared,
}

impl Mailing for Tickets<'_> {
    const KIND: &'static str = KIND;
    const NOTICE: NoticeKind = NoticeKind::Ticket;

    fn app(&self) -> &App {
        self.app
    }

    fn prepared(&self) -> &Prepared {
        self.prepared
    }

    /// Records a ticket for each request of a sheet that is approved and has none. One that has one already is
    /// answered too, since its row lacks the mark.
    async fn record<'a>(
        &self,
        source: Source<'a>,
        dry_run: bool,
        report: &mut Report,
    ) -> Result<Noticed<'a>, BatchError> {
        let app = self.app;
        let snapshot = source.sheet.read(&source.layout.requests).await?;
        let rows = source.parse(&snapshot.rows).await?;
        drop(snapshot);
        note_unusable(source.kind, &rows, report);
        if !dry_run {
            note_ends(&source, &rows).await?;
            note_settled(&source, NoticeKind::Ticket, &rows, |stage| *stage == Stage::Ready).await?;
        }
        let approved: Vec<_> = rows
            .iter()
            .filter_map(|row| match &row.outcome {
                Outcome::Request(request) if request.stage == Stage::Approved => Some((row.number, request)),
                _ => None,
            })
            .collect();
        let keys: Vec<&str> = approved.iter().map(|(_, request)| request.key.as_str()).collect();
        let now = app.clock.now();
        let known = app.database.notices_about(source.kind, NoticeKind::Ticket, &keys, now).await?;
        let mut requests = Vec::new();
        for (row, request) in approved {
            let requester = Requester::of(&request.body);
            let ticket = known.get(&request.key).and_then(|notices| notices.last());
            let reported = ReportedNotice {
                sheet: source.kind.name(),
                row,
                email: requester.email.to_owned(),
                project: requester.project.to_owned(),
                // What has become of one that is known already may change below.
                state: ticket.map_or(NoticeState::Due, |ticket| state(ticket, false, false)),
            };
            if dry_run {
                ticket
                    .and_then(|ticket| remedy(&reported, ticket))
                    .into_iter()
                    .for_each(|text| report.note(text));
            }
            if !dry_run
                && !known.contains_key(&request.key)
                && let Err(error) = self.record_ticket(source.kind, request).await
            {
                report.fail(&format!("{} sheet, row {row}", source.kind.name()), error)?;
            }
            requests.push((request.key.clone(), reported));
        }
        Ok(Noticed { source, requests })
    }

    async fn mark(
        &self,
        noticed: &mut Noticed<'_>,
        exclusive: &Exclusive,
        report: &mut Report,
    ) -> Result<(), BatchError> {
        let tickets = noticed.notices(NoticeKind::Ticket).await?;
        let earned: BTreeMap<&str, _> = tickets
            .iter()
            .filter_map(|(key, notices)| Some((key.as_str(), accepted(notices.last()?)?)))
            .collect();
        let source = &noticed.source;
        let column = source.layout.notified_column;
        let settled = try_to_write_marks(source, exclusive, column, &earned, verdict, report).await?;
        if let Some(settled) = &settled {
            let keys = settled.iter().map(String::as_str);
            let database = &self.app.database;
            database.note_marks(source.kind, NoticeKind::Ticket, keys, self.app.clock.now()).await?;
            fail_point::reached(|| "marks noted".to_owned());
        }
        for (key, reported) in &mut noticed.requests {
            if let Some(notice) = tickets.get(key).and_then(|notices| notices.last()) {
                reported.state = state(
                    notice,
                    settled.as_ref().is_some_and(|settled| settled.contains(key)),
                    settled.is_some(),
                );
                remedy(reported, notice).into_iter().for_each(|text| report.note(text));
            }
        }
        Ok(())
    }
}

impl Tickets<'_> {
    async fn record_ticket(&self, sheet: SheetKind, request: &Request) -> Result<(), BatchError> {
        let app = self.app;
        let content = ticket(&request.body);
        let message = self.prepared.mail_templates.render(&content).await?;
        let compose = Compose { to: vec![app.settings.mail.helpdesk.clone()], message, link: None };
        let origin = format!("ticket:{}:{}", sheet.name(), random::identifier());
        let mut transaction = app.database.begin().await?;
        let about = (sheet, request.key.as_str());
        if add_notice_in(&mut transaction, about, (NoticeKind::Ticket, 1), &origin, app.clock.now()).await? {
            app.outbox.enqueue(&mut transaction, &origin, MAIL, &compose).await?;
            transaction.commit().await.map_err(DatabaseError::from)?;
        }
        fail_point::reached(|| "notice recorded".to_owned());
        Ok(())
    }
}

/// A row that lacks the mark gets it; one that has it, by whose hand ever, is left alone.
fn verdict(stage: &Stage, _cell: &str, _mark: DateTime) -> Verdict {
    match stage {
        Stage::Approved => Verdict::Write,
        Stage::Ready => Verdict::Settled,
        Stage::Waiting { .. } | Stage::Denied => Verdict::Leave,
    }
}

/// How far a ticket has come. `written` says that the marks could be written, where there was a row for them.
fn state(notice: &Notice, is_settled: bool, written: bool) -> NoticeState {
    match notice.mail {
        NoticeMail::Queued { .. } => NoticeState::Waits,
        NoticeMail::Refused { .. } => NoticeState::Refused,
        NoticeMail::Dropped => NoticeState::Dropped,
        NoticeMail::Accepted(_) if is_settled => NoticeState::Marked,
        NoticeMail::Accepted(_) if written => NoticeState::RowGone,
        NoticeMail::Accepted(_) => NoticeState::Unmarked,
    }
}

/// What an operator can do about a ticket that is not sent by itself.
fn remedy(reported: &ReportedNotice, notice: &Notice) -> Option<String> {
    let place = format!("{} sheet, row {}", reported.sheet, reported.row);
    match notice.mail {
        NoticeMail::Refused { number } => Some(format!(
            "{place}: the mail server refused the ticket; once the cause is mended, `usher mail retry {number}` sends it, \
             and the next run writes the mark"
        )),
        NoticeMail::Dropped => Some(format!(
            "{place}: the ticket was dropped by an operator, so the row gets no mark; write a date into its cell to have \
             the request processed"
        )),
        _ => None,
    }
}

fn ticket(body: &Body) -> MailContent {
    let requester = Requester::of(body);
    let request_type = match body {
        Body::Access(_) => "Access Request",
        Body::Quota(_) => "Quota Request",
    };
    MailContent::HelpdeskTicket(TicketMail {
        username: requester.email.to_owned(),
        first_name: requester.first_name.to_owned(),
        last_name: requester.last_name.to_owned(),
        project: requester.project.to_owned(),
        request_type: request_type.to_owned(),
        comment: requester.comment.to_owned(),
        case_number: String::new(),
    })
}
