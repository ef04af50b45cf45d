//! What goes wrong: the same chances in each run of the test, though not always at the same instruction.

use std::cell::Cell;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::month::DAYS;
use crate::mailer::peer::{CONTENT, CUT, TAKEN_AND_CUT};
use crate::stop::Stop;

/// Ten minutes after which hour clocks are set, and by how many hours: by mistake into the future and back, back and
/// right again, into the future and back once more, and for good.
pub(super) const SET: [(u64, i64); 7] = [
    (5 * 24 + 7, 30 * 24),
    (5 * 24 + 12, -30 * 24),
    (12 * 24 + 3, -5),
    (12 * 24 + 20, 5),
    (16 * 24 + 7, 30 * 24),
    (16 * 24 + 12, -30 * 24),
    (20 * 24, 3),
];

/// Whether the mail server takes nothing: while clocks show the future for the second time, so that what is to be sent then waits
/// for that.
fn is_away(ran: Duration) -> bool {
    (16 * 24 + 7..=16 * 24 + 12).contains(&(ran.as_secs() / 3600))
}

/// The end of the month by any clock that is right.
const WRONG_FROM: &str = "2018-04-15T00:00:00Z";

/// Whether a time was only shown by a clock that was wrong.
pub(super) fn is_wrong(time: Timestamp) -> bool {
    time > WRONG_FROM.parse().unwrap()
}

/// How far ahead such a clock is.
pub(super) fn by_mistake() -> SignedDuration {
    SignedDuration::from_hours(SET[0].1)
}

/// Whether nothing goes wrong: at the end, so that all is finished.
pub(super) fn is_quiet(ran: Duration) -> bool {
    ran.as_secs() / 3600 >= (DAYS - 2) * 24
}

/// What happens to a host.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    Lives,
    /// It is gone after so many steps.
    Dies(u32),
    /// It is told to end after so many.
    Ends(u32),
}

/// What goes wrong.
pub(super) struct Weather {
    server: Arc<Server>,
    pub deaths: Cell<u32>,
    pub restarts: Cell<u32>,
    pub sheet_faults: Cell<u32>,
}

/// What is shared with the mail server.
#[derive(Default)]
pub(super) struct Server {
    chance: AtomicU64,
    is_quiet: AtomicBool,
    is_away: AtomicBool,
    now: Mutex<Timestamp>,
    taken: Mutex<Vec<Timestamp>>,
    faults: AtomicU32,
    /// How many answers were lost.
    pub lost: AtomicU32,
    /// That the next host to do anything dies.
    kills: AtomicBool,
    /// What happens in the moment in which the next mail is taken.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Server {
    fn draw(&self, below: u64) -> u64 {
        // A linear congruential generator is random enough.
        let next = |chance: u64| {
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
        };
        let before =
            self.chance.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |chance| Some(next(chance)));
        (next(before.unwrap()) >> 33) % below
    }

    /// What the mail server answers; none for what is usual.
    pub(super) fn answer(&self, command: &str) -> Option<&'static str> {
        let is_content = command == CONTENT;
        if is_content && let Some(happens) = self.meanwhile.lock().unwrap().take() {
            happens();
        }
        let fault = match command.split([' ', ':']).next() {
            _ if self.is_quiet.load(Ordering::SeqCst) => None,
            Some("MAIL") if self.is_away.load(Ordering::SeqCst) => Some("451 later"),
            Some("MAIL") if self.draw(100) < 8 => Some("451 later"),
            Some("RCPT") if self.draw(100) < 15 => Some("451 greylisted"),
            Some("DATA") if self.draw(100) < 5 => Some(CUT),
            _ if !is_content => None,
            _ => match self.draw(100) {
                0..8 => Some("452 no room"),
                8..16 => Some(CUT),
                16..26 => Some(TAKEN_AND_CUT),
                26..34 => {
                    self.kills.store(true, Ordering::SeqCst);
                    None
                }
                _ => None,
            },
        };
        self.faults.fetch_add(u32::from(fault.is_some()), Ordering::SeqCst);
        self.lost.fetch_add(u32::from(fault == Some(TAKEN_AND_CUT)), Ordering::SeqCst);
        if is_content && fault.is_none_or(|fault| fault == TAKEN_AND_CUT) {
            self.taken.lock().unwrap().push(*self.now.lock().unwrap());
        }
        fault
    }
}

impl Weather {
    pub(super) fn new(server: Arc<Server>) -> Self {
        server.chance.store(2018, Ordering::SeqCst);
        Self { server, deaths: Cell::default(), restarts: Cell::default(), sheet_faults: Cell::default() }
    }

    pub(super) fn draw(&self, below: u64) -> u64 {
        self.server.draw(below)
    }

    /// When mails were taken, in their order.
    pub(super) fn taken(&self) -> Vec<Timestamp> {
        self.server.taken.lock().unwrap().clone()
    }

    pub(super) fn mail_faults(&self) -> u32 {
        self.server.faults.load(Ordering::SeqCst)
    }

    pub(super) fn lost_answers(&self) -> u32 {
        self.server.lost.load(Ordering::SeqCst)
    }

    /// Tells the mail server what time it is.
    pub(super) fn begin(&self, now: Timestamp, ran: Duration) {
        *self.server.now.lock().unwrap() = now;
        self.server.is_quiet.store(is_quiet(ran), Ordering::SeqCst);
        self.server.is_away.store(is_away(ran), Ordering::SeqCst);
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.server.is_quiet.load(Ordering::SeqCst)
    }

    pub(super) fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) {
        *self.server.meanwhile.lock().unwrap() = Some(Box::new(happens));
    }

    /// Calms down what waits to happen.
    pub(super) fn end(&self) {
        self.server.meanwhile.lock().unwrap().take();
        self.server.kills.store(false, Ordering::SeqCst);
    }

    pub(super) fn fate(&self) -> Fate {
        // Looks at which nothing is due are short.
        let longest = if self.draw(2) == 0 { 12 } else { 250 };
        let steps = u32::try_from(self.draw(longest)).unwrap();
        match self.draw(100) {
            _ if self.is_quiet() => Fate::Lives,
            0..9 => Fate::Dies(steps),
            9..18 => Fate::Ends(steps),
            _ => Fate::Lives,
        }
    }

    /// Lets a host do its work until it is done, or until the host is gone: then nothing is answered.
    pub(super) async fn meets<T>(&self, fate: Fate, stop: &Stop, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut steps = 0;
        let done = std::future::poll_fn(|context| {
            if self.server.kills.swap(false, Ordering::SeqCst) {
                return Poll::Ready(None);
            }
            match fate {
                Fate::Dies(at) if steps == at => return Poll::Ready(None),
                Fate::Ends(at) if steps == at => {
                    self.restarts.set(self.restarts.get() + 1);
                    stop.ask();
                }
                _ => {}
            }
            steps += 1;
            work.as_mut().poll(context).map(Some)
        })
        .await;
        self.deaths.set(self.deaths.get() + u32::from(done.is_none()));
        done
    }
}
