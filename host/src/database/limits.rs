//! Limits on how often something may happen within a span of time.
//!
//! The windows slide: each event counts for the whole span, beginning with itself, and is erased after that. A limit
//! is exact however many processes ask at once, as each counts in a transaction that makes the others wait.

use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;

use super::{Database, DatabaseError, Transaction, timestamp};

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub struct Limit<'a> {
    /// What is counted.
    pub kind: &'static str,
    /// For whom, as a hash; blank for all together.
    pub subject: &'a [u8],
    /// How often at most.
    pub most: u32,
    /// Within how long.
    pub window: SignedDuration,
}

/// What counting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is counted, as the event of this id.
    Within(i64),
    /// The limit leaves none before this moment, and nothing was counted.
    Over {
        /// See above.
        until: Timestamp,
    },
}

/// Counts an event in the caller's transaction, if the limit leaves one.
///
/// # Errors
/// Where the database fails or holds damage.
pub async fn count_event_in(
    tx: &mut Transaction,
    limit: &Limit<'_>,
    now: Timestamp,
) -> Result<Counted, DatabaseError> {
    if let Some(until) = full_until(tx, limit, now).await? {
        return Ok(Counted::Over { until });
    }
    Ok(Counted::Within(insert(tx, limit, now).await?))
}

/// Counts an event that the limit leaves.
async fn insert(
    connection: &mut SqliteConnection,
    limit: &Limit<'_>,
    now: Timestamp,
) -> Result<i64, DatabaseError> {
    let counts_until = now.as_millisecond().saturating_add(limit.window.as_secs().saturating_mul(1000));
    Ok(sqlx::query_scalar(
        "INSERT INTO limited_event (kind, subject, counts_until) VALUES (?, ?, ?) RETURNING id",
    )
    .bind(limit.kind)
    .bind(limit.subject)
    .bind(counts_until)
    .fetch_one(connection)
    .await?)
}

/// Until when a limit leaves none, where it does not at present.
async fn full_until(
    connection: &mut SqliteConnection,
    limit: &Limit<'_>,
    now: Timestamp,
) -> Result<Option<Timestamp>, DatabaseError> {
    // Of the events that count, as many as the limit allows, the newest first: the last of them ends first.
    let ends: Vec<i64> = sqlx::query_scalar(
        "SELECT counts_until FROM limited_event WHERE kind = ? AND subject = ? AND counts_until > ? \
         ORDER BY counts_until DESC LIMIT ?",
    )
    .bind(limit.kind)
    .bind(limit.subject)
    .bind(now.as_millisecond())
    .bind(limit.most)
    .fetch_all(connection)
    .await?;
    if u32::try_from(ends.len()).unwrap_or(u32::MAX) >= limit.most {
        return Ok(Some(ends.last().copied().map_or(Ok(now + limit.window), timestamp)?));
    }
    Ok(None)
}

impl Database {
    /// Counts an event, if the limit leaves one. What counts no more is erased on the way.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn count_event(&self, limit: &Limit<'_>, now: Timestamp) -> Result<Counted, DatabaseError> {
        let mut tx = self.begin().await?;
        erase_ended(&mut tx, now).await?;
        let counted = count_event_in(&mut tx, limit, now).await?;
        tx.commit().await?;
        Ok(counted)
    }

    /// Counts an event toward each of several limits, of which no two count the same, if every one leaves one; else
    /// toward none, and says until when that is so: until the last of those that are full leaves one.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn count_event_of_all(
        &self,
        limits: &[Limit<'_>],
        now: Timestamp,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let mut tx = self.begin().await?;
        erase_ended(&mut tx, now).await?;
        let mut full = None;
        for limit in limits {
            full = full.max(full_until(&mut tx, limit, now).await?);
        }
        if full.is_none() {
            for limit in limits {
                insert(&mut tx, limit, now).await?;
            }
        }
        tx.commit().await?;
        Ok(full)
    }

    /// Until when a limit leaves none, where it does not at present.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn limit_full_until(
        &self,
        limit: &Limit<'_>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        full_until(&mut *self.pool.acquire().await?, limit, now).await
    }

    /// Takes an event back that turned out not to be one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_event_back(&self, id: i64) -> Result<(), DatabaseError> {
        sqlx::query("DELETE FROM limited_event WHERE id = ?").bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// Erases the events that count no more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn erase_ended_events(&self, now: Timestamp) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        erase_ended(&mut tx, now).await?;
        Ok(tx.commit().await?)
    }
}

async fn erase_ended(tx: &mut Transaction, now: Timestamp) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM limited_event WHERE counts_until <= ?")
        .bind(now.as_millisecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

    fn limit(kind: &'static str, subject: &'static [u8]) -> Limit<'static> {
        Limit { kind, subject, most: 3, window: HOUR }
    }

    async fn count(database: &Database, limit: &Limit<'_>, now: Timestamp) -> Counted {
        database.count_event(limit, now).await.unwrap()
    }

    #[tokio::test]
    async fn an_event_counts_for_the_whole_window_and_not_a_millisecond_longer() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let (start, a) = (Timestamp::UNIX_EPOCH, limit("kind", b"a"));
        for minute in 0..3 {
            let at = start + SignedDuration::from_mins(minute);
            assert!(matches!(count(&database, &a, at).await, Counted::Within(_)), "{minute}");
        }
        let first_ends = start + HOUR;
        let over = Counted::Over { until: first_ends };
        assert_eq!(count(&database, &a, start + SignedDuration::from_mins(3)).await, over);
        assert_eq!(count(&database, &a, first_ends - MILLISECOND).await, over);
        assert!(matches!(count(&database, &limit("kind", b"b"), start).await, Counted::Within(_)));
        assert!(matches!(count(&database, &limit("other", b"a"), start).await, Counted::Within(_)));

        let Counted::Within(id) = count(&database, &a, first_ends).await else { panic!("it slides") };
        let second_ends = first_ends + SignedDuration::from_mins(1);
        assert_eq!(count(&database, &a, first_ends).await, Counted::Over { until: second_ends });
        database.take_event_back(id).await.unwrap();
        assert!(matches!(count(&database, &a, first_ends).await, Counted::Within(_)));
    }

    #[tokio::test]
    async fn what_counts_no_more_is_erased() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        count(&database, &limit("kind", b"a"), Timestamp::UNIX_EPOCH).await;
        let kept = async || -> i64 {
            sqlx::query_scalar("SELECT COUNT(*) FROM limited_event").fetch_one(&database.pool).await.unwrap()
        };
        database.erase_ended_events(Timestamp::UNIX_EPOCH + HOUR - MILLISECOND).await.unwrap();
        assert_eq!(kept().await, 1);
        database.erase_ended_events(Timestamp::UNIX_EPOCH + HOUR).await.unwrap();
        assert_eq!(kept().await, 0);
    }

    /// Through two connections' pools, as two processes would.
    #[tokio::test]
    async fn of_many_at_once_no_more_are_counted_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usher.sqlite");
        let databases = [Database::open(&file).await.unwrap(), Database::open(&file).await.unwrap()];
        let limit = limit("kind", b"a");
        let counted = futures::future::join_all(
            (0..40).map(|number| databases[number % 2].count_event(&limit, Timestamp::UNIX_EPOCH)),
        )
        .await;
        let within = counted.iter().filter(|counted| matches!(counted, Ok(Counted::Within(_)))).count();
        assert_eq!(within, 3, "{counted:?}");
        assert!(counted.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn what_one_limit_leaves_none_for_counts_toward_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let (start, hours) = (Timestamp::UNIX_EPOCH, limit("hour", b"a"));
        let days = Limit { most: 4, window: HOUR * 24, ..limit("day", b"a") };
        let both = [hours, days];
        let at = async |hour: i32| database.count_event_of_all(&both, start + HOUR * hour).await.unwrap();
        for _ in 0..3 {
            assert_eq!(at(0).await, None);
        }
        assert_eq!(at(0).await, Some(start + HOUR));
        assert_eq!(database.limit_full_until(&days, start).await.unwrap(), None, "one is left");
        assert_eq!(at(1).await, None);
        assert_eq!(at(1).await, Some(start + HOUR * 24));
        assert_eq!(database.limit_full_until(&days, start + HOUR).await.unwrap(), Some(start + HOUR * 24));
        assert_eq!(at(24).await, None);
    }

    #[tokio::test]
    async fn who_is_over_several_limits_is_told_the_end_of_the_last_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let (start, hours) = (Timestamp::UNIX_EPOCH, limit("hour", b"a"));
        let days = Limit { window: HOUR * 24, ..limit("day", b"a") };
        for both in [[hours, days], [days, hours]] {
            for _ in 0..3 {
                database.count_event_of_all(&both, start).await.unwrap();
            }
            let told = database.count_event_of_all(&both, start).await.unwrap();
            assert_eq!(told, Some(start + HOUR * 24));
        }
    }

    #[tokio::test]
    async fn a_limit_of_none_lets_nothing_through() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let none = Limit { most: 0, ..limit("kind", b"a") };
        let over = Counted::Over { until: Timestamp::UNIX_EPOCH + HOUR };
        assert_eq!(count(&database, &none, Timestamp::UNIX_EPOCH).await, over);
    }
}
