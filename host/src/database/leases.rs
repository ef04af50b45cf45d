//! Leases: what only one process at a time may do.
//!
//! Who holds one renews it, which counts its renewals: one that is not counted on any more is a dead holder's, and what is
//! of the living can be told from it without comparing clocks (see [`crate::leases`]). When a lease ends, by the clock
//! of its holder, is a hint, except for turns (see [`crate::links`]): those are short, and whoever loses one asks again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Database, DatabaseError, Transaction, timestamp};
use crate::process::Process;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseHolder {
    /// As the holder named itself.
    pub holder: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, unless it renews it, by its own clock.
    pub ends: Timestamp,
    /// How often it has renewed it.
    pub renewals: i64,
}

impl LeaseHolder {
    /// The holder, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        Process::parse(&self.holder).map_or_else(|| self.holder.clone(), |process| process.in_words())
    }
}

/// Whether somebody has a lease, as the caller's transaction sees it: nobody takes it over before that ends.
///
/// # Errors
/// Where the database fails.
pub async fn has_lease_in(tx: &mut Transaction, name: &str, holder: &str) -> Result<bool, DatabaseError> {
    let held: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM lease WHERE name = $1 AND holder = $2")
        .bind(name)
        .bind(holder)
        .fetch_one(&mut **tx)
        .await?;
    Ok(held > 0)
}

impl Database {
    /// Takes a lease, or says who has it. One that has run out by this host's clock, or whose holder `is_gone`, is taken over.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        lasts: Duration,
        now: Timestamp,
        is_gone: impl Fn(&str) -> bool,
    ) -> Result<Result<(), LeaseHolder>, DatabaseError> {
        let is_free = |other: &LeaseHolder| other.ends <= now || is_gone(&other.holder);
        self.take_lease_of_the_dead(name, holder, lasts, now, is_free).await
    }

    /// Takes a lease, or says who has it. One that `is_free` is taken over.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn take_lease_of_the_dead(
        &self,
        name: &str,
        holder: &str,
        lasts: Duration,
        now: Timestamp,
        is_free: impl FnOnce(&LeaseHolder) -> bool,
    ) -> Result<Result<(), LeaseHolder>, DatabaseError> {
        let mut transaction = self.begin().await?;
        let current = sqlx::query("SELECT holder, since, expires, renewals FROM lease WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(other) = current.as_ref().map(lease_holder).transpose()?
            && !is_free(&other)
        {
            return Ok(Err(other));
        }
        sqlx::query(
            "INSERT INTO lease (name, holder, since, expires) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, since = excluded.since, \
             expires = excluded.expires, renewals = lease.renewals + 1",
        )
        .bind(name)
        .bind(holder)
        .bind(now.as_millisecond())
        .bind(end(now, lasts))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// The leases that are held, with their names.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn leases(&self) -> Result<Vec<(String, LeaseHolder)>, DatabaseError> {
        let rows = sqlx::query("SELECT name, holder, since, expires, renewals FROM lease")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("name")?, lease_holder(row)?))).collect()
    }

    /// Forgets leases whose names begin so and that have run out by this host's clock: of those that are taken only once,
    /// nobody else would take over what a holder who died has left.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_ended_leases(&self, prefix: &str, now: Timestamp) -> Result<(), DatabaseError> {
        sqlx::query("DELETE FROM lease WHERE substr(name, 1, length($1)) = $1 AND expires <= $2")
            .bind(prefix)
            .bind(now.as_millisecond())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Renews a lease. False where somebody else has taken it over meanwhile.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew_lease(
        &self,
        name: &str,
        holder: &str,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let result = sqlx::query(
            "UPDATE lease SET expires = $3, renewals = renewals + 1 WHERE name = $1 AND holder = $2",
        )
        .bind(name)
        .bind(holder)
        .bind(end(now, lasts))
        .execute(&self.pool)
        .await?;
        Ok(result.rows_affected() == 1)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn release_lease(&self, name: &str, holder: &str) -> Result<(), DatabaseError> {
        sqlx::query("DELETE FROM lease WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn lease_holder(row: &SqliteRow) -> Result<LeaseHolder, DatabaseError> {
    Ok(LeaseHolder {
        holder: row.try_get("holder")?,
        since: timestamp(row.try_get("since")?)?,
        ends: timestamp(row.try_get("expires")?)?,
        renewals: row.try_get("renewals")?,
    })
}

fn end(now: Timestamp, lasts: Duration) -> i64 {
    SignedDuration::try_from(lasts)
        .ok()
        .and_then(|lasts| now.checked_add(lasts).ok())
        .unwrap_or(Timestamp::MAX)
        .as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holder_at_a_time_until_it_ends_or_dies() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let minute = Duration::from_secs(60);
        let start = Timestamp::UNIX_EPOCH;
        let alive = |_: &str| false;
        assert_eq!(database.take_lease("import", "a", minute, start, alive).await.unwrap(), Ok(()));
        let refused = database.take_lease("import", "b", minute, start, alive).await.unwrap();
        let ends = start + SignedDuration::from_secs(60);
        assert_eq!(refused, Err(LeaseHolder { holder: "a".to_owned(), since: start, ends, renewals: 0 }));
        let later = start + SignedDuration::from_secs(61);
        assert_eq!(database.take_lease("import", "b", minute, later, alive).await.unwrap(), Ok(()));
        assert!(!database.renew_lease("import", "a", minute, later).await.unwrap());
        assert_eq!(
            database.take_lease("import", "c", minute, later, |who| who == "b").await.unwrap(),
            Ok(())
        );
        database.take_lease("one of many", "a", minute, start, alive).await.unwrap().unwrap();
        database.forget_ended_leases("one", later).await.unwrap();
        assert!(!database.renew_lease("one of many", "a", minute, later).await.unwrap());
        database.forget_ended_leases("import", start).await.unwrap();
        assert!(database.renew_lease("import", "c", minute, later).await.unwrap(), "it had not ended");
        database.release_lease("import", "c").await.unwrap();
        assert_eq!(database.take_lease("import", "d", minute, later, alive).await.unwrap(), Ok(()));
    }
}
