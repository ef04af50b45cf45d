//! Erasing what names people, once it is over and old enough. What guards against doing something twice stays: the
//! requests themselves, with digests in the place of their names, and the origins of mails.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::erased_names::{ERASED, name_digest_in};
use super::{Database, DatabaseError};
use crate::registration::SheetKind;

/// How many names are erased in one transaction, so that nobody else waits for long.
const BATCH: u32 = 500;

/// Records that have outlived their use at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlived {
    /// Names and steps of requests that are finished, or were refused and have not been taken up again since. The row of
    /// one that was refused may still be in the sheet: taken up again, it gets its name back.
    Requests,
    /// Names of requests that the helpdesk was told of and that are over.
    Tickets,
    /// Reminders of requests that are over.
    Reminders,
    /// Addresses that were subscribed to the mailing list, or refused by it.
    Subscriptions,
    /// Who asked for quotas, of requests that are denied, or in force for ever, or have ended.
    QuotaRequesters,
    /// What servers said about mails that were sent or dropped, and whose links were in them.
    MailRemarks,
    /// Reports of runs.
    Reports,
}

impl Outlived {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Requests => "names and steps of finished requests",
            Self::Tickets => "names of requests with a ticket",
            Self::Reminders => "reminders",
            Self::Subscriptions => "addresses for the mailing list",
            Self::QuotaRequesters => "requesters of quotas",
            Self::MailRemarks => "what servers said about mails",
            Self::Reports => "reports of runs",
        }
    }

    /// The table, and which of its rows are meant: those of before `$1`.
    fn rows(self) -> (&'static str, &'static str) {
        match self {
            Self::Requests => (
                "request",
                "updated < $1 AND key NOT LIKE 'erased:%' AND (state IN ('done', 'moved') OR EXISTS ( \
                 SELECT 1 FROM quota_decision WHERE quota_decision.request = request.id AND outcome = 'denied'))",
            ),
            Self::Tickets => (
                "notice",
                "kind = 'ticket' AND ended < $1 AND key NOT LIKE 'erased:%' AND NOT EXISTS ( \
                 SELECT 1 FROM outbox WHERE origin = notice.mail AND state = 'queued')",
            ),
            Self::Reminders => (
                "notice",
                "kind = 'reminder' AND ended < $1 AND NOT EXISTS ( \
                 SELECT 1 FROM outbox WHERE origin = notice.mail AND state = 'queued')",
            ),
            Self::Subscriptions => ("subscription", "state <> 'open' AND finished < $1"),
            Self::QuotaRequesters => (
                "quota_decision",
                "requester_email <> '' AND COALESCE(ended, applied, decided) < $1 AND (outcome = 'denied' \
                 OR (applied IS NOT NULL AND (ends IS NULL OR ended IS NOT NULL)))",
            ),
            Self::MailRemarks => (
                "outbox",
                "state IN ('sent', 'dropped') AND finished < $1 AND (last_error IS NOT NULL OR link_user IS NOT NULL)",
            ),
            Self::Reports => ("run", "finished < $1 AND report IS NOT NULL"),
        }
    }
}

impl Database {
    /// How many records of a sort there are from before a moment.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_outlived(&self, what: Outlived, before: Timestamp) -> Result<u64, DatabaseError> {
        let (table, rows) = what.rows();
        let query = format!("SELECT COUNT(*) FROM {table} WHERE {rows}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(query))
            .bind(before.as_millisecond())
            .fetch_one(&self.pool)
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Erases the records of a sort from before a moment, or what names people in them. Answers how many there were.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn erase_outlived(&self, what: Outlived, before: Timestamp) -> Result<u64, DatabaseError> {
        let (table, rows) = what.rows();
        let change = match what {
            Outlived::Requests | Outlived::Tickets => return self.erase_names(what, before).await,
            Outlived::Reminders | Outlived::Subscriptions => format!("DELETE FROM {table}"),
            Outlived::QuotaRequesters => {
                format!("UPDATE {table} SET requester_email = '', requester_name = ''")
            }
            Outlived::MailRemarks => format!("UPDATE {table} SET last_error = NULL, link_user = NULL"),
            Outlived::Reports => format!("UPDATE {table} SET report = NULL"),
        };
        let erased = sqlx::query(AssertSqlSafe(format!("{change} WHERE {rows}")))
            .bind(before.as_millisecond())
            .execute(&self.pool)
            .await?;
        Ok(erased.rows_affected())
    }

    /// Puts digests in the place of names. What a finished request did step by step goes with its name.
    async fn erase_names(&self, what: Outlived, before: Timestamp) -> Result<u64, DatabaseError> {
        let (table, rows) = what.rows();
        let mut erased = 0;
        loop {
            let mut transaction = self.begin().await?;
            let query = format!("SELECT rowid, sheet, key FROM {table} WHERE {rows} LIMIT {BATCH}");
            let found: Vec<(i64, String, String)> = sqlx::query_as(AssertSqlSafe(query))
                .bind(before.as_millisecond())
                .fetch_all(&mut *transaction)
                .await?;
            if found.is_empty() {
                return Ok(erased);
            }
            let digest = name_digest_in(&mut transaction).await?;
            for (id, sheet, key) in &found {
                let sheet =
                    if sheet == SheetKind::Access.name() { SheetKind::Access } else { SheetKind::Quota };
                let name = digest.of(sheet, key);
                debug_assert!(name.starts_with(ERASED));
                if what == Outlived::Requests {
                    // A name that has its digest already gives way: it must not keep the others from being erased.
                    sqlx::query(
                        "UPDATE request SET error = NULL, key = CASE WHEN EXISTS ( \
                         SELECT 1 FROM request AS other WHERE other.sheet = request.sheet AND other.key = $2) \
                         THEN $2 || ':' || id ELSE $2 END WHERE id = $1",
                    )
                        .bind(id)
                        .bind(name)
                        .execute(&mut *transaction)
                        .await?;
                    // The steps of a refused request say that its requester has been told.
                    sqlx::query(
                        "DELETE FROM step WHERE request = $1 \
                         AND EXISTS (SELECT 1 FROM request WHERE id = $1 AND state IN ('done', 'moved'))",
                    )
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
                } else {
                    sqlx::query(
                        "UPDATE notice SET key = CASE WHEN EXISTS ( \
                         SELECT 1 FROM notice AS other WHERE other.sheet = notice.sheet AND other.key = $2 \
                         AND other.kind = notice.kind AND other.round = notice.round) \
                         THEN $2 || ':' || rowid ELSE $2 END WHERE rowid = $1",
                    )
                    .bind(id)
                    .bind(name)
                    .execute(&mut *transaction)
                    .await?;
                }
            }
            transaction.commit().await?;
            erased += found.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{
        NoticeKind, RequestState, add_notice_in, add_subscription_in, finish_request_in,
        finish_subscriptions_in,
    };

    const NAME: &str = "2018-03-14T15:48:48 user@example.org";

    struct Site {
        _folder: tempfile::TempDir,
        database: Database,
    }

    async fn site() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        Site { _folder: folder, database }
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 24 * 60 * 60).unwrap()
    }

    impl Site {
        /// A request that is taken up on day 1, and finished and moved if that is wanted.
        async fn request(&self, key: &str, is_finished: bool) -> i64 {
            let run = self.database.begin_run("import", day(1)).await.unwrap();
            let batch = [(key, format!("marker of {key}"))];
            let taken = self
                .database
                .take_up_requests(SheetKind::Access, &batch, run, day(1))
                .await
                .unwrap()
                .remove(0);
            self.database
                .begin_step(taken.id, "create-user:user@example.org", None, run, day(1))
                .await
                .unwrap();
            if is_finished {
                let mut transaction = self.database.begin().await.unwrap();
                finish_request_in(&mut transaction, taken.id, day(1)).await.unwrap();
                add_subscription_in(&mut transaction, taken.id, "user@example.org", day(1)).await.unwrap();
                finish_subscriptions_in(&mut transaction, &[taken.id], None, day(1)).await.unwrap();
                transaction.commit().await.unwrap();
                self.database.mark_moved(&[taken.id], day(1)).await.unwrap();
            }
            taken.id
        }

        async fn names(&self) -> Vec<String> {
            sqlx::query_scalar("SELECT key FROM request ORDER BY id")
                .fetch_all(&self.database.pool)
                .await
                .unwrap()
        }
    }

    #[tokio::test]
    async fn a_finished_request_loses_its_name_and_is_known_by_it_all_the_same() {
        let site = site().await;
        let id = site.request(NAME, true).await;
        site.request("open", false).await;
        assert_eq!(site.database.erase_outlived(Outlived::Requests, day(1)).await.unwrap(), 0, "too early");
        assert_eq!(site.database.count_outlived(Outlived::Requests, day(2)).await.unwrap(), 1);
        assert_eq!(site.database.erase_outlived(Outlived::Requests, day(2)).await.unwrap(), 1);
        assert_eq!(
            site.database.erase_outlived(Outlived::Requests, day(2)).await.unwrap(),
            0,
            "once is enough"
        );
        let names = site.names().await;
        assert!(names[0].starts_with(ERASED) && !names[0].contains("user"), "{names:?}");
        assert_eq!(names[1], "open", "what is not finished keeps its name");
        let known = site.database.known_requests(SheetKind::Access, &[NAME, "open", "other"]).await.unwrap();
        assert_eq!(known.len(), 2);
        assert_eq!((known[NAME].id, known[NAME].state), (id, RequestState::Moved));
        assert!(known[NAME].steps.is_empty() && !known["open"].steps.is_empty());
        let other_sheet = site.database.known_requests(SheetKind::Quota, &[NAME]).await.unwrap();
        assert!(other_sheet.is_empty());
    }

    #[tokio::test]
    async fn a_request_that_is_taken_up_again_is_the_same_one_and_can_be_erased_again() {
        let site = site().await;
        let id = site.request(NAME, true).await;
        site.database.erase_outlived(Outlived::Requests, day(2)).await.unwrap();
        assert_eq!(site.request(NAME, false).await, id);
        assert_eq!(site.names().await, [NAME]);
        assert_eq!(site.database.erase_outlived(Outlived::Requests, day(2)).await.unwrap(), 1);
        // A database in which it is there twice, by its digest and by its name.
        sqlx::query(
            "INSERT INTO request (sheet, key, marker, state, first_run, run, created, updated) \
             SELECT sheet, $1, 'another', 'moved', first_run, run, created, updated FROM request",
        )
        .bind(NAME)
        .execute(&site.database.pool)
        .await
        .unwrap();
        site.request("another", true).await;
        assert_eq!(site.database.erase_outlived(Outlived::Requests, day(2)).await.unwrap(), 2);
        assert!(site.names().await.iter().all(|name| name.starts_with(ERASED)));
        let known = site.database.known_requests(SheetKind::Access, &[NAME]).await.unwrap();
        assert_eq!(known[NAME].id, id);
    }

    #[tokio::test]
    async fn addresses_go_when_they_have_served_and_tickets_stay_known() {
        let site = site().await;
        site.request(NAME, true).await;
        for (kind, origin) in [(NoticeKind::Ticket, "t"), (NoticeKind::Reminder, "r")] {
            let mut transaction = site.database.begin().await.unwrap();
            let about = (SheetKind::Access, NAME);
            assert!(add_notice_in(&mut transaction, about, (kind, 1), origin, day(1)).await.unwrap());
            Database::add_mail(&mut transaction, origin, "mail", b"sealed", day(1), None).await.unwrap();
            transaction.commit().await.unwrap();
        }
        let note_ends = async |open: &[&str], day| {
            let open = open.iter().copied().collect();
            site.database.note_ends(SheetKind::Access, &open, day).await.unwrap();
        };
        let erases = async |what, before| site.database.erase_outlived(what, before).await.unwrap();
        note_ends(&[], day(1)).await;
        for what in [Outlived::Tickets, Outlived::Reminders] {
            assert_eq!(erases(what, day(2)).await, 0, "{what:?}: the mail waits");
        }
        for origin in ["t", "r"] {
            site.database.record_mail_sent(origin, day(1)).await.unwrap();
        }
        note_ends(&[NAME], day(1)).await;
        for what in [Outlived::Tickets, Outlived::Reminders] {
            assert_eq!(erases(what, day(9)).await, 0, "{what:?}: the request is not over, or not any more");
        }
        note_ends(&[], day(1)).await;
        note_ends(&[], day(9)).await;
        for what in [Outlived::Tickets, Outlived::Reminders, Outlived::Subscriptions] {
            assert_eq!(site.database.erase_outlived(what, day(1)).await.unwrap(), 0, "{what:?}: too early");
            assert_eq!(site.database.count_outlived(what, day(2)).await.unwrap(), 1, "{what:?}");
            assert_eq!(site.database.erase_outlived(what, day(2)).await.unwrap(), 1, "{what:?}");
            assert_eq!(site.database.count_outlived(what, day(2)).await.unwrap(), 0, "{what:?}");
        }
        let about = async |kind| {
            let found = site.database.notices_about(SheetKind::Access, kind, &[NAME], day(3)).await.unwrap();
            found.get(NAME).map_or(0, Vec::len)
        };
        assert_eq!((about(NoticeKind::Ticket).await, about(NoticeKind::Reminder).await), (1, 0));
    }

    /// A database in which a ticket is there twice, by the digest of its request's name and by the name.
    #[tokio::test]
    async fn a_ticket_whose_digest_is_there_already_is_erased_all_the_same_and_keeps_no_other_from_it() {
        let site = site().await;
        let ticket = async |key: &str, origin: &str| {
            sqlx::query(
                "INSERT INTO notice (sheet, key, kind, round, mail, recorded, ended) VALUES ('access', $1, 'ticket', 1, $2, 1, 1)",
            )
            .bind(key)
            .bind(origin)
            .execute(&site.database.pool)
            .await
            .unwrap();
        };
        for (origin, others) in [("first", 0), ("again", 1), ("once more", 0)] {
            ticket(NAME, origin).await;
            for other in 0..others {
                ticket(&format!("another {other}"), "other").await;
            }
            let erased = site.database.erase_outlived(Outlived::Tickets, day(2)).await.unwrap();
            assert_eq!(erased, 1 + others, "{origin}");
        }
        let keys: Vec<String> =
            sqlx::query_scalar("SELECT key FROM notice").fetch_all(&site.database.pool).await.unwrap();
        assert!(keys.len() == 4 && keys.iter().all(|key| key.starts_with(ERASED)), "{keys:?}");
        let digest = site.database.name_digest().await.unwrap().of(SheetKind::Access, NAME);
        assert!(keys.contains(&digest), "{digest}: {keys:?}");
    }

    #[tokio::test]
    async fn what_every_sort_names_is_in_the_tables() {
        let site = site().await;
        for what in [Outlived::QuotaRequesters, Outlived::MailRemarks, Outlived::Reports] {
            assert_eq!(site.database.count_outlived(what, day(2)).await.unwrap(), 0);
            assert_eq!(site.database.erase_outlived(what, day(2)).await.unwrap(), 0);
        }
    }
}
