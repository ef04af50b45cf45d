//! Usher's own records, in SQLite.
//!
//! The only SQL is here and below `database/`, in operations named after what they mean. Several
//! processes may use one database: transactions that write begin immediately, and whoever comes
//! second waits.

mod erased_names;
mod journal;
mod leases;
mod limits;
mod mail_records;
mod notices;
mod occasions;
mod outbox;
mod protected;
mod quota_records;
mod reset_requests;
mod retention;
mod runs;
mod setpass_events;
mod setpass_notices;
mod steps;
mod subscriptions;
mod tokens;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};

pub use journal::*;
pub use leases::*;
pub use limits::*;
pub use mail_records::*;
pub use notices::*;
pub use occasions::*;
pub use outbox::*;
pub use protected::*;
pub use quota_records::*;
pub use reset_requests::*;
pub use retention::*;
pub use runs::*;
pub use setpass_events::*;
pub use setpass_notices::*;
pub use steps::*;
pub use subscriptions::*;
pub use tokens::*;

/// How long a process waits for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Every version of the tables, from `host/migrations`.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Usher's own records.
#[derive(Clone, Debug)]
pub struct Database {
    pool: SqlitePool,
}

/// A transaction that writes. Nothing of it is kept unless it is committed.
pub type Transaction = sqlx::Transaction<'static, Sqlite>;

/// Why the records cannot be read or written. Each message holds what SQLite says, so none names it
/// as its source as well: it would be told twice.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be opened or made.
    #[error("cannot open the database {file}: {reason}", file = file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// What SQLite or the operating system says.
        reason: sqlx::Error,
    },
    /// This user may not see whether the file is there.
    #[error(
        "this user may not see whether the database {file} is there: {reason}; run this as the user that `usher serve` runs as",
        file = file.display()
    )]
    Hidden {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The file cannot be made private to its owner.
    #[error("cannot create the database {file}: {reason}", file = file.display())]
    Create {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The tables cannot be brought up to date.
    #[error("cannot bring the database up to date: {0}; was it written by a newer version?")]
    Migrate(sqlx::migrate::MigrateError),
    /// The tables are of another version, and only reading was asked for.
    #[error("the database {file} has the tables of another version; `usher doctor` brings it up to date", file = file.display())]
    OtherVersion {
        /// The file.
        file: PathBuf,
    },
    /// A statement failed.
    #[error("the database failed: {0}")]
    Statement(sqlx::Error),
    /// What was erased is still in the write-ahead log.
    #[error(
        "the database's log cannot be overwritten while another process reads the database, a backup for example: what was \
         erased is still in it"
    )]
    LogInUse,
    /// A record does not hold what it should.
    #[error("the database holds a damaged record: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Statement(error)
    }
}

impl From<sqlx::migrate::MigrateError> for DatabaseError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::Migrate(error)
    }
}

impl Database {
    /// Opens the file, makes it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub async fn open(file: &Path) -> Result<Self, DatabaseError> {
        create_private(file).map_err(|reason| DatabaseError::Create { file: file.to_owned(), reason })?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("secure_delete", "on");
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|reason| DatabaseError::Open { file: file.to_owned(), reason })?;
        // SQLite's migrations are not made for two processes at once.
        let alone = lock_folder(file)
            .await
            .map_err(|reason| DatabaseError::Create { file: file.to_owned(), reason })?;
        MIGRATIONS.run(&pool).await?;
        drop(alone);
        Ok(Self { pool })
    }

    /// Opens the file for reading only, for a dry run; an empty database in memory where there is
    /// no file yet. Nothing is made or brought up to date.
    ///
    /// # Errors
    /// Where the file cannot be opened, or has the tables of another version.
    pub async fn open_for_reading(file: &Path) -> Result<Self, DatabaseError> {
        let opened = |reason| DatabaseError::Open { file: file.to_owned(), reason };
        // What may not be seen is not empty.
        let hidden = |reason| DatabaseError::Hidden { file: file.to_owned(), reason };
        if !file.try_exists().map_err(hidden)? {
            // One connection that stays: a second one would see another, empty memory.
            let pool = SqlitePoolOptions::new()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_with(SqliteConnectOptions::new().in_memory(true))
                .await
                .map_err(opened)?;
            MIGRATIONS.run(&pool).await?;
            return Ok(Self { pool });
        }
        let options = SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.map_err(opened)?;
        if !has_our_tables(&pool).await? {
            return Err(DatabaseError::OtherVersion { file: file.to_owned() });
        }
        Ok(Self { pool })
    }

    /// Begins a transaction that writes. Waits while another process is writing.
    ///
    /// # Errors
    /// Where the database does not let it begin.
    pub async fn begin(&self) -> Result<Transaction, DatabaseError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Whether a transaction that writes could begin now. Nothing is written.
    ///
    /// # Errors
    /// Where it could not. Waits while another process is writing.
    pub async fn try_to_write(&self) -> Result<(), DatabaseError> {
        Ok(self.begin().await?.rollback().await?)
    }

    /// Closes all connections and waits until they are.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether all versions of the tables that this program knows have been applied, and no others.
async fn has_our_tables(pool: &SqlitePool) -> Result<bool, DatabaseError> {
    let recorded: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_one(pool)
    .await?;
    if recorded == 0 {
        return Ok(false);
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(pool)
            .await?;
    let known = MIGRATIONS.iter().map(|migration| (migration.version, migration.checksum.to_vec()));
    Ok(applied.into_iter().eq(known))
}

/// Milliseconds since the Unix epoch, as the tables hold times.
fn timestamp(milliseconds: i64) -> Result<jiff::Timestamp, DatabaseError> {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_err(|_| DatabaseError::Damaged(format!("a time of {milliseconds} ms")))
}

/// Waits until no other process brings the tables up to date. The lock (flock(2)) is on the folder:
/// one on the file itself would end SQLite's own locks when it is closed (fcntl_locking(2)).
async fn lock_folder(file: &Path) -> std::io::Result<std::fs::File> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::File::open(folder)?;
    let locked = tokio::task::spawn_blocking(move || folder.lock().map(|()| folder));
    locked.await.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
}

/// Makes the file, readable by its owner only, before SQLite would make it readable by all. SQLite
/// gives its side files (`-wal`, `-shm`) the same mode.
fn create_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod statements;
#[cfg(test)]
mod tests;
