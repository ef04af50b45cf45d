//! The services that the commands and the web server are built on.

use crate::clock::Clock;
use crate::database::{Database, DatabaseError};
use crate::keys::{Keys, KeysError};
use crate::keystone::{Keystone, KeystoneError};
use crate::leases::Leases;
use crate::links::Links;
use crate::mailer::{Mailer, MailerError};
use crate::outbox::Outbox;
use crate::plugin::{Capabilities, MailTemplates, PluginError, PluginHost, QuotaPolicy, RowParser};
use crate::quotas::Quotas;
use crate::remote_setpass::RemoteSetpassError;
use crate::setpass::Setpass;
use crate::settings::Settings;
use crate::sheet::Sheets;
use crate::stop::Stop;

/// The built services. A clone is the same services.
#[derive(Clone)]
pub struct App {
    /// What the site sets.
    pub settings: Settings,
    /// Tells the time.
    pub clock: Clock,
    /// Usher's own records.
    pub database: Database,
    /// What only one process at a time may do.
    pub leases: Leases,
    /// The keys that protect secrets in the database.
    pub keys: Keys,
    /// The identity service.
    pub keystone: Keystone,
    /// The services that keep quotas.
    pub quotas: Quotas,
    /// Mail on its way out.
    pub outbox: Outbox,
    /// The setpass that this machine serves.
    pub setpass: Setpass,
    /// Links for choosing passwords, from that setpass or from the one of another machine.
    pub links: Links,
    /// The sign-up sheets.
    pub sheets: Sheets,
    /// Where components run.
    pub plugins: PluginHost,
    /// Asks what works with these services to end with the step that it is taking.
    pub stop: Stop,
}

/// What the program is about to do with its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Change them.
    Write,
    /// Read them and leave no trace.
    Read,
}

/// Why the services cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The key file.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Keystone's settings.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// The settings of the setpass on another machine.
    #[error(transparent)]
    RemoteSetpass(#[from] RemoteSetpassError),
    /// The mail server's settings.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// The components' settings.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

impl App {
    /// Builds the services. Nothing is asked of any of them yet, but that with [`Access::Write`] the
    /// database is brought up to date and interrupted moves of rows are finished.
    ///
    /// # Errors
    /// Where the settings of one cannot be used.
    pub async fn build(settings: Settings, clock: Clock, access: Access) -> Result<Self, AppError> {
        let keys = Keys::load(&settings.database.key_file)?;
        let database = match access {
            Access::Write => Database::open(&settings.database.file).await?,
            Access::Read => Database::open_for_reading(&settings.database.file).await?,
        };
        let keystone = Keystone::new(&settings.keystone, clock.clone())?;
        let quotas = Quotas::new(keystone.clone());
        let mailer = Mailer::new(&settings.mail)?;
        let outbox = Outbox::new(database.clone(), keys.clone(), clock.clone(), mailer, &settings.mail);
        let (site, setpass) = (&settings.site, &settings.setpass);
        let setpass = Setpass::new(database.clone(), keys.clone(), clock.clone(), setpass, &site.name);
        let links = Links::new(&settings, &setpass, &keystone, &database, &clock)?;
        let sheets = Sheets::new(settings.sheet.as_ref());
        if access == Access::Write {
            finish_moves(&sheets).await;
        }
        let capabilities = Capabilities {
            keystone: Some(keystone.clone()),
            outbox: Some((outbox.clone(), database.clone())),
            sheets: sheets.iter().cloned().collect(),
            links: Some(links.clone()),
        };
        let plugins = PluginHost::new(&settings.plugins, capabilities)?;
        Ok(Self {
            settings,
            leases: Leases::new(database.clone(), clock.clone()),
            clock,
            database,
            keys,
            keystone,
            quotas,
            outbox,
            setpass,
            links,
            sheets,
            plugins,
            stop: Stop::default(),
        })
    }

    /// The component that reads rows.
    ///
    /// # Errors
    /// Where there is none, or it cannot be loaded.
    pub async fn row_parser(&self) -> Result<RowParser, PluginError> {
        let plugin = self.settings.plugins.row_parser.as_ref();
        self.plugins.row_parser(plugin.ok_or(PluginError::NotSet { role: "row_parser" })?).await
    }

    /// The component that decides about quotas.
    ///
    /// # Errors
    /// Where there is none, or it cannot be loaded.
    pub async fn quota_policy(&self) -> Result<QuotaPolicy, PluginError> {
        let plugin = self.settings.plugins.quota_policy.as_ref();
        self.plugins.quota_policy(plugin.ok_or(PluginError::NotSet { role: "quota_policy" })?).await
    }

    /// The component that words mails.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub async fn mail_templates(&self) -> Result<MailTemplates, PluginError> {
        self.plugins.mail_templates(&self.settings.plugins.mail_templates).await
    }
}

/// So that people do not edit a sheet whose rows are on their way. What needs the sheet reads it
/// and then reports why it cannot be read; what does not need it goes on.
async fn finish_moves(sheets: &Sheets) {
    for sheet in sheets.iter() {
        if let Err(error) = sheet.finish().await {
            tracing::warn!(%error, "an interrupted move of rows, if there is one, is not finished yet");
        }
    }
}
