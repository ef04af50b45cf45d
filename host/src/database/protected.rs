//! What is stored protected with a key of the key file, wherever it is: which key protects how much, and the
//! change from one key to another.
//!
//! Sealed bytes stay opaque here but for the id of their key, which follows their first byte; hashed PINs begin
//! with it. Ids are texts in lower-case hexadecimal.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Connection as _, Row as _};

use super::{Database, DatabaseError, Transaction};

/// How long the log is waited for while somebody reads what it still holds.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// Each sealed secret: its key, and where it is.
const SECRETS: &str = "\
    SELECT lower(hex(substr(secret, 2, 4))) AS key, 'step' AS kind, request, name, '' AS owner \
        FROM step WHERE secret IS NOT NULL \
    UNION ALL SELECT lower(hex(substr(payload, 2, 4))), 'mail', 0, '', origin \
        FROM outbox WHERE payload IS NOT NULL \
    UNION ALL SELECT lower(hex(substr(password, 2, 4))), 'link', 0, password_name, user_id \
        FROM setpass_link WHERE password IS NOT NULL \
    UNION ALL SELECT lower(hex(substr(who, 2, 4))), 'reset', id, '', '' FROM reset_request";

/// Each hashed PIN: its key.
const PINS: &str = "\
    SELECT substr(pin_hash, 1, 8) AS key FROM setpass_link WHERE pin_hash <> '' \
    UNION ALL SELECT substr(pin_hash, 1, 8) FROM reset_request \
    UNION ALL SELECT substr(pin_hash, 1, 8) FROM reset_case WHERE pin_hash IS NOT NULL";

/// How much a key protects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Sealed passwords and mails, which can be sealed with another key.
    pub secrets: u64,
    /// Hashed PINs, which can not.
    pub pins: u64,
}

impl Protected {
    /// Whether the key is not needed any more.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.secrets == 0 && self.pins == 0
    }
}

/// Where a sealed secret is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPlace {
    /// The password that a step of a request keeps.
    Step {
        /// The request.
        request: i64,
        /// The step.
        name: String,
    },
    /// A mail of the outbox.
    Mail {
        /// Its origin.
        origin: String,
    },
    /// The password that a link is for.
    Link {
        /// Keystone's id of the user.
        user_id: String,
        /// Which of the user's passwords it is.
        name: String,
    },
    /// Who asked for a new password.
    ResetRequest {
        /// The request.
        id: i64,
    },
}

impl Database {
    /// How much each key protects. Keys that protect nothing are not named.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn protected_by_keys(&self) -> Result<BTreeMap<String, Protected>, DatabaseError> {
        protected(&mut *self.pool.acquire().await?).await
    }

    /// Where secrets are that another key than this one protects.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn secrets_of_other_keys(&self, key: &str) -> Result<Vec<SecretPlace>, DatabaseError> {
        let query = format!("SELECT kind, request, name, owner FROM ({SECRETS}) WHERE key <> $1");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(key).fetch_all(&self.pool).await?;
        let places = rows.iter().map(|row| {
            let owner = row.try_get("owner")?;
            Ok(match row.try_get::<String, _>("kind")?.as_str() {
                "step" => SecretPlace::Step { request: row.try_get("request")?, name: row.try_get("name")? },
                "mail" => SecretPlace::Mail { origin: owner },
                "reset" => SecretPlace::ResetRequest { id: row.try_get("request")? },
                _ => SecretPlace::Link { user_id: owner, name: row.try_get("name")? },
            })
        });
        places.collect()
    }

    /// A sealed secret; none where it has ended meanwhile.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sealed_secret(&self, place: &SecretPlace) -> Result<Option<Vec<u8>>, DatabaseError> {
        let query = match place {
            SecretPlace::Step { request, name } => {
                sqlx::query_scalar("SELECT secret FROM step WHERE request = $1 AND name = $2")
                    .bind(*request)
                    .bind(name)
            }
            SecretPlace::Mail { origin } => {
                sqlx::query_scalar("SELECT payload FROM outbox WHERE origin = $1").bind(origin)
            }
            SecretPlace::Link { user_id, name } => sqlx::query_scalar(
                "SELECT password FROM setpass_link \
                 WHERE user_id = $1 AND password_name = $2 AND password IS NOT NULL",
            )
            .bind(user_id)
            .bind(name),
            SecretPlace::ResetRequest { id } => {
                sqlx::query_scalar("SELECT who FROM reset_request WHERE id = $1").bind(*id)
            }
        };
        Ok(query.fetch_optional(&self.pool).await?.flatten())
    }

    /// The marker of a request, which the secrets of its steps are bound to.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn marker_of_request(&self, request: i64) -> Result<String, DatabaseError> {
        Ok(sqlx::query_scalar("SELECT marker FROM request WHERE id = $1")
            .bind(request)
            .fetch_one(&self.pool)
            .await?)
    }

    /// Writes what the last statements changed over what they changed it from, and empties the write-ahead log, which keeps
    /// it for a while otherwise.
    ///
    /// # Errors
    /// Where the database fails, or somebody is reading what the log still holds for him.
    pub async fn overwrite_log(&self) -> Result<(), DatabaseError> {
        // Nobody else can write while this waits for those who read, so it waits in a connection of its own, and not for long.
        let mut connection = self.pool.acquire().await?.detach();
        let patience = format!("PRAGMA busy_timeout = {}", LOG_PATIENCE.as_millis());
        sqlx::query(sqlx::AssertSqlSafe(patience)).execute(&mut connection).await?;
        let busy: i64 =
            sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
        connection.close().await?;
        if busy == 0 { Ok(()) } else { Err(DatabaseError::LogInUse) }
    }
}

/// Puts a secret that was sealed again in the place of what it was, if it is still that. Says whether it was.
///
/// # Errors
/// Where the database fails.
pub async fn replace_secret_in(
    transaction: &mut Transaction,
    place: &SecretPlace,
    old: &[u8],
    new: &[u8],
) -> Result<bool, DatabaseError> {
    let query = match place {
        SecretPlace::Step { request, name } => {
            sqlx::query("UPDATE step SET secret = $1 WHERE secret = $2 AND request = $3 AND name = $4")
                .bind(new)
                .bind(old)
                .bind(*request)
                .bind(name)
        }
        SecretPlace::Mail { origin } => {
            sqlx::query("UPDATE outbox SET payload = $1 WHERE payload = $2 AND origin = $3")
                .bind(new)
                .bind(old)
                .bind(origin)
        }
        SecretPlace::Link { user_id, name } => sqlx::query(
            "UPDATE setpass_link SET password = $1 WHERE password = $2 AND user_id = $3 AND password_name = $4",
        )
        .bind(new)
        .bind(old)
        .bind(user_id)
        .bind(name),
        SecretPlace::ResetRequest { id } => {
            sqlx::query("UPDATE reset_request SET who = $1 WHERE who = $2 AND id = $3")
                .bind(new)
                .bind(old)
                .bind(*id)
        }
    };
    Ok(query.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Retires a key if it protects nothing: whatever it protects is refused from the commit on. Answers what it
/// protects.
///
/// # Errors
/// Where the database fails.
pub async fn retire_key_in(
    transaction: &mut Transaction,
    key: &str,
    now: Timestamp,
) -> Result<Protected, DatabaseError> {
    let protected = protected(transaction).await?.remove(key).unwrap_or_default();
    if protected.is_nothing() {
        sqlx::query("INSERT INTO retired_key (id, retired) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(key)
            .bind(now.as_millisecond())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(protected)
}

async fn protected(
    connection: &mut sqlx::SqliteConnection,
) -> Result<BTreeMap<String, Protected>, DatabaseError> {
    let mut protected: BTreeMap<String, Protected> = BTreeMap::new();
    let query = format!(
        "SELECT key, SUM(secrets), SUM(pins) FROM (\
         SELECT key, 1 AS secrets, 0 AS pins FROM ({SECRETS}) UNION ALL SELECT key, 0, 1 FROM ({PINS})) GROUP BY key"
    );
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(connection).await?;
    for (key, secrets, pins) in rows {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        protected.insert(key, Protected { secrets: count(secrets), pins: count(pins) });
    }
    Ok(protected)
}
