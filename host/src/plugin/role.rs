//! A component in its role: loaded, checked against its world, and replaced when its file is.
//!
//! Every call looks at the identity of the component's file, which costs a microsecond. Where it is
//! another than that of the loaded component, the file is loaded and checked before the call. If
//! that succeeds, this and later calls go to the new component; calls that are under way end with
//! the old one. If it fails, the log says so once and the old one goes on.

use std::sync::{Arc, PoisonError, RwLock};

use super::PluginHost;
use super::call::Callee;
use super::component_file::Identity;
use super::error::PluginError;
use super::load::{self, Loaded, Source};
use super::state::Profile;
use super::world::World;

/// A component in a role.
#[derive(Clone)]
pub(super) struct Role {
    shared: Arc<Shared>,
}

struct Shared {
    host: PluginHost,
    world: World,
    source: Source,
    profile: Arc<Profile>,
    current: RwLock<Current>,
    /// Held by whoever is loading a new file, so that it is loaded once.
    replacing: tokio::sync::Mutex<()>,
}

struct Current {
    callee: Callee,
    sha256: [u8; 32],
    /// The file that was looked at last: the one that runs, or one that was refused.
    seen: Identity,
}

impl Role {
    /// Loads a component for a role.
    pub(super) async fn load(
        host: &PluginHost,
        world: World,
        source: Source,
        profile: Arc<Profile>,
    ) -> Result<Self, PluginError> {
        let loaded = load_checked(host, world, &source).await?;
        let current = RwLock::new(Current {
            callee: callee(host, &loaded, &profile),
            sha256: loaded.sha256,
            seen: loaded.identity,
        });
        let replacing = tokio::sync::Mutex::new(());
        Ok(Self {
            shared: Arc::new(Shared { host: host.clone(), world, source, profile, current, replacing }),
        })
    }

    /// The component that is to be called now.
    pub(super) async fn callee(&self) -> Callee {
        if self.file_changed() {
            self.replace().await;
        }
        self.shared.read().callee.clone()
    }

    /// SHA-256 of the component that runs.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.shared.read().sha256
    }

    /// Whether the file is another one than was looked at last. A file that is missing is about to
    /// be replaced, or will be missed at the next start; the loaded component goes on.
    fn file_changed(&self) -> bool {
        Identity::of(&self.shared.source.file).is_ok_and(|identity| identity != self.shared.read().seen)
    }

    async fn replace(&self) {
        let shared = &self.shared;
        let _replacing = shared.replacing.lock().await;
        if !self.file_changed() {
            return;
        }
        let Ok(seen) = Identity::of(&shared.source.file) else { return };
        let plugin = &shared.source.name;
        match load_checked(&shared.host, shared.world, &shared.source).await {
            Ok(loaded) => {
                let callee = callee(&shared.host, &loaded, &shared.profile);
                let sha256 = hex::encode(loaded.sha256);
                *shared.write() = Current { callee, sha256: loaded.sha256, seen: loaded.identity };
                tracing::info!(plugin, sha256, "the component was replaced");
            }
            Err(error) => {
                shared.write().seen = seen;
                tracing::error!(plugin, %error, "the component's new file cannot be used; the old one goes on");
            }
        }
    }
}

impl Shared {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn callee(host: &PluginHost, loaded: &Loaded, profile: &Arc<Profile>) -> Callee {
    Callee {
        pre: loaded.pre.clone(),
        profile: Arc::clone(profile),
        ticker: host.ticker.clone(),
        places: host.places.clone(),
    }
}

async fn load_checked(host: &PluginHost, world: World, source: &Source) -> Result<Loaded, PluginError> {
    let loaded = load::load(&host.engine, host.cache.as_ref(), source).await?;
    if world.fits(&loaded.pre) {
        return Ok(loaded);
    }
    Err(PluginError::WrongWorld {
        plugin: source.name.clone(),
        world,
        missing: world.missing(&host.engine, loaded.pre.component()),
        fits: World::all_that_fit(&loaded.pre),
    })
}
