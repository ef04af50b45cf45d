//! The records of new users' addresses on their way to the site's mailing list.

use jiff::Timestamp;
use sqlx::Row as _;

use super::{Database, DatabaseError, MailState, Transaction};

/// An address that is still to be subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSubscription {
    /// The request that made the user.
    pub request: i64,
    /// The user's address.
    pub address: String,
}

/// An address that the list will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSubscription {
    /// The address.
    pub address: String,
    /// Why.
    pub reason: String,
}

/// How many addresses mails to the list were to bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailedSubscriptions {
    /// How many are in the mail that was asked about, and that one waits or was sent.
    pub under_way: usize,
    /// How many are in mails that were given up.
    pub refused: usize,
}

/// Records that the user whom a request has made is to be subscribed. Where that is recorded already, in whatever
/// state, nothing changes.
///
/// # Errors
/// Where the database fails.
pub async fn add_subscription_in(
    transaction: &mut Transaction,
    request: i64,
    address: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO subscription (request, address, state, created) VALUES ($1, $2, 'open', $3) \
         ON CONFLICT (request) DO NOTHING",
    )
    .bind(request)
    .bind(address)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Records that the list has these users' addresses, or that the mail of that origin brings them, together with
/// whatever else the transaction holds.
///
/// # Errors
/// Where the database fails.
pub async fn finish_subscriptions_in(
    transaction: &mut Transaction,
    requests: &[i64],
    mail: Option<&str>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    for request in requests {
        sqlx::query(
            "UPDATE subscription SET state = 'done', attempts = attempts + 1, last_error = NULL, finished = $2, \
             mail = $3 WHERE request = $1 AND state = 'open'",
        )
        .bind(request)
        .bind(now.as_millisecond())
        .bind(mail)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Records that an address will never be subscribed, together with whatever else the transaction holds.
///
/// # Errors
/// Where the database fails.
pub async fn refuse_subscription_in(
    transaction: &mut Transaction,
    request: i64,
    reason: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE subscription SET state = 'refused', attempts = attempts + 1, last_error = $2, finished = $3 \
         WHERE request = $1 AND state = 'open'",
    )
    .bind(request)
    .bind(reason)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Has the addresses subscribed anew that a mail was to bring, together with whatever else the transaction holds.
/// Answers how many.
///
/// # Errors
/// Where the database fails.
pub async fn reopen_subscriptions_in(
    transaction: &mut Transaction,
    mail: &str,
    reason: &str,
) -> Result<u64, DatabaseError> {
    let reopened = sqlx::query(
        "UPDATE subscription SET state = 'open', last_error = $2, finished = NULL, mail = NULL \
         WHERE mail = $1 AND state = 'done'",
    )
    .bind(mail)
    .bind(reason)
    .execute(&mut **transaction)
    .await?;
    Ok(reopened.rows_affected())
}

impl Database {
    /// What became of addresses that a mail was to bring: those of the mail of this origin, and of any that was
    /// given up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mailed_subscriptions(&self, mail: &str) -> Result<MailedSubscriptions, DatabaseError> {
        let states: Vec<String> = sqlx::query_scalar(
            "SELECT outbox.state FROM subscription JOIN outbox ON outbox.origin = subscription.mail \
             WHERE subscription.state = 'done' AND (outbox.origin = $1 OR outbox.state = 'refused')",
        )
        .bind(mail)
        .fetch_all(&self.pool)
        .await?;
        let refused = states.iter().filter(|state| *state == MailState::Refused.name()).count();
        Ok(MailedSubscriptions { under_way: states.len() - refused, refused })
    }

    /// The addresses that are still to be subscribed. Those that were tried least come first, so that one which
    /// fails again and again never keeps the others waiting.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_subscriptions(&self) -> Result<Vec<OpenSubscription>, DatabaseError> {
        let rows = sqlx::query(
            "SELECT request, address FROM subscription WHERE state = 'open' ORDER BY attempts, request",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(OpenSubscription { request: row.try_get("request")?, address: row.try_get("address")? })
            })
            .collect()
    }

    /// Records that these addresses could not be subscribed this time, and why.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note_subscription_error(&self, requests: &[i64], error: &str) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        for request in requests {
            sqlx::query(
                "UPDATE subscription SET attempts = attempts + 1, last_error = $2 \
                 WHERE request = $1 AND state = 'open'",
            )
            .bind(request)
            .bind(error)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The addresses that were refused since a moment.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn refused_subscriptions(
        &self,
        since: Timestamp,
    ) -> Result<Vec<RefusedSubscription>, DatabaseError> {
        let rows = sqlx::query(
            "SELECT address, last_error FROM subscription WHERE state = 'refused' AND finished >= $1 \
             ORDER BY request",
        )
        .bind(since.as_millisecond())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(RefusedSubscription {
                    address: row.try_get("address")?,
                    reason: row.try_get("last_error")?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{DueMail, drop_refused_in, refused_of_kind_in};
    use crate::registration::SheetKind;

    #[tokio::test]
    async fn an_address_is_open_until_it_is_done_or_refused_and_who_failed_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let run = database.begin_run("import", now).await.unwrap();
        let batch: Vec<_> = ["a", "b", "c", "d"].map(|key| (key, format!("marker-{key}"))).into();
        let requests: Vec<i64> = database
            .take_up_requests(SheetKind::Access, &batch, run, now)
            .await
            .unwrap()
            .iter()
            .map(|request| request.id)
            .collect();
        let open = async || -> Vec<String> {
            database.open_subscriptions().await.unwrap().into_iter().map(|one| one.address).collect()
        };
        let mut transaction = database.begin().await.unwrap();
        for (request, address) in requests.iter().zip(["a@x", "b@x", "c@x", "d@x", "not a second one"]) {
            add_subscription_in(&mut transaction, *request, address, now).await.unwrap();
        }
        add_subscription_in(&mut transaction, requests[0], "not a second one", now).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(open().await, ["a@x", "b@x", "c@x", "d@x"]);
        database.note_subscription_error(&requests[..1], "not now").await.unwrap();
        assert_eq!(open().await, ["b@x", "c@x", "d@x", "a@x"]);

        let later: Timestamp = "2026-03-14T15:48:48Z".parse().unwrap();
        let mut transaction = database.begin().await.unwrap();
        finish_subscriptions_in(&mut transaction, &[requests[1], requests[3]], None, later).await.unwrap();
        refuse_subscription_in(&mut transaction, requests[2], "banned", later).await.unwrap();
        // What is done stays done.
        refuse_subscription_in(&mut transaction, requests[1], "too late", later).await.unwrap();
        add_subscription_in(&mut transaction, requests[1], "b@x", later).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(open().await, ["a@x"]);
        let refused = RefusedSubscription { address: "c@x".to_owned(), reason: "banned".to_owned() };
        assert_eq!(database.refused_subscriptions(later).await.unwrap(), [refused]);
        let after = later + jiff::SignedDuration::from_secs(1);
        assert!(database.refused_subscriptions(after).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn only_who_was_in_a_refused_mail_is_open_again() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let run = database.begin_run("import", now).await.unwrap();
        let batch: Vec<_> = ["a", "b", "c"].map(|key| (key, format!("marker-{key}"))).into();
        let requests = database.take_up_requests(SheetKind::Access, &batch, run, now).await.unwrap();
        let mails = ["mailing-list:1", "mailing-list:2", "mailing-list:3"];
        let mut transaction = database.begin().await.unwrap();
        for ((request, address), mail) in requests.iter().zip(["a@x", "b@x", "c@x"]).zip(mails) {
            Database::add_mail(&mut transaction, mail, "mailing-list", b"sealed", now, None).await.unwrap();
            add_subscription_in(&mut transaction, request.id, address, now).await.unwrap();
            finish_subscriptions_in(&mut transaction, &[request.id], Some(mail), now).await.unwrap();
        }
        transaction.commit().await.unwrap();
        // The first is refused, the second dropped by an operator, the third waits.
        let due = DueMail { by: now, or_beyond: now };
        let claimed = database.claim_due_mail("me", due, now, |_| Vec::new()).await.unwrap().unwrap();
        database.record_mail_refused(&claimed.origin, "me", now, "no", "file".as_ref()).await.unwrap();
        let second = database.mails_in(&[MailState::Queued]).await.unwrap()[0].number;
        assert!(database.drop_mail(second, now, |_| false).await.unwrap());
        let told = MailedSubscriptions { under_way: 1, refused: 1 };
        assert_eq!(database.mailed_subscriptions(mails[2]).await.unwrap(), told);

        let mut transaction = database.begin().await.unwrap();
        let refused = refused_of_kind_in(&mut transaction, "mailing-list").await.unwrap();
        assert_eq!(refused, [(mails[0].to_owned(), Some("file".into()))]);
        drop_refused_in(&mut transaction, mails[0], now).await.unwrap();
        assert_eq!(reopen_subscriptions_in(&mut transaction, mails[0], "no").await.unwrap(), 1);
        transaction.commit().await.unwrap();
        let open = database.open_subscriptions().await.unwrap();
        assert_eq!(open, [OpenSubscription { request: requests[0].id, address: "a@x".to_owned() }]);
        let told = MailedSubscriptions { under_way: 1, refused: 0 };
        assert_eq!(database.mailed_subscriptions(mails[2]).await.unwrap(), told);
    }
}
