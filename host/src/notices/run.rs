//! One run over the sheets: first all mails are recorded, then sent, then the marks written that they have earned.

use super::report::Report;
use super::{Noticed, Prepared, send};
use crate::app::App;
use crate::batch::source::Source;
use crate::batch::{BatchError, Exclusive};
use crate::database::NoticeKind;
use crate::fail_point;

/// Mails of one kind about requests in the sheets.
pub(crate) trait Mailing {
    /// What a run is called. Only one of a kind works at a time.
    const KIND: &'static str;

    /// What its mails are in the records.
    const NOTICE: NoticeKind;

    /// The services.
    fn app(&self) -> &App;

    /// What the run works with.
    fn prepared(&self) -> &Prepared;

    /// Records the mails that are due about the requests of a sheet. Answers the requests that mail was sent about, or is to
    /// be, and that lack their marks. In a dry run, nothing is recorded.
    async fn record<'a>(
        &self,
        source: Source<'a>,
        dry_run: bool,
        report: &mut Report,
    ) -> Result<Noticed<'a>, BatchError>;

    /// Writes the marks into the rows of a sheet, and notes how far each request has come.
    async fn mark(
        &self,
        noticed: &mut Noticed<'_>,
        exclusive: &Exclusive,
        report: &mut Report,
    ) -> Result<(), BatchError>;
}

/// Makes a run. With `dry_run`, nothing is changed anywhere.
///
/// # Errors
/// Where another such run is being made, no sheet can be read, or the database or a component fails.
pub(crate) async fn run<M: Mailing>(mailing: &M, dry_run: bool) -> Result<Report, BatchError> {
    if dry_run {
        return run_alone(mailing, None).await;
    }
    let exclusive = Exclusive::take(mailing.app(), M::KIND).await?;
    let report = run_alone(mailing, Some(&exclusive)).await;
    if let Err(error) = exclusive.release().await {
        tracing::warn!(%error, kind = M::KIND, "the right to make this run could not be given back; it ends by itself");
    }
    report
}

/// `exclusive` is none for a dry run.
async fn run_alone<M: Mailing>(mailing: &M, exclusive: Option<&Exclusive>) -> Result<Report, BatchError> {
    let mut report = Report::default();
    let mut noticed = Vec::new();
    let mut first_error = None;
    for source in mailing.prepared().sources(mailing.app())? {
        let name = source.kind.name();
        match mailing.record(source, exclusive.is_none(), &mut report).await {
            Ok(requests) => noticed.push(requests),
            Err(error @ (BatchError::Database(_) | BatchError::Exclusive(_))) => return Err(error),
            Err(error) if first_error.is_none() => first_error = Some((name, error)),
            Err(error) => report.fail_whole(&format!("{name} sheet"), error)?,
        }
    }
    if let Some((name, error)) = first_error {
        // Nothing could be looked at: the run as a whole has failed.
        if noticed.is_empty() {
            return Err(error);
        }
        report.fail_whole(&format!("{name} sheet"), error)?;
    }
    if let Some(exclusive) = exclusive {
        fail_point::reached(|| "notices recorded".to_owned());
        send(mailing.app(), &noticed, M::NOTICE, &mut report).await?;
        fail_point::reached(|| "notices sent".to_owned());
        for noticed in &mut noticed {
            mailing.mark(noticed, exclusive, &mut report).await?;
        }
    }
    report.requests.extend(noticed.into_iter().flat_map(|noticed| noticed.requests).map(|(_, row)| row));
    Ok(report)
}
