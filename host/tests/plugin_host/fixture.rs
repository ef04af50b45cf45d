//! Components and rows for the tests of the plugin host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use usher::plugin::PluginHost;
use usher::registration::Row;
use usher::settings::plugins::{Grant, Limits, Plugin};

/// The file of a component that `cargo xtask plugins` built.
pub fn component(name: &str) -> PathBuf {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components").join(name).with_extension("wasm");
    assert!(file.exists(), "{} is missing; run: cargo xtask plugins", file.display());
    file
}

/// A host whose compiled components are kept for the next test.
pub fn host(limits: Limits) -> PluginHost {
    PluginHost::isolated(Some(&cache()), limits).unwrap()
}

/// A cache that all tests share.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache")
}

/// A component without grants and settings.
pub fn guest(name: &str) -> Plugin {
    of_file(&component(name))
}

/// A component in any file, without grants and settings.
pub fn of_file(file: &Path) -> Plugin {
    Plugin {
        component: file.to_owned(),
        sha256: None,
        grants: Vec::new(),
        files: None,
        settings: BTreeMap::new(),
        limits: None,
    }
}

/// A component with grants and settings in TOML.
pub fn configured(name: &str, grants: &[Grant], settings: &str) -> Plugin {
    Plugin { grants: grants.to_vec(), settings: toml::from_str(settings).unwrap(), ..guest(name) }
}

/// The parser that misbehaves.
pub struct Hostile {
    settings: String,
}

impl Hostile {
    /// Misbehaves in this way.
    pub fn mode(mode: &str) -> Self {
        Self { settings: format!("mode = \"{mode}\"\n") }
    }

    /// Misbehaves only where a row begins with this text.
    pub fn only(self, text: &str) -> Self {
        Self { settings: format!("{}only = \"{text}\"\n", self.settings) }
    }

    /// As it would be configured.
    pub fn plugin(&self) -> Plugin {
        configured("hostile-rows", &[], &self.settings)
    }
}

/// A header and that many rows: `user1@example.org` is in row 2.
pub fn rows(count: u32) -> Vec<Row> {
    let header = Row { number: 1, cells: vec!["E-mail".to_owned(), "Notified".to_owned()] };
    let row =
        |number| Row { number: number + 1, cells: vec![format!("user{number}@example.org"), String::new()] };
    std::iter::once(header).chain((1..=count).map(row)).collect()
}
