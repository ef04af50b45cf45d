//! Reminders: one digest for each sheet in which requests wait that nobody has decided on, the marks in their rows, and
//! another digest for those above the approvers where reminders have not helped.
//!
//! A request is due when it has waited long enough, and again when the last reminder is long enough ago: the one of the
//! records, or the one that its row tells, whichever is later.

mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use self::waiting::{AHEAD, is_ahead, mark_problem, pending, reminded, since, timestamp_problem};
use crate::app::App;
use crate::batch::source::Source;
use crate::batch::{BatchError, Exclusive};
use crate::database::{DatabaseError, Notice, NoticeKind, NoticeMail, add_notice_in};
use crate::fail_point;
use crate::mail_content::{MailContent, ReminderMail};
use crate::notices::report::{NoticeState, Report, ReportedNotice};
use crate::notices::{
    self, Mailing, Noticed, Prepared, Requester, Verdict, accepted, note_ends, note_settled,
    try_to_write_marks,
};
use crate::outbox::Compose;
use crate::random;
use crate::registration::{Outcome, ParsedRow, Request, RowNumber, SheetKind, Stage};
use crate::settings::reminder::Reminder;

/// What a run is called.
pub const KIND: &str = "remind";

const MAIL: &str = "reminder";

/// What the origin of a digest for others ends with, after that of the one for approvers.
pub(crate) const ESCALATED: &str = ":escalated";

/// Mails the digests that are due and writes the marks that they earned. With `dry_run`, nothing is changed anywhere.
///
/// # Errors
/// Where the site has no `[reminder]`, another such run is being made, no sheet can be read, or the database or a
/// component fails.
pub async fn run(app: &App, dry_run: bool) -> Result<Report, BatchError> {
    let reminder = app.settings.reminder.as_ref().ok_or(BatchError::NoReminder)?;
    let prepared = Prepared::new(app, MAIL).await?;
    notices::run(&Reminders { app, reminder, prepared: &prepared }, dry_run).await
}

struct Reminders<'a> {
    app: &'a App,
    reminder: &'a Reminder,
    prepared: &'a Prepared,
}

/// A request that a digest is due about.
struct Due<'a> {
    row: RowNumber,
    request: &'a Request,
    /// Since when it waits; none where its row does not say so legibly.
    since: Option<Timestamp>,
    /// How many reminders of it there were.
    reminders: u32,
    /// The round that is due.
    round: u32,
}

impl Mailing for Reminders<'_> {
    const KIND: &'static str = KIND;
    const NOTICE: NoticeKind = NoticeKind::Reminder;

    fn app(&self) -> &App {
        self.app
    }

    fn prepared(&self) -> &Prepared {
        self.prepared
    }

    /// Records the digest of a sheet where one is due. Requests whose last digest has not earned its mark yet are
    /// answered too.
    async fn record<'a>(
        &self,
        source: Source<'a>,
        dry_run: bool,
        report: &mut Report,
    ) -> Result<Noticed<'a>, BatchError> {
        let app = self.app;
        let name = source.kind.name();
        let snapshot = source.sheet.read(&source.layout.requests).await?;
        let rows = source.parse(&snapshot.rows).await?;
        drop(snapshot);
        if !dry_run {
            note_ends(&source, &rows).await?;
            let is_decided = |stage: &Stage| !matches!(stage, Stage::Waiting { .. });
            note_settled(&source, NoticeKind::Reminder, &rows, is_decided).await?;
        }
        let waiting: Vec<(RowNumber, &Request)> = rows.iter().filter_map(waiting).collect();
        let keys: Vec<&str> = waiting.iter().map(|(_, request)| request.key.as_str()).collect();
        let (now, zone) = (app.clock.now(), &app.settings.site.time_zone);
        let known = app.database.notices_about(source.kind, NoticeKind::Reminder, &keys, now).await?;
        let mut requests = Vec::new();
        let mut due = Vec::new();
        let mut seen = BTreeSet::new();
        for (row, request) in waiting {
            // A copy of a row is the same request.
            if !seen.insert(request.key.as_str()) {
                continue;
            }
            let notices = known.get(&request.key).map(Vec::as_slice).unwrap_or_default();
            let since = since(request, zone);
            let place = format!("{name} sheet, row {row}");
            if let Some((problem, kept)) = timestamp_problem(since, now, zone) {
                report.note_privately(format!("{place}: {problem}"), format!("{place}: {kept}"));
            }
            let is_due = self.is_due(request, since, notices, now);
            if let Some(mark) = reminded(request, zone).filter(|mark| is_ahead(*mark, now)) {
                report.note(format!("{place}: {}", mark_problem(mark, zone)));
            }
            let open = notices.iter().rev().find(|notice| {
                notice.marked.is_none()
                    && !matches!(notice.mail, NoticeMail::Dropped | NoticeMail::Refused { .. })
            });
            if is_due || open.is_some() {
                let requester = Requester::of(&request.body);
                let reported = ReportedNotice {
                    sheet: name,
                    row,
                    email: requester.email.to_owned(),
                    project: requester.project.to_owned(),
                    state: match open {
                        Some(notice) if !is_due => state(notice, false, false),
                        _ => NoticeState::Due,
                    },
                };
                requests.push((request.key.clone(), reported));
            }
            if is_due {
                let sent = notices.iter().filter(|notice| accepted(notice).is_some()).count();
                let reminders = u32::try_from(sent).unwrap_or(u32::MAX);
                let round = notices.last().map_or(1, |notice| notice.round + 1);
                due.push(Due { row, request, since, reminders, round });
            }
        }
        // The oldest first; those of which nobody can tell how old they are, after them.
        due.sort_by_key(|due| (due.since.is_none(), due.since, due.row));
        if !dry_run
            && !due.is_empty()
            && let Err(error) = self.record_digests(&source, &due).await
        {
            report.fail_whole(&format!("the digest of the {name} sheet"), error)?;
        }
        Ok(Noticed { source, requests })
    }

    async fn mark(
        &self,
        noticed: &mut Noticed<'_>,
        exclusive: &Exclusive,
        report: &mut Report,
    ) -> Result<(), BatchError> {
        let zone = &self.app.settings.site.time_zone;
        let ahead = self.app.clock.now().checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        let ahead = ahead.to_zoned(zone.clone()).datetime();
        let verdict = |stage: &Stage, cell: &str, mark| verdict(stage, cell, mark, ahead);
        let reminders = noticed.notices(NoticeKind::Reminder).await?;
        let last = |key: &str| reminders.get(key).and_then(|notices| notices.last());
        let now = self.app.clock.now();
        let earned: BTreeMap<&str, Timestamp> = reminders
            .iter()
            .filter_map(|(key, notices)| Some((key.as_str(), earned(notices, now)?)))
            .collect();
        let source = &noticed.source;
        let column = source.layout.reminded_column;
        let settled = try_to_write_marks(source, exclusive, column, &earned, verdict, report).await?;
        if let Some(settled) = &settled {
            let keys =
                settled.iter().map(String::as_str).filter(|key| last(key).and_then(accepted).is_some());
            let database = &self.app.database;
            database.note_marks(source.kind, NoticeKind::Reminder, keys, self.app.clock.now()).await?;
            fail_point::reached(|| "marks noted".to_owned());
        }
        for (key, reported) in &mut noticed.requests {
            let Some(notice) = last(key) else { continue };
            reported.state = state(
                notice,
                settled.as_ref().is_some_and(|settled| settled.contains(key)),
                settled.is_some(),
            );
        }
        Ok(())
    }
}

impl Reminders<'_> {
    fn is_due(
        &self,
        request: &Request,
        since: Option<Timestamp>,
        notices: &[Notice],
        now: Timestamp,
    ) -> bool {
        if notices.last().is_some_and(|notice| matches!(notice.mail, NoticeMail::Queued { .. })) {
            return false;
        }
        let marked = reminded(request, &self.app.settings.site.time_zone);
        // What lies ahead was written while the clock was wrong, or typed: nobody waits for it to come.
        let times = notices.iter().map(|notice| notice.recorded).chain(marked);
        let reminded = times.filter(|time| !is_ahead(*time, now)).max();
        let wait = match reminded {
            Some(_) => self.reminder.repeat_every,
            None => self.reminder.first_after,
        };
        let Some(from) = reminded.or(since) else { return true };
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        from.checked_add(wait).is_ok_and(|due| due <= now)
    }

    /// Records the digest for the approvers, and the one for those above them where there is one, together.
    async fn record_digests(&self, source: &Source<'_>, due: &[Due<'_>]) -> Result<(), BatchError> {
        let (app, reminder) = (self.app, self.reminder);
        let escalated: Vec<&Due<'_>> = match reminder.escalate_to.is_empty() {
            true => Vec::new(),
            false => due.iter().filter(|due| due.reminders >= reminder.escalate_after).collect(),
        };
        let origin = format!("reminder:{}:{}", source.kind.name(), random::identifier());
        let all: Vec<&Due<'_>> = due.iter().collect();
        let mut mails = vec![(origin.clone(), self.compose(source, &all, false).await?)];
        if !escalated.is_empty() {
            mails.push((format!("{origin}{ESCALATED}"), self.compose(source, &escalated, true).await?));
        }
        let now = app.clock.now();
        let mut transaction = app.database.begin().await?;
        for Due { request, round, .. } in due {
            let about = (source.kind, request.key.as_str());
            if !add_notice_in(&mut transaction, about, (NoticeKind::Reminder, *round), &origin, now).await? {
                // Another run was quicker, and its digest says the same.
                return Ok(());
            }
        }
        for (origin, compose) in &mails {
            app.outbox.enqueue(&mut transaction, origin, MAIL, compose).await?;
        }
        transaction.commit().await.map_err(DatabaseError::from)?;
        fail_point::reached(|| "notice recorded".to_owned());
        Ok(())
    }

    async fn compose(
        &self,
        source: &Source<'_>,
        due: &[&Due<'_>],
        escalated: bool,
    ) -> Result<Compose, BatchError> {
        let settings = &self.app.settings;
        let own = self.reminder.url(source.kind).map(ToString::to_string);
        let at_google = || settings.sheet.as_ref()?.web_address(source.kind == SheetKind::Quota);
        let content = MailContent::Reminder(ReminderMail {
            kind: source.kind,
            escalated,
            spreadsheet_url: own.or_else(at_google).unwrap_or_default(),
            requests: due.iter().map(|due| pending(due, &settings.site.time_zone)).collect(),
        });
        let message = self.prepared.mail_templates.render(&content).await?;
        let to = if escalated { &self.reminder.escalate_to } else { &self.reminder.to };
        Ok(Compose { to: to.clone(), message, link: None })
    }
}

/// The mark of the digests that have not earned theirs yet: that of the last one stands for all, and one of a clock that ran
/// ahead only where there is no other.
fn earned(notices: &[Notice], now: Timestamp) -> Option<Timestamp> {
    let unmarked = notices.iter().filter(|notice| notice.marked.is_none());
    unmarked.filter_map(accepted).max_by_key(|at| (!is_ahead(*at, now), *at))
}

/// How far a reminder has come. `written` says that the marks could be written, where there was a row for them.
fn state(notice: &Notice, is_settled: bool, written: bool) -> NoticeState {
    match notice.mail {
        NoticeMail::Queued { .. } => NoticeState::Waits,
        NoticeMail::Refused { .. } => NoticeState::Refused,
        NoticeMail::Dropped => NoticeState::Dropped,
        NoticeMail::Accepted(_) if is_settled || notice.marked.is_some() => NoticeState::Marked,
        NoticeMail::Accepted(_) if written => NoticeState::RowGone,
        NoticeMail::Accepted(_) => NoticeState::Unmarked,
    }
}

/// Writes the mark where the cell is blank, or holds an earlier one or one that is further than `ahead`. What a person
/// wrote there instead stays.
fn verdict(stage: &Stage, cell: &str, mark: DateTime, ahead: DateTime) -> Verdict {
    let gives_way = |reminded: DateTime| reminded < mark || (reminded > ahead && mark <= ahead);
    match stage {
        Stage::Waiting { reminded: None, .. } if cell.trim().is_empty() => Verdict::Write,
        Stage::Waiting { reminded: Some(reminded), .. } if gives_way(*reminded) => Verdict::Write,
        // Somebody has decided meanwhile, or has written something else: there is nothing to be reminded of.
        _ => Verdict::Settled,
    }
}

fn waiting(row: &ParsedRow) -> Option<(RowNumber, &Request)> {
    match &row.outcome {
        Outcome::Request(request) if matches!(request.stage, Stage::Waiting { .. }) => {
            Some((row.number, request))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;

    use super::*;

    #[test]
    fn a_mark_of_a_clock_that_ran_ahead_is_earned_only_where_there_is_no_other() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 60);
        let notice = |hours: i64| Notice {
            round: 1,
            origin: "a".to_owned(),
            recorded: now,
            marked: None,
            mail: NoticeMail::Accepted(now + SignedDuration::from_hours(hours)),
        };
        let hours = |notices: &[Notice]| earned(notices, now).map(|at| at.duration_since(now).as_hours());
        let ahead = 24 * 30;
        assert_eq!(hours(&[notice(-2), notice(ahead), notice(-1)]), Some(-1));
        assert_eq!(hours(&[notice(ahead)]), Some(ahead));
        assert_eq!(hours(&[Notice { marked: Some(now), ..notice(-1) }]), None);
    }

    #[test]
    fn only_a_blank_cell_or_an_earlier_mark_gives_way() {
        let mark = datetime(2018, 3, 14, 15, 48, 48, 0);
        let waiting = |reminded| Stage::Waiting { since: None, reminded };
        let ahead = datetime(2018, 3, 15, 15, 48, 48, 0);
        let verdict = |stage: &Stage, cell: &str, mark| verdict(stage, cell, mark, ahead);
        let wrong = datetime(2018, 4, 14, 0, 0, 0, 0);
        assert_eq!(verdict(&waiting(Some(ahead)), "x", mark), Verdict::Settled);
        assert_eq!(verdict(&waiting(Some(wrong)), "x", mark), Verdict::Write);
        assert_eq!(verdict(&waiting(Some(wrong)), "x", wrong), Verdict::Settled);
        assert_eq!(verdict(&waiting(None), " ", mark), Verdict::Write);
        assert_eq!(verdict(&waiting(None), "ask Ann", mark), Verdict::Settled);
        assert_eq!(verdict(&waiting(Some(datetime(2018, 3, 1, 0, 0, 0, 0))), "x", mark), Verdict::Write);
        assert_eq!(verdict(&waiting(Some(mark)), "x", mark), Verdict::Settled);
        assert_eq!(verdict(&Stage::Ready, "", mark), Verdict::Settled);
    }
}
