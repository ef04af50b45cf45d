//! A job that calls every function of the host once and reports what each answered.
//!
//! The setting `worksheet` names a worksheet with at least two rows, `user` and `project` what to look
//! up, and `recipient` whom to write to.

use usher_plugin::job::{self, Job};
use usher_plugin::keystone_admin::NewUser;
use usher_plugin::settings::Settings;
use usher_plugin::types::{JobError, JobReport, Message, Occasion};
use usher_plugin::{keystone, keystone_admin, log, mail, sheet, token};

struct BusyJob;

impl Job for BusyJob {
    fn run(occasion: Occasion) -> Result<JobReport, JobError> {
        let settings = Settings::load();
        let text = |key: &str| settings.text(key).ok().flatten().unwrap_or_default().to_owned();
        if text("fail") == "passing" {
            return Err(JobError::Passing("come back later".to_owned()));
        }
        if text("fail") == "final" {
            return Err(JobError::Final("somebody has to act".to_owned()));
        }
        log::info("at work");
        let mut details = vec![format!("{occasion:?}")];
        let mut note = |name: &str, answer: String| details.push(format!("{name}: {answer}"));
        let (user, project, worksheet) = (text("user"), text("project"), text("worksheet"));

        note("find-user", format!("{:?}", keystone::find_user(&user)));
        note("find-project", format!("{:?}", keystone::find_project(&project)));
        note("roles-of-user", format!("{:?}", keystone::roles_of_user(&user)));
        note("roles-on-project", format!("{:?}", keystone::roles_on_project(&project)));
        let new = NewUser {
            name: user.clone(),
            email: user.clone(),
            description: "New User".to_owned(),
            default_project_id: None,
        };
        note("create-user", format!("{:?}", keystone_admin::create_user(&new)));
        note("create-project", format!("{:?}", keystone_admin::create_project(&project, "")));
        note("grant-role", format!("{:?}", keystone_admin::grant_role(&user, &project, "member")));
        note("revoke-role", format!("{:?}", keystone_admin::revoke_role(&user, &project, "member")));
        note("set-user-enabled", format!("{:?}", keystone_admin::set_user_enabled(&user, false)));
        let message = Message {
            sender: None,
            cc: Vec::new(),
            subject: "From a job".to_owned(),
            text: "Hello\n".to_owned(),
            html: None,
        };
        let to = [text("recipient")];
        note("send", format!("{:?}", mail::send("greeting", &to, &message)));
        note("send again", format!("{:?}", mail::send("greeting", &to, &message)));
        let nobody = ["not an address".to_owned()];
        note("send to nobody", format!("{:?}", mail::send("nobody", &nobody, &message)));
        let headed = Message { subject: "a\nBcc: b@example.org".to_owned(), ..message };
        note("send a header", format!("{:?}", mail::send("headed", &to, &headed)));
        let rows = sheet::read(&worksheet);
        note("read", format!("{rows:?}"));
        if let Some(row) = rows.ok().and_then(|rows| rows.into_iter().nth(1)) {
            note("mark", format!("{:?}", sheet::mark(&worksheet, &row, 1, "marked")));
            note("mark again", format!("{:?}", sheet::mark(&worksheet, &row, 1, "marked twice")));
        }
        note(
            "append",
            format!("{:?}", sheet::append(&worksheet, &[vec!["=1+1".to_owned(), "last".to_owned()]])),
        );
        note("read nothing", format!("{:?}", sheet::read("no such worksheet")));
        note("renew", format!("{:?}", token::renew(&user).map(|url| url.contains("token="))));
        note("renew unknown", format!("{:?}", token::renew("nobody")));
        Ok(JobReport { summary: "called everything".to_owned(), details })
    }
}

job::export!(BusyJob);
