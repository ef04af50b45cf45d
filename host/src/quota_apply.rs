//! Applying the quota sheet: approved rows become limits in force.
//!
//! Says what a run over the quota sheet does with its requests; how a run goes is in [`crate::batch`]. What each
//! request gets, the quota policy decides.

mod announce;
mod begun;
mod build;
mod context;
mod facts;
mod journey;
pub mod plan;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

use self::journey::{Journey, StepError};
use self::plan::{Plan, Work};
use crate::app::App;
use crate::batch::apply::{self, Ending, Endings, Progress, Run};
use crate::batch::report::Report;
use crate::batch::source::{Source, key};
use crate::batch::{self, BatchError, Task};
use crate::database::{DatabaseError, JournalRequest, QuotaOutcome};
use crate::plugin::{MailTemplates, QuotaPolicy, RowParser};
use crate::quota_decisions::{KIND, check_wording, in_words};
use crate::registration::{
    Body, Layout, Outcome, ParsedRow, Request, RowNumber, SheetKind, SheetLayout, Stage, same_name,
};
use crate::sheet::{Sheet, Snapshot};

/// Which rows a run is about.
#[derive(Clone, Debug)]
pub enum Selection {
    /// All of them.
    All,
    /// Those about one project, by name.
    Project(String),
}

/// Plans without changing anything anywhere.
///
/// # Errors
/// Where the sheet, a component, the journal or a service does not answer.
pub async fn dry_run(app: &App, selection: &Selection) -> Result<Plan, BatchError> {
    let prepared = Prepared::new(app).await?;
    batch::dry_run(&prepared.task(app, selection)?).await
}

/// Applies the sheet. `progress` is told how far it has come.
///
/// # Errors
/// Where it could not be done at all. From the first change on, what goes wrong is in the report.
pub async fn run(
    app: &App,
    selection: &Selection,
    progress: impl Fn(Progress<'_>),
) -> Result<Report, BatchError> {
    let prepared = Prepared::new(app).await?;
    batch::run(&prepared.task(app, selection)?, progress).await
}

/// What a run works with, made before it changes anything: what is wrong with the settings comes to light then.
struct Prepared {
    parser: RowParser,
    layout: Layout,
    policy: QuotaPolicy,
    mail_templates: MailTemplates,
}

impl Prepared {
    async fn new(app: &App) -> Result<Self, BatchError> {
        quota_sheet(app)?;
        let parser = app.row_parser().await?;
        let layout = parser.describe().await?;
        let policy = app.quota_policy().await?;
        let mail_templates = check_wording(app).await?;
        Ok(Self { parser, layout, policy, mail_templates })
    }

    fn task<'a>(&'a self, app: &'a App, selection: &'a Selection) -> Result<QuotaApply<'a>, BatchError> {
        let sheet = quota_sheet(app)?;
        let layout: &SheetLayout = self
            .layout
            .quota
            .as_ref()
            .ok_or(BatchError::NoQuotaSheet("the component plugins.row_parser does not know one"))?;
        let source = Source { app, kind: SheetKind::Quota, sheet, parser: &self.parser, layout };
        Ok(QuotaApply { source, selection, policy: &self.policy, mail_templates: &self.mail_templates })
    }
}

fn quota_sheet(app: &App) -> Result<&Sheet, BatchError> {
    app.sheets.quota.as_ref().ok_or(BatchError::NoQuotaSheet("set sheet.quota in the settings"))
}

/// A run over the quota sheet.
struct QuotaApply<'a> {
    source: Source<'a>,
    selection: &'a Selection,
    policy: &'a QuotaPolicy,
    mail_templates: &'a MailTemplates,
}

impl Task for QuotaApply<'_> {
    const KIND: &'static str = KIND;
    type Work = Work;
    type Ready = ();

    fn source(&self) -> &Source<'_> {
        &self.source
    }

    async fn ready(&self) -> Result<(), BatchError> {
        Ok(())
    }

    async fn plan(&self, (): &()) -> Result<(Plan, Snapshot), BatchError> {
        let Source { app, sheet, layout, .. } = self.source;
        let snapshot = sheet.read(&layout.requests).await?;
        let mut rows = self.source.parse(&snapshot.rows).await?;
        if let Selection::Project(name) = self.selection {
            rows.retain(|row| is_about(row, name));
            if rows.is_empty() {
                return Err(BatchError::NothingSelected(name.clone()));
            }
        }
        let keys: Vec<&str> = rows.iter().filter_map(key).collect();
        let journal = app.database.known_requests(SheetKind::Quota, &keys).await?;
        let mut decisions = BTreeMap::new();
        for (key, request) in &journal {
            if let Some(decision) = app.database.quota_decision_of_request(request.id).await? {
                decisions.insert(key.clone(), decision);
            }
        }
        let begun: BTreeSet<&str> =
            decisions.values().map(|recorded| recorded.decision.project_id.as_str()).collect();
        let projects = facts::read(app, &build::projects(&rows, &journal), &begun).await?;
        let notices = match self.selection {
            Selection::All => withdrawn(app, &rows).await?,
            Selection::Project(_) => Vec::new(),
        };
        let facts = build::Facts {
            rows: &rows,
            journal: &journal,
            decisions: &decisions,
            projects: &projects,
            policy: self.policy,
            zone: &app.settings.site.time_zone,
            now: app.clock.now(),
            notices,
        };
        Ok((build::build(facts).await, snapshot))
    }

    async fn apply(
        &self,
        run: Run<'_>,
        (): &(),
        plan: &Plan,
        progress: impl Fn(Progress<'_>),
    ) -> Result<Endings, DatabaseError> {
        let mail_templates = self.mail_templates;
        let work_on = async |request: &JournalRequest, work: &Work, (): ()| {
            Journey { run, mail_templates, request, work }.go().await?;
            Ok::<_, StepError>(())
        };
        apply::apply(run, SheetKind::Quota, plan, may_start, work_on, progress).await
    }
}

/// A request was decided on with the limits that those before it were to set.
fn may_start(work: &Work, _: &BTreeMap<RowNumber, ()>, endings: &Endings) -> Result<(), String> {
    for row in &work.after {
        if let Some(Ending::Failed { reason, .. }) = endings.get(row) {
            return Err(format!("row {row}, which is about the same project, was not finished: {reason}"));
        }
    }
    Ok(())
}

fn is_about(row: &ParsedRow, project: &str) -> bool {
    match &row.outcome {
        Outcome::Request(Request { body: Body::Quota(quota), .. }) => same_name(&quota.project, project),
        _ => false,
    }
}

/// What earlier runs began for rows that are not there any more, cannot be read any more, or are not to be
/// processed any more.
async fn withdrawn(app: &App, rows: &[ParsedRow]) -> Result<Vec<String>, DatabaseError> {
    let mut notices = Vec::new();
    for request in app.database.open_requests(SheetKind::Quota).await? {
        let is_alive = |row: &ParsedRow| match &row.outcome {
            Outcome::Request(request) => !matches!(request.stage, Stage::Denied),
            Outcome::Rejected(_) => false,
        };
        let is_there = rows.iter().any(|row| key(row) == Some(&request.key) && is_alive(row));
        let recorded = app.database.quota_decision_of_request(request.id).await?;
        if let Some(decision) = recorded.map(|recorded| recorded.decision)
            && !is_there
            && decision.outcome == QuotaOutcome::Granted
            && !app.database.steps(request.id).await?.is_empty()
        {
            let changes: Vec<String> = decision
                .changes
                .iter()
                .map(|change| format!("{} {} -> {}", change.key, in_words(change.old), in_words(change.new)))
                .collect();
            notices.push(format!(
                "run {} began the request \"{}\" about the project {}, for which no approved row is there any more: put \
                 the row back, or approve it again, so that it can be finished; it may have set {}",
                request.run,
                request.key,
                decision.project,
                changes.join(", ")
            ));
        }
    }
    Ok(notices)
}
