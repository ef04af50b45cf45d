//! What became of an attempt to send a mail.

use std::path::PathBuf;

use jiff::Timestamp;

use super::OutboxError;
use crate::mailer::RefusedRecipient;

impl Delivery {
    /// Whether every other mail would meet the same now, because the server cannot be used.
    #[must_use]
    pub fn leaves_others(&self) -> bool {
        matches!(&self.outcome, DeliveryOutcome::Later { error, .. } | DeliveryOutcome::Refused { error, .. }
            if error.concerns_server())
    }

    /// Whether the mail server cannot be used before somebody acts.
    #[must_use]
    pub fn server_is_unusable(&self) -> bool {
        matches!(&self.outcome, DeliveryOutcome::Later { error, .. } | DeliveryOutcome::Refused { error, .. }
            if error.concerns_server() && !error.server_is_unreachable())
    }

    /// What the operator has to know of it; none where everybody has got the mail.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let to = self.to.join(", ");
        match &self.outcome {
            DeliveryOutcome::Sent { refused } if refused.is_empty() => None,
            DeliveryOutcome::Sent { refused } => {
                let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
                Some(format!("the mail {} was not sent to everybody: {}", self.kind, refused.join("; ")))
            }
            DeliveryOutcome::Later { error, .. } => {
                Some(format!("the mail {} to {to} waits: {error}", self.kind))
            }
            DeliveryOutcome::Refused { error, kept_in } => Some(format!(
                "the mail {} to {to} was refused: {error}; kept in {}",
                self.kind,
                kept_in.display()
            )),
        }
    }
}

/// What became of one attempt to send a mail.
#[derive(Debug)]
pub struct Delivery {
    /// Names the mail.
    pub origin: String,
    /// What it is.
    pub kind: String,
    /// Recipients.
    pub to: Vec<String>,
    /// What became of it.
    pub outcome: DeliveryOutcome,
}

/// What became of one attempt to send a mail.
#[derive(Debug)]
pub enum DeliveryOutcome {
    /// The server took it.
    Sent {
        /// Those whom it did not take it for.
        refused: Vec<RefusedRecipient>,
    },
    /// Not yet.
    Later {
        /// Why.
        error: OutboxError,
        /// When it may be tried next.
        at: Timestamp,
    },
    /// Never.
    Refused {
        /// Why.
        error: OutboxError,
        /// The `.eml` file that it is kept in.
        kept_in: PathBuf,
    },
}

impl Delivery {
    /// Tells the log. Without the recipients, who are nobody's business there.
    pub fn log(&self) {
        let Self { origin, kind, outcome, .. } = self;
        match outcome {
            DeliveryOutcome::Sent { refused } if refused.is_empty() => {
                tracing::info!(origin, kind, "mail sent");
            }
            DeliveryOutcome::Sent { refused } => {
                tracing::warn!(origin, kind, refused = refused.len(), "mail sent, but not to everybody");
            }
            DeliveryOutcome::Later { error, at } => tracing::warn!(origin, kind, %error, %at, "mail put off"),
            DeliveryOutcome::Refused { error, kept_in } => {
                tracing::error!(origin, kind, %error, kept_in = %kept_in.display(), "mail refused");
            }
        }
    }
}
