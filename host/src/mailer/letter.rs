//! Puts a mail into the form that goes over the wire (RFC 5322, MIME).
//!
//! Written is what is safe to write: a line break in an address or subject is an error, never a header.

use std::time::SystemTime;

use lettre::address::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use sha2::{Digest, Sha256};

use super::{Mail, MailerError};

/// The longest line of a mail, in bytes without its end.
const LONGEST_LINE: usize = 998;

/// A mail with its envelope.
pub(super) struct Letter {
    /// Whom refusals go back to.
    pub sender: Address,
    /// Everybody who gets it, each once; those whom it is addressed to come first.
    pub recipients: Vec<Address>,
    /// How many of them it is addressed to. The others get a copy.
    pub addressees: usize,
    /// Headers and body.
    pub bytes: Vec<u8>,
}

impl Letter {
    /// Whether an address holds letters that only SMTPUTF8 (RFC 6531) can carry.
    pub fn needs_utf8(&self) -> bool {
        std::iter::once(&self.sender).chain(&self.recipients).any(|address| !address.user().is_ascii())
    }
}

/// The Message-ID of a mail from `sender`: `name` must be different for each mail.
///
/// # Errors
/// Where the sender is not a mailbox.
pub fn message_id(name: &str, sender: &str) -> Result<String, MailerError> {
    let sender = mailbox("From", sender)?;
    Ok(format!("<{name}@{}>", sender.email.domain()))
}

/// Writes a mail.
pub(super) fn write(mail: &Mail) -> Result<Letter, MailerError> {
    let from = mailbox("From", &mail.sender)?;
    let sender = from.email.clone();
    let to = mailboxes("To", &mail.to)?;
    let cc = mailboxes("Cc", &mail.cc)?;
    if to.is_empty() {
        return Err(MailerError::NoRecipient);
    }
    if mail.subject.trim().is_empty() || mail.subject.chars().any(char::is_control) {
        return Err(MailerError::Subject);
    }
    let mut recipients: Vec<Address> = Vec::new();
    add_new(&mut recipients, &to);
    let addressees = recipients.len();
    add_new(&mut recipients, &cc);
    let mut builder = lettre::Message::builder()
        .from(from)
        .subject(mail.subject.trim())
        .date(SystemTime::from(mail.date))
        .message_id(Some(checked_message_id(&mail.message_id)?))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for mailbox in to {
        builder = builder.to(mailbox);
    }
    for mailbox in cc {
        builder = builder.cc(mailbox);
    }
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text_body(&mail.text));
    let message = match &mail.html {
        None => builder.singlepart(text),
        Some(html) => {
            let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(plain_lines(html));
            let parts = MultiPart::alternative().boundary(boundary(mail)).singlepart(text).singlepart(html);
            builder.multipart(parts)
        }
    };
    let message = message.map_err(|error| MailerError::Letter(error.to_string()))?;
    Ok(Letter { sender, recipients, addressees, bytes: message.formatted() })
}

/// Programs read some of the mails, and not all of them know of encodings: plain ASCII goes as it is, as long as
/// no line is too long for SMTP (RFC 5322, section 2.1.1).
fn text_body(text: &str) -> Body {
    let lines = plain_lines(text);
    if lines.is_ascii() && lines.lines().all(|line| line.len() <= LONGEST_LINE) {
        let wire = lines.replace('\n', "\r\n").into_bytes();
        return Body::dangerous_pre_encoded(wire, ContentTransferEncoding::SevenBit);
    }
    Body::new(lines)
}

fn add_new(recipients: &mut Vec<Address>, mailboxes: &[Mailbox]) {
    for mailbox in mailboxes {
        if !recipients.contains(&mailbox.email) {
            recipients.push(mailbox.email.clone());
        }
    }
}

/// Whether a text is one mailbox that mail can be addressed to.
///
/// # Errors
/// Where it is not, in words for people.
pub fn check_recipient(text: &str) -> Result<(), MailerError> {
    mailbox("To", text).map(drop)
}

fn mailboxes(field: &'static str, texts: &[String]) -> Result<Vec<Mailbox>, MailerError> {
    texts.iter().map(|text| mailbox(field, text)).collect()
}

/// An address with a domain outside ASCII turned into its ASCII form (IDNA), which every server understands; none
/// where it has no such form.
#[must_use]
pub fn with_ascii_domain(address: Address) -> Option<Address> {
    if address.domain().is_ascii() {
        return Some(address);
    }
    let domain = url::Host::parse(address.domain()).ok()?;
    Address::new(address.user(), domain.to_string()).ok()
}

/// Reads one mailbox.
fn mailbox(field: &'static str, text: &str) -> Result<Mailbox, MailerError> {
    let wrong = || MailerError::Address { field, address: text.to_owned() };
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    let mut mailbox: Mailbox = text.trim().parse().map_err(|_| wrong())?;
    mailbox.email = with_ascii_domain(mailbox.email).ok_or_else(wrong)?;
    Ok(mailbox)
}

fn checked_message_id(text: &str) -> Result<String, MailerError> {
    let inner =
        text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).and_then(|id| id.split_once('@'));
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '@'))
    };
    match inner {
        Some((name, domain)) if plain(name) && plain(domain) => Ok(text.to_owned()),
        _ => Err(MailerError::MessageId),
    }
}

/// Line feeds only, and no control characters that a mail may not hold: a lone CR or a NUL comes from
/// what users typed, and is no reason not to write to them.
fn plain_lines(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// A line that cannot occur in the parts that it divides, and is the same each time.
fn boundary(mail: &Mail) -> String {
    let mut hash = Sha256::new();
    for part in [&mail.message_id, &mail.text, mail.html.as_ref().unwrap_or(&String::new())] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..20])
}
