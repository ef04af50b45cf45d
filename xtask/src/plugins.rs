//! `cargo xtask plugins`: builds the components into `target/components`.
//!
//! A second run is quick: cargo knows what changed in Rust, and a fingerprint of the inputs tells it for
//! Python and JavaScript.

pub mod javascript;
mod python;
pub mod system;
pub mod toolchain;

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use toolchain::Toolchain;

/// The components of the workspace that are written in Rust: the crates' names, which are also the files' names.
const RUST: [&str; 4] = ["moc-rows", "standard-quotas", "standard-mail", "weekly-digest"];

/// The components that only tests use: folder below the repository's root, and crate.
const TEST_GUESTS: [(&str, &str); 2] =
    [("tests/guests/hostile-rows", "hostile-rows"), ("tests/guests/busy-job", "busy-job")];

/// Where a finished component is, whether it is there already or not. Names are `moc-rows`, `standard-quotas`,
/// `standard-mail`, `weekly-digest`, `python-rows`, `backlog-watch`, and those of the test guests' crates.
#[must_use]
pub fn component(root: &Path, name: &str) -> PathBuf {
    root.join("target/components").join(name).with_extension("wasm")
}

/// Builds every component that is not up to date. Several processes may call this at once.
///
/// # Errors
/// When a tool is missing and cannot be installed (the text says what to run), or a build fails.
pub fn build_all(root: &Path) -> Result<()> {
    let lock = lock(root)?;
    let toolchain = Toolchain::find()?;
    let packages = RUST.iter().flat_map(|name| ["--package", name]);
    run_cargo(root, &toolchain, |cargo| cargo.current_dir(root).args(packages))?;
    for name in RUST {
        publish(root, &toolchain, name)?;
    }
    for (folder, name) in TEST_GUESTS {
        build_crate(root, &toolchain, &root.join(folder), name)?;
    }
    python::build(root, &component(root, python::NAME))?;
    javascript::build(root, &component(root, javascript::NAME))?;
    drop(lock);
    Ok(())
}

/// Builds a component that need not belong to the workspace.
fn build_crate(root: &Path, toolchain: &Toolchain, manifest_dir: &Path, crate_name: &str) -> Result<()> {
    run_cargo(root, toolchain, |cargo| {
        cargo.arg("--manifest-path").arg(manifest_dir.join("Cargo.toml"));
        // A crate of its own does not see the profile that the workspace defines.
        for setting in ["inherits='release'", "opt-level=3", "codegen-units=1", "panic='abort'", "strip=true"]
        {
            cargo.arg("--config").arg(format!("profile.component.{setting}"));
        }
        cargo
    })?;
    publish(root, toolchain, crate_name)
}

fn run_cargo(
    root: &Path,
    toolchain: &Toolchain,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<()> {
    let mut cargo = toolchain.cargo_build(&build_folder(root));
    arguments(&mut cargo);
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "building the components failed ({status}); see cargo's message above");
    Ok(())
}

/// Components have a target folder of their own, so that their builds and the host's do not wait for each other.
fn build_folder(root: &Path) -> PathBuf {
    root.join("target/components-build")
}

/// Puts what cargo built where it is looked for. A file that is the same already is left alone, so that
/// its time of change says when the component changed.
fn publish(root: &Path, toolchain: &Toolchain, crate_name: &str) -> Result<()> {
    let built = toolchain.artifact(&build_folder(root), crate_name);
    let content = fs::read(&built).with_context(|| format!("cargo did not write {}", built.display()))?;
    let file = component(root, crate_name);
    if fs::read(&file).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let draft = file.with_extension("wasm.draft");
    fs::write(&draft, content).with_context(|| format!("cannot write {}", draft.display()))?;
    fs::rename(&draft, &file).with_context(|| format!("cannot write {}", file.display()))
}

fn lock(root: &Path) -> Result<File> {
    let folder = root.join("target/components");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = folder.join(".lock");
    let lock = File::create(&file).with_context(|| format!("cannot create {}", file.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", file.display()))?;
    Ok(lock)
}

/// A number that changes with the tools, and with any file of these folders and endings.
fn fingerprint(root: &Path, sources: &[(&str, &str)], tools: impl Hash) -> Result<u64> {
    let mut files = Vec::new();
    for (folder, extension) in sources {
        let folder = root.join(folder);
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let file = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
            if file.extension().is_some_and(|found| found == *extension) {
                files.push(file);
            }
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    tools.hash(&mut hasher);
    for file in files {
        file.file_name().hash(&mut hasher);
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}
