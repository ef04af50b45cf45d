//! What the operations of setpass take as a body. The fuzz targets read the same types.

use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// What the form for a password sends. Each field is needed.
#[derive(Deserialize, ToSchema)]
pub(super) struct SetPassword {
    /// The PIN that was chosen when the account was asked for.
    #[schema(value_type = Option<String>, example = "6204")]
    pub(super) pin: Option<SecretString>,
    /// The new password.
    #[schema(value_type = Option<String>, format = Password, example = "a password of the user's own")]
    pub(super) password: Option<SecretString>,
    /// The same once more.
    #[schema(value_type = Option<String>, format = Password, example = "a password of the user's own")]
    pub(super) confirm_password: Option<SecretString>,
}

/// What the form for another link sends. Older forms confirm the address, ours does not.
#[derive(Deserialize, ToSchema)]
pub(super) struct RequestReset {
    /// Who asks, for the helpdesk's eyes. May be left out.
    #[serde(default)]
    #[schema(example = "Ada Example")]
    pub(super) name: String,
    /// The user's address.
    #[serde(default)]
    #[schema(example = "user@example.org")]
    pub(super) email: String,
    /// The same once more. May be left out.
    #[schema(example = "user@example.org")]
    pub(super) confirm_email: Option<String>,
    /// The PIN for the next link.
    #[schema(value_type = Option<String>, example = "830274")]
    pub(super) pin: Option<SecretString>,
}

/// What a user is registered with. For a user who is known here, either may be left out and stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = Registration)]
pub(super) struct PutToken {
    /// The random password that Keystone has for the user, who gets to choose another.
    #[schema(value_type = Option<String>, format = Password, min_length = 1, example = "a random first password")]
    pub(super) password: Option<SecretString>,
    /// The PIN that the user chose, in digits.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{4,12}$", example = "6204")]
    pub(super) pin: Option<SecretString>,
}
