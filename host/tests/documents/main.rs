//! The documents say what is true: the example settings can be read, the README names what exists.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod readme;
mod settings;
mod units;
mod wrong_settings;

use std::path::Path;

use usher::settings::Settings;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(text, Path::new("x.toml")).map_err(|error| error.to_string())
}

/// The example with everything in force that is commented out: lines such as `# key = value` and
/// `# [section]`. What is indented further belongs to an explanation.
fn uncommented(example: &str) -> String {
    let is_setting = |line: &str| {
        let key = line.split_once(" = ").map(|(key, _)| key);
        let named = key.is_some_and(|key| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        named || (line.starts_with('[') && line.ends_with(']'))
    };
    let lines =
        example.lines().map(|line| line.strip_prefix("# ").filter(|line| is_setting(line)).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_settings_can_be_read() {
    let settings = parse(&read("settings.example.toml")).unwrap();
    assert_eq!(settings.mail.port(), 587);
    assert_eq!(settings.keystone.member_role, "member");
    // A copy names nothing that a site need not have.
    assert!(settings.keystone.region.is_none() && settings.keystone.ca_file.is_none());
    assert!(settings.mail.login.is_none() && settings.mail.ca_file.is_none());
    assert!(settings.mailing_list.is_none());
    assert!(settings.setpass.page.logo.is_none() && settings.setpass.page.login_url.is_none());
    assert!(settings.setpass.tls.is_none());
    // Whoever copies it does not find the sheets processed by themselves.
    assert!(settings.schedule.import.cron.is_none() && settings.schedule.quotas.cron.is_none());
    assert!(settings.schedule.alert_to.is_none() && settings.plugins.jobs.is_empty());
    assert!(
        settings.plugins.all().iter().all(|(_, plugin)| plugin.sha256.is_none() && plugin.limits.is_none())
    );
}

#[test]
fn what_the_example_settings_comment_out_can_be_read_too() {
    let settings = parse(&uncommented(&read("settings.example.toml"))).unwrap();
    assert!(settings.keystone.region.is_some() && settings.keystone.ca_file.is_some());
    assert!(settings.mail.login.is_some() && settings.mail.ca_file.is_some());
    assert!(settings.mailing_list.is_some());
    assert!(settings.setpass.page.logo.is_some() && settings.setpass.page.login_url.is_some());
    assert!(settings.setpass.tls.is_some());
    let row_parser = settings.plugins.row_parser.unwrap();
    assert!(row_parser.sha256.is_some() && row_parser.limits.is_some());
    assert!(settings.schedule.import.cron.is_some() && settings.schedule.alert_to.is_some());
    assert!(settings.plugins.jobs["weekly-digest"].schedule.cron.is_some());
    let Some(usher::settings::sheet::Sheet::Csv(csv)) = &settings.sheet else {
        panic!("not the csv backend")
    };
    assert!(csv.quota.is_some() && csv.write_errors);
}

/// Every key that a section of the settings knows. The names come from what serde lists when it
/// meets a key that it does not know.
#[test]
fn the_example_settings_name_every_key() {
    let example = uncommented(&read("settings.example.toml"));
    let sections = [
        "",
        "site",
        "database",
        "keystone",
        "sheet",
        "mail",
        "mail.login",
        "mailing_list",
        "setpass",
        "setpass.tls",
        "setpass.reset",
        "import",
        "reminder",
        "retention",
        "schedule",
        "schedule.import",
        "plugins",
        "plugins.limits",
        "plugins.row_parser",
    ];
    let mut checked = 0;
    for section in sections {
        let header = format!("[{section}]");
        let text = if section.is_empty() {
            format!("no_such_key = 1\n{example}")
        } else {
            assert!(example.contains(&header), "the example has no {header}");
            example.replacen(&header, &format!("{header}\nno_such_key = 1"), 1)
        };
        let error = Settings::parse(&text, Path::new("x.toml")).unwrap_err().to_string();
        assert!(error.contains("no_such_key") && error.contains("expected"), "{section}: {error}");
        let (_, allowed) = error.split_once("expected").unwrap();
        for key in allowed.split('`').skip(1).step_by(2) {
            let named = example.lines().any(|line| {
                let line = line.trim_start_matches(['#', ' ']);
                line.starts_with(&format!("{key} ="))
                    || line.starts_with(&format!("[{key}"))
                    || line.contains(&format!(".{key}"))
            });
            assert!(named, "settings.example.toml does not explain {section}.{key}");
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} keys were found: the test has lost its grip");
}
