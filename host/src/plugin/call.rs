//! One call of a component: a fresh store, the limits, and what an error means.

use std::sync::Arc;

use wasmtime::component::InstancePre;
use wasmtime::{Engine, Error, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::registration::RowNumber;

use super::error::{Call, PluginError};
use super::pool::{Place, Places};
use super::state::{DeadlinePassed, HostCallsExhausted, Interrupted, Profile, State, mebibytes};
use super::ticker::Ticker;

/// Resource handles that a component may hold at a time. Only WASI has resources.
const HANDLES: usize = 10_000;

/// What wasmtime says when the data that a component hands over exceeds the store's hostcall fuel.
/// The error has a private type, so its words are what tells it; a test holds on to them.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Functions shown of a backtrace.
const FRAMES: usize = 4;

/// Characters shown of a function's name, and of what the engine says.
const NAME_LENGTH: usize = 120;

/// A component that is ready to be called.
#[derive(Clone)]
pub(super) struct Callee {
    pub(super) pre: InstancePre<State>,
    pub(super) profile: Arc<Profile>,
    pub(super) ticker: Ticker,
    pub(super) places: Places,
}

impl Callee {
    /// A store for one call, and the place that it takes up. The store is dropped after the call, with
    /// everything in it, and the place after the store.
    pub(super) async fn store(&self) -> (Place, Store<State>) {
        // A call's time begins once there is a place for it.
        let place = self.places.take().await;
        (place, store(self.pre.engine(), Arc::clone(&self.profile)))
    }

    /// Waits for a call, but no longer than it may take.
    ///
    /// Epochs interrupt a component that computes; the timeout covers the time that it waits for
    /// the host. A component that is interrupted yields, so the executor is never blocked for
    /// longer than a tick.
    pub(super) async fn within_deadline<T>(
        &self,
        work: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        let _running = self.ticker.run();
        tokio::time::timeout(self.profile.limits.deadline, work)
            .await
            .unwrap_or_else(|_| Err(DeadlinePassed.into()))
    }

    /// What made a call fail. `function` is the export that was called, `store` that of the call.
    pub(super) fn explain(&self, error: &Error, function: &'static str, store: &Store<State>) -> PluginError {
        explain(error, self.named(function), store.data())
    }

    /// The answer of an export breaks a rule that its type does not express.
    pub(super) fn bad_answer(
        &self,
        function: &'static str,
        row: Option<RowNumber>,
        reason: String,
    ) -> PluginError {
        PluginError::BadAnswer { call: Call { row, ..self.named(function) }, reason }
    }

    fn named(&self, function: &'static str) -> Call {
        Call { plugin: self.profile.name.clone(), function, row: None }
    }
}

fn store(engine: &Engine, profile: Arc<Profile>) -> Store<State> {
    let answer = mebibytes(profile.limits.answer_mib);
    let mut store = Store::new(engine, State::new(profile));
    store.limiter(|state| &mut state.budget);
    store.set_hostcall_fuel(answer);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        if std::time::Instant::now() >= context.data().budget.deadline {
            Err(DeadlinePassed.into())
        } else {
            Ok(UpdateDeadline::Yield(1))
        }
    });
    store
}

/// What made a call fail.
fn explain(error: &Error, call: Call, state: &State) -> PluginError {
    let limits = &state.profile.limits;
    if error.is::<DeadlinePassed>() {
        return PluginError::Deadline { call, limit: limits.deadline };
    }
    if error.is::<Interrupted>() {
        return PluginError::Interrupted { call };
    }
    if error.is::<HostCallsExhausted>() {
        return PluginError::HostCalls { call, limit: limits.host_calls };
    }
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::StackOverflow) {
        return PluginError::StackExhausted { call };
    }
    // A component that is refused memory usually gives up with a trap of its own.
    if state.budget.memory_refused || trap == Some(Trap::AllocationTooLarge) {
        return PluginError::OutOfMemory { call, limit_mib: limits.memory_mib };
    }
    let reason = trap.map_or_else(|| error.root_cause().to_string(), |trap| trap.to_string());
    if reason.contains(FUEL_EXHAUSTED) {
        return PluginError::AnswerTooLarge { call, limit_mib: limits.answer_mib };
    }
    PluginError::Trap { call, reason: shorten(&reason), backtrace: backtrace(error) }
}

/// The names of the innermost functions. Names only: what they worked on is nobody's business.
fn backtrace(error: &Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    // wasmtime demangles names only when it prints a backtrace, a line for each function:
    // `    0:  0x1234 - module.wasm!moc_rows::parse`.
    let printed = trace.to_string();
    printed
        .lines()
        .filter_map(|line| line.split_once(" - ")?.1.split_once('!').map(|(_, function)| function))
        .filter(|function| !function.starts_with("<wasm function"))
        .take(FRAMES)
        .map(shorten)
        .collect()
}

fn shorten(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME_LENGTH).collect()
}
