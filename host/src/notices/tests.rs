//! Tickets and reminders of a site with sheets in files, the bundled components, a mail server that answers as a test
//! wants, and a clock that stands still until it is moved.

mod remind;
mod tickets;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::report::{NoticeState, Report};
use crate::app::{Access, App};
use crate::clock::Clock;
use crate::keys::Keys;
use crate::mailer::peer::{CONTENT, Peer};
use crate::settings::Settings;

const ACCESS_HEADER: &str = "Approved,Notified,Reminded,Timestamp,E-mail,First name,Last name,Account?,Organization,Role,\
                             Phone,Sponsor,PIN,Comment,Project?,New project,Description,Users,Existing project,Contact,\
                             Contact e-mail";

const QUOTA_HEADER: &str = "Approved,Notified,Reminded,Timestamp,E-mail,First name,Last name,Organization,Project,Type,End \
                            date,Instances,Cores,RAM,Floating IPs,Networks,Ports,Volumes,Snapshots,Gigabytes,Comment,Notes";

/// What happens in the moment in which the mail server takes a mail.
type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A site with a mail server.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub app: App,
    pub peer: Peer,
    meanwhile: Meanwhile,
}

impl Site {
    /// The clock stands at noon of 16 March 2018 in New York.
    pub async fn new(more_settings: &str) -> Self {
        Self::with_server(more_settings, |_| None).await
    }

    /// The same with a mail server that says what `script` wants.
    pub async fn with_server(
        more_settings: &str,
        script: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let meanwhile = Meanwhile::default();
        let at_content = Arc::clone(&meanwhile);
        let peer = Peer::start(move |command| {
            if command == CONTENT
                && let Some(happens) = at_content.lock().unwrap().take()
            {
                happens();
            }
            script(command)
        })
        .await;
        // In memory where that can be had: a simulated month writes thousands of times.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        for (sheet, header) in [("access", ACCESS_HEADER), ("quota", QUOTA_HEADER)] {
            fs::create_dir(folder.path().join(sheet)).unwrap();
            fs::write(requests(folder.path(), sheet), format!("{header}\n")).unwrap();
        }
        fs::write(folder.path().join("password"), "not used").unwrap();
        let mail = peer.settings();
        let settings = format!(
            r#"
            {more_settings}
            [site]
            name = "Example"
            time_zone = "America/New_York"
            support_email = "support@example.org"
            [database]
            file = "usher.sqlite"
            key_file = "usher.keys"
            [sheet]
            backend = "csv"
            access = "access"
            quota = "quota"
            [setpass]
            public_url = "https://setpass.example.org/"
            [keystone.auth]
            method = "password"
            url = "http://127.0.0.1:9/v3"
            username = "usher"
            password = {{ file = "password" }}
            project = "admin"
            [mail]
            host = "127.0.0.1"
            port = {port}
            security = "plain"
            sender = "noreply@example.org"
            helpdesk = "helpdesk@example.org"
            undeliverable = "undeliverable"
            [plugins]
            cache = {cache:?}
            row_parser = {{ component = {rows:?} }}
            quota_policy = {{ component = {rows:?} }}
            mail_templates = {{ component = {mails:?}, files = {templates:?} }}
            "#,
            port = mail.port(),
            cache = below("target/tmp/plugin-cache"),
            rows = below("target/components/moc-rows.wasm"),
            mails = below("target/components/standard-mail.wasm"),
            templates = below("plugins/standard-mail/templates"),
        );
        let settings = Settings::parse(&settings, &folder.path().join("settings.toml")).unwrap();
        let clock = Clock::manual("2018-03-16T16:00:00Z".parse::<Timestamp>().unwrap());
        Keys::create(&settings.database.key_file, clock.now()).unwrap();
        let app = App::build(settings, clock, Access::Write).await.unwrap();
        Self { folder, app, peer, meanwhile }
    }

    /// Writes the rows below the header, each from its first cells.
    pub fn write(&self, sheet: &str, rows: &[&[&str]]) {
        write(self.folder.path(), sheet, rows);
    }

    /// The cells of a column below the header.
    pub fn column(&self, sheet: &str, column: usize) -> Vec<String> {
        let text = fs::read_to_string(requests(self.folder.path(), sheet)).unwrap();
        let cell = |line: &str| line.split(',').nth(column).unwrap_or_default().to_owned();
        text.lines().skip(1).map(cell).collect()
    }

    /// Has something happen when the mail server takes the next mail.
    pub fn meanwhile(&self, happens: impl FnOnce(&Path) + Send + 'static) {
        let folder = self.folder.path().to_owned();
        *self.meanwhile.lock().unwrap() = Some(Box::new(move || happens(&folder)));
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn pass(&self, hours: i64) {
        self.app.clock.advance(SignedDuration::from_hours(hours));
    }

    /// The subjects of the mails that the server took, each with its recipients.
    pub fn mails(&self) -> Vec<String> {
        let header = |mail: &String, name: &str| {
            let line = mail.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().to_owned()
        };
        let seen = self.peer.seen();
        seen.mails
            .iter()
            .map(|mail| format!("{}: {}", header(mail, "To:"), header(mail, "Subject:")))
            .collect()
    }
}

/// The worksheet that the form fills.
pub(crate) fn requests(folder: &Path, sheet: &str) -> PathBuf {
    folder.join(sheet).join("Form Responses 1.csv")
}

/// See [`Site::write`].
pub(crate) fn write(folder: &Path, sheet: &str, rows: &[&[&str]]) {
    let header = if sheet == "access" { ACCESS_HEADER } else { QUOTA_HEADER };
    let mut text = format!("{header}\n");
    for row in rows {
        text.push_str(&row.join(","));
        text.push('\n');
    }
    fs::write(requests(folder, sheet), text).unwrap();
}

/// A path of the repository, where the components are built too.
fn below(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

fn states(report: &Report) -> Vec<(&'static str, u32, NoticeState)> {
    report.requests.iter().map(|request| (request.sheet, request.row, request.state)).collect()
}
