//! The bundled component that words the mails, with the templates that come along.

use std::path::Path;

use usher::mail_content;
use usher::plugin::PluginError;
use usher::settings::plugins::{Limits, Plugin};

use crate::fixture::{guest, host};

#[tokio::test]
async fn every_kind_of_mail_is_worded() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/standard-mail/templates");
    let plugin = Plugin { files: Some(templates), ..guest("standard-mail") };
    let mail_templates = host(Limits::default()).mail_templates(&plugin).await.unwrap();
    for content in mail_content::samples() {
        let kind = content.kind();
        let message = mail_templates.render(&content).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        let html = message.html.unwrap_or_default();
        // What each mail about quotas is there for crosses to the component and comes back in both forms.
        let expected: &[&str] = match kind {
            "quota-update" => &["unlimited", "4096 MB (4 GB)"],
            "quota-denied" => &["a limit of 8 was requested, and 12 are in use"],
            "quota-ending" => &["Monday, 1 January 2035", "Then", "16"],
            "quota-ended" => &["have ended", "8"],
            _ => continue,
        };
        for part in expected {
            assert!(message.text.contains(part) && html.contains(part), "{kind}: {part}: {}", message.text);
        }
    }
}

#[tokio::test]
async fn a_folder_that_lacks_a_template_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = Plugin { files: Some(folder.path().to_owned()), ..guest("standard-mail") };
    let mail_templates = host(Limits::default()).mail_templates(&plugin).await.unwrap();
    for content in mail_content::samples_of_quotas() {
        let error = mail_templates.render(&content).await.unwrap_err();
        let PluginError::Render { place, .. } = &error else { panic!("{error}") };
        assert_eq!(place, &format!("{}.txt", content.kind()));
    }
}
