//! What a component is and needs, without loading it for a role: for `usher plugin list` and
//! `usher plugin check`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wasmtime::component::types::ComponentItem;

use crate::settings::plugins::{Grant, Plugin};

use super::PluginHost;
use super::error::{PluginError, grant_line};
use super::linker::{self, Import};
use super::load::{self, Source};
use super::world::World;

/// What a component is and needs.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The component's file.
    pub file: PathBuf,
    /// SHA-256 of the file in hexadecimal, as a pin is written.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// The worlds that it has: the roles that it can play.
    pub worlds: Vec<World>,
    /// What it imports, in order.
    pub imports: Vec<RequiredImport>,
    /// What it exports, in order.
    pub exports: Vec<String>,
    /// What it has to be granted.
    pub grants: Vec<Grant>,
    /// Whether the compiled component was in the cache beforehand.
    pub compiled: bool,
    /// Why no host of this version can run it, where that is so.
    pub obstacle: Option<String>,
}

/// One import of a component.
#[derive(Clone, Debug, Serialize)]
pub struct RequiredImport {
    /// The interface, with package and version.
    pub name: String,
    /// What it takes to get it.
    pub access: ImportAccess,
}

/// What it takes to get an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportAccess {
    /// Every component has it.
    Always,
    /// Every component has it, with nothing behind it: no files, network, environment or arguments.
    EmptyWasi,
    /// It has to be granted.
    Granted,
    /// This host does not have it.
    Unknown,
}

impl Inspection {
    /// The line of the settings that grants what the component needs; none where it needs nothing.
    #[must_use]
    pub fn grant_line(&self) -> Option<String> {
        (!self.grants.is_empty()).then(|| grant_line(&self.grants))
    }
}

impl PluginHost {
    /// Inspects the component in a file. Compiles it where the cache does not have it.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no sound component.
    pub async fn inspect(&self, file: &Path) -> Result<Inspection, PluginError> {
        self.inspect_source(Source {
            name: load::name_of(file),
            file: file.to_owned(),
            pin: None,
            grants: Grant::ALL.to_vec(),
        })
        .await
    }

    /// Inspects a configured component, whose pin has to match.
    ///
    /// # Errors
    /// Where the file cannot be read, is not the pinned one, or is no sound component.
    pub async fn inspect_configured(&self, plugin: &Plugin) -> Result<Inspection, PluginError> {
        self.inspect_source(Source {
            name: load::name_of(&plugin.component),
            file: plugin.component.clone(),
            pin: plugin.sha256,
            grants: Grant::ALL.to_vec(),
        })
        .await
    }

    async fn inspect_source(&self, source: Source) -> Result<Inspection, PluginError> {
        let host = self.clone();
        tokio::task::spawn_blocking(move || host.inspect_blocking(&source))
            .await
            .map_err(|error| PluginError::Engine(format!("inspecting a component was broken off: {error}")))?
    }

    fn inspect_blocking(&self, source: &Source) -> Result<Inspection, PluginError> {
        let loaded = load::compiled(&self.engine, self.cache.as_deref(), source)?;
        let component = &loaded.component;
        let imports: Vec<_> = linker::imports(&self.engine, component)
            .into_iter()
            .map(|(name, import)| {
                let access = match import {
                    Import::Always => ImportAccess::Always,
                    Import::Wasi => ImportAccess::EmptyWasi,
                    Import::Granted(_) => ImportAccess::Granted,
                    Import::Unknown => ImportAccess::Unknown,
                };
                (RequiredImport { name, access }, import)
            })
            .collect();
        let mut grants: Vec<_> = imports
            .iter()
            .filter_map(|(_, import)| match import {
                Import::Granted(grant) => Some(*grant),
                _ => None,
            })
            .collect();
        grants.sort_unstable();
        let exported = component.component_type();
        let exports = exported
            .exports(&self.engine)
            .filter(|(_, item)| !matches!(item.ty, ComponentItem::Type(_)))
            .map(|(name, _)| name.to_owned())
            .collect();
        let (worlds, obstacle) = match linker::link(&self.engine, component, &source.name, &Grant::ALL) {
            Ok(pre) => (World::all_that_fit(&pre), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Ok(Inspection {
            file: source.file.clone(),
            sha256: hex::encode(loaded.sha256),
            size: loaded.identity.size,
            worlds,
            imports: imports.into_iter().map(|(import, _)| import).collect(),
            exports,
            grants,
            compiled: loaded.from_cache,
            obstacle,
        })
    }
}
