//! The documents say what is true: the example settings can be read, the README names what exists.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use usher::settings::Settings;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn the_example_settings_can_be_read() {
    let text = read("settings.example.toml");
    let settings = Settings::parse(&text, Path::new("/etc/usher/settings.toml")).unwrap();
    assert_eq!(settings.mail.port(), 587);
    assert_eq!(settings.keystone.member_role, "member");
}

/// Every key that a section of the settings knows. The names come from what serde lists when it
/// meets a key that it does not know.
#[test]
fn the_example_settings_name_every_key() {
    let example = read("settings.example.toml");
    let sections = [
        "",
        "site",
        "database",
        "keystone",
        "sheet",
        "mail",
        "mail.login",
        "setpass",
        "import",
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

#[test]
fn a_wrong_settings_file_names_the_line_and_never_a_value() {
    let example = read("settings.example.toml");
    let parse = |text: &str| Settings::parse(text, Path::new("x.toml")).unwrap_err().to_string();

    let typo = parse(&example.replace("timeout = \"30s\"\n# How often", "timeoutt = \"30s\"\n# How often"));
    let line = example.lines().position(|line| line.starts_with("timeout")).unwrap() + 1;
    assert!(typo.starts_with(&format!("x.toml:{line}:")), "{typo}");
    assert!(typo.contains("timeoutt") && typo.contains("`timeout`"), "{typo}");

    let in_clear = parse(&example.replace("{ file = \"/etc/usher/keystone-password\" }", "\"hunter2\""));
    assert!(in_clear.contains("expected { file"), "{in_clear}");
    assert!(!in_clear.contains("hunter2"), "{in_clear}");

    let wrong_type = parse(&example.replace("port = 587", "port = \"hunter2\""));
    assert!(wrong_type.contains("expected u16") && !wrong_type.contains("hunter2"), "{wrong_type}");

    let wrong_choice = parse(&example.replace("security = \"starttls\"", "security = \"none\""));
    assert!(wrong_choice.contains("starttls") && wrong_choice.contains("plain"), "{wrong_choice}");

    let contradiction = parse(&example.replace("security = \"starttls\"", "security = \"plain\""));
    assert!(contradiction.contains("mail.login"), "{contradiction}");

    let not_https = parse(&example.replace("https://setpass", "http://setpass"));
    assert!(not_https.contains("setpass.public_url"), "{not_https}");
}

#[test]
fn the_readme_names_what_exists() {
    let readme = read("README.md");
    let (_, architecture) = readme.split_once("## Architecture").unwrap();
    let mut checked = 0;
    for path in architecture.split('`').skip(1).step_by(2).filter(|text| !text.contains(' ')) {
        assert!(root().join(path).exists(), "the README names {path}, which does not exist");
        checked += 1;
    }
    assert!(checked >= 12, "only {checked} paths were found: the test has lost its grip");
}
