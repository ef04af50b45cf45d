//! Mails about requests in the sheets, and the marks that they earn: what was mailed in which round, whether the mail
//! server took it, and whether the row is known to bear its mark.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Database, DatabaseError, Transaction, timestamp};
use crate::registration::SheetKind;

/// What a mail about a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The helpdesk's ticket about an approved request.
    Ticket,
    /// A digest for the approvers, in which the request is one of those that wait.
    Reminder,
}

impl NoticeKind {
    /// The name, as in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Reminder => "reminder",
        }
    }
}

/// What has become of the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeMail {
    /// It waits.
    Queued {
        /// Whether somebody is sending it.
        claimed: bool,
    },
    /// The mail server has taken it.
    Accepted(Timestamp),
    /// It was given up.
    Refused {
        /// Its number to operators.
        number: i64,
    },
    /// An operator decided that it is not sent.
    Dropped,
}

/// A mail about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The round, from 1.
    pub round: u32,
    /// Names the mail.
    pub origin: String,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// When the row was first known to bear the mark.
    pub marked: Option<Timestamp>,
    /// What has become of the mail.
    pub mail: NoticeMail,
}

impl Database {
    /// The mails of a kind about these requests of a sheet, by the requests' names, each in the order of the rounds.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn notices_about(
        &self,
        sheet: SheetKind,
        kind: NoticeKind,
        keys: &[&str],
        now: Timestamp,
    ) -> Result<BTreeMap<String, Vec<Notice>>, DatabaseError> {
        let digest = self.name_digest().await?;
        let mut about = BTreeMap::new();
        for key in keys {
            let rows = sqlx::query(
                "SELECT notice.round, notice.mail, notice.recorded, notice.marked, \
                 outbox.position, outbox.state, outbox.finished, outbox.claimed_until \
                 FROM notice JOIN outbox ON outbox.origin = notice.mail \
                 WHERE notice.sheet = $1 AND notice.key IN ($2, $3) AND notice.kind = $4 ORDER BY notice.round",
            )
            .bind(sheet.name())
            .bind(*key)
            .bind(digest.of(sheet, key))
            .bind(kind.name())
            .fetch_all(&self.pool)
            .await?;
            let notices: Vec<Notice> =
                rows.iter().map(|row| notice(row, now)).collect::<Result<_, DatabaseError>>()?;
            if !notices.is_empty() {
                about.insert((*key).to_owned(), notices);
            }
        }
        Ok(about)
    }

    /// Notes which requests of a sheet are over: those that there are mails about and that are not among the `open` ones.
    /// What is among them again is not over.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note_ends(
        &self,
        sheet: SheetKind,
        open: &BTreeSet<&str>,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        // What is erased stays so, whether its request comes back or not.
        let known: Vec<(String, bool)> = sqlx::query_as(
            "SELECT DISTINCT key, ended IS NOT NULL FROM notice WHERE sheet = $1 \
             AND (ended IS NULL OR key NOT LIKE 'erased:%')",
        )
        .bind(sheet.name())
        .fetch_all(&self.pool)
        .await?;
        let digest = self.name_digest().await?;
        let erased: BTreeSet<String> = open.iter().map(|key| digest.of(sheet, key)).collect();
        let is_open = |key: &str| open.contains(key) || erased.contains(key);
        let mut changed = known.iter().filter(|(key, has_ended)| is_open(key) == *has_ended).peekable();
        if changed.peek().is_none() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        for (key, has_ended) in changed {
            sqlx::query(
                "UPDATE notice SET ended = $3 WHERE sheet = $1 AND key = $2 AND (ended IS NOT NULL) = $4",
            )
            .bind(sheet.name())
            .bind(key)
            .bind((!has_ended).then(|| now.as_millisecond()))
            .bind(has_ended)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The mails about requests that are not over, by their origins.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mails_about_open_requests(&self) -> Result<BTreeSet<String>, DatabaseError> {
        let origins: Vec<String> = sqlx::query_scalar("SELECT DISTINCT mail FROM notice WHERE ended IS NULL")
            .fetch_all(&self.pool)
            .await?;
        Ok(origins.into_iter().collect())
    }

    /// The names of the requests whose mails were taken, and whose rows are not known to bear the marks.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn unmarked_requests(
        &self,
        sheet: SheetKind,
        kind: NoticeKind,
    ) -> Result<Vec<String>, DatabaseError> {
        Ok(sqlx::query_scalar(
            "SELECT DISTINCT notice.key FROM notice JOIN outbox ON outbox.origin = notice.mail \
             WHERE notice.sheet = $1 AND notice.kind = $2 AND notice.marked IS NULL AND outbox.state = 'sent'",
        )
        .bind(sheet.name())
        .bind(kind.name())
        .fetch_all(&self.pool)
        .await?)
    }

    /// Records that the rows of these requests bear the marks of the mails about them that do not wait any more, whatever the
    /// clock showed when they were recorded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note_marks<'a>(
        &self,
        sheet: SheetKind,
        kind: NoticeKind,
        keys: impl Iterator<Item = &'a str>,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let digest = self.name_digest().await?;
        let mut transaction = self.begin().await?;
        for key in keys {
            sqlx::query(
                "UPDATE notice SET marked = $5 WHERE sheet = $1 AND key IN ($2, $3) AND kind = $4 AND marked IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE origin = notice.mail AND state = 'queued')",
            )
            .bind(sheet.name())
            .bind(key)
            .bind(digest.of(sheet, key))
            .bind(kind.name())
            .bind(now.as_millisecond())
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// Records a mail about a request, before the mail itself in the same transaction. False where there is one of that
/// round already, and nothing is recorded.
///
/// # Errors
/// Where the database fails.
pub async fn add_notice_in(
    transaction: &mut Transaction,
    (sheet, key): (SheetKind, &str),
    (kind, round): (NoticeKind, u32),
    origin: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let added = sqlx::query(
        "INSERT INTO notice (sheet, key, kind, round, mail, recorded) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (sheet, key, kind, round) DO NOTHING",
    )
    .bind(sheet.name())
    .bind(key)
    .bind(kind.name())
    .bind(round)
    .bind(origin)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(added.rows_affected() == 1)
}

fn notice(row: &SqliteRow, now: Timestamp) -> Result<Notice, DatabaseError> {
    let moment = |column: &str| -> Result<Option<Timestamp>, DatabaseError> {
        row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose()
    };
    let state: String = row.try_get("state")?;
    let mail = match state.as_str() {
        "queued" => NoticeMail::Queued { claimed: moment("claimed_until")?.is_some_and(|until| until > now) },
        "sent" => NoticeMail::Accepted(moment("finished")?.unwrap_or(now)),
        "refused" => NoticeMail::Refused { number: row.try_get("position")? },
        _ => NoticeMail::Dropped,
    };
    Ok(Notice {
        round: row.try_get("round")?,
        origin: row.try_get("mail")?,
        recorded: timestamp(row.try_get("recorded")?)?,
        marked: moment("marked")?,
        mail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_mailed_about_once_in_a_round_and_its_mail_tells_how_far_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let now: Timestamp = "2026-03-14T15:48:48Z".parse().unwrap();
        let record = async |round, origin: &str| {
            let mut transaction = database.begin().await.unwrap();
            let about = (SheetKind::Access, "k");
            let added = add_notice_in(&mut transaction, about, (NoticeKind::Reminder, round), origin, now)
                .await
                .unwrap();
            Database::add_mail(&mut transaction, origin, "reminder", b"sealed", now, None).await.unwrap();
            transaction.commit().await.unwrap();
            added
        };
        let unmarked =
            async || database.unmarked_requests(SheetKind::Access, NoticeKind::Reminder).await.unwrap();
        assert!(record(1, "a").await && record(2, "b").await);
        assert!(!record(2, "c").await, "the round has its mail");
        let about = async |kind| {
            let mut about =
                database.notices_about(SheetKind::Access, kind, &["k", "other"], now).await.unwrap();
            about.remove("k").unwrap_or_default()
        };
        assert!(about(NoticeKind::Ticket).await.is_empty());
        let queued = NoticeMail::Queued { claimed: false };
        let states: Vec<_> =
            about(NoticeKind::Reminder).await.into_iter().map(|notice| (notice.round, notice.mail)).collect();
        assert_eq!(states, [(1, queued.clone()), (2, queued)]);

        assert!(unmarked().await.is_empty(), "no mail was taken");
        database.record_mail_sent("a", now).await.unwrap();
        assert_eq!(unmarked().await, ["k"]);
        let keys = ["k"].into_iter();
        database.note_marks(SheetKind::Access, NoticeKind::Reminder, keys, now).await.unwrap();
        assert!(unmarked().await.is_empty());
        let first = about(NoticeKind::Reminder).await.remove(0);
        assert_eq!((first.mail, first.marked), (NoticeMail::Accepted(now), Some(now)));

        // The second one was recorded by a clock that has been put back since.
        let back = now - jiff::SignedDuration::from_hours(24);
        let marked = async || about(NoticeKind::Reminder).await.remove(1).marked;
        assert_eq!(marked().await, None, "its mail waits");
        database.record_mail_sent("b", back).await.unwrap();
        let keys = ["k"].into_iter();
        database.note_marks(SheetKind::Access, NoticeKind::Reminder, keys, back).await.unwrap();
        assert_eq!(marked().await, Some(back));
    }
}
