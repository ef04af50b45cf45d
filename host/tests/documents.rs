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

#[test]
fn the_google_backend_is_explained_and_checked() {
    let example = read("settings.example.toml");
    let csv = "backend = \"csv\"\n# Folder of the access sheet.\naccess = \"/var/lib/usher/access\"\n";
    assert!(example.contains(csv));
    let google = |keys: &str| {
        parse(&example.replace(csv, &format!("backend = \"google\"\ncredentials = \"key.json\"\n{keys}\n")))
    };
    let settings = google("access = \"1AbC-d_e\"\nquota = \"2AbC\"").unwrap();
    let Some(usher::settings::sheet::Sheet::Google(read)) = &settings.sheet else {
        panic!("not the google backend")
    };
    assert_eq!(read.base_url.as_str(), "https://sheets.googleapis.com/");
    assert!(!read.write_errors);
    let with_errors = google("access = \"a\"\nwrite_errors = true").unwrap();
    assert!(with_errors.sheet.is_some_and(|sheet| sheet.write_errors()));
    for key in ["credentials", "access, quota", "timeout", "base_url"] {
        assert!(
            example.lines().any(|line| line.starts_with(&format!("#       {key} "))),
            "{key} is not explained"
        );
    }
    for (keys, told) in [
        ("access = \"a\"\nfolder = \"b\"", "unknown field `folder`"),
        ("access = \"https://docs.google.com/spreadsheets/d/a/edit\"", "sheet.access: it has to be the id"),
        ("access = \"a\"\nquota = \"a\"", "sheet.quota: it is the access sheet too"),
        (
            "access = \"a\"\nbase_url = \"http://sheets.example.org/\"",
            "sheet.base_url: it has to be an https URL",
        ),
    ] {
        let error = google(keys).unwrap_err();
        assert!(error.contains(told), "{keys}: {error}");
    }
}

#[test]
fn a_setpass_on_another_machine_is_explained_and_checked() {
    let example = read("settings.example.toml");
    let here = "public_url = \"https://setpass.cloud.example.org/\"\n";
    let decided_there = "max_attempts = 5\n";
    assert!(example.contains(here) && example.contains(decided_there));
    // Without what the other machine decides.
    let (before, page) = example.split_once("[setpass.reset]\n").unwrap();
    let (_, after) = page.split_once("[import]\n").unwrap();
    let decided = ["max_attempts", "min_password_length", "audit_client", "forwarded_header"];
    let lines = before.lines().filter(|line| !decided.iter().any(|key| line.starts_with(key)));
    let bare = format!("{}\n[import]\n{after}", lines.collect::<Vec<_>>().join("\n"));
    let with = |keys: &str| parse(&bare.replace(here, &format!("{keys}\n")));

    let settings =
        with("remote = \"https://setpass.example.org/old/\"\nremote_ca_file = \"ca.pem\"").unwrap();
    assert_eq!(settings.setpass.public_url().as_str(), "https://setpass.example.org/old/");
    let settings =
        with("remote = \"http://127.0.0.1:5001\"\npublic_url = \"https://setpass.example.org\"").unwrap();
    assert_eq!(settings.setpass.public_url().as_str(), "https://setpass.example.org/");
    let remote = "remote = \"https://setpass.example.org\"";
    for (keys, line, told) in [
        ("", "[setpass]", "setpass.public_url: the URL under which users reach the page is missing"),
        ("remote = \"http://setpass.example.org\"", "remote = ", "setpass.remote: expected an https URL"),
        ("remote = \"https://setpass.example.org/?x=1\"", "remote = ", "setpass.remote: expected the root"),
        (
            "remote_ca_file = \"ca.pem\"\npublic_url = \"https://a.example.org\"",
            "remote_ca_file",
            "only with",
        ),
        (&format!("{remote}\nmax_attempts = 5"), "max_attempts", "setpass.max_attempts: the setpass that"),
        (
            &format!("{remote}\naudit_client = \"nothing\""),
            "audit_client",
            "setpass.audit_client: the setpass that",
        ),
        (
            &format!("{remote}\ntrusted_proxies = []"),
            "trusted_proxies",
            "setpass.trusted_proxies: the setpass that",
        ),
        (
            &format!("{remote}\nforwarded_header = \"forwarded\""),
            "forwarded_header",
            "setpass.forwarded_header: the setpass that",
        ),
        (remote, "[setpass.page]", "setpass.page: the setpass"),
        (remote, "[setpass.reset]", "setpass.reset: the setpass"),
    ] {
        let mut text = bare.replace(here, &format!("{keys}\n"));
        if line == "[setpass.page]" {
            text.push_str("\n[setpass.page]\naccent = \"#0b57a4\"\n");
        }
        if line == "[setpass.reset]" {
            text.push_str("\n[setpass.reset]\nmode = \"off\"\n");
        }
        let number = text.lines().position(|candidate| candidate.starts_with(line)).unwrap() + 1;
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with(&format!("x.toml:{number}:")) && error.contains(told), "{keys}: {error}");
    }
    for key in ["remote", "remote_ca_file", "public_url", "token_lifetime"] {
        assert!(
            example.lines().any(|line| line.starts_with(&format!("#       {key} "))),
            "{key} is not explained"
        );
    }
}

#[test]
fn calls_that_take_longer_than_setpass_waits_are_refused_where_it_is_served() {
    let example = read("settings.example.toml");
    let with =
        |timeout: &str| example.replacen("timeout = \"30s\"\n", &format!("timeout = \"{timeout}\"\n"), 1);
    assert_eq!(parse(&with("100s")).unwrap().keystone.timeout.as_secs(), 100);
    let text = with("101s");
    let line = text.lines().position(|line| line == "timeout = \"101s\"").unwrap() + 1;
    let error = parse(&text).unwrap_err();
    assert!(error.starts_with(&format!("x.toml:{line}:1: keystone.timeout: setpass gives")), "{error}");
}

#[test]
fn a_machine_that_only_serves_setpass_needs_no_sheet_and_one_with_a_sheet_needs_its_components() {
    let example = read("settings.example.toml");
    let without = |text: &str, from: &str, to: &str| {
        let (before, rest) = text.split_once(from).unwrap();
        let (_, after) = rest.split_once(to).unwrap();
        format!("{before}{to}{after}")
    };
    let no_sheet = without(&example, "\n[sheet]\n", "\n[mail]\n");
    let no_policy = without(&example, "\n[plugins.quota_policy]\n", "\n[plugins.mail_templates]\n");
    let no_components = without(&example, "\n[plugins.row_parser]\n", "\n[plugins.mail_templates]\n");
    let alone = without(&no_sheet, "\n[plugins.row_parser]\n", "\n[plugins.mail_templates]\n");

    let settings = parse(&alone).unwrap();
    assert!(settings.sheet.is_none() && settings.plugins.row_parser.is_none());
    assert_eq!(settings.plugins.all().len(), 1);
    assert!(parse(&no_sheet).unwrap().plugins.quota_policy.is_some());
    for (text, told) in [
        (no_policy, "plugins.quota_policy: a site with a [sheet] needs this component"),
        (no_components, "plugins.row_parser: a site with a [sheet] needs this component"),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn the_kinds_of_mailing_list_are_explained_and_checked() {
    use usher::settings::mailing_list::MailingList;

    let example = read("settings.example.toml");
    let list = |keys: &str| parse(&format!("{example}\n[mailing_list]\n{keys}\n"));
    let mailman = "kind = \"mailman\"\nurl = \"http://localhost:8001/3.1\"\nuser = \"restadmin\"\n\
                   password = { env = \"MAILMAN\" }\n";
    let majordomo = "kind = \"majordomo\"\naddress = \"majordomo@lists.example.org\"\n";
    let read = list(&format!("{mailman}list = \"users.lists.example.org\"")).unwrap();
    assert!(matches!(read.mailing_list, Some(MailingList::Mailman(_))));
    let read = list(&format!("{majordomo}list = \"users\"")).unwrap();
    assert!(
        matches!(read.mailing_list, Some(MailingList::Majordomo(majordomo)) if majordomo.password.is_none())
    );
    let read = list("kind = \"command\"\ncommand = [\"bin/subscribe\", \"a b\"]").unwrap();
    let Some(MailingList::Command(command)) = &read.mailing_list else { panic!("not a command") };
    assert_eq!(command.command, ["bin/subscribe", "a b"]);
    let keys = ["url", "user, password", "list", "ca_file", "timeout", "address", "password", "command"];
    for key in keys {
        assert!(
            example.lines().any(|line| line.starts_with(&format!("#       {key} "))),
            "{key} is not explained"
        );
    }
    for (keys, told) in [
        ("kind = \"listserv\"".to_owned(), "unknown variant `listserv`, expected"),
        (format!("{mailman}list = \"users.lists.example.org\"\ncolour = \"red\""), "unknown field `colour`"),
        (format!("{mailman}list = \"users@lists.example.org\""), "mailing_list.list: expected the list's id"),
        (
            format!("{}list = \"users.lists.example.org\"", mailman.replace("http:", "ftp:")),
            "mailing_list.url: expected an http",
        ),
        (format!("{majordomo}list = \"users lists\""), "mailing_list.list: expected the list's name"),
        (
            "kind = \"majordomo\"\naddress = \"majordomo\"\nlist = \"users\"".to_owned(),
            "mailing_list.address: expected",
        ),
        ("kind = \"command\"\ncommand = []".to_owned(), "mailing_list.command: expected a program"),
        ("kind = \"command\"\ncommand = \"subscribe\"".to_owned(), "invalid type: string"),
    ] {
        let error = list(&keys).unwrap_err();
        assert!(error.contains(told), "{keys}: {error}");
    }
    // Placed at the key at fault, although serde reads the section as a whole.
    let wrong = format!("{mailman}list = \"users.lists.example.org\"\ncolour = \"red\"");
    let line = example.lines().count() + 2 + wrong.lines().count();
    let error = list(&wrong).unwrap_err();
    assert!(error.starts_with(&format!("x.toml:{line}:")), "{error}");
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

/// All sources of the host and of the tests, as one text.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, text);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
}

#[test]
fn each_point_of_security_names_code_and_tests_that_exist() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("## Security of setpass").unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let (points, _) = rows.split_at(16);
    let mut text = String::new();
    for folder in ["host/src", "tests/e2e"] {
        sources(&root().join(folder), &mut text);
    }
    for point in points {
        let [_, _, places, tests, _] = point.split('|').collect::<Vec<_>>()[..] else { panic!("{point}") };
        let named = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        assert!(!named(places).is_empty() && !named(tests).is_empty(), "{point}");
        for place in named(places) {
            assert!(root().join("host/src").join(&place).exists(), "{place} does not exist");
        }
        for test in named(tests) {
            assert!(text.contains(&format!("fn {test}()")), "there is no test {test}");
        }
    }
}
