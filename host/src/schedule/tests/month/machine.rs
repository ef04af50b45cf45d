//! A machine, on which a server runs, dies, and is started again.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::LocalBoxFuture;

use super::JOBS;
use super::world::World;
use crate::schedule::seen::Seen;
use crate::schedule::tests::fixture::{Site, job, work};
use crate::schedule::{Job, RENEWAL, Scheduler};
use crate::stop::Stop;

/// How many hosts of each name have been started. One that was started before another of its name is known to be dead
/// on the same machine, and on no other.
static STARTED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

fn is_gone(machine: usize, holder: &str) -> bool {
    let (name, number) = holder.split_once('#').unwrap();
    name == machine.to_string() && number.parse::<usize>().unwrap() < STARTED[machine].load(Ordering::SeqCst)
}

/// A machine, and the host on it where there is one.
pub(super) struct Machine {
    number: usize,
    host: Option<Rc<Scheduler<'static>>>,
    /// What was seen by each job, unless it is being looked at.
    seen: Vec<Option<Seen>>,
    /// When each job is looked at next, and when the host is started again, in the clock's running time.
    wakes: Vec<Duration>,
    starts: Duration,
    looks: Vec<Look>,
}

/// A look at a job, which lasts as long as the job runs.
struct Look {
    job: usize,
    began: Duration,
    turn: LocalBoxFuture<'static, (Seen, Duration)>,
}

impl Machine {
    pub(super) fn new(number: usize) -> Self {
        let (seen, wakes, looks) = (Vec::new(), Vec::new(), Vec::new());
        Self { number, host: None, seen, wakes, starts: Duration::ZERO, looks }
    }

    pub(super) fn is_down(&self) -> bool {
        self.host.is_none()
    }

    /// Starts the host where it is its time, and looks at the jobs whose time has come.
    pub(super) async fn begin(&mut self, site: &Site, world: &Rc<World>) {
        let ran = site.clock.ran();
        if self.host.is_none() && self.starts <= ran {
            self.start(site, world).await;
        }
        let stop = world.stops.borrow()[self.number].clone();
        let Some(host) = self.host.as_ref().filter(|_| !stop.is_asked()) else { return };
        for (job, seen) in self.seen.iter_mut().enumerate().filter(|(job, _)| self.wakes[*job] <= ran) {
            let Some(mut seen) = seen.take() else { continue };
            let (host, stop) = (Rc::clone(host), stop.clone());
            let turn = Box::pin(async move {
                let wait = host.turn(&host.jobs[job], &mut seen, &stop).await.unwrap();
                (seen, wait)
            });
            self.looks.push(Look { job, began: ran, turn });
        }
    }

    async fn start(&mut self, site: &Site, world: &Rc<World>) {
        let number = self.number;
        let started = STARTED[number].fetch_add(1, Ordering::SeqCst) + 1;
        let jobs: Vec<Job<'static>> = JOBS
            .iter()
            .map(|(name, cron)| {
                let world = Rc::clone(world);
                let work = work(move |call| {
                    let world = Rc::clone(&world);
                    async move { world.work(number, name, call).await }
                });
                job(name, cron, work)
            })
            .collect();
        let host = site.host(&format!("{number}#{started}"), jobs).await;
        let is_gone: fn(&str) -> bool =
            if number == 0 { |holder| is_gone(0, holder) } else { |holder| is_gone(1, holder) };
        self.host = Some(Rc::new(Scheduler { is_gone, ..host }));
        world.stops.borrow_mut()[number] = Stop::default();
        self.seen = JOBS.iter().map(|_| Some(Seen::default())).collect();
        self.wakes = vec![site.clock.ran(); JOBS.len()];
    }

    /// Goes on with all looks. Says whether each of those that are left waits for time to pass in the middle of its job.
    fn poll(&mut self, context: &mut Context<'_>, ran: Duration, world: &World) -> bool {
        for mut look in std::mem::take(&mut self.looks) {
            match look.turn.as_mut().poll(context) {
                Poll::Ready((seen, wait)) => {
                    self.wakes[look.job] = ran + wait;
                    self.seen[look.job] = Some(seen);
                }
                Poll::Pending => self.looks.push(look),
            }
        }
        let goes_on = |look: &Look| world.goes_on(self.number, JOBS[look.job].0);
        self.looks.iter().all(|look| goes_on(look).is_some_and(|moment| moment > ran))
    }

    /// After all have come as far as they can: the host is gone where it died, or was told to stop and has.
    pub(super) fn end(&mut self, ran: Duration, world: &World) {
        if self.host.is_none() {
            return;
        }
        let down = if std::mem::take(&mut world.dying.borrow_mut()[self.number]) {
            world.dead.borrow_mut()[self.number] = true;
            self.looks.clear();
            world.dead.borrow_mut()[self.number] = false;
            60 * world.draw(180)
        } else if world.stops.borrow()[self.number].is_asked() && self.looks.is_empty() {
            20
        } else {
            return;
        };
        self.host = None;
        self.starts = ran + Duration::from_secs(down);
    }

    /// When something happens here next.
    pub(super) fn next(&self, ran: Duration, world: &World) -> Duration {
        if self.host.is_none() {
            return self.starts;
        }
        let stops = world.stops.borrow()[self.number].is_asked();
        let idle = self.wakes.iter().zip(&self.seen).filter(|(_, seen)| seen.is_some() && !stops);
        let working = self.looks.iter().flat_map(|look| {
            let renewals = u32::try_from((ran - look.began).as_secs() / RENEWAL.as_secs()).unwrap() + 1;
            let goes_on = world.goes_on(self.number, JOBS[look.job].0);
            [Some(look.began + RENEWAL * renewals), goes_on]
        });
        idle.map(|(wake, _)| *wake).chain(working.flatten()).min().unwrap_or(Duration::MAX)
    }
}

/// Lets all machines come as far as they can without any time passing: those who renew leases too are back at waiting for
/// the clock then.
pub(super) async fn settle(machines: &mut [Machine; 2], site: &Site, world: &World) {
    let ran = site.clock.ran();
    poll_fn(|context| {
        let mut all_wait = true;
        for machine in machines.iter_mut() {
            // Each of them has to be polled.
            all_wait &= machine.poll(context, ran, world);
        }
        if all_wait && site.clock.sleepers() == world.sleepers() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
