//! The `OS_*` variables that OpenStack's clients read.

use secrecy::SecretString;

use super::{Account, Attributes, CredentialsError};

/// Reads the account by a function that looks a variable up.
pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Account, CredentialsError> {
    let get = |name: &str| variable(name).filter(|value| !value.is_empty());
    let insecure = get("OS_INSECURE").is_some_and(|value| is_true(&value))
        || get("OS_VERIFY").is_some_and(|value| !is_true(&value));
    Attributes {
        auth_type: get("OS_AUTH_TYPE"),
        auth_url: get("OS_AUTH_URL"),
        username: get("OS_USERNAME"),
        user_id: get("OS_USER_ID"),
        user_domain_id: get("OS_USER_DOMAIN_ID").or_else(|| get("OS_DEFAULT_DOMAIN_ID")),
        user_domain_name: get("OS_USER_DOMAIN_NAME").or_else(|| get("OS_DEFAULT_DOMAIN")),
        password: get("OS_PASSWORD").map(SecretString::from),
        project_id: get("OS_PROJECT_ID").or_else(|| get("OS_TENANT_ID")),
        project_name: get("OS_PROJECT_NAME").or_else(|| get("OS_TENANT_NAME")),
        project_domain_id: get("OS_PROJECT_DOMAIN_ID").or_else(|| get("OS_DEFAULT_DOMAIN_ID")),
        project_domain_name: get("OS_PROJECT_DOMAIN_NAME").or_else(|| get("OS_DEFAULT_DOMAIN")),
        application_credential_id: get("OS_APPLICATION_CREDENTIAL_ID"),
        application_credential_name: get("OS_APPLICATION_CREDENTIAL_NAME"),
        application_credential_secret: get("OS_APPLICATION_CREDENTIAL_SECRET").map(SecretString::from),
        region: get("OS_REGION_NAME"),
        interface: get("OS_INTERFACE").or_else(|| get("OS_ENDPOINT_TYPE")),
        ca_file: get("OS_CACERT"),
        insecure,
    }
    .account("environment (OS_*)")
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on" | "y" | "t")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;
    use crate::settings::keystone::Interface;

    fn read_from(variables: &[(&str, &str)]) -> Result<Account, CredentialsError> {
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(|name| variables.get(name).cloned())
    }

    const PASSWORD: [(&str, &str); 6] = [
        ("OS_AUTH_URL", "https://keystone.example.org:5000"),
        ("OS_USERNAME", "usher"),
        ("OS_PASSWORD", "sesame"),
        ("OS_PROJECT_NAME", "admin"),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_PROJECT_DOMAIN_ID", "default"),
    ];

    #[test]
    fn a_password_is_read_with_what_belongs_to_it() {
        let mut variables = PASSWORD.to_vec();
        variables.extend([
            ("OS_REGION_NAME", "east"),
            ("OS_INTERFACE", "internalURL"),
            ("OS_CACERT", "/etc/ssl/cloud.pem"),
        ]);
        let account = read_from(&variables).unwrap();
        assert_eq!(account.region.as_deref(), Some("east"));
        assert_eq!(account.interface, Some(Interface::Internal));
        assert_eq!(account.ca_file, Some(PathBuf::from("/etc/ssl/cloud.pem")));
        assert_eq!(account.credentials.url.as_str(), "https://keystone.example.org:5000/v3");
        assert_eq!(
            account.credentials.request(),
            json!({ "auth": {
                "identity": { "methods": ["password"], "password": { "user": {
                    "name": "usher", "domain": { "name": "Default" }, "password": "sesame" } } },
                "scope": { "project": { "name": "admin", "domain": { "id": "default" } } },
            } })
        );
    }

    #[test]
    fn an_application_credential_needs_no_auth_type() {
        let account = read_from(&[
            ("OS_AUTH_URL", "https://keystone.example.org/identity/v3"),
            ("OS_APPLICATION_CREDENTIAL_ID", "abc"),
            ("OS_APPLICATION_CREDENTIAL_SECRET", "sesame"),
        ])
        .unwrap();
        assert_eq!(
            account.credentials.request(),
            json!({ "auth": { "identity": { "methods": ["application_credential"],
                "application_credential": { "id": "abc", "secret": "sesame" } } } })
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        for left_out in ["OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"] {
            let variables: Vec<_> = PASSWORD.into_iter().filter(|(name, _)| *name != left_out).collect();
            let error = read_from(&variables).unwrap_err().to_string();
            let what = left_out.trim_start_matches("OS_").to_lowercase();
            assert!(error.contains(&format!("{what} is missing")), "{error}");
        }
    }

    #[test]
    fn unverified_certificates_are_refused() {
        for insecure in [("OS_INSECURE", "true"), ("OS_VERIFY", "False")] {
            let mut variables = PASSWORD.to_vec();
            variables.push(insecure);
            let error = read_from(&variables).unwrap_err().to_string();
            assert!(error.contains("always verifies") && error.contains("keystone.ca_file"), "{error}");
        }
    }

    #[test]
    fn unknown_kinds_of_authentication_are_refused() {
        let mut variables = PASSWORD.to_vec();
        variables.push(("OS_AUTH_TYPE", "v3oidcpassword"));
        assert!(read_from(&variables).unwrap_err().to_string().contains("v3applicationcredential"));
    }
}
