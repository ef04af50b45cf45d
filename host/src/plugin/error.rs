//! Why a component cannot be used, or a call of one did not succeed.
//!
//! Every error names the component, a failed call also the call, and the row where one is to
//! blame. None repeats what a component was given or answered: cells hold personal data and PINs.

use std::path::PathBuf;

use crate::registration::RowNumber;
use crate::settings::plugins::Grant;

use super::world::World;

/// Why a component cannot be used, or a call of one did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The site has no component for this.
    #[error(
        "the settings name no component for this; write plugins.{role} where this machine is to do more than to serve \
         setpass"
    )]
    NotSet {
        /// The role, as in the settings.
        role: &'static str,
    },
    /// The engine that runs components cannot be set up on this machine.
    #[error("cannot set up the engine that runs components: {0}")]
    Engine(String),
    /// The folder for compiled components cannot be used.
    #[error("cannot use {folder} for compiled components: {source}; check plugins.cache in the settings", folder = folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says, or what is wrong with the folder.
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[error("{plugin}: cannot read the component {file}: {source}; check the path in the settings", file = file.display())]
    File {
        /// The component.
        plugin: String,
        /// Its file.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{plugin}: {file} is not WebAssembly; expected a component, as `cargo xtask plugins` builds them", file = file.display())]
    NotWasm {
        /// The component.
        plugin: String,
        /// Its file.
        file: PathBuf,
    },
    /// The file holds a core module: a component that was not finished.
    #[error(
        "{plugin}: {file} is a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`",
        file = file.display()
    )]
    CoreModule {
        /// The component.
        plugin: String,
        /// Its file.
        file: PathBuf,
    },
    /// The file is a component that does not hold together.
    #[error("{plugin}: the component {file} is damaged or uses what this host does not support: {reason}", file = file.display())]
    Invalid {
        /// The component.
        plugin: String,
        /// Its file.
        file: PathBuf,
        /// What the engine says.
        reason: String,
    },
    /// The file is not the one that the settings pin.
    #[error(
        "{plugin}: the settings pin sha256 = \"{expected}\", but {file} has \"{found}\"; put the pinned file back, or change the pin after checking the new one",
        file = file.display()
    )]
    Pin {
        /// The component.
        plugin: String,
        /// Its file.
        file: PathBuf,
        /// The digest that the settings ask for.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// The component plays another role.
    #[error("{plugin}: not a component for the world {world}: {}", wrong_world(missing, fits))]
    WrongWorld {
        /// The component.
        plugin: String,
        /// The world that it should have.
        world: World,
        /// What is missing.
        missing: Vec<String>,
        /// The worlds that it has.
        fits: Vec<World>,
    },
    /// The component imports what it was not granted.
    #[error(
        "{plugin}: imports {interface}, which it is not granted; to grant it, write {} to its section of the settings",
        grant_line(grants)
    )]
    NotGranted {
        /// The component.
        plugin: String,
        /// The interface, with package and version.
        interface: String,
        /// Every grant that the component needs.
        grants: Vec<Grant>,
    },
    /// The component imports what no host of this version offers.
    #[error(
        "{plugin}: imports {interface}, which this host does not offer; build it against the package usher:plugin@0.1.0"
    )]
    UnknownImport {
        /// The component.
        plugin: String,
        /// The import.
        interface: String,
    },
    /// The component used more memory than it may.
    #[error(
        "{call} needs more than {limit_mib} MiB of memory; raise limits.memory_mib, or make the component thriftier"
    )]
    OutOfMemory {
        /// Where.
        call: Call,
        /// The limit.
        limit_mib: usize,
    },
    /// The call took too long.
    #[error("{call} took longer than {limit:?}; raise limits.deadline, or look for an endless loop")]
    Deadline {
        /// Where.
        call: Call,
        /// The limit.
        limit: std::time::Duration,
    },
    /// The component handed the host too much.
    #[error(
        "{call} handed over more than {limit_mib} MiB at once; raise limits.answer_mib if that can be right"
    )]
    AnswerTooLarge {
        /// Where.
        call: Call,
        /// The limit.
        limit_mib: usize,
    },
    /// The component called the host too often.
    #[error("{call} called the host more than {limit} times; raise limits.host_calls if that can be right")]
    HostCalls {
        /// Where.
        call: Call,
        /// The limit.
        limit: u32,
    },
    /// The component was asked to end before it was finished: its time was over, or the program's.
    #[error("{call} was asked to end before it was finished")]
    Interrupted {
        /// Where.
        call: Call,
    },
    /// The component's calls nest too deeply.
    #[error("{call} exhausted its stack; look for a recursion that does not end")]
    StackExhausted {
        /// Where.
        call: Call,
    },
    /// The component gave up or did what is not allowed.
    #[error("{call} failed: {reason}{}", at(backtrace))]
    Trap {
        /// Where.
        call: Call,
        /// What the engine says.
        reason: String,
        /// The innermost functions, the failing one first; blank where the component was built
        /// without names.
        backtrace: Vec<String>,
    },
    /// The component answered what it must not.
    #[error("{call} gave a wrong answer: {reason}; this is an error of the component")]
    BadAnswer {
        /// Where.
        call: Call,
        /// What is wrong.
        reason: String,
    },
    /// The parser cannot read the sheet as a whole.
    #[error("{plugin}: the sheet does not have the expected layout: {reason}")]
    Unreadable {
        /// The component.
        plugin: String,
        /// What the parser says is missing, and where.
        reason: String,
    },
    /// A template or setting of the mail templates is wrong.
    #[error("{plugin}: cannot word the mail{}: {reason}", in_place(place))]
    Render {
        /// The component.
        plugin: String,
        /// The template or setting at fault; may be blank.
        place: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// A call of a component, as errors name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The component.
    pub plugin: String,
    /// The exported function.
    pub function: &'static str,
    /// The row that makes it fail, where it could be found.
    pub row: Option<RowNumber>,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.plugin, self.function)?;
        self.row.map_or(Ok(()), |row| write!(f, " (row {row})"))
    }
}

impl PluginError {
    /// The call that failed, where one was made.
    #[must_use]
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::OutOfMemory { call, .. }
            | Self::Deadline { call, .. }
            | Self::AnswerTooLarge { call, .. }
            | Self::HostCalls { call, .. }
            | Self::Interrupted { call }
            | Self::StackExhausted { call }
            | Self::Trap { call, .. }
            | Self::BadAnswer { call, .. } => Some(call),
            _ => None,
        }
    }

    /// Whether trying again may help without anybody acting: a call may have been slow because the
    /// machine was busy, or was not let come to its end. Everything else stays as it is until somebody changes the component, its
    /// settings or the sheet.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Deadline { .. } | Self::Interrupted { .. })
    }

    /// The same error with the row that is to blame.
    pub(super) fn with_row(mut self, number: RowNumber) -> Self {
        if let Self::OutOfMemory { call, .. }
        | Self::Deadline { call, .. }
        | Self::AnswerTooLarge { call, .. }
        | Self::HostCalls { call, .. }
        | Self::Interrupted { call }
        | Self::StackExhausted { call }
        | Self::Trap { call, .. }
        | Self::BadAnswer { call, .. } = &mut self
        {
            call.row = Some(number);
        }
        self
    }
}

fn wrong_world(missing: &[String], fits: &[World]) -> String {
    let names = |worlds: &[World]| worlds.iter().map(World::to_string).collect::<Vec<_>>().join(" and ");
    match fits {
        [] => format!("it lacks {}", missing.join(", ")),
        _ => format!("it lacks {}; it is one for {}", missing.join(", "), names(fits)),
    }
}

/// `grants = ["keystone", "mail"]`, as it is written in the settings.
pub(super) fn grant_line(grants: &[Grant]) -> String {
    let names: Vec<_> = grants.iter().map(|grant| format!("\"{}\"", grant.name())).collect();
    format!("grants = [{}]", names.join(", "))
}

fn at(backtrace: &[String]) -> String {
    if backtrace.is_empty() { String::new() } else { format!(" (in {})", backtrace.join(" < ")) }
}

fn in_place(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(", in {place}") }
}
