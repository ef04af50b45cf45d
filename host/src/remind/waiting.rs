//! What the row of a request says of how long it waits.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Due;
use crate::batch::in_words;
use crate::mail_content::PendingRequest;
use crate::notices::Requester;
use crate::registration::{Request, Stage};

/// How far ahead of the clock a form's timestamp and a reminder may be. What is further was read in the wrong order of
/// day and month, or typed, or written while the clock was wrong.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Since when a request waits.
pub(super) fn since(request: &Request, zone: &TimeZone) -> Option<Timestamp> {
    match request.stage {
        Stage::Waiting { since: Some(since), .. } => moment(since, zone),
        _ => None,
    }
}

/// When approvers were last reminded of a request, by its mark.
pub(super) fn reminded(request: &Request, zone: &TimeZone) -> Option<Timestamp> {
    match request.stage {
        Stage::Waiting { reminded: Some(reminded), .. } => moment(reminded, zone),
        _ => None,
    }
}

/// Whether a time lies too far ahead to be one.
pub(super) fn is_ahead(time: Timestamp, now: Timestamp) -> bool {
    time.duration_since(now) > AHEAD
}

/// A time of a sheet in the site's zone. One that the clocks skip in spring is taken for the one an hour later, of one
/// that they show twice in autumn the first is taken.
fn moment(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(time).compatible().ok()
}

/// What is wrong with a timestamp, and that without what it says.
pub(super) fn timestamp_problem(
    since: Option<Timestamp>,
    now: Timestamp,
    zone: &TimeZone,
) -> Option<(String, &'static str)> {
    let Some(since) = since else {
        let problem = "nobody can tell since when the request waits, because its timestamp is blank or is no time; \
                       approvers are reminded of it all the same";
        return Some((problem.to_owned(), problem));
    };
    is_ahead(since, now).then(|| {
        let problem = format!(
            "the request seems to come from the future ({}), so nobody is reminded of it: correct its timestamp, or, \
             where the day comes before the month in this sheet, the settings of plugins.row_parser",
            in_words(since, zone)
        );
        (problem, "the request seems to come from the future, so nobody is reminded of it")
    })
}

/// What is wrong with a mark.
pub(super) fn mark_problem(mark: Timestamp, zone: &TimeZone) -> String {
    format!(
        "the mark of the last reminder lies in the future ({}); it is taken for none, and the next reminder writes \
         another over it",
        in_words(mark, zone)
    )
}

/// The request as a digest tells of it.
pub(super) fn pending(due: &Due<'_>, zone: &TimeZone) -> PendingRequest {
    let requester = Requester::of(&due.request.body);
    PendingRequest {
        row: due.row,
        full_name: requester.full_name(),
        email: requester.email.to_owned(),
        project: requester.project.to_owned(),
        since: due.since.map_or_else(|| "an unknown day".to_owned(), |since| in_words(since, zone)),
        comment: requester.comment.to_owned(),
        reminders: due.reminders,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;

    use super::*;

    fn new_york() -> TimeZone {
        TimeZone::get("America/New_York").unwrap()
    }

    #[test]
    fn times_that_the_clocks_skip_or_show_twice_are_moments_all_the_same() {
        let at = |time| moment(time, &new_york()).unwrap().to_string();
        assert_eq!(at(datetime(2018, 3, 14, 15, 48, 48, 0)), "2018-03-14T19:48:48Z");
        assert_eq!(at(datetime(2018, 3, 11, 2, 30, 0, 0)), "2018-03-11T07:30:00Z", "it was 3:30");
        assert_eq!(at(datetime(2018, 11, 4, 1, 30, 0, 0)), "2018-11-04T05:30:00Z", "the first of two");
    }

    #[test]
    fn a_timestamp_that_cannot_be_is_told() {
        let now: Timestamp = "2018-03-14T19:48:48Z".parse().unwrap();
        let problem = |since| timestamp_problem(since, now, &new_york()).map(|(problem, _)| problem);
        assert!(problem(None).unwrap().contains("blank or is no time"));
        assert_eq!(problem(Some(now)), None);
        assert_eq!(problem(Some(now + SignedDuration::from_hours(23))), None);
        let future = problem(Some(now + SignedDuration::from_hours(24 * 30))).unwrap();
        assert!(
            future.contains("13 April 2018") && future.contains("the day comes before the month"),
            "{future}"
        );
    }
}
