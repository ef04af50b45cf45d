//! From a file to a component that can be called: read, check, compile or take from the cache,
//! link.

use std::path::Path;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::settings::plugins::{Grant, Sha256Pin};

use super::cache::Cache;
use super::component_file::{self, Format, Identity};
use super::error::PluginError;
use super::linker;
use super::state::State;

/// What is needed to load a component, now and after its file was replaced.
#[derive(Clone)]
pub(super) struct Source {
    /// The component's name, for errors.
    pub(super) name: String,
    /// The component's file.
    pub(super) file: std::path::PathBuf,
    /// The digest that the file must have.
    pub(super) pin: Option<Sha256Pin>,
    /// What it may import.
    pub(super) grants: Vec<Grant>,
}

/// A component that is compiled and linked, and where it came from.
pub(super) struct Loaded {
    pub(super) pre: InstancePre<State>,
    pub(super) sha256: [u8; 32],
    pub(super) identity: Identity,
}

/// Loads a component. Compiling a large one takes seconds, on a thread of its own.
pub(super) async fn load(
    engine: &Engine,
    cache: Option<&Arc<Cache>>,
    source: &Source,
) -> Result<Loaded, PluginError> {
    let (engine, cache, source) = (engine.clone(), cache.cloned(), source.clone());
    tokio::task::spawn_blocking(move || load_blocking(&engine, cache.as_deref(), &source))
        .await
        .map_err(|error| PluginError::Engine(format!("loading a component was broken off: {error}")))?
}

fn load_blocking(engine: &Engine, cache: Option<&Cache>, source: &Source) -> Result<Loaded, PluginError> {
    let compiled = compiled(engine, cache, source)?;
    let pre = linker::link(engine, &compiled.component, &source.name, &source.grants)?;
    Ok(Loaded { pre, sha256: compiled.sha256, identity: compiled.identity })
}

/// A compiled component, not linked yet.
pub(super) struct Compiled {
    pub(super) component: Component,
    pub(super) sha256: [u8; 32],
    pub(super) identity: Identity,
    pub(super) from_cache: bool,
}

/// The compiled component of a file, from the cache if it is there.
pub(super) fn compiled(
    engine: &Engine,
    cache: Option<&Cache>,
    source: &Source,
) -> Result<Compiled, PluginError> {
    let unreadable =
        |error| PluginError::File { plugin: source.name.clone(), file: source.file.clone(), source: error };
    if let Some(cache) = cache
        && source.pin.is_none()
        && let Some((sha256, identity)) = cache.known_digest(&source.file)
        && let Some(component) = cache.load(engine, &sha256)
    {
        return Ok(Compiled { component, sha256, identity, from_cache: true });
    }
    let (content, identity) = component_file::read(&source.file).map_err(unreadable)?;
    let sha256 = component_file::digest(&content);
    check_pin(source, &sha256)?;
    check_format(source, &content)?;
    if let Some(cache) = cache {
        cache.remember_digest(&source.file, identity, &sha256);
        if let Some(component) = cache.load(engine, &sha256) {
            return Ok(Compiled { component, sha256, identity, from_cache: true });
        }
    }
    let component = compile(engine, cache, source, &content, &sha256)?;
    Ok(Compiled { component, sha256, identity, from_cache: false })
}

fn check_pin(source: &Source, sha256: &[u8; 32]) -> Result<(), PluginError> {
    match source.pin {
        Some(Sha256Pin(pinned)) if pinned != *sha256 => Err(PluginError::Pin {
            plugin: source.name.clone(),
            file: source.file.clone(),
            expected: hex::encode(pinned),
            found: hex::encode(sha256),
        }),
        _ => Ok(()),
    }
}

fn check_format(source: &Source, content: &[u8]) -> Result<(), PluginError> {
    let (plugin, file) = (source.name.clone(), source.file.clone());
    match component_file::format(content) {
        Format::Component => Ok(()),
        Format::CoreModule => Err(PluginError::CoreModule { plugin, file }),
        Format::Other => Err(PluginError::NotWasm { plugin, file }),
    }
}

fn compile(
    engine: &Engine,
    cache: Option<&Cache>,
    source: &Source,
    content: &[u8],
    sha256: &[u8; 32],
) -> Result<Component, PluginError> {
    let invalid = |error: wasmtime::Error| PluginError::Invalid {
        plugin: source.name.clone(),
        file: source.file.clone(),
        reason: error.root_cause().to_string(),
    };
    let started = std::time::Instant::now();
    let component = match cache {
        None => Component::from_binary(engine, content).map_err(invalid)?,
        Some(cache) => {
            let artifact = engine.precompile_component(content).map_err(invalid)?;
            let stored = cache.store(sha256, &artifact);
            if let Err(error) = stored {
                tracing::warn!(plugin = source.name, %error, "a compiled component could not be kept in the cache");
            }
            match cache.load(engine, sha256) {
                Some(component) => component,
                None => Component::from_binary(engine, content).map_err(invalid)?,
            }
        }
    };
    tracing::debug!(plugin = source.name, took = ?started.elapsed(), "compiled a component");
    Ok(component)
}

/// The name of a component: its file's name without the ending.
pub(super) fn name_of(file: &Path) -> String {
    file.file_stem().map_or_else(|| file.display().to_string(), |stem| stem.to_string_lossy().into_owned())
}
