//! A wrong settings file is told with its line, and never with a value.

use crate::{parse, read, uncommented};

#[test]
fn a_wrong_settings_file_names_the_line_and_never_a_value() {
    let example = uncommented(&read("settings.example.toml"));
    let parse = |text: &str| parse(text).unwrap_err();

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
}

/// Each fault is told with the line that it is on, found here by the text of that line.
#[test]
fn what_is_wrong_with_a_key_is_told_with_its_line() {
    let example = uncommented(&read("settings.example.toml"));
    let in_row_parser = "limits = { memory_mib = 512,";
    for (what, with, line, told) in [
        // Contradictions.
        ("https://keystone.cloud", "ftp://keystone.cloud", "url = ", "keystone.auth.url: expected an http"),
        ("security = \"starttls\"", "security = \"plain\"", "[mail.login]", "mail.login: "),
        (
            "sender = \"Example Cloud <noreply@",
            "sender = \"<",
            "sender = ",
            "mail.sender: expected an e-mail",
        ),
        ("helpdesk = \"", "helpdesk = \"@", "helpdesk = ", "mail.helpdesk: expected an e-mail"),
        (
            "\"https://setpass.cloud.example.org/\"",
            "\"http://setpass/\"",
            "public_url",
            "setpass.public_url: ",
        ),
        ("to = [\"approvers@", "to = [\"", "to = ", "reminder.to: expected e-mail addresses"),
        ("concurrency = 16", "concurrency = 0", "concurrency = ", "keystone.concurrency: "),
        ("max_attempts = 5", "max_attempts = 0", "max_attempts = ", "setpass.max_attempts: "),
        ("per_day = 20", "per_day = 4", "max_attempts_per_day", "setpass.max_attempts_per_day: "),
        (
            "\nmemory_mib = 256",
            "\nmemory_mib = 0",
            "memory_mib = 0",
            "plugins.limits.memory_mib: expected 1 to",
        ),
        (
            "\nanswer_mib = 64",
            "\nanswer_mib = 9999",
            "answer_mib",
            "plugins.limits.answer_mib: expected 1 to",
        ),
        (in_row_parser, "limits = { memory_mib = 0,", "limits = {", "plugins.row_parser.limits.memory_mib: "),
        ("alert_to = \"", "alert_to = \"@", "alert_to = ", "schedule.alert_to: expected an e-mail"),
        ("alert_after = 3", "alert_after = 0", "alert_after = ", "schedule.alert_after: "),
        (
            "cron = \"20 0 * * *\"",
            "cron = \"hourly\"",
            "cron = \"hourly\"",
            "expected five fields as in crontab",
        ),
        ("cron = \"10 0 * * *\"", "cron = \"0 0 31 2 *\"", "cron = \"0 0 31", "no such time ever comes"),
        (
            "[schedule.import]\ncron = \"*/15 * * * *\"",
            "[schedule.import]\nenabled = true # by itself",
            "enabled = true # by itself",
            "schedule.import.enabled: say when",
        ),
        (
            "jobs.weekly-digest]",
            "jobs.Weekly]",
            "[plugins.jobs.Weekly]",
            "plugins.jobs.Weekly: a job's name consists",
        ),
        (
            "jobs.weekly-digest]",
            "jobs.import]",
            "[plugins.jobs.import]",
            "plugins.jobs.import: Usher has a job",
        ),
        // A key that is not written is told with its section.
        ("max_attempts_per_day = 20\n", "", "[setpass]", "setpass.max_attempts_per_day: "),
        // Sections of which there are several kinds.
        ("access = \"/var", "acess = \"/var", "acess = ", "unknown field `acess`, expected"),
        ("quota = \"/var/lib/usher/quota\"", "quota = 5", "quota = 5", "invalid type: integer"),
        ("\nbackend = \"csv\"", "\nbackend = \"odf\"", "backend = ", "unknown variant `odf`, expected `csv`"),
        ("access = \"/var/lib/usher/access\"\n", "", "[sheet]", "missing field `access`"),
        (
            "password = { file = \"/etc/usher/keystone-password\" }\n",
            "",
            "[keystone.auth]",
            "missing field `password`",
        ),
        ("user_domain =", "domain_of_user =", "domain_of_user", "unknown field `domain_of_user`, expected"),
        ("{ file = \"/etc/usher/keystone-password\" }", "\"hunter2\"", "password = ", "expected { file"),
        ("method = \"password\"\nurl", "method = \"pasword\"\nurl", "method = ", "unknown variant `pasword`"),
    ] {
        assert!(example.contains(what), "{what}");
        let mut text = example.replacen(what, with, 1);
        if line == "[setpass]" {
            text = text.replacen("max_attempts = 5", "max_attempts = 50", 1);
        }
        let number = text.lines().position(|candidate| candidate.starts_with(line)).unwrap() + 1;
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with(&format!("x.toml:{number}:")), "line {number}: {error}");
        assert!(error.contains(told) && !error.contains("hunter2"), "{told}: {error}");
    }
    let (before, login) = example.split_once("[mail.login]").unwrap();
    let (_, after) = login.split_once("[setpass]").unwrap();
    let text =
        format!("{before}[setpass]{after}").replacen("security = \"starttls\"", "security = \"plain\"", 1);
    let number = text.lines().position(|line| line.contains("mail-ca.pem")).unwrap() + 1;
    let error = parse(&text).unwrap_err();
    assert!(error.starts_with(&format!("x.toml:{number}:1: mail.ca_file: ")), "{error}");
}
