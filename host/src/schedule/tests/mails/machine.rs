//! A machine, and the host on it where there is one.

use std::time::Duration;

use super::month::SIMULATED;
use super::weather::Weather;
use crate::app::{Access, App};
use crate::notices::tests::Site;
use crate::schedule::seen::Seen;
use crate::schedule::{Scheduler, jobs};
use crate::stop::Stop;

/// A machine.
pub(super) struct Machine {
    number: usize,
    /// How many hosts there were on it. Each has another name.
    started: usize,
    app: Option<App>,
    seen: Vec<Seen>,
    /// When each job is looked at next, and when a host is started, in the clock's running time.
    wakes: Vec<Duration>,
    starts: Duration,
}

impl Machine {
    pub(super) fn new(number: usize) -> Self {
        Self { number, started: 0, app: None, seen: Vec::new(), wakes: Vec::new(), starts: Duration::ZERO }
    }

    /// When something is to be done here.
    pub(super) fn next(&self) -> Duration {
        match &self.app {
            None => self.starts,
            Some(_) => self.wakes.iter().copied().min().unwrap(),
        }
    }

    pub(super) async fn start(&mut self, site: &Site, ran: Duration) {
        if self.app.is_some() || self.starts > ran {
            return;
        }
        let settings = site.app.settings.clone();
        let app = App::build(settings, site.app.clock.clone(), Access::Write).await.unwrap();
        // Compiled components are the same for all.
        self.app = Some(App { plugins: site.app.plugins.clone(), ..app });
        self.started += 1;
        self.seen = SIMULATED.iter().map(|_| Seen::default()).collect();
        self.wakes = vec![ran; SIMULATED.len()];
    }

    /// Looks at the jobs whose time has come. Says whether the host has died.
    pub(super) async fn look(&mut self, weather: &Weather, ran: Duration) {
        let Some(app) = &self.app else { return };
        let mut jobs = jobs::jobs(app);
        jobs.retain(|job| SIMULATED.contains(&job.name.as_str()));
        let host = Scheduler {
            holder: format!("{}#{}", self.number, self.started),
            // Nobody can tell what has died on another machine.
            is_gone: |_| false,
            look: Duration::from_secs(6 * 3600),
            ..Scheduler::of(app, jobs)
        };
        let stop = Stop::default();
        let looks = async {
            for ((job, seen), wake) in host.jobs.iter().zip(&mut self.seen).zip(&mut self.wakes) {
                while *wake <= ran && !stop.is_asked() {
                    *wake = ran + host.turn(job, seen, &stop).await.unwrap();
                }
            }
        };
        let lives = weather.meets(weather.fate(), &stop, looks).await.is_some();
        drop(host);
        if !lives {
            self.end(ran + Duration::from_secs(60 * (1 + weather.draw(60)))).await;
        } else if stop.is_asked() {
            self.end(ran + Duration::from_secs(60)).await;
        }
    }

    /// Sends mail that waits, as a server does beside the jobs.
    pub(super) async fn deliver(&mut self, weather: &Weather, ran: Duration) {
        let Some(app) = &self.app else { return };
        let sending = app.outbox.deliver_due();
        match weather.meets(weather.fate(), &Stop::default(), sending).await {
            Some(sent) => drop(sent.unwrap()),
            None => self.end(ran + Duration::from_secs(60 * (1 + weather.draw(60)))).await,
        }
    }

    async fn end(&mut self, starts: Duration) {
        if let Some(app) = self.app.take() {
            app.database.close().await;
        }
        self.starts = starts;
    }
}
