//! `usher doctor` reads the sheets as an import would, and says what keeps it from reading them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const ACCESS: &str = "access/Form Responses 1.csv";
const QUOTA: &str = "quota/Form Responses 1.csv";

/// A folder with settings and the sheets of the fixtures. Neither Keystone nor a mail server is there.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for worksheet in [ACCESS, QUOTA] {
            let file = folder.path().join(worksheet);
            fs::create_dir(file.parent().unwrap()).unwrap();
            fs::copy(root.join("tests/fixtures").join(worksheet), file).unwrap();
        }
        let components = root.join("target/components");
        assert!(
            components.join("moc-rows.wasm").exists(),
            "components are missing; run: cargo xtask plugins"
        );
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache");
        let settings = format!(
            r#"
            [site]
            name = "Example Cloud"
            support_email = "support@example.org"
            [database]
            file = "usher.sqlite"
            key_file = "usher.keys"
            [keystone]
            retries = 0
            timeout = "1s"
            [keystone.auth]
            method = "password"
            url = "http://127.0.0.1:1/v3"
            username = "usher"
            password = {{ file = "password" }}
            project = "admin"
            [sheet]
            backend = "csv"
            access = "access"
            quota = "quota"
            [mail]
            host = "127.0.0.1"
            port = 1
            security = "plain"
            sender = "noreply@example.org"
            helpdesk = "helpdesk@example.org"
            timeout = "1s"
            undeliverable = "undeliverable"
            [setpass]
            public_url = "https://setpass.example.org/"
            [plugins]
            cache = {cache:?}
            row_parser = {{ component = "{components}/moc-rows.wasm" }}
            quota_policy = {{ component = "{components}/standard-quotas.wasm" }}
            mail_templates = {{ component = "{components}/standard-mail.wasm" }}
            "#,
            components = components.display()
        );
        fs::write(folder.path().join("settings.toml"), settings).unwrap();
        fs::write(folder.path().join("password"), "sesame").unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines about one thing; there is always one about the settings.
    fn doctor(&self, thing: &str) -> Vec<String> {
        let Output { stdout, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_usher"))
            .arg("doctor")
            .env_remove("USHER_SETTINGS")
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let stdout = String::from_utf8(stdout).unwrap();
        let about = |line: &&str| line.split_whitespace().nth(1) == Some(thing);
        let lines: Vec<_> = stdout.lines().filter(about).map(str::to_owned).collect();
        assert!(stdout.contains("settings"), "{stdout}{}", String::from_utf8_lossy(&stderr));
        lines
    }
}

#[test]
fn sheets_that_can_be_read_are_counted() {
    let site = Site::new();
    let lines = site.doctor("sheet");
    let [access, quota] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(access.contains("access: worksheet \"Form Responses 1\" has "), "{access}");
    assert!(access.starts_with("warn") && access.contains("cannot be used as they are"), "{access}");
    assert!(quota.contains("quota: worksheet \"Form Responses 1\" has "), "{quota}");
}

#[test]
fn sheets_that_cannot_be_read_are_told() {
    let site = Site::new();
    fs::write(site.file(ACCESS), "Approved,\"open\nno end").unwrap();
    fs::write(site.file(QUOTA), "Surname,Shoe Size\nUser,44\n").unwrap();
    let lines = site.doctor("sheet");
    let [access, quota] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(access.starts_with("FAIL") && access.contains("Form Responses 1.csv: row "), "{access}");
    assert!(quota.starts_with("FAIL") && quota.contains("quota: worksheet"), "{quota}");

    fs::remove_file(site.file(ACCESS)).unwrap();
    fs::remove_dir_all(site.file("quota")).unwrap();
    let lines = site.doctor("sheet");
    let [access, quota] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(access.starts_with("FAIL") && access.contains("no worksheet \"Form Responses 1\""), "{access}");
    assert!(quota.starts_with("FAIL") && quota.contains("quota: there is no folder"), "{quota}");
}

#[test]
fn what_the_quota_policy_says_about_its_settings_is_told() {
    let site = Site::new();
    let settings = fs::read_to_string(site.file("settings.toml")).unwrap();
    let wrong = settings.replace(
        "standard-quotas.wasm\" }",
        "standard-quotas.wasm\", settings = { new_project = { instance = 7, cores = 4 } } }",
    );
    assert_ne!(wrong, settings);
    fs::write(site.file("settings.toml"), wrong).unwrap();
    let lines = site.doctor("plugins");
    let told =
        |start: &str, part: &str| lines.iter().any(|line| line.starts_with(start) && line.contains(part));
    assert!(told("ok", "quota_policy") && told("ok", "1 limit for a new project"), "{lines:?}");
    assert!(told("warn", "did you mean `instances`?"), "{lines:?}");
}

#[test]
fn a_job_that_lacks_what_it_needs_in_the_sheet_is_told_with_what_to_do_and_changes_nothing() {
    let site = Site::new();
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/components");
    let settings = fs::read_to_string(site.file("settings.toml")).unwrap();
    let job = format!(
        "\n[plugins.jobs.digest]\ncomponent = \"{}\"\ngrants = [\"sheet\", \"mail\"]\n\
         settings = {{ to = [\"admins@example.org\"], worksheet = \"Form Responses 1\" }}\n",
        components.join("weekly-digest.wasm").display()
    );
    fs::write(site.file("settings.toml"), settings + &job).unwrap();
    let told = || {
        let lines = site.doctor("plugins");
        lines.into_iter().find(|line| line.contains("jobs.digest")).unwrap()
    };
    let line = told();
    for words in
        ["FAIL", "there is no worksheet \"Weekly Digest\"", "Form Responses 1", "Digest, Request", "`memory`"]
    {
        assert!(line.contains(words), "{words}: {line}");
    }
    let memory = site.file("access/Weekly Digest.csv");
    fs::write(&memory, "Digest,Request\n").unwrap();
    let line = told();
    assert!(line.starts_with("ok") && line.contains("a dry run says: nobody was admitted"), "{line}");
    assert_eq!(fs::read_to_string(&memory).unwrap(), "Digest,Request\n");
}

#[test]
fn a_missing_database_is_told_and_not_made() {
    let site = Site::new();
    let told = site.doctor("database");
    let [line] = told.as_slice() else { panic!("{told:?}") };
    assert!(line.starts_with("ok") && line.contains("there is none yet"), "{line}");
    assert!(!site.file("usher.sqlite").exists());
    fs::write(site.file("no folder"), "").unwrap();
    let settings = fs::read_to_string(site.file("settings.toml")).unwrap();
    let settings = settings.replace("\"usher.sqlite\"", "\"no folder/usher.sqlite\"");
    fs::write(site.file("settings.toml"), settings).unwrap();
    let told = site.doctor("database");
    let [line] = told.as_slice() else { panic!("{told:?}") };
    assert!(line.starts_with("FAIL") && line.contains("correct database.file"), "{line}");
}

/// Whoever may not enter the folder meets the same error, but not where tests are run by root.
#[test]
fn a_database_that_this_user_cannot_see_is_not_said_to_be_missing() {
    let site = Site::new();
    let file = site.file("usher.sqlite");
    std::os::unix::fs::symlink(&file, &file).unwrap();
    let lines = site.doctor("database");
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with("FAIL") && line.contains("may not see whether it is there"), "{line}");
    assert!(!line.contains("owner"), "{line}");
}

#[test]
fn what_keeps_the_mail_templates_from_being_read_is_said_once() {
    let site = Site::new();
    let settings = fs::read_to_string(site.file("settings.toml")).unwrap();
    fs::write(site.file("settings.toml"), settings.replace("standard-mail.wasm", "nowhere.wasm")).unwrap();
    let lines = site.doctor("plugins");
    let line = lines.iter().find(|line| line.contains("mail_templates")).unwrap();
    assert_eq!(line.matches("No such file").count(), 1, "{line}");
}

/// A folder that is none is found out also by root, whom no permission stops.
#[test]
fn folders_that_cannot_be_written_are_told_before_they_are_needed() {
    let site = Site::new();
    let lines = site.doctor("folders");
    assert!(lines.is_empty(), "a folder that is still to be made is no trouble: {lines:?}");
    fs::write(site.file("undeliverable"), "not a folder").unwrap();
    let lines = site.doctor("folders");
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with("FAIL") && line.contains("mail.undeliverable"), "{line}");
}

#[test]
fn a_logo_that_cannot_be_shown_is_told() {
    let site = Site::new();
    assert!(site.doctor("page").is_empty(), "without a logo there is nothing to tell");
    let settings = fs::read_to_string(site.file("settings.toml")).unwrap();
    let with_logo = settings.replace("[plugins]", "[setpass.page]\nlogo = \"logo.png\"\n[plugins]");
    fs::write(site.file("settings.toml"), with_logo).unwrap();
    let lines = site.doctor("page");
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with("FAIL") && line.contains("logo.png"), "{line}");
    fs::write(site.file("logo.png"), "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
    let lines = site.doctor("page");
    assert!(lines.len() == 1 && lines[0].starts_with("ok"), "{lines:?}");
}

/// A new key file beside an old database protects nothing that is in it.
#[tokio::test]
async fn a_key_that_the_database_needs_and_the_key_file_lacks_is_told_with_what_to_do() {
    let site = Site::new();
    let usher = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
        command.args(arguments).env_remove("USHER_SETTINGS").current_dir(site.folder.path()).output().unwrap()
    };
    assert!(usher(&["keys", "new"]).status.success());
    let keys = usher::keys::Keys::load(&site.file("usher.keys")).unwrap();
    let id = keys.list()[0].id.to_string();
    let database = usher::database::Database::open(&site.file("usher.sqlite")).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    let (sealed, now) = (keys.seal("outbox", b"a mail"), jiff::Timestamp::UNIX_EPOCH);
    usher::database::Database::add_mail(&mut transaction, "origin", "kind", &sealed, now, None)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert!(site.doctor("keys").iter().all(|line| line.starts_with("ok")));

    fs::rename(site.file("usher.keys"), site.file("moved-away")).unwrap();
    let made = String::from_utf8(usher(&["keys", "new"]).stdout).unwrap();
    let listed = usher(&["keys", "list"]);
    assert_eq!(listed.status.code(), Some(1));
    let told = [made, String::from_utf8(listed.stdout).unwrap(), site.doctor("keys").join("\n")];
    for told in told {
        for words in [id.as_str(), "1 secret", "Put the line that begins with", "usher password reset"] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
    let opened = usher(&["mail", "show", "1", "--content"]);
    let error = String::from_utf8(opened.stderr).unwrap();
    assert!(error.contains(&id) && error.contains("put the line that begins with"), "{error}");

    // The line is put back below the new key.
    let old = fs::read_to_string(site.file("moved-away")).unwrap().lines().nth(1).unwrap().to_owned();
    let new = fs::read_to_string(site.file("usher.keys")).unwrap();
    fs::write(site.file("usher.keys"), format!("{new}{old}\n")).unwrap();
    let lines = site.doctor("keys");
    assert!(
        lines.iter().any(|line| line.starts_with("warn") && line.contains("usher keys rotate")),
        "{lines:?}"
    );
    assert!(usher(&["keys", "rotate"]).status.success());
    assert!(site.doctor("keys").iter().all(|line| line.starts_with("ok")));
}

#[test]
fn a_key_file_that_others_may_read_is_refused_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    for (mode, start, words) in
        [(0o600, "ok", "usher.keys"), (0o640, "FAIL", "chmod 600"), (0o604, "FAIL", "chmod 600")]
    {
        let id = usher::keys::Keys::create(&site.file("usher.keys"), jiff::Timestamp::UNIX_EPOCH);
        assert!(id.is_ok());
        fs::set_permissions(site.file("usher.keys"), fs::Permissions::from_mode(mode)).unwrap();
        let lines = site.doctor("keys");
        assert!(lines[0].starts_with(start) && lines[0].contains(words), "{mode:o}: {lines:?}");
        fs::remove_file(site.file("usher.keys")).unwrap();
    }
}
