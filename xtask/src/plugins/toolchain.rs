//! What compiles Rust to components.
//!
//! The standard library for WebAssembly comes with rustup's target. Where that cannot be downloaded, Debian's
//! compiler and its sources build it; cargo and the linker are rustup's in any case.
//! `wasm32-unknown-unknown` is preferred to `wasm32-wasip2`, since its components import nothing of WASI.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::system;

const PLAIN: &str = "wasm32-unknown-unknown";
const WASI: &str = "wasm32-wasip2";

const DEBIAN_COMPILER: &str = "/usr/bin/rustc";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// How long rustup may take to download something. A standard library then comes from Debian.
pub const DOWNLOAD: Duration = Duration::from_secs(180);

/// Names the source of the standard library: `rustup` or `debian`. Without it the first that works is taken.
const CHOICE: &str = "USHER_COMPONENT_TOOLCHAIN";

/// A way to build components.
pub struct Toolchain {
    target: &'static str,
    /// `wasm-component-ld`, where cargo would not find it by itself.
    linker: Option<PathBuf>,
    /// Whether the standard library is built from Debian's sources, with Debian's compiler.
    debian: bool,
}

impl Toolchain {
    /// Finds a way that works here, and installs what it lacks.
    ///
    /// # Errors
    /// When there is none; the text says what to run.
    pub fn find() -> Result<Self> {
        let sysroot = system::answer(Command::new(compiler()).args(["--print", "sysroot"]))
            .map(PathBuf::from)
            .context("cannot run rustc; install Rust from https://rustup.rs")?;
        match env::var(CHOICE).as_deref() {
            Ok("debian") => Self::debian(&sysroot),
            Ok("rustup") => Self::installed(&sysroot)
                .or_else(|| Self::download(&sysroot))
                .with_context(|| format!("no target for components; run: rustup target add {PLAIN}")),
            Ok(other) => bail!("{CHOICE} is \"{other}\"; set it to rustup or debian, or not at all"),
            Err(_) => match Self::installed(&sysroot).or_else(|| Self::download(&sysroot)) {
                Some(toolchain) => Ok(toolchain),
                None => Self::debian(&sysroot),
            },
        }
    }

    /// The target that is installed.
    fn installed(sysroot: &Path) -> Option<Self> {
        let has = |target: &str| sysroot.join("lib/rustlib").join(target).join("lib").is_dir();
        if let Some(linker) = linker(sysroot).filter(|_| has(PLAIN)) {
            return Some(Self { target: PLAIN, linker: Some(linker), debian: false });
        }
        has(WASI).then_some(Self { target: WASI, linker: None, debian: false })
    }

    /// The target as rustup downloads it.
    fn download(sysroot: &Path) -> Option<Self> {
        eprintln!("no WebAssembly target is installed; asking rustup for {PLAIN}");
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", PLAIN]);
        system::succeeds_within(&mut rustup, DOWNLOAD).then(|| Self::installed(sysroot)).flatten()
    }

    /// Debian's compiler, which builds the standard library along with the component.
    fn debian(sysroot: &Path) -> Result<Self> {
        let hint = format!("Where rustup can download, this does it all: rustup target add {PLAIN}");
        let linker = linker(sysroot).with_context(|| {
            format!("the Rust toolchain in {} has no wasm-component-ld. {hint}", sysroot.display())
        })?;
        if !Path::new(DEBIAN_SOURCES).exists() || !Path::new(DEBIAN_COMPILER).exists() {
            system::install_packages(&DEBIAN_PACKAGES, "building components").context(hint)?;
        }
        ensure!(
            Path::new(DEBIAN_SOURCES).exists(),
            "the package rust-web-src is installed, but {DEBIAN_SOURCES} is not there"
        );
        Ok(Self { target: PLAIN, linker: Some(linker), debian: true })
    }

    /// The command that builds components in a target folder; what to build is added to it.
    pub fn cargo_build(&self, target_folder: &Path) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        cargo.args(["build", "--quiet", "--profile", "component", "--target", self.target]);
        cargo.arg("--target-dir").arg(target_folder);
        // Flags for the host's processor or its linker mean nothing here.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            // It runs `wasm-ld`, which a toolchain keeps in a folder that only its own compiler puts on the path.
            let own_tools = linker.with_file_name("gcc-ld");
            let path = env::var_os("PATH").unwrap_or_default();
            if let Ok(path) = env::join_paths(std::iter::once(own_tools).chain(env::split_paths(&path))) {
                cargo.env("PATH", path);
            }
        }
        if self.debian {
            cargo
                .env("RUSTC", DEBIAN_COMPILER)
                .env("RUSTC_BOOTSTRAP", "1")
                .arg("-Zbuild-std=std,panic_abort");
        }
        cargo
    }

    /// Where that command leaves a crate's component.
    pub fn artifact(&self, target_folder: &Path, crate_name: &str) -> PathBuf {
        let file = Path::new(&crate_name.replace('-', "_")).with_extension("wasm");
        target_folder.join(self.target).join("component").join(file)
    }
}

fn compiler() -> OsString {
    env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"))
}

/// The linker that makes components, in the folder of the toolchain's own tools.
fn linker(sysroot: &Path) -> Option<PathBuf> {
    let host = system::answer(Command::new(compiler()).args(["--print", "host-tuple"]))?;
    let linker = sysroot.join("lib/rustlib").join(host).join("bin/wasm-component-ld");
    linker.exists().then_some(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_leaves_a_component_under_the_crates_underscored_name() {
        let toolchain = Toolchain { target: WASI, linker: None, debian: false };
        assert_eq!(
            toolchain.artifact(Path::new("/build"), "moc-rows"),
            Path::new("/build/wasm32-wasip2/component/moc_rows.wasm")
        );
    }

    #[test]
    fn a_toolchain_without_targets_is_not_taken() {
        assert!(Toolchain::installed(Path::new("/nowhere")).is_none());
    }
}
