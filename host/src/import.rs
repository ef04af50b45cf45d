//! The import: approved rows of the access sheet become users who can log in.
//!
//! One run reads the sheet, plans, applies the plan through the journal, moves the finished rows,
//! sends the mail and subscribes the new users to the mailing list. Knows nothing of how its report is shown.

mod apply;
mod courier;
mod directory;
mod exclusive;
pub mod history;
mod journey;
mod moving;
mod new_quotas;
mod noting;
pub mod plan;
pub mod report;
pub mod subscribing;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use self::apply::Tools;
pub use self::apply::{Ending, Progress};
use self::directory::{Directory, DirectoryError};
use self::exclusive::{Exclusive, ExclusiveError};
pub use self::journey::announce::in_words;
use self::plan::{Facts, Fate, Plan};
use self::report::{Mail, Report};
use crate::app::App;
use crate::database::DatabaseError;
use crate::fail_point;
use crate::keystone::KeystoneError;
use crate::mail_content;
use crate::mailing_list::{MailingList, MailingListError};
use crate::outbox::{self, OutboxError};
use crate::plugin::{MailTemplates, PluginError, RowParser};
use crate::quotas::QuotaError;
use crate::registration::{
    Body, Layout, Outcome, Parsed, ParsedRow, Request, RowNumber, SheetKind, Stage, UsernameRule, same_name,
};
use crate::sheet::{SheetError, Snapshot};

/// What an import is called among the runs.
const KIND: &str = "import";

/// How long the report of an import is kept for `usher import show`.
const REPORTS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Which rows an import is about.
#[derive(Clone, Debug)]
pub enum Selection {
    /// All of them.
    All,
    /// Those of one requester, by user name.
    User(String),
}

/// Why an import could not be made at all. What goes wrong with single rows is in its report.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Keystone.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// The role that users are to get does not exist.
    #[error("Keystone has no role {0}; correct keystone.member_role in the settings, or create the role")]
    NoMemberRole(String),
    /// A service that keeps quotas.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// The sheet.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// A component.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A mail that no mail server would take.
    #[error(
        "the mail {kind} cannot be sent as its template and settings are: {source}; correct [mail] or the settings \
         and templates of plugins.mail_templates"
    )]
    Wording {
        /// The kind of mail.
        kind: &'static str,
        /// What is wrong with it.
        source: OutboxError,
    },
    /// The mailing list's settings.
    #[error(transparent)]
    MailingList(#[from] MailingListError),
    /// The journal.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another import is running.
    #[error(transparent)]
    Exclusive(#[from] ExclusiveError),
    /// The selection matches nothing.
    #[error("no row of the sheet is {0}'s; check the spelling of the user name")]
    NobodySelected(String),
}

impl From<DirectoryError> for ImportError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Keystone(error) => Self::Keystone(error),
            DirectoryError::Database(error) => Self::Database(error),
        }
    }
}

/// What an import works with, made before it changes anything: what is wrong with the settings comes to light then.
struct Prepared {
    parser: RowParser,
    layout: Layout,
    mail_templates: MailTemplates,
    mailing_list: Option<MailingList>,
}

/// Plans without changing anything anywhere.
///
/// # Errors
/// Where the sheet, a component, the journal or a service does not answer.
pub async fn dry_run(app: &App, selection: &Selection) -> Result<Plan, ImportError> {
    let Prepared { parser, layout, .. } = prepare(app).await?;
    member_role(app).await?;
    Ok(plan(app, &parser, &layout, selection).await?.0)
}

/// The mailing list that new users are subscribed to, where there is one.
///
/// # Errors
/// Where its settings cannot be used.
pub fn mailing_list(app: &App) -> Result<Option<MailingList>, MailingListError> {
    app.settings.mailing_list.as_ref().map(MailingList::new).transpose()
}

async fn prepare(app: &App) -> Result<Prepared, ImportError> {
    let parser = app.row_parser().await?;
    let layout = parser.describe().await?;
    let mail_templates = check_wording(app).await?;
    Ok(Prepared { parser, layout, mail_templates, mailing_list: mailing_list(app)? })
}

/// Runs an import. `progress` is told how far it has come.
///
/// # Errors
/// Where it could not be made at all. From the first change on, what goes wrong is in the report.
pub async fn run(
    app: &App,
    selection: &Selection,
    progress: impl Fn(Progress<'_>),
) -> Result<Report, ImportError> {
    let prepared = prepare(app).await?;
    let exclusive = Exclusive::take(app).await?;
    let report = run_alone(app, selection, &exclusive, &prepared, progress).await;
    if let Err(error) = exclusive.release().await {
        tracing::warn!(%error, "the right to import could not be given back; it ends by itself");
    }
    report
}

async fn run_alone(
    app: &App,
    selection: &Selection,
    exclusive: &Exclusive,
    prepared: &Prepared,
    progress: impl Fn(Progress<'_>),
) -> Result<Report, ImportError> {
    let Prepared { parser, layout, mail_templates, mailing_list } = prepared;
    let mailing_list = mailing_list.as_ref();
    let member_role_id = member_role(app).await?;
    moving::recognise_moved(app, parser, layout).await?;
    let (plan, snapshot) = plan(app, parser, layout, selection).await?;
    // What was read is large, and only needed to find the rows again.
    let seen = app.settings.sheet.write_errors().then_some(snapshot);
    let last_run = app.database.last_run(KIND).await?;
    let run = app.database.begin_run(KIND, app.clock.now()).await?;
    fail_point::reached(|| "run begun".to_owned());
    let tools = Tools { app, mail_templates, member_role_id: &member_role_id, run, exclusive };
    let news = Notify::new();
    let applying = apply::apply(&tools, &plan, |step| {
        progress(step);
        news.notify_one();
    });
    let (endings, mut deliveries) = courier::alongside(&app.outbox, &news, applying).await;
    let endings = endings?;
    fail_point::reached(|| "requests finished".to_owned());
    let finished = finished_keys(&plan, &endings);
    let moved = moving::move_finished(app, parser, layout, &finished, exclusive).await;
    fail_point::reached(|| "rows moved".to_owned());
    // What is recorded before the mail is sent leaves with it.
    let subscribed_by_mail = subscribing::by_mail(app, mailing_list, run, exclusive).await;
    let failure = app.outbox.deliver_while(&mut deliveries, || true).await.err();
    let mail = Mail {
        deliveries,
        failure,
        pending: app.outbox.pending().await,
        refused: match last_run {
            Some(since) => app.outbox.refused(since).await,
            None => Ok(Vec::new()),
        },
    };
    fail_point::reached(|| "mail sent".to_owned());
    let subscriptions = match subscribed_by_mail {
        Some(subscriptions) => Some(subscriptions),
        None => subscribing::directly(app, mailing_list, exclusive).await,
    };
    let subscriptions = subscribing::finish(app, run, last_run, subscriptions).await;
    let mut report = Report::new(run, &plan, &endings, moved, mail, subscriptions);
    if let Some(seen) = seen {
        report.notices.extend(noting::note_problems(app, &seen, &report.rows).await);
    }
    if let Err(error) = record_end(app, run, &report).await {
        tracing::warn!(%error, run, "the end of the run could not be recorded");
    }
    Ok(report)
}

/// Keeps the report, and forgets old ones: they hold names and addresses, and who looks back looks back some weeks.
async fn record_end(app: &App, run: i64, report: &Report) -> Result<(), DatabaseError> {
    let now = app.clock.now();
    app.database.finish_run(run, &report.summary(), &report.to_keep(), now).await?;
    app.database.forget_reports(now.saturating_sub(REPORTS_KEPT).unwrap_or(Timestamp::MIN)).await
}

/// Words every mail of an import with sample values, so that a template that is missing or wrong is
/// found before there are users who wait for a mail.
async fn check_wording(app: &App) -> Result<MailTemplates, ImportError> {
    let mail_templates = app.mail_templates().await?;
    for content in mail_content::samples_of_import() {
        let message = mail_templates.render(&content).await?;
        outbox::check_wording(&app.settings.mail.sender, message)
            .map_err(|source| ImportError::Wording { kind: content.kind(), source })?;
    }
    Ok(mail_templates)
}

async fn member_role(app: &App) -> Result<String, ImportError> {
    let name = &app.settings.keystone.member_role;
    let role = app.keystone.find_role(name).await?;
    role.map(|role| role.id).ok_or_else(|| ImportError::NoMemberRole(name.clone()))
}

/// The plan, and the worksheet that it was made from.
async fn plan(
    app: &App,
    parser: &RowParser,
    layout: &Layout,
    selection: &Selection,
) -> Result<(Plan, Snapshot), ImportError> {
    let rule = app.settings.import.username;
    let snapshot = app.sheets.access.read(&layout.access.requests).await?;
    let Parsed { mut rows } = parser.parse_rows(SheetKind::Access, &snapshot.rows).await?;
    if let Selection::User(name) = selection {
        rows.retain(|row| is_of(row, name, rule));
        if rows.is_empty() {
            return Err(ImportError::NobodySelected(name.clone()));
        }
    }
    let keys: Vec<&str> = rows.iter().filter_map(ready_key).collect();
    let journal = app.database.known_requests(SheetKind::Access, &keys).await?;
    let directory = Directory::read(&rows, &app.keystone, &app.database, rule).await?;
    let mut notices = match selection {
        Selection::All => withdrawn(app, &rows).await?,
        Selection::User(_) => Vec::new(),
    };
    let quotas = new_quotas::decide(app, &rows, &mut notices).await?;
    let facts = Facts {
        rows: &rows,
        journal: &journal,
        directory: &directory,
        quotas: &quotas,
        rule,
        closed_project: app.settings.keystone.closed_project(),
        notices,
    };
    Ok((plan::build(facts), snapshot))
}

/// An operator may name a user by user name or by address.
fn is_of(row: &ParsedRow, name: &str, rule: UsernameRule) -> bool {
    match &row.outcome {
        Outcome::Request(Request { body: Body::Access(access), .. }) => {
            same_name(access.username(rule), name) || same_name(&access.email, name)
        }
        Outcome::Rejected(rejection) => same_name(&rejection.requester, name),
        Outcome::Request(_) => false,
    }
}

/// What earlier runs began for rows that are not there any more, cannot be read any more, or are not to be
/// processed any more.
async fn withdrawn(app: &App, rows: &[ParsedRow]) -> Result<Vec<String>, DatabaseError> {
    let there: BTreeSet<&str> = rows.iter().filter_map(ready_key).collect();
    let open = app.database.open_requests(SheetKind::Access).await?;
    let notices = open.iter().filter(|request| !there.contains(request.key.as_str())).map(|request| {
        format!(
            "run {} began the request \"{}\", for which no approved row is there any more: put the row back, or \
             approve it again, so that it can be finished, or remove the users and projects whose usher_request in Keystone is {}",
            request.run, request.key, request.marker
        )
    });
    Ok(notices.collect())
}

fn key(row: &ParsedRow) -> Option<&str> {
    match &row.outcome {
        Outcome::Request(request) => Some(&request.key),
        Outcome::Rejected(_) => None,
    }
}

fn ready_key(row: &ParsedRow) -> Option<&str> {
    match &row.outcome {
        Outcome::Request(request) if request.stage == Stage::Ready => Some(&request.key),
        _ => None,
    }
}

/// The keys whose rows may move: those that this run finished, and those that an earlier one did.
fn finished_keys(plan: &Plan, endings: &BTreeMap<RowNumber, Ending>) -> BTreeSet<String> {
    plan.rows
        .iter()
        .filter_map(|row| match &row.fate {
            Fate::Apply(work) if matches!(endings.get(&row.row), Some(Ending::Done)) => {
                Some(work.key.clone())
            }
            Fate::Move { key } => Some(key.clone()),
            _ => None,
        })
        .collect()
}
