//! One run over a sheet, from the right to make it to its report.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::apply::{Endings, Progress, Run};
use super::exclusive::Exclusive;
use super::plan::{Plan, Work};
use super::report::{Mail, Report};
use super::source::Source;
use super::{BatchError, courier, moving, noting, subscribing};
use crate::app::App;
use crate::database::DatabaseError;
use crate::fail_point;
use crate::mailing_list::MailingList;
use crate::settings::sheet::Sheet;
use crate::sheet::Snapshot;

/// What is done with the requests of a sheet.
pub(crate) trait Task {
    /// What the runs are called in the journal and in messages. Only one of a kind works at a time.
    const KIND: &'static str;

    /// What is to be done for one request.
    type Work: Work;

    /// What planning and applying need besides, found out when the run has the right to work.
    type Ready;

    /// The sheet.
    fn source(&self) -> &Source<'_>;

    /// The list that new users are subscribed to at the end.
    fn mailing_list(&self) -> Option<&MailingList> {
        None
    }

    /// Finds out what planning and applying need.
    async fn ready(&self) -> Result<Self::Ready, BatchError>;

    /// The plan, and the worksheet that it was made from.
    async fn plan(&self, ready: &Self::Ready) -> Result<(Plan<Self::Work>, Snapshot), BatchError>;

    /// Applies the plan. Fails where the journal does; what else goes wrong is how a request ended.
    async fn apply(
        &self,
        run: Run<'_>,
        ready: &Self::Ready,
        plan: &Plan<Self::Work>,
        progress: impl Fn(Progress<'_>),
    ) -> Result<Endings, DatabaseError>;
}

/// Plans without changing anything anywhere.
///
/// # Errors
/// Where the sheet, a component, the journal or a service does not answer.
pub(crate) async fn dry_run<T: Task>(task: &T) -> Result<Plan<T::Work>, BatchError> {
    let ready = task.ready().await?;
    Ok(task.plan(&ready).await?.0)
}

/// Makes a run. `progress` is told how far it has come.
///
/// # Errors
/// Where it could not be made at all. From the first change on, what goes wrong is in the report.
pub(crate) async fn run<T: Task>(task: &T, progress: impl Fn(Progress<'_>)) -> Result<Report, BatchError> {
    let exclusive = Exclusive::take(task.source().app, T::KIND).await?;
    let report = run_alone(task, &exclusive, progress).await;
    if let Err(error) = exclusive.release().await {
        tracing::warn!(%error, kind = T::KIND, "the right to make this run could not be given back; it ends by itself");
    }
    report
}

async fn run_alone<T: Task>(
    task: &T,
    exclusive: &Exclusive,
    progress: impl Fn(Progress<'_>),
) -> Result<Report, BatchError> {
    let (source, app, mailing_list) = (task.source(), task.source().app, task.mailing_list());
    let ready = task.ready().await?;
    moving::recognise_moved(source).await?;
    let (plan, snapshot) = task.plan(&ready).await?;
    // What was read is large, and only needed to find the rows again.
    let write_errors = app.settings.sheet.as_ref().is_some_and(Sheet::write_errors);
    let seen = write_errors.then_some(snapshot);
    let last_run = app.database.last_run(T::KIND).await?;
    let number = app.database.begin_run(T::KIND, app.clock.now()).await?;
    fail_point::reached(|| "run begun".to_owned());
    let run = Run { app, number, exclusive };
    let news = Notify::new();
    let applying = task.apply(run, &ready, &plan, |step| {
        progress(step);
        news.notify_one();
    });
    let (endings, mut deliveries) = courier::alongside(&app.outbox, &news, applying).await;
    let endings = endings?;
    fail_point::reached(|| "requests finished".to_owned());
    let finished = plan.finished_keys(&endings);
    let moved = moving::move_finished(source, &finished, exclusive).await;
    fail_point::reached(|| "rows moved".to_owned());
    // What is recorded before the mail is sent leaves with it.
    let subscribed_by_mail = subscribing::by_mail(app, mailing_list, number, exclusive).await;
    let failure = app.outbox.deliver_while(&mut deliveries, || !app.stop.is_asked()).await.err();
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
    let subscriptions = subscribing::finish(app, number, last_run, subscriptions).await;
    let mut report = Report::new(number, &plan, &endings, moved, mail, subscriptions);
    // A run that was told to end says nothing of the rows that it has left for the next one.
    if let Some(seen) = seen.filter(|_| !app.stop.is_asked()) {
        report.notices.extend(noting::note_problems(source, &seen, &report.rows).await);
    }
    if let Err(error) = record_end(app, number, &report).await {
        tracing::warn!(%error, run = number, "the end of the run could not be recorded");
    }
    Ok(report)
}

/// Keeps the report, and forgets old ones: they hold names and addresses, and who looks back looks back some weeks.
async fn record_end(app: &App, run: i64, report: &Report) -> Result<(), DatabaseError> {
    let now = app.clock.now();
    app.database.finish_run(run, &report.summary(), &report.to_keep(), now).await?;
    let kept = SignedDuration::try_from(app.settings.retention.reports).unwrap_or(SignedDuration::MAX);
    app.database.forget_reports(now.saturating_sub(kept).unwrap_or(Timestamp::MIN)).await.map(drop)
}
