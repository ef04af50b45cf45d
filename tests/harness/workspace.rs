//! Where things are in the workspace and below its target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The workspace's top folder.
#[must_use]
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Cargo's target folder, below which everything is made that is not in the repository.
#[must_use]
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The Python packages of the services: OpenStack, its command line, and the mail server's library.
/// Several clouds share them.
#[must_use]
pub fn python_packages() -> PathBuf {
    target().join("services/venv")
}

/// A file of `tests/fixtures`.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// A component that `cargo xtask plugins` has built.
///
/// # Errors
/// Where it is not there.
pub fn component(name: &str) -> Result<PathBuf> {
    let file = root().join("target/components").join(name).with_extension("wasm");
    if !file.exists() {
        bail!("{} is missing; run `cargo xtask plugins`", file.display());
    }
    Ok(file)
}

/// The `usher` program that was built with the program that asks.
///
/// # Errors
/// Where it is not there.
pub fn usher() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    // `target/debug/xtask` has it as a neighbour; `target/debug/deps/e2e-…` one folder up.
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("usher"))
        .find(|file| file.is_file())
        .with_context(|| {
            format!("there is no `usher` near {}; run `cargo build --workspace --bin usher`", own.display())
        })
}
