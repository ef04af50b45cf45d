//! What a failed call means, and whether it is made again.

use std::time::Duration;

use google_sheets4::common::Response;
use google_sheets4::{Delegate, Error, common, yup_oauth2};
use serde_json::Value;

use crate::random;
use crate::sheet::google::error::GoogleError;

/// How often a call is made at most.
const ATTEMPTS: u32 = 6;

/// The pause before the second attempt; it doubles from there, as Google advises ("Usage limits").
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A service that asks for more patience than this is not waited for within a call.
const PATIENCE: Duration = Duration::from_secs(90);

/// The errors of Google's token service that say nothing about the account. The client library does not tell the
/// status beside them; these are the ones after which Google's own client for Python tries again.
const PASSING_TOKEN_ERRORS: [&str; 3] = ["internal_failure", "server_error", "temporarily_unavailable"];

/// How much of Google's own words an error repeats, in characters.
const LONGEST_MESSAGE: usize = 400;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    do_what: &'static str,
    /// Whether it may be made twice.
    repeatable: bool,
}

impl Call {
    pub(super) const READ: Self = Self { do_what: "read", repeatable: true };
    pub(super) const CHANGE: Self = Self { do_what: "change", repeatable: false };
}

/// What the client library tells of an answer that is not a success.
#[derive(Debug, Default)]
pub(super) struct Heard {
    status: Option<u16>,
    retry_after: Option<Duration>,
}

impl Delegate for Heard {
    fn http_failure(&mut self, response: &Response, _error: Option<&Value>) -> common::Retry {
        self.status = Some(response.status().as_u16());
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        self.retry_after = header.and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        common::Retry::Abort
    }
}

/// The attempts of one call.
pub(super) struct Attempts<'a> {
    call: Call,
    spreadsheet: &'a str,
    account: &'a str,
    made: u32,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(call: Call, spreadsheet: &'a str, account: &'a str) -> Self {
        Self { call, spreadsheet, account, made: 0 }
    }

    /// Waits until a call that failed may be made again.
    ///
    /// # Errors
    /// Where it may not.
    pub(super) async fn failed(&mut self, failure: Failure) -> Result<(), GoogleError> {
        let Some(pause) = self.pause(&failure) else {
            return Err(self.error(failure));
        };
        tracing::info!(
            reason = failure.reason(),
            seconds = pause.as_secs_f32(),
            "calling Google again after a pause"
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// How long to wait before the next attempt; none where there is to be none.
    fn pause(&mut self, failure: &Failure) -> Option<Duration> {
        self.made += 1;
        let Failure::Passing { had_no_effect, retry_after, .. } = failure else { return None };
        if self.made >= ATTEMPTS || !(self.call.repeatable || *had_no_effect) {
            return None;
        }
        let [chance] = random::bytes();
        let spread = FIRST_PAUSE * 2u32.pow(self.made - 1) + FIRST_PAUSE.mul_f32(f32::from(chance) / 256.0);
        match retry_after {
            Some(asked) if *asked > PATIENCE => None,
            Some(asked) => Some(spread.max(*asked)),
            None => Some(spread),
        }
    }

    fn error(&self, failure: Failure) -> GoogleError {
        let Call { do_what, repeatable } = self.call;
        let (spreadsheet, account) = (self.spreadsheet.to_owned(), self.account.to_owned());
        match failure {
            Failure::Passing { reason, had_no_effect, .. } if repeatable || had_no_effect => {
                GoogleError::Unavailable { do_what, reason }
            }
            Failure::Passing { reason, .. } => GoogleError::Uncertain { reason },
            Failure::Token(reason) => GoogleError::Refused { account, reason },
            Failure::Status { status: 401, reason } => GoogleError::Refused { account, reason },
            Failure::Status { status: 403, reason } => {
                GoogleError::NotShared { do_what, spreadsheet, account, reason }
            }
            Failure::Status { status: 404, .. } => GoogleError::NoSpreadsheet { spreadsheet },
            Failure::Status { status, reason } => GoogleError::Request { do_what, status, reason },
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The same call may succeed later.
    Passing { reason: String, had_no_effect: bool, retry_after: Option<Duration> },
    /// The account gets no token.
    Token(String),
    /// Google says no.
    Status { status: u16, reason: String },
}

impl Failure {
    /// No answer came in time.
    pub(super) fn late(limit: Duration) -> Self {
        Self::broken(format!("no answer within {} s", limit.as_secs_f32()))
    }

    /// What an error of the client library means, with what it told of the answer.
    pub(super) fn of(error: Error, heard: &Heard) -> Self {
        match error {
            Error::HttpError(error) => Self::Passing {
                reason: innermost(&error),
                had_no_effect: error.is_connect(),
                retry_after: None,
            },
            Error::BadRequest(body) => Self::answered(heard, message(&body)),
            Error::Failure(_) => Self::answered(heard, "no explanation in Google's words".to_owned()),
            Error::MissingToken(error) => match error.downcast::<yup_oauth2::Error>() {
                Ok(error) => Self::no_token(*error),
                Err(error) => Self::Token(error.to_string()),
            },
            // The rest of the answer did not come. The error itself holds what did, and that is cells.
            Error::JsonDecodeError(..) => Self::broken("the answer broke off".to_owned()),
            Error::Io(error) => Self::broken(error.to_string()),
            Error::Cancelled
            | Error::MissingAPIKey
            | Error::FieldClash(_)
            | Error::UploadSizeLimitExceeded(..) => Self::broken("the call was not made".to_owned()),
        }
    }

    /// Nobody can know what came of the call.
    fn broken(reason: String) -> Self {
        Self::Passing { reason, had_no_effect: false, retry_after: None }
    }

    fn answered(heard: &Heard, reason: String) -> Self {
        match heard.status.unwrap_or_default() {
            429 => Self::Passing { reason, had_no_effect: true, retry_after: heard.retry_after },
            status if status >= 500 => Self::Passing {
                reason: format!("{status}: {reason}"),
                had_no_effect: false,
                retry_after: heard.retry_after,
            },
            status => Self::Status { status, reason },
        }
    }

    /// Without a token, the call itself was never made.
    fn no_token(error: yup_oauth2::Error) -> Self {
        match error {
            yup_oauth2::Error::AuthError(error) if !PASSING_TOKEN_ERRORS.contains(&error.error.as_str()) => {
                Self::Token(error.error_description.unwrap_or_else(|| "it gets no token".to_owned()))
            }
            yup_oauth2::Error::AuthError(_)
            | yup_oauth2::Error::HttpError(_)
            | yup_oauth2::Error::HttpClientError(_)
            | yup_oauth2::Error::JSONError(_)
            | yup_oauth2::Error::LowLevelError(_) => Self::Passing {
                reason: "Google's token service does not answer as it should".to_owned(),
                had_no_effect: true,
                retry_after: None,
            },
            other => Self::Token(other.to_string()),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Passing { reason, .. } | Self::Token(reason) | Self::Status { reason, .. } => reason,
        }
    }
}

/// Google's own words in the body of an error.
fn message(body: &Value) -> String {
    let words = body["error"]["message"].as_str().unwrap_or("no explanation in Google's words");
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_MESSAGE).collect()
}

/// The last error of the chain, which says most and holds no URL.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let last = std::iter::successors(Some(error), |error| error.source()).last();
    last.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attempts(call: Call) -> Attempts<'static> {
        Attempts::new(call, "sheet-id", "usher@project.iam.gserviceaccount.com")
    }

    fn answer(status: u16, retry_after: Option<u64>) -> Failure {
        let body = json!({ "error": { "code": status, "message": "Google's words", "status": "X" } });
        let heard = Heard { status: Some(status), retry_after: retry_after.map(Duration::from_secs) };
        Failure::of(Error::BadRequest(body), &heard)
    }

    async fn error(call: Call, status: u16) -> GoogleError {
        attempts(call).failed(answer(status, Some(1000))).await.unwrap_err()
    }

    #[tokio::test]
    async fn errors_name_the_remedy() {
        let text = error(Call::READ, 403).await.to_string();
        assert!(text.contains("share it as editor with usher@project.iam.gserviceaccount.com"), "{text}");
        assert!(text.contains("Google's words"), "{text}");
        let text = error(Call::READ, 404).await.to_string();
        assert!(text.contains("sheet-id") && text.contains("between /d/ and /edit"), "{text}");
        assert!(matches!(error(Call::READ, 401).await, GoogleError::Refused { .. }));
        assert!(matches!(error(Call::CHANGE, 400).await, GoogleError::Request { status: 400, .. }));
    }

    #[tokio::test]
    async fn a_change_whose_fate_is_unknown_is_not_asked_for_again() {
        assert!(matches!(error(Call::CHANGE, 503).await, GoogleError::Uncertain { .. }));
        assert!(matches!(error(Call::READ, 503).await, GoogleError::Unavailable { .. }));
        // A refusal for want of quota comes before any effect.
        assert!(matches!(error(Call::CHANGE, 429).await, GoogleError::Unavailable { .. }));
    }

    #[test]
    fn calls_are_made_again_after_the_time_that_google_asks_for_but_not_for_ever() {
        let mut attempts = attempts(Call::CHANGE);
        let mut pause = |retry_after| attempts.pause(&answer(429, retry_after)).map(|pause| pause.as_secs());
        assert_eq!(pause(Some(7)), Some(7));
        let pauses: Vec<_> = (0..5).map(|_| pause(None)).collect();
        assert_eq!(pauses, [Some(2), Some(4), Some(8), Some(16), None]);
    }

    #[test]
    fn a_token_service_in_trouble_says_nothing_about_the_account() {
        let no_token = |error: &str| {
            let body = json!({ "error": error, "error_description": "Google's words" });
            Failure::no_token(yup_oauth2::Error::AuthError(serde_json::from_value(body).unwrap()))
        };
        assert_eq!(no_token("invalid_grant"), Failure::Token("Google's words".to_owned()));
        for error in PASSING_TOKEN_ERRORS {
            let failure = no_token(error);
            assert!(matches!(failure, Failure::Passing { had_no_effect: true, .. }), "{error}: {failure:?}");
        }
    }

    #[test]
    fn what_broke_off_is_not_repeated_in_the_error() {
        let secret = "cells of a sheet";
        let json = serde_json::from_str::<Value>(secret).unwrap_err();
        let failure = Failure::of(Error::JsonDecodeError(secret.to_owned(), json), &Heard::default());
        assert!(!failure.reason().contains(secret));
    }
}
