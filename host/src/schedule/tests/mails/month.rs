//! How time passes.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::machine::Machine;
use super::people::People;
use super::weather::{SET, Server, Weather};
use crate::database::MailState;
use crate::notices::tests::Site;

pub(super) const ZONE: &str = "America/New_York";
pub(super) const DAYS: u64 = 28;

/// The jobs that run.
pub(super) const SIMULATED: [&str; 2] = ["notify", "remind"];

/// A month.
pub(super) struct Month {
    pub site: Site,
    pub weather: Weather,
    pub people: People,
    pub looks: u32,
    machines: [Machine; 2],
    /// How often the clock was set.
    set: usize,
    /// When a sheet was last away by day, in the clock's running time.
    away_by_day: Option<Duration>,
    /// How many mails the server took of which that is not recorded.
    lost: usize,
}

impl Month {
    pub(super) async fn new(settings: &str) -> Self {
        let server = Arc::new(Server::default());
        let script = Arc::clone(&server);
        let site = Site::with_server(settings, move |command| script.answer(command)).await;
        Self {
            weather: Weather::new(server),
            people: People::new(site.folder()),
            looks: 0,
            machines: [Machine::new(0), Machine::new(1)],
            set: 0,
            away_by_day: None,
            lost: 0,
            site,
        }
    }

    /// Lets time pass until something is to be done, and has it done. False when the month is over.
    pub(super) async fn step(&mut self) -> bool {
        let clock = &self.site.app.clock;
        let next_set =
            SET.get(self.set).map(|(hour, hours)| (Duration::from_secs(hour * 3600 + 600), *hours));
        let next = self.machines.iter().map(Machine::next).chain([self.people.next()]).min().unwrap();
        // By then, what a dead host was sending may be seen to be nobody's.
        let mut next = next.max(clock.ran() + Duration::from_secs(60));
        if let Some((at, hours)) = next_set
            && at <= next
        {
            next = at.max(clock.ran());
            self.set += 1;
            clock.advance((next - clock.ran()).try_into().unwrap());
            clock.jump(SignedDuration::from_hours(hours));
        } else {
            clock.advance((next - clock.ran()).try_into().unwrap());
        }
        let (now, ran) = (clock.now(), clock.ran());
        self.weather.begin(now, ran);
        self.people.act(&self.weather, ran, now);
        let away = self.take_sheets_away();
        let [a, b] = &mut self.machines;
        a.start(&self.site, ran).await;
        b.start(&self.site, ran).await;
        let (deaths, lost) = (self.weather.deaths.get(), self.weather.lost_answers());
        tokio::join!(a.look(&self.weather, ran), b.look(&self.weather, ran));
        tokio::join!(a.deliver(&self.weather, ran), b.deliver(&self.weather, ran));
        self.weather.end();
        // What a dead host had under way is over now.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        for sheet in away {
            let folder = self.site.folder();
            // It is where it was unless no mail was taken.
            let _ = fs::rename(folder.join(format!("{sheet}.away")), folder.join(sheet));
        }
        let reasons = (self.weather.deaths.get() - deaths) + (self.weather.lost_answers() - lost);
        self.account(reasons as usize).await;
        self.looks += 1;
        ran < Duration::from_secs(DAYS * 24 * 3600)
    }

    /// Has a sheet be away from now on, or from the moment in which a mail is taken.
    fn take_sheets_away(&mut self) -> Vec<&'static str> {
        let sheet = if self.weather.draw(2) == 0 { "access" } else { "quota" };
        let folder = self.site.folder().to_owned();
        let leave = move || fs::rename(folder.join(sheet), folder.join(format!("{sheet}.away"))).unwrap();
        let ran = self.site.app.clock.ran();
        let hour = self.site.app.clock.now().in_tz(ZONE).unwrap().hour();
        let is_day = (8..22).contains(&hour);
        // What cannot be read is looked at again on the next occasion, and that is the next morning for reminders: it must
        // not be so for days.
        let was_so = self.away_by_day.is_some_and(|then| ran < then + Duration::from_secs(40 * 3600));
        match self.weather.draw(100) {
            _ if self.weather.is_quiet() || (is_day && was_so) => return Vec::new(),
            0..6 => leave(),
            6..18 => self.weather.meanwhile(leave),
            _ => return Vec::new(),
        }
        if is_day {
            self.away_by_day = Some(ran);
        }
        self.weather.sheet_faults.set(self.weather.sheet_faults.get() + 1);
        vec![sheet]
    }

    /// A mail that the server took is recorded as sent, unless a host died or the answer got lost.
    async fn account(&mut self, reasons: usize) {
        let sent = self.site.app.database.mails_in(&[MailState::Sent]).await.unwrap().len();
        let lost = self.site.peer.counts().1 - sent;
        let more = lost.checked_sub(self.lost).unwrap();
        assert!(more <= reasons, "{more} mails were taken and not recorded, for {reasons} reasons");
        self.lost = lost;
    }
}
