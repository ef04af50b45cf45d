//! The component that is written in JavaScript, built by componentize-qjs (QuickJS) in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{fingerprint, system};

/// Name of the component.
pub const NAME: &str = "backlog-watch";

const FOLDER: &str = "plugins/example-javascript-job";
const COMPONENTIZE: &str = "componentize-qjs@0.4.5";

/// Node and npm, and the Debian package that brings both.
const PROGRAMS: [&str; 2] = ["node", "npm"];
const PACKAGE: &str = "npm";

/// Builds the component into `file`, unless it is there and its inputs did not change.
///
/// # Errors
/// When Node or componentize-qjs are missing and cannot be installed, or the build fails.
pub fn build(root: &Path, file: &Path) -> Result<()> {
    let stamp = file.with_extension("inputs");
    let wit = format!("{FOLDER}/wit");
    let sources = [("wit", "wit"), (wit.as_str(), "wit"), (FOLDER, "js")];
    let inputs = format!("{:016x}\n", fingerprint(root, &sources, (COMPONENTIZE, NAME))?);
    if file.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == inputs) {
        return Ok(());
    }
    install_node()?;
    let tools = tools(root)?;
    eprintln!("building {NAME} with {COMPONENTIZE}");
    let world = world(root, &tools.join("wit"))?;
    let draft = file.with_extension("wasm.draft");
    let status = Command::new("node")
        .current_dir(root.join(FOLDER))
        .arg(tools.join("node_modules/componentize-qjs/cli.mjs"))
        .arg("--wit")
        .arg(world)
        .args(["--world", NAME, "--js", "component.js", "--module-root", ".", "--sync", "--output"])
        .arg(&draft)
        .status()
        .context("cannot start node")?;
    ensure!(status.success() && draft.exists(), "componentize-qjs failed ({status}); see its message above");
    fs::rename(&draft, file).with_context(|| format!("cannot write {}", file.display()))?;
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The command that tries what the component is made of, without a host.
///
/// # Errors
/// When Node is missing and cannot be installed.
pub fn tests(root: &Path) -> Result<Command> {
    install_node()?;
    let mut node = Command::new("node");
    node.current_dir(root.join(FOLDER)).args(["--test", "--test-reporter=tap"]);
    Ok(node)
}

fn install_node() -> Result<()> {
    let is_missing = |program: &&str| system::answer(Command::new(program).arg("--version")).is_none();
    if PROGRAMS.iter().any(is_missing) {
        system::install_packages(&[PACKAGE], "building the JavaScript example")?;
    }
    Ok(())
}

/// The folder with componentize-qjs in it.
fn tools(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/components-build/javascript");
    let ready = folder.join("installed");
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == COMPONENTIZE) {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    eprintln!("installing {COMPONENTIZE} (about 38 MB on the disk)");
    let status = Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--prefix"])
        .arg(&folder)
        .arg(COMPONENTIZE)
        .status()
        .context("cannot start npm")?;
    ensure!(
        status.success(),
        "npm could not install {COMPONENTIZE}; see above. It comes from the npm registry (registry.npmjs.org) or the one \
         that npm's configuration names"
    );
    fs::write(&ready, COMPONENTIZE).with_context(|| format!("cannot write {}", ready.display()))?;
    Ok(folder)
}

/// Puts the component's world and the package that it includes into one folder, as WIT wants it.
fn world(root: &Path, folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    for (from, to) in [
        (root.join(FOLDER).join("wit"), folder.to_owned()),
        (root.join("wit"), folder.join("deps/usher-plugin")),
    ] {
        fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
        for entry in fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))? {
            let file = entry?.path();
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, to.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(folder.to_owned())
}
