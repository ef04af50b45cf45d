//! A mail server: `mail_server.py`, which speaks real SMTP and keeps what it accepts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;

use crate::{process, python_service};

/// How a server is to behave.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// How it protects connections.
    pub tls: Tls,
    /// User name and password that it asks for, where it does.
    pub login: Option<(String, String)>,
    /// Recipients that it refuses for good (550).
    pub refuse: Vec<String>,
    /// How many messages it puts off (451) before it accepts one.
    pub fail_first: u32,
}

/// How a server protects connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// STARTTLS is offered, and nothing else accepted before it.
    #[default]
    Required,
    /// TLS from the first byte.
    Implicit,
    /// Not at all.
    Absent,
}

/// What a server does wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It closes a connection as soon as it is there.
    Greeting,
    /// It puts off the sender of a message (451).
    Mail,
    /// It puts off a recipient (451).
    Rcpt,
    /// It puts off a message (451).
    Data,
    /// It keeps a message, and closes the connection without an answer.
    Taken,
}

/// A running server. Stopped on drop.
#[derive(Debug)]
pub struct MailServer {
    folder: PathBuf,
    port: u16,
    process: Child,
}

/// A message that the server accepted.
#[derive(Clone, Debug, Deserialize)]
pub struct Received {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The TLS version that it came over, such as `TLSv1.3`; none where it came in clear.
    pub tls: Option<String>,
    /// Who had logged in.
    pub login: Option<String>,
    /// The Message-ID header.
    pub message_id: Option<String>,
    /// The decoded subject.
    pub subject: String,
    /// The To header.
    pub header_to: Option<String>,
    /// The Cc header.
    pub header_cc: Option<String>,
    /// The decoded plain text.
    pub text: Option<String>,
    /// The decoded HTML.
    pub html: Option<String>,
}

impl Received {
    /// The link to choose a password with, where the mail has one.
    #[must_use]
    pub fn link(&self) -> Option<String> {
        let link = self.text.as_deref()?.split_whitespace().find(|word| word.contains("?token="))?;
        Some(link.trim_matches(['<', '>']).to_owned())
    }
}

/// The links that were mailed to a user, in order.
#[must_use]
pub fn links(received: &[Received], user: &str) -> Vec<String> {
    let mails = received.iter().filter(|mail| mail.to.iter().any(|to| to == user));
    mails.filter_map(Received::link).collect()
}

impl MailServer {
    /// Starts a server that keeps its mails and certificates in `folder`.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(folder: &Path, behaviour: &Behaviour) -> Result<Self> {
        let mut arguments = vec!["--tls".to_owned(), behaviour.tls.option().to_owned()];
        arguments.extend(["--fail-first".to_owned(), behaviour.fail_first.to_string()]);
        if let Some((user, password)) = &behaviour.login {
            arguments.extend(["--login".to_owned(), format!("{user}:{password}")]);
        }
        for address in &behaviour.refuse {
            arguments.extend(["--refuse".to_owned(), address.clone()]);
        }
        let (process, port) = python_service::start("mail_server.py", folder, &arguments)?;
        Ok(Self { folder: folder.to_owned(), port, process })
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that signed the server's own.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The certificate of an authority that has nothing to do with this server.
    #[must_use]
    pub fn other_ca_file(&self) -> PathBuf {
        self.folder.join("other-ca.pem")
    }

    /// What is to go wrong with the `nth` thing of its kind from now on, and with no other one.
    ///
    /// # Errors
    /// Where the server cannot be told.
    pub fn fault(&self, fault: Fault, nth: usize) -> Result<()> {
        let (file, whole) = (self.folder.join("fault.part"), self.folder.join("fault"));
        fs::write(&file, format!("{} {nth}", fault.place()))?;
        Ok(fs::rename(file, whole)?)
    }

    /// Whether what was to go wrong has gone wrong.
    #[must_use]
    pub fn fault_is_over(&self) -> bool {
        !self.folder.join("fault").exists()
    }

    /// The messages accepted so far, in order.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn received(&self) -> Result<Vec<Received>> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        files.iter().map(|file| Ok(serde_json::from_slice(&fs::read(file)?)?)).collect()
    }

    /// The messages accepted so far as they came over the wire, in order.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn sources(&self) -> Result<Vec<String>> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
        files.sort();
        files.iter().map(|file| Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())).collect()
    }

    /// Waits until at least `count` messages were accepted, and returns all.
    ///
    /// # Errors
    /// Where that does not happen within half a minute.
    pub fn wait_for(&self, count: usize) -> Result<Vec<Received>> {
        process::wait_for(&format!("{count} mails"), Duration::from_secs(30), || {
            let mails = self.received()?;
            Ok((mails.len() >= count).then_some(mails))
        })
    }
}

impl Fault {
    fn place(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Taken => "taken",
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        process::terminate(&mut self.process, Duration::from_secs(5));
    }
}

impl Tls {
    fn option(self) -> &'static str {
        match self {
            Self::Required => "starttls",
            Self::Implicit => "implicit",
            Self::Absent => "none",
        }
    }
}
