//! Runs the site's WebAssembly components.
//!
//! A component is a guest that may be wrong or hostile. Every call of one runs in a fresh store
//! made from a pre-linked component, within limits on memory, time, stack, the size of what it hands
//! over, and the number of its calls to the host. It can reach what the settings grant it and
//! nothing else. What goes wrong becomes a [`PluginError`] that names the component and the call,
//! and the host goes on.
//!
//! wasmtime is known only here and below. The roles ([`RowParser`], [`QuotaPolicy`],
//! [`MailTemplates`], [`Job`]) speak the host's own types; `plugin/host/` has one file for each
//! interface that components can call, and is built on the same clients as the import.

mod bindings;
mod blame;
mod cache;
mod call;
mod capabilities;
mod component_file;
mod error;
mod flatten;
mod host;
mod inspect;
mod job;
mod linker;
mod load;
mod local_time;
mod mail_templates;
mod pool;
mod quota_policy;
mod rehearsal;
mod request_from_wit;
mod role;
mod row_parser;
mod sheet_rows;
mod state;
mod ticker;
mod world;

use std::path::Path;
use std::sync::Arc;

use wasmtime::{Config, Engine, WasmBacktraceDetails};

use crate::settings::plugins::{Limits, Plugin, Plugins};

pub use capabilities::Capabilities;
pub use error::{Call, PluginError};
pub use inspect::{ImportAccess, Inspection, RequiredImport};
pub use job::{Job, JobError, JobReport, Occasion};
pub use mail_templates::{MailTemplates, RenderMail};
pub use quota_policy::{
    CurrentLimit, Decision, QuotaContext, QuotaOccasion, QuotaPolicy, QuotaProject, RequestedChange,
};
pub use row_parser::RowParser;
pub use world::World;

use cache::Cache;
use load::Source;
use pool::Places;
use role::Role;
use state::Profile;
use ticker::Ticker;

/// Stack of a component's own code. CPython nests deeper than most.
const WASM_STACK: usize = 1024 * 1024;

/// Stack of a call, the host functions that the component calls included.
const CALL_STACK: usize = 2 * 1024 * 1024;

/// Runs components.
#[derive(Clone)]
pub struct PluginHost {
    engine: Engine,
    cache: Option<Arc<Cache>>,
    ticker: Ticker,
    places: Places,
    limits: Limits,
    capabilities: Arc<Capabilities>,
}

impl PluginHost {
    /// A host with the site's cache and limits, and the services that its components may be granted.
    ///
    /// # Errors
    /// Where the engine cannot be set up or the cache cannot be used.
    pub fn new(settings: &Plugins, capabilities: Capabilities) -> Result<Self, PluginError> {
        let host = Self::isolated(Some(&settings.cache), settings.limits)?;
        Ok(Self { capabilities: Arc::new(capabilities), ..host })
    }

    /// A host whose components reach no service, whatever they are granted. Without a cache,
    /// components are compiled at each load.
    ///
    /// # Errors
    /// Where the engine cannot be set up or the cache cannot be used.
    pub fn isolated(cache: Option<&Path>, limits: Limits) -> Result<Self, PluginError> {
        let engine = Engine::new(&config()).map_err(|error| PluginError::Engine(format!("{error:#}")))?;
        let ticker = Ticker::start(&engine).map_err(|error| PluginError::Engine(error.to_string()))?;
        let cache = cache
            .map(|folder| {
                Cache::open(folder, &engine)
                    .map(Arc::new)
                    .map_err(|source| PluginError::Cache { folder: folder.to_owned(), source })
            })
            .transpose()?;
        let places = Places::default();
        Ok(Self { engine, cache, ticker, places, limits, capabilities: Arc::default() })
    }

    /// Loads the component that reads the rows of the sheets.
    ///
    /// # Errors
    /// Where it cannot be loaded, is not a row parser, or imports what it is not granted.
    pub async fn row_parser(&self, plugin: &Plugin) -> Result<RowParser, PluginError> {
        Ok(RowParser::new(self.role(World::RowParser, plugin).await?))
    }

    /// Loads the component that decides about quotas.
    ///
    /// # Errors
    /// As for [`PluginHost::row_parser`].
    pub async fn quota_policy(&self, plugin: &Plugin) -> Result<QuotaPolicy, PluginError> {
        Ok(QuotaPolicy::new(self.role(World::QuotaPolicy, plugin).await?))
    }

    /// Loads the component that words the mails.
    ///
    /// # Errors
    /// As for [`PluginHost::row_parser`].
    pub async fn mail_templates(&self, plugin: &Plugin) -> Result<MailTemplates, PluginError> {
        Ok(MailTemplates::new(self.role(World::MailTemplates, plugin).await?))
    }

    /// Loads the job of this name. One component may be that of several jobs, and what it mails for one of them is not
    /// what it mails for another.
    ///
    /// # Errors
    /// As for [`PluginHost::row_parser`].
    pub async fn job(&self, name: &str, plugin: &Plugin) -> Result<Job, PluginError> {
        Ok(Job::new(self.role_of(World::Job, plugin, name.to_owned()).await?))
    }

    async fn role(&self, world: World, plugin: &Plugin) -> Result<Role, PluginError> {
        self.role_of(world, plugin, load::name_of(&plugin.component)).await
    }

    async fn role_of(&self, world: World, plugin: &Plugin, sender: String) -> Result<Role, PluginError> {
        let name = load::name_of(&plugin.component);
        let profile = Profile {
            name: name.clone(),
            sender,
            limits: plugin.limits.unwrap_or(self.limits),
            settings: flatten::flatten(&plugin.settings),
            files: plugin.files.clone(),
            capabilities: Arc::clone(&self.capabilities),
        };
        let source = Source {
            name,
            file: plugin.component.clone(),
            pin: plugin.sha256,
            grants: plugin.grants.clone(),
        };
        Role::load(self, world, source, Arc::new(profile)).await
    }
}

impl std::fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginHost").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The engine's settings. They are part of the key of compiled components.
fn config() -> Config {
    let mut config = Config::new();
    config.allocation_strategy(pool::strategy());
    config.epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK);
    config.async_stack_size(CALL_STACK);
    // File names and lines would need the components' debug information parsed at each trap, and
    // bundled components carry none; names of functions come without.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    config
}
