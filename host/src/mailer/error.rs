//! Why a mail was not sent, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::settings::secret::SecretError;

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The file of certificates cannot be read.
    #[error("mail.ca_file: cannot read {file}: {source}", file = file.display())]
    CaFile {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file of certificates holds none, or a damaged one.
    #[error(
        "mail.ca_file: {file} is not a list of certificates in PEM form ({reason}); it needs one or more \
         blocks that begin with -----BEGIN CERTIFICATE-----",
        file = file.display()
    )]
    NotCertificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The password cannot be read.
    #[error("mail.login: {0}")]
    Secret(#[from] SecretError),
    /// TLS cannot be set up at all.
    #[error("TLS for mail cannot be set up: {0}")]
    Setup(String),

    /// A mailbox is not one.
    #[error("{field}: {address:?} is not one e-mail address, or Name <address>")]
    Address {
        /// The header at fault.
        field: &'static str,
        /// What was to go there.
        address: String,
    },
    /// The subject is blank or not one line.
    #[error("the subject is blank, or holds a line break or another control character")]
    Subject,
    /// The Message-ID is not one.
    #[error("the Message-ID is not of the form <name@domain>")]
    MessageId,
    /// The mail goes to nobody.
    #[error("the mail has no recipient")]
    NoRecipient,
    /// The mail cannot be put into the form that goes over the wire.
    #[error("the mail cannot be written: {0}")]
    Letter(String),
    /// An address needs an extension that the server lacks.
    #[error(
        "{server} takes no addresses with letters outside ASCII before the @ (it does not offer SMTPUTF8); \
         the recipient needs another address"
    )]
    NeedsUtf8 {
        /// Host and port.
        server: String,
    },

    /// No connection.
    #[error(
        "cannot connect to the mail server {server}: {reason}; check mail.host and mail.port, and that it runs"
    )]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the operating system says.
        reason: String,
    },
    /// No answer in time.
    #[error(
        "the mail server {server} did not answer in time {step}{hint}",
        hint = if *step == Step::Connecting {
            "; a port that speaks TLS from the first byte (465) stays silent unless mail.security is \"tls\""
        } else {
            ""
        }
    )]
    Timeout {
        /// Host and port.
        server: String,
        /// How far the conversation had come.
        step: Step,
    },
    /// The connection ended, or what came back was not SMTP.
    #[error("the connection to the mail server {server} broke {step}: {reason}")]
    Broken {
        /// Host and port.
        server: String,
        /// How far the conversation had come.
        step: Step,
        /// What happened.
        reason: String,
    },
    /// No authority that is trusted here has signed the server's certificate.
    #[error(
        "the certificate of the mail server {server} is signed by an authority that is not trusted here; if it \
         is the site's own, name the authority's certificate in mail.ca_file"
    )]
    UntrustedIssuer {
        /// Host and port.
        server: String,
    },
    /// The certificate is another host's.
    #[error(
        "the certificate of the mail server {server} is not for this name ({reason}); mail.host must be a name \
         that the certificate carries"
    )]
    WrongName {
        /// Host and port.
        server: String,
        /// Which names it carries.
        reason: String,
    },
    /// The certificate is not valid for another reason.
    #[error("the certificate of the mail server {server} is not valid: {reason}")]
    Certificate {
        /// Host and port.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server answered something that is not TLS.
    #[error(
        "the mail server {server} does not speak TLS from the first byte; if it offers STARTTLS, set \
         mail.security to \"starttls\""
    )]
    NotTls {
        /// Host and port.
        server: String,
    },
    /// TLS did not come about.
    #[error("TLS with the mail server {server} failed: {reason}")]
    Tls {
        /// Host and port.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The server does not offer what the settings ask for.
    #[error(
        "the mail server {server} does not offer STARTTLS, and mail is never sent in clear instead; turn STARTTLS \
         on there, or set mail.security to \"tls\" (port 465), or to \"plain\" if the way to it is protected otherwise"
    )]
    NoStarttls {
        /// Host and port.
        server: String,
    },
    /// The server has no login that this program knows.
    #[error(
        "the mail server {server} offers neither of the logins PLAIN and LOGIN; remove mail.login if it asks for \
         none, or turn one of them on there"
    )]
    NoLogin {
        /// Host and port.
        server: String,
    },
    /// The server refuses the login, or asks for one that is not set.
    #[error("the mail server {server} refuses the login: {reply}; check mail.login and mail.security")]
    LoginRefused {
        /// Host and port.
        server: String,
        /// Its answer.
        reply: Reply,
    },
    /// The server refuses.
    #[error("the mail server {server} refuses {step}: {reply}")]
    Refused {
        /// Host and port.
        server: String,
        /// What it refused.
        step: Step,
        /// Its answer.
        reply: Reply,
    },
}

impl MailerError {
    /// Whether the same mail may well be sent later without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Refused { reply, .. } | Self::LoginRefused { reply, .. } => {
                (400..500).contains(&reply.code)
            }
            _ => false,
        }
    }

    /// Why the server cannot be used at present, with its name and without anybody's address; none where it can, or where
    /// somebody has to act.
    #[must_use]
    pub fn why_away(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some(self.to_string()),
            Self::Timeout { server, .. } => Some(format!("the mail server {server} did not answer in time")),
            Self::Broken { server, .. } => Some(format!("the connection to the mail server {server} broke")),
            Self::Refused { server, reply, .. } | Self::LoginRefused { server, reply }
                if self.is_passing() && !self.concerns_mail() =>
            {
                Some(format!("the mail server {server} answers {} for now", reply.code))
            }
            _ => None,
        }
    }

    /// Whether this one mail is at fault and no repetition helps.
    #[must_use]
    pub fn condemns_mail(&self) -> bool {
        let at_sender = matches!(self, Self::Refused { step: Step::Sender, .. });
        // A sender that the server does not let through is the settings' fault: corrected, the mail may go.
        self.concerns_mail() && !self.is_passing() && !at_sender
    }

    /// The recipient that the server refuses for good, where that is what failed.
    pub(super) fn refused_recipient(&self) -> Option<RefusedRecipient> {
        match self {
            Self::Refused { step: Step::Recipient(address), reply, .. }
                if self.concerns_mail() && !self.is_passing() =>
            {
                Some(RefusedRecipient { address: address.clone(), reply: reply.clone() })
            }
            _ => None,
        }
    }

    /// Whether this one mail is at fault, so that others may be sent at once. Otherwise it is the server or
    /// the settings, and every other mail would meet the same.
    #[must_use]
    pub fn concerns_mail(&self) -> bool {
        match self {
            Self::Address { .. }
            | Self::Subject
            | Self::MessageId
            | Self::NoRecipient
            | Self::Letter(_)
            | Self::NeedsUtf8 { .. } => true,
            // 421 means that the server is going away, whatever it was asked (RFC 5321, section 3.8).
            Self::Refused { step, reply, .. } => {
                reply.code != 421 && matches!(step, Step::Sender | Step::Recipient(_) | Step::Content)
            }
            _ => false,
        }
    }
}

/// A recipient who does not get a mail that others get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// The address.
    pub address: String,
    /// What the server says.
    pub reply: Reply,
}

impl fmt::Display for RefusedRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was refused: {}", self.address, self.reply)
    }
}

/// What the server was asked when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection, up to the server's greeting.
    Connecting,
    /// STARTTLS and the TLS handshake.
    Starttls,
    /// The login.
    Login,
    /// Whether it is still there.
    Alive,
    /// The sender (MAIL).
    Sender,
    /// A recipient (RCPT).
    Recipient(String),
    /// The mail itself (DATA).
    Content,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("at the greeting"),
            Self::Starttls => f.write_str("at STARTTLS"),
            Self::Login => f.write_str("at the login"),
            Self::Alive => f.write_str("when asked whether it is there"),
            Self::Sender => f.write_str("at the sender"),
            Self::Recipient(address) => write!(f, "at the recipient {address}"),
            Self::Content => f.write_str("at the mail itself"),
        }
    }
}

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits (RFC 5321, section 4.2).
    pub code: u16,
    /// The words after them, without links.
    text: String,
}

/// How much of a server's words is repeated.
const REPLY_LIMIT: usize = 300;

impl Reply {
    /// Keeps the words that are safe to show. Content filters repeat the link that they dislike, and the
    /// links in these mails are secrets.
    pub(super) fn new(code: u16, words: &str) -> Self {
        let shown = words.split_whitespace().map(|word| {
            let secret = word.contains("://") || word.contains("token=") || word.starts_with("www.");
            if secret { "[link]" } else { word }
        });
        let text: String = shown.collect::<Vec<_>>().join(" ");
        let text = text.chars().filter(|c| !c.is_control()).take(REPLY_LIMIT).collect();
        Self { code, text }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}
