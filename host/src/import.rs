//! The import: approved rows of the access sheet become users who can log in.
//!
//! Says what a run over the access sheet does with its requests; how a run goes is in [`crate::batch`].

mod apply;
mod directory;
pub(crate) mod journey;
mod new_quotas;
pub mod plan;

use std::collections::BTreeSet;

use self::apply::Tools;
use self::directory::{Directory, DirectoryError};
use self::plan::{Facts, Plan, Work};
use crate::app::App;
use crate::batch::apply::{Endings, Progress, Run};
use crate::batch::report::Report;
use crate::batch::source::{Source, ready_key};
use crate::batch::{self, BatchError, Task};
use crate::database::DatabaseError;
use crate::mail_content;
use crate::mailing_list::{MailingList, MailingListError};
use crate::outbox;
use crate::plugin::{MailTemplates, RowParser};
use crate::registration::{Body, Layout, Outcome, ParsedRow, Request, SheetKind, UsernameRule, same_name};
use crate::sheet::{Sheet, Snapshot};

/// What an import is called among the runs.
pub const KIND: &str = Import::KIND;

/// Which rows an import is about.
#[derive(Clone, Debug)]
pub enum Selection {
    /// All of them.
    All,
    /// Those of one requester, by user name.
    User(String),
}

impl From<DirectoryError> for BatchError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Keystone(error) => Self::Keystone(error),
            DirectoryError::Database(error) => Self::Database(error),
        }
    }
}

/// Plans without changing anything anywhere.
///
/// # Errors
/// Where the sheet, a component, the journal or a service does not answer.
pub async fn dry_run(app: &App, selection: &Selection) -> Result<Plan, BatchError> {
    let prepared = Prepared::new(app).await?;
    batch::dry_run(&prepared.import(app, selection)).await
}

/// Runs an import. `progress` is told how far it has come.
///
/// # Errors
/// Where it could not be made at all. From the first change on, what goes wrong is in the report.
pub async fn run(
    app: &App,
    selection: &Selection,
    progress: impl Fn(Progress<'_>),
) -> Result<Report, BatchError> {
    let prepared = Prepared::new(app).await?;
    batch::run(&prepared.import(app, selection), progress).await
}

/// The mailing list that new users are subscribed to, where there is one.
///
/// # Errors
/// Where its settings cannot be used.
pub fn mailing_list(app: &App) -> Result<Option<MailingList>, MailingListError> {
    app.settings.mailing_list.as_ref().map(MailingList::new).transpose()
}

/// What an import works with, made before it changes anything: what is wrong with the settings comes to light then.
struct Prepared<'a> {
    sheet: &'a Sheet,
    parser: RowParser,
    layout: Layout,
    mail_templates: MailTemplates,
    mailing_list: Option<MailingList>,
}

impl<'p> Prepared<'p> {
    async fn new(app: &'p App) -> Result<Self, BatchError> {
        let sheet = app.sheets.access()?;
        let parser = app.row_parser().await?;
        let layout = parser.describe().await?;
        let mail_templates = check_wording(app).await?;
        Ok(Self { sheet, parser, layout, mail_templates, mailing_list: mailing_list(app)? })
    }

    fn import<'a>(&'a self, app: &'a App, selection: &'a Selection) -> Import<'a> {
        let source = Source {
            app,
            kind: SheetKind::Access,
            sheet: self.sheet,
            parser: &self.parser,
            layout: &self.layout.access,
        };
        Import {
            source,
            selection,
            mail_templates: &self.mail_templates,
            mailing_list: self.mailing_list.as_ref(),
        }
    }
}

/// An import.
struct Import<'a> {
    source: Source<'a>,
    selection: &'a Selection,
    mail_templates: &'a MailTemplates,
    mailing_list: Option<&'a MailingList>,
}

/// What an import finds out when it has the right to work.
struct Ready {
    member_role_id: String,
}

impl Task for Import<'_> {
    const KIND: &'static str = "import";
    type Work = Work;
    type Ready = Ready;

    fn source(&self) -> &Source<'_> {
        &self.source
    }

    fn mailing_list(&self) -> Option<&MailingList> {
        self.mailing_list
    }

    async fn ready(&self) -> Result<Ready, BatchError> {
        let app = self.source.app;
        let name = &app.settings.keystone.member_role;
        let role = app.keystone.find_role(name).await?;
        let role = role.ok_or_else(|| BatchError::NoMemberRole(name.clone()))?;
        Ok(Ready { member_role_id: role.id })
    }

    async fn plan(&self, _: &Ready) -> Result<(Plan, Snapshot), BatchError> {
        plan(&self.source, self.selection).await
    }

    async fn apply(
        &self,
        run: Run<'_>,
        ready: &Ready,
        plan: &Plan,
        progress: impl Fn(Progress<'_>),
    ) -> Result<Endings, DatabaseError> {
        let Self { mail_templates, .. } = *self;
        let tools = Tools { run, mail_templates, member_role_id: &ready.member_role_id };
        apply::apply(&tools, plan, progress).await
    }
}

/// Words every mail of an import with sample values, so that a template that is missing or wrong is
/// found before there are users who wait for a mail.
async fn check_wording(app: &App) -> Result<MailTemplates, BatchError> {
    let mail_templates = app.mail_templates().await?;
    for content in mail_content::samples_of_import() {
        let message = mail_templates.render(&content).await?;
        outbox::check_wording(&app.settings.mail.sender, message)
            .map_err(|source| BatchError::Wording { kind: content.kind(), source })?;
    }
    Ok(mail_templates)
}

async fn plan(source: &Source<'_>, selection: &Selection) -> Result<(Plan, Snapshot), BatchError> {
    let app = source.app;
    let rule = app.settings.import.username;
    let snapshot = source.sheet.read(&source.layout.requests).await?;
    let mut rows = source.parse(&snapshot.rows).await?;
    if let Selection::User(name) = selection {
        rows.retain(|row| is_of(row, name, rule));
        if rows.is_empty() {
            return Err(BatchError::NobodySelected(name.clone()));
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
