//! The marks that mails earn, in the bookkeeping columns of the sheets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::report::Report;
use crate::batch::source::Source;
use crate::batch::{BatchError, Exclusive};
use crate::fail_point;
use crate::registration::{Outcome, RowNumber, Stage};
use crate::sheet::SheetError;

/// How often a sheet that changes between reading and writing is read again.
const ATTEMPTS: u32 = 5;

/// What becomes of the mark that a row has earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is written.
    Write,
    /// It is there, or somebody has written a later one, or the row does not need one any more.
    Settled,
    /// The row is not one that gets it now.
    Leave,
}

/// A moment as it is written into the sheets: `14 Mar 2018 15:48:48`, in the site's time zone.
fn mark_text(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%d %b %Y %H:%M:%S").to_string()
}

/// Writes the marks that requests have earned into their rows, as [`write_marks`] does. None where there are none to be written,
/// or they could not be, which is reported: what goes wrong with one sheet does not keep the other waiting.
///
/// # Errors
/// Where nothing can be done safely after it.
pub(crate) async fn try_to_write_marks(
    source: &Source<'_>,
    exclusive: &Exclusive,
    column: u32,
    earned: &BTreeMap<&str, Timestamp>,
    verdict: impl Fn(&Stage, &str, DateTime) -> Verdict,
    report: &mut Report,
) -> Result<Option<BTreeSet<String>>, BatchError> {
    if earned.is_empty() {
        return Ok(None);
    }
    match write_marks(source, exclusive, column, earned, verdict).await {
        Ok(settled) => Ok(Some(settled)),
        Err(error) => {
            report.fail_whole(&format!("the marks of the {} sheet", source.kind.name()), error)?;
            Ok(None)
        }
    }
}

/// Writes marks into a column of the rows of the requests that have earned one, in one change for all of them.
/// `verdict` says what becomes of a row by its stage, what its cell holds, and the mark. Answers the requests whose
/// rows have what they are to have.
///
/// # Errors
/// Where the sheet cannot be read or written. Some of the rows may have got their marks.
async fn write_marks(
    source: &Source<'_>,
    exclusive: &Exclusive,
    column: u32,
    earned: &BTreeMap<&str, Timestamp>,
    verdict: impl Fn(&Stage, &str, DateTime) -> Verdict,
) -> Result<BTreeSet<String>, BatchError> {
    let (sheet, layout) = (source.sheet, source.layout);
    let zone = &source.app.settings.site.time_zone;
    let mut attempt = 1;
    loop {
        let snapshot = sheet.read(&layout.requests).await?;
        let rows = source.parse(&snapshot.rows).await?;
        let mut marks: BTreeMap<RowNumber, String> = BTreeMap::new();
        let mut settled = BTreeSet::new();
        for row in &rows {
            let Outcome::Request(request) = &row.outcome else { continue };
            let Some(at) = earned.get(request.key.as_str()) else { continue };
            let cells = snapshot.rows.get((row.number as usize).wrapping_sub(1)).map(|row| &row.cells);
            let cell = cells.and_then(|cells| cells.get(column as usize)).map_or("", String::as_str);
            match verdict(&request.stage, cell, to_the_second(*at, zone)) {
                Verdict::Write => drop(marks.insert(row.number, mark_text(*at, zone))),
                Verdict::Settled => {}
                Verdict::Leave => continue,
            }
            settled.insert(request.key.clone());
        }
        if marks.is_empty() {
            return Ok(settled);
        }
        fail_point::reached(|| "marks to write".to_owned());
        exclusive.check()?;
        match sheet.mark_cells(&snapshot, column, &marks).await {
            Err(SheetError::Changed { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
            Ok(()) => {
                fail_point::reached(|| "marks written".to_owned());
                return Ok(settled);
            }
        }
    }
}

/// What a mark says, as a parser reads it again.
fn to_the_second(moment: Timestamp, zone: &TimeZone) -> DateTime {
    let local = moment.to_zoned(zone.clone()).datetime();
    local.with().subsec_nanosecond(0).build().unwrap_or(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_in_the_form_and_the_zone_of_the_site() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(mark_text(moment("2018-03-14T19:48:48.9Z"), &zone), "14 Mar 2018 15:48:48");
        assert_eq!(mark_text(moment("2018-01-05T05:00:00Z"), &zone), "05 Jan 2018 00:00:00");
        assert_eq!(
            to_the_second(moment("2018-03-14T19:48:48.9Z"), &zone),
            jiff::civil::datetime(2018, 3, 14, 15, 48, 48, 0)
        );
    }
}
