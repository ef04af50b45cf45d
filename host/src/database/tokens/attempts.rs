//! The PINs that are tried with a link, and the changes of passwords that follow where one is right.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::super::setpass_events::{SetpassEventKind, record_setpass_event};
use super::super::{Database, DatabaseError};
use super::{Attempt, AttemptStart, Claim, CountedAttempt, GrantedClaim, take_back, window_start};

#[derive(FromRow)]
struct LinkRow {
    user_id: String,
    password_name: String,
    pin_hash: String,
    attempts: i64,
    marker: Option<String>,
}

#[derive(FromRow)]
struct ClaimRow {
    user_id: String,
    unsettled: i64,
    password: Vec<u8>,
    is_password_set: bool,
}

impl Database {
    /// Counts an attempt with the link before the PIN is looked at, if the limits leave one.
    ///
    /// However many ask at once, through however many processes, no more are counted than the
    /// limits allow: each of them changes the link's row first, and then waits for the others.
    ///
    /// Whatever comes of it, as many statements are run, and something is written and committed: the time that takes
    /// tells nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_attempt(&self, attempt: &Attempt<'_>) -> Result<AttemptStart, DatabaseError> {
        let mut tx = self.begin().await?;
        let start = count(&mut tx, attempt).await?;
        // With how many statements fewer than an attempt that is counted.
        let turned_away = match &start {
            AttemptStart::Unknown => Some(("unknown", 4)),
            AttemptStart::Expired => Some(("expired", 4)),
            AttemptStart::LinkExhausted => Some(("locked", 3)),
            AttemptStart::UserExhausted => Some(("locked-for-today", 1)),
            AttemptStart::Counted(_) => None,
        };
        if let Some((reason, fewer)) = turned_away {
            for _ in 1..fewer {
                attempts_within(&mut tx, "", attempt.now).await?;
            }
            turn_away(&mut tx, reason, attempt.now).await?;
        }
        tx.commit().await?;
        Ok(start)
    }

    /// Asks to be the only one who changes the password with this link until the given time, and
    /// records that a change begins. Where the link has no random password yet, it gets the one that was `drawn`,
    /// sealed, which is recorded before Keystone hears of it. One whose secrets are destroyed gets none.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claim_change(
        &self,
        attempt: &CountedAttempt,
        drawn: &[u8],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, DatabaseError> {
        let mut tx = self.begin().await?;
        let claimed: Option<ClaimRow> = sqlx::query_as(
            "UPDATE setpass_link SET claimed_until = ?, unsettled = unsettled + 1, password = COALESCE(password, ?) \
             WHERE token_hash = ? AND pin_hash <> '' AND (claimed_until IS NULL OR claimed_until <= ?) \
             RETURNING user_id, unsettled, password, is_password_set",
        )
        .bind(until.as_millisecond())
        .bind(drawn)
        .bind(attempt.token_hash.as_slice())
        .bind(now.as_millisecond())
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(claimed) = claimed {
            let superseded = sqlx::query_scalar(
                "SELECT password_name FROM setpass_link \
                 WHERE user_id = ? AND kind = 'registered' AND token_hash <> ?",
            )
            .bind(&claimed.user_id)
            .bind(attempt.token_hash.as_slice())
            .fetch_optional(&mut *tx)
            .await?;
            tx.commit().await?;
            return Ok(Claim::Granted(GrantedClaim {
                unsettled: claimed.unsettled > 1,
                password: claimed.password,
                is_password_set: claimed.is_password_set,
                superseded,
            }));
        }
        let present: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM setpass_link WHERE token_hash = ? AND pin_hash <> ''")
                .bind(attempt.token_hash.as_slice())
                .fetch_one(&mut *tx)
                .await?;
        Ok(if present == 0 { Claim::Gone } else { Claim::Taken })
    }

    /// Gives the claim and the attempt back after a change that did not happen for this reason.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle_unchanged(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        end_claim(&mut tx, attempt, true).await?;
        take_back(&mut tx, attempt).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::NotSet, reason)).await?;
        Ok(tx.commit().await?)
    }

    /// Gives the claim back, and not the attempt, after a change that did not happen for this reason. Where it was
    /// the last attempt of `per_link`, the link is locked.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle_counted(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
        reason: &str,
        per_link: u32,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        end_claim(&mut tx, attempt, true).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::NotSet, reason)).await?;
        super::endings::lock(&mut tx, attempt, now, per_link).await?;
        Ok(tx.commit().await?)
    }

    /// Gives the claim and the attempt back after a change of which it is not known whether it
    /// happened. That it was begun stays recorded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn leave_unsettled(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        end_claim(&mut tx, attempt, false).await?;
        take_back(&mut tx, attempt).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::NotSet, reason)).await?;
        Ok(tx.commit().await?)
    }

    /// Gives an attempt back whose PIN was right, or could not be compared, where no change was begun.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn give_attempt_back(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        take_back(&mut tx, attempt).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::NotSet, reason)).await?;
        Ok(tx.commit().await?)
    }
}

async fn count(
    connection: &mut SqliteConnection,
    attempt: &Attempt<'_>,
) -> Result<AttemptStart, DatabaseError> {
    let Attempt { token_hash, now, limits, client } = *attempt;
    let expires: Option<i64> = sqlx::query_scalar("SELECT expires FROM setpass_link WHERE token_hash = ?")
        .bind(token_hash.as_slice())
        .fetch_optional(&mut *connection)
        .await?;
    match expires {
        None => return Ok(AttemptStart::Unknown),
        Some(expires) if expires <= now.as_millisecond() => return Ok(AttemptStart::Expired),
        Some(_) => {}
    }
    let link: Option<LinkRow> = sqlx::query_as(
        "UPDATE setpass_link SET attempts = attempts + 1 \
         WHERE token_hash = ? AND attempts < ? AND pin_hash <> '' \
         RETURNING user_id, password_name, pin_hash, attempts, marker",
    )
    .bind(token_hash.as_slice())
    .bind(limits.per_link)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(link) = link else { return Ok(AttemptStart::LinkExhausted) };
    let id: i64 = sqlx::query_scalar("INSERT INTO setpass_attempt (user_id, at) VALUES (?, ?) RETURNING id")
        .bind(&link.user_id)
        .bind(now.as_millisecond())
        .fetch_one(&mut *connection)
        .await?;
    let in_window = attempts_within(&mut *connection, &link.user_id, now).await?;
    let left = (i64::from(limits.per_link) - link.attempts).min(i64::from(limits.per_window) - in_window);
    let counted = CountedAttempt {
        id,
        token_hash: *token_hash,
        client: client.map(str::to_owned),
        user_id: link.user_id,
        password_name: link.password_name,
        pin_hash: link.pin_hash,
        left: u32::try_from(left).unwrap_or(0),
        marker: link.marker,
    };
    if in_window > i64::from(limits.per_window) {
        // A refusal does not count as an attempt.
        take_back(connection, &counted).await?;
        return Ok(AttemptStart::UserExhausted);
    }
    record_setpass_event(connection, &counted.event(now, SetpassEventKind::Tried, "")).await?;
    Ok(AttemptStart::Counted(counted))
}

/// How many attempts of a user count.
async fn attempts_within(
    connection: &mut SqliteConnection,
    user_id: &str,
    now: Timestamp,
) -> Result<i64, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM setpass_attempt WHERE user_id = ? AND at > ?")
        .bind(user_id)
        .bind(window_start(now))
        .fetch_one(connection)
        .await?)
}

/// Counts a PIN that is not compared. No more than a number a day and reason: a stranger can send as many as there
/// is room for.
async fn turn_away(
    connection: &mut SqliteConnection,
    reason: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO setpass_turned_away (day, reason, tries) VALUES (?, ?, 1) \
         ON CONFLICT (day, reason) DO UPDATE SET tries = tries + 1",
    )
    .bind(now.as_millisecond().div_euclid(86_400_000))
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the claim on the password that the attempt is for. `is_settled` says that no change happened.
async fn end_claim(
    connection: &mut SqliteConnection,
    attempt: &CountedAttempt,
    is_settled: bool,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE setpass_link SET claimed_until = NULL, unsettled = unsettled - ? \
         WHERE user_id = ? AND password_name = ?",
    )
    .bind(i64::from(is_settled))
    .bind(&attempt.user_id)
    .bind(&attempt.password_name)
    .execute(connection)
    .await?;
    Ok(())
}
