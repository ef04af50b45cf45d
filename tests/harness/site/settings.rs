//! The settings of a site of the tests.

use anyhow::Result;

use crate::cloud::Cloud;
use crate::mail_server::MailServer;
use crate::workspace;

/// The settings of a site that uses the bundled components.
pub(super) fn settings(cloud: &Cloud, mail: &MailServer) -> Result<String> {
    let component = |name: &str| workspace::component(name).map(|file| file.display().to_string());
    Ok(format!(
        r#"[site]
name = "Example Cloud"
time_zone = "America/New_York"
support_email = "support@example.org"

[database]
file = "state/usher.sqlite"
key_file = "state/usher.key"

[keystone]
auth = {{ method = "cloud", cloud = "minicloud", file = "{clouds}" }}
timeout = "20s"

[sheet]
backend = "csv"
access = "access"
quota = "quota"

[mail]
host = "127.0.0.1"
port = {port}
security = "starttls"
ca_file = "{ca}"
sender = "Example Cloud <cloud@example.org>"
helpdesk = "helpdesk@example.org"
timeout = "20s"
undeliverable = "state/undeliverable"

# Tests that are about it say when.
[schedule.notify]
enabled = false

[setpass]
listen = "127.0.0.1:0"
public_url = "https://setpass.example.org"

[plugins]
cache = "{cache}"

[plugins.row_parser]
component = "{rows}"

[plugins.quota_policy]
component = "{quotas}"

[plugins.quota_policy.settings.new_project]
instances = 7
cores = 14
ram = 28672
network = 3
port = 21
volumes = 5
gigabytes = 250

[plugins.mail_templates]
component = "{mails}"
files = "{templates}"

[plugins.mail_templates.settings.defaults]
support_email = "support@example.org"
"#,
        clouds = cloud.clouds_yaml().display(),
        port = mail.port(),
        ca = mail.ca_file().display(),
        cache = workspace::target().join("services/plugin-cache").display(),
        rows = component("moc-rows")?,
        quotas = component("standard-quotas")?,
        mails = component("standard-mail")?,
        templates = workspace::root().join("plugins/standard-mail/templates").display(),
    ))
}
