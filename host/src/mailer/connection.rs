//! The conversation with the server, step by step, so that an error can say which step it was.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret;

use super::error::{MailerError, RefusedRecipient, Reply, Step};
use super::letter::Letter;
use crate::settings::mail::{Mail as MailSettings, Security};

/// How long taking leave may last, and finding out whether a kept connection still works.
const SHORT: Duration = Duration::from_secs(5);

/// What is known about the server before connecting.
#[derive(Clone)]
pub(super) struct Server {
    host: String,
    port: u16,
    protection: Protection,
    credentials: Option<Credentials>,
    /// The name that this host gives itself in EHLO.
    hello: ClientId,
    timeout: Duration,
    content_timeout: Duration,
}

#[derive(Clone)]
enum Protection {
    Starttls(TlsParameters),
    Tls(TlsParameters),
    Plain,
}

impl Server {
    pub(super) fn new(settings: &MailSettings) -> Result<Self, MailerError> {
        let protection = match settings.security {
            Security::Starttls => Protection::Starttls(tls(settings)?),
            Security::Tls => Protection::Tls(tls(settings)?),
            Security::Plain => Protection::Plain,
        };
        let credentials = match &settings.login {
            Some(login) => {
                let password = login.password.read()?;
                Some(Credentials::new(login.username.clone(), password.expose_secret().to_owned()))
            }
            None => None,
        };
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port(),
            protection,
            credentials,
            hello: ClientId::default(),
            timeout: settings.timeout,
            content_timeout: settings.content_timeout,
        })
    }

    /// Host and port, for people.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects, protects the connection and logs in, as the settings say.
    pub(super) async fn connect(&self) -> Result<Connection, MailerError> {
        let wrapper = match &self.protection {
            Protection::Tls(tls) => Some(tls.clone()),
            Protection::Starttls(_) | Protection::Plain => None,
        };
        // A name may have several addresses; one that does not answer must not use up the time of all.
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            Some(self.timeout / 2),
            &self.hello,
            wrapper,
            None,
        );
        let smtp = self.within(&Step::Connecting, connecting).await?;
        let mut connection = Connection { smtp, server: self.clone() };
        if let Protection::Starttls(tls) = &self.protection {
            connection.start_tls(tls.clone()).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.log_in(credentials).await?;
        }
        Ok(connection)
    }

    /// Does one step within the time that the settings allow it.
    async fn within<T>(
        &self,
        step: &Step,
        doing: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
    ) -> Result<T, MailerError> {
        self.within_time(self.timeout, step, doing).await
    }

    async fn within_time<T>(
        &self,
        limit: Duration,
        step: &Step,
        doing: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
    ) -> Result<T, MailerError> {
        match tokio::time::timeout(limit, doing).await {
            Ok(done) => done.map_err(|error| self.explain(step, &error)),
            Err(_) => Err(MailerError::Timeout { server: self.name(), step: step.clone() }),
        }
    }

    /// Says what an error of the SMTP client means.
    fn explain(&self, step: &Step, error: &lettre::transport::smtp::Error) -> MailerError {
        let server = self.name();
        if let Some(code) = error.status() {
            let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            let reply = Reply::new(code.into(), &words);
            // 530, 534, 535 and 538 mean that a login is missing or wrong, whenever they come (RFC 4954).
            return if *step == Step::Login || matches!(reply.code, 530 | 534 | 535 | 538) {
                MailerError::LoginRefused { server, reply }
            } else {
                MailerError::Refused { server, step: step.clone(), reply }
            };
        }
        if error.is_timeout() {
            return MailerError::Timeout { server, step: step.clone() };
        }
        if let Some(cause) = tls_cause(error) {
            return explain_tls(server, cause);
        }
        let reason = innermost(error);
        if *step == Step::Connecting && !error.is_response() {
            MailerError::Unreachable { server, reason }
        } else {
            MailerError::Broken { server, step: step.clone(), reason }
        }
    }
}

/// Which certificates are trusted: the system's and those of `mail.ca_file`.
fn tls(settings: &MailSettings) -> Result<TlsParameters, MailerError> {
    let setup = |error: lettre::transport::smtp::Error| MailerError::Setup(innermost(&error));
    let mut builder = TlsParameters::builder(settings.host.clone());
    for certificate in settings.ca_file.as_deref().map_or(Ok(Vec::new()), certificates)? {
        builder = builder.add_root_certificate(Certificate::from_der(certificate).map_err(setup)?);
    }
    builder.build().map_err(setup)
}

fn certificates(file: &Path) -> Result<Vec<Vec<u8>>, MailerError> {
    let not = |reason: String| MailerError::NotCertificates { file: file.to_owned(), reason };
    let pem = std::fs::read(file).map_err(|source| MailerError::CaFile { file: file.to_owned(), source })?;
    let mut found = Vec::new();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| not(error.to_string()))?;
        roots.add(certificate.clone()).map_err(|error| not(error.to_string()))?;
        found.push(certificate.to_vec());
    }
    if found.is_empty() {
        return Err(not("there is none in it".to_owned()));
    }
    Ok(found)
}

/// The content as it goes over the line: a dot before each that begins a line, and the end (RFC 5321, section 4.5.2).
fn with_end(text: &str) -> String {
    let dot = if text.starts_with('.') { "." } else { "" };
    format!("{dot}{}\r\n.\r\n", text.replace("\r\n.", "\r\n.."))
}

/// A connection on which mail can be sent.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    server: Server,
}

impl Connection {
    async fn start_tls(&mut self, tls: TlsParameters) -> Result<(), MailerError> {
        if !self.smtp.can_starttls() {
            return Err(MailerError::NoStarttls { server: self.server.name() });
        }
        let starting = self.smtp.starttls(tls, &self.server.hello);
        self.server.within(&Step::Starttls, starting).await
    }

    async fn log_in(&mut self, credentials: &Credentials) -> Result<(), MailerError> {
        const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
        if self.smtp.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
            return Err(MailerError::NoLogin { server: self.server.name() });
        }
        let logging_in = self.smtp.auth(&MECHANISMS, credentials);
        self.server.within(&Step::Login, logging_in).await?;
        Ok(())
    }

    /// Finds out whether the server is still at the other end.
    pub(super) async fn ask_if_alive(&mut self) -> Result<(), MailerError> {
        let asking = tokio::time::timeout(SHORT, self.smtp.command(Noop));
        match asking.await {
            Ok(answer) => answer.map(drop).map_err(|error| self.server.explain(&Step::Alive, &error)),
            Err(_) => Err(MailerError::Timeout { server: self.server.name(), step: Step::Alive }),
        }
    }

    /// Sends one mail to all recipients whom the server does not refuse for good. Answers those whom it does.
    ///
    /// # Errors
    /// Where it goes to nobody, or to none of those whom it is addressed to.
    pub(super) async fn deliver(&mut self, letter: &Letter) -> Result<Vec<RefusedRecipient>, MailerError> {
        let mut parameters = Vec::new();
        if letter.needs_utf8() {
            if !self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(MailerError::NeedsUtf8 { server: self.server.name() });
            }
            parameters.push(MailParameter::SmtpUtfEight);
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let sender = Mail::new(Some(letter.sender.clone()), parameters);
        self.server.within(&Step::Sender, self.smtp.command(sender)).await?;
        let mut refused = Vec::new();
        let mut addressed = 0;
        for (position, address) in letter.recipients.iter().enumerate() {
            let step = Step::Recipient(address.to_string());
            let recipient = self.smtp.command(Rcpt::new(address.clone(), Vec::new()));
            match self.server.within(&step, recipient).await {
                Ok(_) => addressed += usize::from(position < letter.addressees),
                Err(error) => match error.refused_recipient() {
                    Some(recipient) => refused.push((recipient, error)),
                    None => return Err(error),
                },
            }
        }
        // A copy alone is worth nothing to those who get it.
        if addressed == 0 && !refused.is_empty() {
            return Err(refused.swap_remove(0).1);
        }
        self.server.within(&Step::Content, self.smtp.command(Data)).await?;
        let limit = self.server.content_timeout;
        match std::str::from_utf8(&letter.bytes) {
            // At once: the library writes content and end apart, and the end then waits until the server has
            // acknowledged the content, which Linux puts off for 40 ms.
            Ok(text) => {
                let sending = self.smtp.command(with_end(text));
                self.server.within_time(limit, &Step::Content, sending).await?;
            }
            Err(_) => {
                let sending = self.smtp.message(&letter.bytes);
                self.server.within_time(limit, &Step::Content, sending).await?;
            }
        }
        Ok(refused.into_iter().map(|(recipient, _)| recipient).collect())
    }

    /// Forgets a mail that was refused half-way.
    pub(super) async fn reset(&mut self) -> Result<(), MailerError> {
        self.server.within(&Step::Alive, self.smtp.command(Rset)).await.map(drop)
    }

    /// Takes leave.
    pub(super) async fn close(mut self) {
        // The server may have gone first; there is nothing to be done about it then.
        let _gone = tokio::time::timeout(SHORT, self.smtp.quit()).await;
    }

    /// What the connection is like, for a person.
    pub(super) fn describe(&self) -> String {
        let protection = match &self.server.protection {
            Protection::Starttls(_) => "STARTTLS, certificate verified",
            Protection::Tls(_) => "TLS, certificate verified",
            Protection::Plain => "not encrypted",
        };
        let login = if self.server.credentials.is_some() { "login accepted" } else { "no login" };
        format!("{}: {protection}, {login}", self.server.name())
    }
}

/// The TLS library's error, where there is one below: inside an I/O error, which hides it from `source`.
fn tls_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
            None => cause.source(),
        };
    }
    None
}

fn explain_tls(server: String, cause: &rustls::Error) -> MailerError {
    use rustls::CertificateError;
    match cause {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            MailerError::UntrustedIssuer { server }
        }
        rustls::Error::InvalidCertificate(
            reason @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
        ) => MailerError::WrongName { server, reason: reason.to_string() },
        rustls::Error::InvalidCertificate(reason) => {
            MailerError::Certificate { server, reason: reason.to_string() }
        }
        rustls::Error::InvalidMessage(_) => MailerError::NotTls { server },
        other => MailerError::Tls { server, reason: other.to_string() },
    }
}

/// The words of the error at the bottom, which say what happened; those above only say where.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_content_can_be_taken_for_its_end() {
        assert_eq!(with_end("a\r\n.\r\n.b\r\nc."), "a\r\n..\r\n..b\r\nc.\r\n.\r\n");
        assert_eq!(with_end(".\r\n"), "..\r\n\r\n.\r\n");
        assert_eq!(with_end("\r\n.\r\n.\r\n"), "\r\n..\r\n..\r\n\r\n.\r\n");
    }
}
