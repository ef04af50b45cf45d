//! What the host keeps for the time of one call: the budget of the call, and who is calling.
//!
//! A fresh [`State`] is made for each call and dropped with its store, so that nothing passes from
//! one call to the next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::settings::plugins::Limits;
use crate::stop::Stop;

use super::bindings::interfaces::settings::Entry;
use super::capabilities::Capabilities;
use super::rehearsal::Rehearsal;

/// Elements that all tables of a component may have together. CPython takes some ten thousand.
pub(super) const TABLE_ELEMENTS: usize = 1_000_000;

/// Core instances, tables and memories of one component. A Python component has about thirty
/// instances, as its interpreter and libraries are modules of their own.
pub(super) const INSTANCES: usize = 256;

/// Lines that one call may write to the log.
const LOG_LINES: u32 = 1_000;

/// What stays the same for all calls of one component.
pub(super) struct Profile {
    /// The component's name, as errors and the log show it.
    pub(super) name: String,
    /// What its mails are known by, beside what it calls them itself.
    pub(super) sender: String,
    /// What a call may use up.
    pub(super) limits: Limits,
    /// The component's section of the settings, flattened and ordered by key.
    pub(super) settings: Vec<Entry>,
    /// The folder whose files it may read.
    pub(super) files: Option<PathBuf>,
    /// The services behind the granted interfaces.
    pub(super) capabilities: Arc<Capabilities>,
}

/// The data of one call's store.
pub(super) struct State {
    pub(super) profile: Arc<Profile>,
    pub(super) budget: Budget,
    /// In a dry run, what is done in place of changing something.
    pub(super) rehearsal: Option<Rehearsal>,
    pub(super) wasi: WasiCtx,
    /// Whether the call is asked to end.
    pub(super) stop: Stop,
    resources: ResourceTable,
}

/// What is left for the call.
pub(super) struct Budget {
    /// When the call has to be over.
    pub(super) deadline: Instant,
    /// Bytes of linear memory that may still be taken.
    memory: usize,
    /// Table elements that may still be taken.
    table_elements: usize,
    /// Whether memory was asked for beyond the limit.
    pub(super) memory_refused: bool,
    host_calls: u32,
    log_lines: u32,
}

/// The call asked the host too often.
#[derive(Debug, thiserror::Error)]
#[error("too many calls to the host")]
pub(super) struct HostCallsExhausted;

/// The call was asked to end.
#[derive(Debug, thiserror::Error)]
#[error("it was asked to end")]
pub(super) struct Interrupted;

/// The call took too long.
#[derive(Debug, thiserror::Error)]
#[error("the deadline has passed")]
pub(super) struct DeadlinePassed;

/// Whether a line may be logged.
pub(super) enum LogLine {
    /// It may.
    Allowed,
    /// It may not, and it is the first one: say so once.
    FirstRefused,
    /// It may not.
    Refused,
}

impl State {
    /// The state of a call that starts now. WASI gets no files, no network, no environment, no
    /// arguments; what the component prints goes nowhere. Clocks and randomness remain, because
    /// the runtimes of Python and JavaScript need them.
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        let limits = &profile.limits;
        let budget = Budget {
            deadline: Instant::now() + limits.deadline,
            memory: mebibytes(limits.memory_mib),
            table_elements: TABLE_ELEMENTS,
            memory_refused: false,
            host_calls: limits.host_calls,
            log_lines: LOG_LINES,
        };
        let wasi = WasiCtx::builder().allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false).build();
        let (rehearsal, stop, resources) = (None, Stop::default(), ResourceTable::new());
        Self { profile, budget, rehearsal, wasi, stop, resources }
    }

    /// Counts a call to the host. Every function of `plugin/host/` begins with it, and a component that is asked to end
    /// ends here: between two of its steps, and not within one.
    pub(super) fn count_host_call(&mut self) -> Result<()> {
        if self.stop.is_asked() {
            return Err(Interrupted.into());
        }
        self.budget.host_calls = self.budget.host_calls.checked_sub(1).ok_or(HostCallsExhausted)?;
        Ok(())
    }

    /// Counts a line for the log.
    pub(super) fn count_log_line(&mut self) -> LogLine {
        match self.budget.log_lines {
            0 => LogLine::Refused,
            left => {
                self.budget.log_lines = left - 1;
                if left == 1 { LogLine::FirstRefused } else { LogLine::Allowed }
            }
        }
    }
}

/// A number of MiB in bytes.
pub(super) fn mebibytes(number: usize) -> usize {
    number.saturating_mul(1024 * 1024)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

/// The limit on memory is one for all memories of the component together: a limit for each would
/// let a component with many memories take many times as much.
impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let granted = take(&mut self.memory, desired.saturating_sub(current));
        self.memory_refused |= !granted;
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let granted = take(&mut self.table_elements, desired.saturating_sub(current));
        self.memory_refused |= !granted;
        Ok(granted)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

fn take(left: &mut usize, wanted: usize) -> bool {
    left.checked_sub(wanted).map(|rest| *left = rest).is_some()
}
