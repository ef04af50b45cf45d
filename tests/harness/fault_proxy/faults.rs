//! The log of calls, and what is to go wrong with which of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::{Method, StatusCode};

/// A call that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Method and path below the proxy's URL, with `*` in place of ids: `PUT /compute/v2.1/os-quota-sets/*`.
    pub kind: String,
    /// The how manieth of its kind it is, from 1.
    pub nth: usize,
    /// The status of the answer; none where there was none, or is none yet.
    pub status: Option<u16>,
    /// How long the answer took.
    pub lasted: Duration,
    /// How many calls were under way when it came, itself included.
    pub at_once: usize,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.kind, self.nth)
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is not passed on; the answer is 503.
    Unavailable,
    /// It is not passed on; the answer is 400: it will never be done.
    Refused,
    /// It is not passed on; the answer is 429, and to come back after a second.
    TooMany,
    /// It is not passed on; the answer is 403.
    Forbidden,
    /// It is not passed on; the connection ends.
    CutBefore,
    /// It takes effect; the connection ends without an answer.
    CutAfter,
    /// It takes effect; no answer ever comes.
    SilentAfter,
}

/// What is to go wrong, and with which calls.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The kind of the calls, as [`Call::kind`].
    pub kind: String,
    /// The how manieth of its kind it happens to, from 1.
    pub nth: usize,
    /// Whether it also happens to all those after it.
    pub always: bool,
    /// What happens.
    pub trouble: Trouble,
}

#[derive(Debug, Default)]
pub(super) struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    calls: Vec<Call>,
    counts: HashMap<String, usize>,
    fault: Option<Fault>,
    /// Calls that are under way.
    under_way: usize,
    /// How many may be under way; those beyond are refused with 429.
    capacity: Option<usize>,
    /// How often the log began anew: what a call that began before still reports is not about this one.
    edition: usize,
}

/// A call of the log that is under way until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<'a> {
    book: &'a Book,
    edition: usize,
    index: usize,
}

impl UnderWay<'_> {
    /// Writes down how the call was answered.
    pub(super) fn answered(&self, status: StatusCode, lasted: Duration) {
        let mut pages = self.book.pages();
        if pages.edition == self.edition {
            let call = &mut pages.calls[self.index];
            (call.status, call.lasted) = (Some(status.as_u16()), lasted);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.book.pages().under_way -= 1;
    }
}

impl Book {
    pub(super) fn order(&self, fault: Fault) {
        self.pages().fault = Some(fault);
    }

    pub(super) fn limit(&self, capacity: usize) {
        self.pages().capacity = Some(capacity);
    }

    pub(super) fn clear(&self) {
        let mut pages = self.pages();
        let (edition, under_way) = (pages.edition + 1, pages.under_way);
        *pages = Pages { edition, under_way, ..Pages::default() };
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.pages().calls.clone()
    }

    /// Writes a call down, and says what is to go wrong with it.
    pub(super) fn begin(&self, method: &Method, path: &str) -> (UnderWay<'_>, Option<Trouble>) {
        let kind = kind(method, path);
        let mut pages = self.pages();
        let count = pages.counts.entry(kind.clone()).or_default();
        *count += 1;
        let nth = *count;
        let wanted = pages
            .fault
            .as_ref()
            .filter(|fault| fault.kind == kind && (fault.nth == nth || (fault.always && fault.nth < nth)))
            .map(|fault| fault.trouble);
        pages.under_way += 1;
        let at_once = pages.under_way;
        let too_many = pages.capacity.is_some_and(|capacity| at_once > capacity);
        let trouble = wanted.or(too_many.then_some(Trouble::TooMany));
        let call = UnderWay { book: self, edition: pages.edition, index: pages.calls.len() };
        pages.calls.push(Call { kind, nth, status: None, lasted: Duration::ZERO, at_once });
        (call, trouble)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kind(method: &Method, path: &str) -> String {
    let path: Vec<&str> = path.split('/').map(|segment| if is_id(segment) { "*" } else { segment }).collect();
    format!("{method} {}", path.join("/"))
}

/// The ids of OpenStack are 32 hexadecimal digits, with or without dashes between them; the id of an
/// implied user is twice as long.
fn is_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_hexdigit).count();
    digits >= 32 && segment.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
