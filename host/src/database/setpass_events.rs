//! The audit trail of setpass. Events are added in the transaction of what they tell of, and never changed: triggers
//! refuse that, and let events go only once their retention has passed.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::tokens::TokenHash;
use super::{Database, DatabaseError, timestamp};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetpassEventKind {
    /// A link was issued.
    Issued,
    /// A PIN was counted, and is about to be compared. Nothing else follows where it is wrong.
    Tried,
    /// The PIN was right, and the password was not set, or nobody knows whether it was.
    NotSet,
    /// A link that was asked for was used: Keystone has a random password in the place of the user's, and another one is
    /// still to be chosen.
    PreviousReplaced,
    /// The password was set, and the record of the link destroyed.
    PasswordSet,
    /// The last PIN that the limit allows was wrong, and the link's secrets destroyed.
    Locked,
    /// The link had ended, and its secrets were destroyed.
    Expired,
    /// The link starts from a password that Keystone does not accept, or its user is gone, and it was erased.
    Withdrawn,
    /// Somebody asked for another link. Which user that is about is not known yet.
    ResetRequested,
    /// No link is mailed for such a request.
    ResetSkipped,
    /// Such a request was put before the helpdesk.
    ResetCaseOpened,
    /// The helpdesk approved a case.
    ResetApproved,
    /// The helpdesk denied a case.
    ResetDenied,
    /// Nobody decided about a case in time.
    ResetCaseEnded,
    /// A mail that tells the user of a change was recorded.
    NoticeMailed,
    /// Such a mail cannot be made.
    NoticeGivenUp,
}

impl SetpassEventKind {
    /// The name, as in the database and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Tried => "tried",
            Self::NotSet => "not-set",
            Self::PreviousReplaced => "previous-replaced",
            Self::PasswordSet => "password-set",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::ResetRequested => "reset-requested",
            Self::ResetSkipped => "reset-skipped",
            Self::ResetCaseOpened => "reset-case-opened",
            Self::ResetApproved => "reset-approved",
            Self::ResetDenied => "reset-denied",
            Self::ResetCaseEnded => "reset-case-ended",
            Self::NoticeMailed => "notice-mailed",
            Self::NoticeGivenUp => "notice-given-up",
        }
    }
}

/// An event to add.
#[derive(Clone, Copy, Debug)]
pub struct SetpassEvent<'a> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: SetpassEventKind,
    /// Keystone's id of the user; blank where nobody knows it yet.
    pub user_id: &'a str,
    /// The link, where one is concerned.
    pub link: Option<&'a TokenHash>,
    /// Where the request came from, in the form that the settings want.
    pub client: Option<&'a str>,
    /// More, in fixed words or numbers: nothing that somebody typed.
    pub detail: &'a str,
}

/// An event of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSetpassEvent {
    /// When.
    pub at: Timestamp,
    /// The name of its kind.
    pub event: String,
    /// Names the link; blank where none is concerned.
    pub link: String,
    /// Where the request came from; blank where that is not known.
    pub client: String,
    /// More; may be blank.
    pub detail: String,
}

/// What names a link in the trail: too short to be mistaken for its token, and nothing leads back to that.
#[must_use]
pub fn link_name(token_hash: &TokenHash) -> String {
    hex::encode(&token_hash[..6])
}

/// Adds an event in the caller's transaction.
///
/// # Errors
/// Where the database fails.
pub async fn record_setpass_event(
    connection: &mut SqliteConnection,
    event: &SetpassEvent<'_>,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO setpass_event (at, event, user_id, link, client, detail) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(event.at.as_millisecond())
    .bind(event.kind.name())
    .bind(event.user_id)
    .bind(event.link.map(link_name).unwrap_or_default())
    .bind(event.client.unwrap_or_default())
    .bind(event.detail)
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct EventRow {
    at: i64,
    event: String,
    link: String,
    client: String,
    detail: String,
}

impl Database {
    /// The last events of a user, the latest last.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn setpass_events(
        &self,
        user_id: &str,
        last: u32,
    ) -> Result<Vec<RecordedSetpassEvent>, DatabaseError> {
        let rows: Vec<EventRow> = sqlx::query_as(
            "SELECT at, event, link, client, detail FROM setpass_event WHERE user_id = ? ORDER BY id DESC LIMIT ?",
        )
        .bind(user_id)
        .bind(last)
        .fetch_all(&self.pool)
        .await?;
        let events = rows.into_iter().rev().map(|row| {
            let EventRow { at, event, link, client, detail } = row;
            Ok(RecordedSetpassEvent { at: timestamp(at)?, event, link, client, detail })
        });
        events.collect()
    }

    /// How many tries were turned away for each reason, on all days that are still kept.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn turned_away(&self) -> Result<Vec<(String, i64)>, DatabaseError> {
        Ok(sqlx::query_as(
            "SELECT reason, SUM(tries) FROM setpass_turned_away GROUP BY reason ORDER BY reason",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Erases the events before a moment, and what was counted before it of tries that were turned away. Says how
    /// many events went.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn erase_setpass_events(&self, before: Timestamp) -> Result<u64, DatabaseError> {
        let mut tx = self.begin().await?;
        let before = before.as_millisecond();
        sqlx::query("UPDATE setpass_event_retention SET erase_before = ? WHERE erase_before < ?")
            .bind(before)
            .bind(before)
            .execute(&mut *tx)
            .await?;
        let erased =
            sqlx::query("DELETE FROM setpass_event WHERE at < ?").bind(before).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM setpass_turned_away WHERE day < ?")
            .bind(before.div_euclid(86_400_000))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(erased.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_audit_trail_can_be_added_to_and_not_changed_and_goes_only_after_its_retention() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let (early, late) = (moment("2026-11-22T08:00:00Z"), moment("2026-11-23T08:00:00Z"));
        for at in [early, late] {
            let mut tx = database.begin().await.unwrap();
            let (user_id, link) = ("u1", Some(&[0xab; 32]));
            let kind = SetpassEventKind::Issued;
            let event = SetpassEvent { at, kind, user_id, link, client: None, detail: "" };
            record_setpass_event(&mut tx, &event).await.unwrap();
            tx.commit().await.unwrap();
        }
        let statements = [
            "UPDATE setpass_event SET at = 1",
            "UPDATE setpass_event SET event = 'expired' WHERE id = 2",
            "DELETE FROM setpass_event",
            "DELETE FROM setpass_event WHERE id = 1",
        ];
        for statement in statements {
            let refused = sqlx::query(statement).execute(&database.pool).await.unwrap_err();
            assert!(refused.to_string().contains("the audit trail of setpass"), "{statement}: {refused}");
        }
        assert_eq!(database.erase_setpass_events(late).await.unwrap(), 1);
        let left = database.setpass_events("u1", 10).await.unwrap();
        assert_eq!(
            left.iter().map(|event| (event.at, event.link.as_str())).collect::<Vec<_>>(),
            [(late, "abababababab")]
        );
        // A shorter retention that comes later brings nothing back into reach, and a longer one protects again.
        assert_eq!(database.erase_setpass_events(early).await.unwrap(), 0);
        assert!(sqlx::query("DELETE FROM setpass_event").execute(&database.pool).await.is_err());
    }
}
