//! An entry of `clouds.yaml`, with its secrets in `secure.yaml` where there is one.

use std::path::{Path, PathBuf};

use openstack_sdk_core::config::{
    CloudConfig, ConfigFile, ConfigFileBuilderError, find_clouds_file, find_config_files_specified_in_env,
    find_secure_file, find_vendor_file,
};

use super::{Account, Attributes, CredentialsError};

/// Reads an entry, from the named file and the `secure.yaml` beside it, or from where OpenStack's
/// clients look.
pub(super) fn read(cloud: &str, file: Option<&Path>) -> Result<Account, CredentialsError> {
    let files = match file {
        Some(file) => beside(file),
        None => usual_places(),
    };
    if files.is_empty() {
        return Err(CredentialsError::NoCloudsFile);
    }
    let mut builder = ConfigFile::builder();
    for file in files {
        builder = builder.add_source(&file).map_err(|error| unusable(file, &error))?;
    }
    let config = builder.build().map_err(|error| unusable(PathBuf::from("clouds.yaml"), &error))?;
    let entry = config.get_cloud_config(cloud).ok().flatten().ok_or_else(|| {
        let mut entries = config.get_available_clouds();
        entries.sort();
        CredentialsError::NoSuchCloud { cloud: cloud.to_owned(), entries }
    })?;
    attributes(entry).account(&format!("cloud {cloud} of clouds.yaml"))
}

fn beside(file: &Path) -> Vec<PathBuf> {
    let mut files = vec![file.to_owned()];
    files.extend(
        ["secure.yaml", "secure.yml"]
            .map(|name| file.with_file_name(name))
            .into_iter()
            .find(|file| file.is_file()),
    );
    files
}

/// Later files override earlier ones. `OS_CLIENT_CONFIG_FILE` is what OpenStack's Python clients
/// read, `OS_CLIENT_CONFIG_PATH` what its Rust client reads.
fn usual_places() -> Vec<PathBuf> {
    let named = std::env::var_os("OS_CLIENT_CONFIG_FILE").map(PathBuf::from).filter(|file| file.is_file());
    let clouds: Vec<PathBuf> =
        find_config_files_specified_in_env().into_iter().chain(named.or_else(find_clouds_file)).collect();
    if clouds.is_empty() {
        return Vec::new();
    }
    find_vendor_file().into_iter().chain(clouds).chain(find_secure_file()).collect()
}

/// Tells what is wrong with a file without repeating a value, which may be a password.
fn unusable(file: PathBuf, error: &ConfigFileBuilderError) -> CredentialsError {
    let reason = match error {
        ConfigFileBuilderError::FileParse { .. } if !file.is_file() => "there is no such file".to_owned(),
        ConfigFileBuilderError::FileParse { .. } => "it is not valid YAML, or not readable".to_owned(),
        other => match other.to_string().rsplit_once("for key ") {
            Some((_, rest)) => {
                let key = rest.split_whitespace().next().unwrap_or_default();
                format!("the value of {} has the wrong type; quote numbers", key.trim_matches('`'))
            }
            None => "a value has the wrong type; quote passwords and names that are numbers".to_owned(),
        },
    };
    CredentialsError::CloudsFile { file, reason }
}

fn attributes(entry: CloudConfig) -> Attributes {
    let insecure = entry.verify == Some(false)
        || entry.options.get("insecure").is_some_and(|value| value.clone().into_bool().unwrap_or(true));
    let auth = entry.auth.unwrap_or_default();
    Attributes {
        auth_type: entry.auth_type,
        auth_url: auth.auth_url,
        username: auth.username,
        user_id: auth.user_id,
        user_domain_id: auth.user_domain_id,
        user_domain_name: auth.user_domain_name,
        password: auth.password,
        project_id: auth.project_id,
        project_name: auth.project_name,
        project_domain_id: auth.project_domain_id,
        project_domain_name: auth.project_domain_name,
        application_credential_id: auth.application_credential_id,
        application_credential_name: auth.application_credential_name,
        application_credential_secret: auth.application_credential_secret,
        region: entry.region_name,
        interface: entry.interface,
        ca_file: entry.cacert,
        insecure,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::settings::keystone::Interface;

    const CLOUDS: &str = "
clouds:
  Campus:
    auth:
      auth_url: https://keystone.example.org:5000
      username: usher
      project_name: admin
      user_domain_name: Default
      project_domain_id: default
    region_name: east
    interface: internal
    cacert: /etc/ssl/campus.pem
  robot:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://keystone.example.org:5000/v3
      application_credential_id: abc
      application_credential_secret: sesame
  careless:
    verify: false
    auth: {auth_url: 'https://keystone.example.org/v3', username: u, password: p, project_name: admin}
";

    fn folder(clouds: &str, secure: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("clouds.yaml"), clouds).unwrap();
        if let Some(secure) = secure {
            fs::write(folder.path().join("secure.yaml"), secure).unwrap();
        }
        folder
    }

    fn read_from(folder: &tempfile::TempDir, cloud: &str) -> Result<Account, CredentialsError> {
        read(cloud, Some(&folder.path().join("clouds.yaml")))
    }

    #[test]
    fn the_password_comes_from_secure_yaml() {
        let folder = folder(CLOUDS, Some("clouds: {Campus: {auth: {password: sesame}}}"));
        let account = read_from(&folder, "Campus").unwrap();
        let request = account.credentials.request();
        let user = &request["auth"]["identity"]["password"]["user"];
        assert_eq!((&user["name"], &user["password"]), (&"usher".into(), &"sesame".into()));
        assert_eq!(user["domain"]["name"], "Default");
        assert_eq!(account.region.as_deref(), Some("east"));
        assert_eq!(account.interface, Some(Interface::Internal));
        assert_eq!(account.ca_file, Some(PathBuf::from("/etc/ssl/campus.pem")));
    }

    #[test]
    fn an_application_credential_is_read() {
        let account = read_from(&folder(CLOUDS, None), "robot").unwrap();
        let request = account.credentials.request();
        assert_eq!(request["auth"]["identity"]["application_credential"]["id"], "abc");
        assert!(request["auth"].get("scope").is_none());
    }

    #[test]
    fn an_entry_that_does_not_verify_is_refused() {
        let error = read_from(&folder(CLOUDS, None), "careless").unwrap_err().to_string();
        assert!(error.contains("always verifies"), "{error}");
    }

    #[test]
    fn an_unknown_entry_is_told_with_those_there_are() {
        let error = read_from(&folder(CLOUDS, None), "nowhere").unwrap_err().to_string();
        assert!(error.contains("nowhere") && error.contains("Campus, careless, robot"), "{error}");
    }

    #[test]
    fn a_missing_password_is_named() {
        let error = read_from(&folder(CLOUDS, None), "Campus").unwrap_err().to_string();
        assert!(error.contains("cloud Campus") && error.contains("password is missing"), "{error}");
    }

    #[test]
    fn broken_files_are_told_without_their_values() {
        for text in [
            "clouds: {a: {auth: {password: [sesame]}}}",
            "clouds: {a: {auth: sesame}}",
            "clouds: {a: {verify: sesame}}",
            "clouds: {a: sesame",
        ] {
            let error = read_from(&folder(text, None), "a").unwrap_err();
            assert!(matches!(error, CredentialsError::CloudsFile { .. }), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("sesame") && shown.contains("clouds.yaml"), "{shown}");
        }
    }

    #[test]
    fn a_missing_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = read("a", Some(&folder.path().join("clouds.yaml"))).unwrap_err().to_string();
        assert!(error.contains("no such file"), "{error}");
    }
}
