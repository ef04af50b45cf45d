//! Sections of the example settings of which a site chooses one kind, and what is refused in them.

use crate::{parse, read};

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
