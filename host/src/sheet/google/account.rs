//! The service account that Usher is to Google.

use std::fmt;
use std::path::{Path, PathBuf};

use google_sheets4::yup_oauth2::ServiceAccountKey;

use super::error::GoogleError;

/// A service account with its key.
pub(super) struct Account {
    key: ServiceAccountKey,
}

impl Account {
    /// Reads the JSON file that Google's console gives for a key.
    ///
    /// # Errors
    /// Where it cannot be read, or is not such a file.
    pub(super) async fn read(file: &Path) -> Result<Self, GoogleError> {
        let unusable = |reason: String| GoogleError::Account { file: PathBuf::from(file), reason };
        let text = tokio::fs::read(file).await.map_err(|error| unusable(error.to_string()))?;
        // serde_json's own words may repeat a part of the key.
        let key: ServiceAccountKey = serde_json::from_slice(&text).map_err(|error| {
            unusable(format!(
                "it is not the JSON key file of a service account (line {}, column {}); make one in Google's \
                 console under IAM, Service accounts, Keys",
                error.line(),
                error.column()
            ))
        })?;
        if key.key_type.as_deref() != Some("service_account") {
            return Err(unusable("its type is not service_account".to_owned()));
        }
        let token_uri =
            url::Url::parse(&key.token_uri).map_err(|_| unusable("its token_uri is not a URL".to_owned()))?;
        if !crate::settings::sheet::is_protected(&token_uri) {
            return Err(unusable("its token_uri is not an https URL".to_owned()));
        }
        Ok(Self { key })
    }

    /// The address to which a spreadsheet has to be shared.
    pub(super) fn email(&self) -> &str {
        &self.key.client_email
    }

    pub(super) fn into_key(self) -> ServiceAccountKey {
        self.key
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("email", &self.key.client_email).finish_non_exhaustive()
    }
}
