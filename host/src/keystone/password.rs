//! A user's own change of password.

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::error::KeystoneError;
use super::http::Request;
use super::{Keystone, NAME};

/// Why a user's password was not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The original password is not the user's, or the account is locked after failed attempts: Keystone answers both
    /// alike, so that nobody learns which it is, and tells no administrator about a lock. The first counts toward such
    /// a lock.
    #[error(
        "Keystone does not accept the user's present password: it was changed meanwhile, \
         or the account is locked after failed attempts"
    )]
    WrongOriginal,
    /// Keystone has no such user any more.
    #[error("the user is gone")]
    Gone,
    /// The new password breaks a rule, in Keystone's words, which are for the user to read.
    #[error("Keystone refuses the new password: {0}")]
    Refused(String),
    /// The new password is one that the user had before, in Keystone's words.
    #[error("Keystone refuses a password that the user had before: {0}")]
    Reused(String),
    /// The user may not change the password now, whatever the new one is, in Keystone's words: an
    /// administrator locked it, or it is too young.
    #[error("Keystone does not let the user change the password: {0}")]
    Locked(String),
    /// The account is disabled.
    #[error("the user's account is disabled")]
    Disabled,
    /// The call failed otherwise. It may have taken effect where the error is passing.
    #[error(transparent)]
    Other(#[from] KeystoneError),
}

impl ChangePasswordError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Other(error) if error.is_passing())
    }

    /// Whether the password may be changed although the call failed.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::Other(error) if error.may_have_taken_effect())
    }
}

impl Keystone {
    /// Changes a user's password as the user would, who need not be able to log in: Keystone asks
    /// for no token, so this works where the first password has to be changed before anything else.
    ///
    /// One call; others, with Usher's own token, where Keystone answers 401, to tell an account that is disabled or gone
    /// from a wrong password.
    ///
    /// # Errors
    /// See [`ChangePasswordError`].
    pub async fn change_password(
        &self,
        user_id: &str,
        original: &SecretString,
        new: &SecretString,
    ) -> Result<(), ChangePasswordError> {
        let body = json!({ "user": {
            "original_password": original.expose_secret(),
            "password": new.expose_secret(),
        } });
        let request = Request::new(NAME, Method::POST, self.url(&["users", user_id, "password"]))
            .body(body)
            .hiding(original)
            .hiding(new)
            .until(self.end);
        match self.session.call_without_token(&request).await {
            Ok(answer) if answer.status == StatusCode::NO_CONTENT => Ok(()),
            // The page of something that stands before Keystone.
            Ok(answer) => {
                let reason = format!("it answers {} where Keystone answers 204", answer.status);
                Err(ChangePasswordError::Other(answer.unintelligible(reason)))
            }
            Err(refused @ KeystoneError::Unauthorized { .. }) => Err(self.unaccepted(user_id, refused).await),
            // So is a refusal that is not in Keystone's words, and none of the user's business.
            Err(error) if error.is_unexplained() => Err(ChangePasswordError::Other(error)),
            Err(
                KeystoneError::Refused { status: 400, message, .. }
                | KeystoneError::Forbidden { message, .. },
            ) => Err(refusal(message)),
            Err(error) => Err(ChangePasswordError::Other(error)),
        }
    }

    /// Why the answer was 401. Keystone made no change, whether or not it also answers what is asked here.
    ///
    /// Where that is not in its words, something that stands before it either lets the call not through, or puts a page
    /// of its own in the place of Keystone's, which has counted the call then. Keystone tells which it is by what it
    /// answers here: to Usher's own token no 401 is due.
    async fn unaccepted(&self, user_id: &str, refused: KeystoneError) -> ChangePasswordError {
        // In the words of versions before 2021 and with `insecure_debug`.
        if let KeystoneError::Unauthorized { message, .. } = &refused
            && message.contains("account is locked")
        {
            return ChangePasswordError::Locked(message.clone());
        }
        let found = self.user(user_id).await;
        let is_gone = matches!(found, Ok(None)) && matches!(self.is_gone(user_id).await, Ok(true));
        match found {
            Ok(Some(user)) if !user.enabled => ChangePasswordError::Disabled,
            Ok(Some(_)) => ChangePasswordError::WrongOriginal,
            _ if is_gone => ChangePasswordError::Gone,
            _ if refused.is_unexplained() => ChangePasswordError::Other(refused),
            Ok(None) => ChangePasswordError::WrongOriginal,
            // The likelier of the two, and the one that must not be tried again and again.
            Err(error) => {
                tracing::warn!(%error, user_id, "it cannot be told whether an account is disabled or its password another");
                ChangePasswordError::WrongOriginal
            }
        }
    }
}

/// Keystone gives these refusals no code of their own; its words tell them apart.
fn refusal(message: String) -> ChangePasswordError {
    if message.contains("identical to a previous password") {
        ChangePasswordError::Reused(message)
    } else if message.contains("minimum password age") || message.contains("disallowing password changes") {
        ChangePasswordError::Locked(message)
    } else {
        ChangePasswordError::Refused(message)
    }
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::{get, post};
    use serde_json::Value;

    use super::*;
    use crate::keystone::fake::{Fake, with_token};

    async fn answer_to(status: u16, message: &'static str, enabled: bool) -> Result<(), ChangePasswordError> {
        let user = json!({ "user": { "id": "u1", "name": "user", "enabled": enabled } });
        answer_and_find(status, message, StatusCode::OK, user).await
    }

    /// What comes of a change where Keystone answers so, and so to a look at the user.
    async fn answer_and_find(
        status: u16,
        message: &'static str,
        found: StatusCode,
        user: Value,
    ) -> Result<(), ChangePasswordError> {
        let status = StatusCode::from_u16(status).unwrap();
        let routes = with_token()
            .route(
                "/v3/users/u1/password",
                post(async move |headers: HeaderMap, Json(body): Json<Value>| {
                    assert!(!headers.contains_key("x-auth-token"));
                    assert_eq!(
                        body["user"],
                        json!({ "original_password": "sesame-1", "password": "sesame-2" })
                    );
                    (status, Json(json!({ "error": { "message": message } })))
                }),
            )
            .route("/v3/users/u1", get(async move || (found, Json(user))));
        let fake = Fake::start(routes).await;
        let (original, new) = (SecretString::from("sesame-1"), SecretString::from("sesame-2"));
        fake.keystone().change_password("u1", &original, &new).await
    }

    #[tokio::test]
    async fn keystones_refusals_are_told_apart_by_its_words() {
        use ChangePasswordError as E;
        let too_simple = "The password does not match the requirements: a digit is missing.";
        assert!(
            matches!(answer_to(400, too_simple, true).await, Err(E::Refused(words)) if words == too_simple)
        );
        let used = "The new password cannot be identical to a previous password. The total number …";
        assert!(matches!(answer_to(400, used, true).await, Err(E::Reused(_))));
        let young = "You cannot change your password at this time due to the minimum password age. …";
        assert!(matches!(answer_to(400, young, true).await, Err(E::Locked(_))));
        let policy = "You cannot change your password at this time due to password policy disallowing password changes.";
        assert!(matches!(answer_to(400, policy, true).await, Err(E::Locked(_))));
        let long = "The password length must be less than or equal to 54.";
        assert!(matches!(answer_to(403, long, true).await, Err(E::Refused(_))));
    }

    #[tokio::test]
    async fn a_401_is_a_wrong_password_or_a_disabled_account() {
        let words = "The request you have made requires authentication.";
        assert!(matches!(answer_to(401, words, true).await, Err(ChangePasswordError::WrongOriginal)));
        assert!(matches!(answer_to(401, words, false).await, Err(ChangePasswordError::Disabled)));
        let locked = "The account is locked for user: u1.";
        assert!(matches!(answer_to(401, locked, true).await, Err(ChangePasswordError::Locked(_))));
    }

    #[tokio::test]
    async fn after_a_401_a_user_is_gone_in_keystones_own_words_only_and_a_look_that_fails_is_no_free_try() {
        use ChangePasswordError as E;
        let words = "The request you have made requires authentication.";
        let found = async |status, message| {
            let body = json!({ "error": { "message": message } });
            answer_and_find(401, words, status, body).await.unwrap_err()
        };
        let gone = found(StatusCode::NOT_FOUND, "Could not find user: u1.").await;
        assert!(matches!(gone, E::Gone), "{gone}");
        let proxy = found(StatusCode::NOT_FOUND, "no such service").await;
        assert!(matches!(proxy, E::WrongOriginal), "{proxy}");
        let failed = found(StatusCode::INTERNAL_SERVER_ERROR, "boom").await;
        assert!(matches!(failed, E::WrongOriginal), "{failed}");
        assert!(!failed.may_have_taken_effect());
    }

    #[tokio::test]
    async fn only_a_failure_after_which_the_change_may_be_made_says_so() {
        for (status, may_be_made) in [
            (200, true),
            (302, false),
            (404, false),
            (408, true),
            (409, false),
            (413, false),
            (429, false),
            (500, true),
            (501, true),
            (502, true),
            (503, true),
            (504, true),
            (599, true),
        ] {
            let error = answer_to(status, "words", true).await.unwrap_err();
            assert_eq!(error.may_have_taken_effect(), may_be_made, "{status}: {error}");
        }
    }

    /// Whatever stands before Keystone may refuse too. Its words are no rule for passwords, and no wrong password.
    #[tokio::test]
    async fn a_refusal_that_is_not_in_keystones_words_is_trouble_and_not_the_users() {
        for status in [400, 401, 403] {
            let page = (StatusCode::from_u16(status).unwrap(), "<html>Blocked</html>");
            let routes = with_token().route("/v3/users/u1/password", post(async move || page));
            let fake = Fake::start(routes).await;
            let refused = fake.keystone().change_password("u1", &"sesame-1".into(), &"sesame-2".into()).await;
            let error = refused.unwrap_err();
            assert!(matches!(error, ChangePasswordError::Other(_)), "{status}: {error}");
            assert!(!error.may_have_taken_effect(), "{status}: {error}");
        }
    }

    /// What stands before Keystone may put pages of its own in the place of Keystone's refusals.
    #[tokio::test]
    async fn a_401_that_is_not_in_keystones_words_is_its_own_where_keystone_answers_otherwise() {
        let page = (StatusCode::UNAUTHORIZED, "<html>Who are you?</html>");
        let refused_where = async |user: (StatusCode, Value)| {
            let routes = with_token()
                .route("/v3/users/u1/password", post(async move || page))
                .route("/v3/users/u1", get(async move || (user.0, Json(user.1))));
            let fake = Fake::start(routes).await;
            fake.keystone().change_password("u1", &"sesame-1".into(), &"sesame-2".into()).await.unwrap_err()
        };
        let user =
            |enabled| (StatusCode::OK, json!({ "user": { "id": "u1", "name": "u", "enabled": enabled } }));
        let wrong = refused_where(user(true)).await;
        assert!(matches!(wrong, ChangePasswordError::WrongOriginal), "{wrong}");
        let disabled = refused_where(user(false)).await;
        assert!(matches!(disabled, ChangePasswordError::Disabled), "{disabled}");
        let gone = json!({ "error": { "message": "Could not find user: u1." } });
        let gone = refused_where((StatusCode::NOT_FOUND, gone)).await;
        assert!(matches!(gone, ChangePasswordError::Gone), "{gone}");
        for status in [StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
            let nobody = refused_where((status, Value::Null)).await;
            assert!(matches!(nobody, ChangePasswordError::Other(_)), "{status}: {nobody}");
            assert!(!nobody.may_have_taken_effect(), "{status}: {nobody}");
        }
    }

    #[tokio::test]
    async fn trouble_is_passing_and_a_password_that_keystone_echoes_is_hidden() {
        let error = answer_to(500, "boom", true).await.unwrap_err();
        assert!(error.is_passing());
        let error = answer_to(400, "'sesame-2' is too short, unlike sesame-1", true).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    }

    #[tokio::test]
    async fn success_is_success() {
        answer_to(204, "", true).await.unwrap();
    }
}
