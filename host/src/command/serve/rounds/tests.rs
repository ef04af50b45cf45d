use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::database::{Attempt, AttemptLimits, AttemptStart};
use crate::keystone::Keystone;
use crate::mailer::Message;
use crate::notices::tests::Site;
use crate::outbox::Compose;
use crate::setpass::fixture::token_hash;
use crate::setpass::{Asker, Pin, Registration};
use crate::settings::keystone::Auth;

const USER: &str = "3e5c8b0f7a";

/// Accepts connections, each of which it names, and answers nothing.
async fn silent_keystone() -> (String, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v3", listener.local_addr().unwrap());
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
            if tell.send(()).is_err() {
                return;
            }
        }
    });
    (url, told)
}

/// The services of a site, with this Keystone.
fn with_keystone(app: &App, at: &str) -> App {
    let mut settings = app.settings.clone();
    let Auth::Password { url, .. } = &mut settings.keystone.auth else { panic!("another way to log in") };
    *url = at.parse().unwrap();
    let keystone = Keystone::new(&settings.keystone, app.clock.clone()).unwrap();
    App { settings, keystone, ..app.clone() }
}

/// Has a user be owed a mail, as after a change of the password.
async fn owe_a_notice(app: &App) {
    let (password, pin) = (SecretString::from("random"), SecretString::from("4711"));
    let registration = Registration { user_id: USER, password: Some(&password), pin: Some(Pin::Clear(&pin)) };
    let mut tx = app.database.begin().await.unwrap();
    let link = app.setpass.register(&mut tx, registration).await.unwrap();
    tx.commit().await.unwrap();
    let (hash, now) = (token_hash(&link.token), app.clock.now());
    let limits = AttemptLimits { per_link: 5, per_window: 5 };
    let attempt = Attempt { token_hash: &hash, now, limits, client: None };
    let counted = app.database.count_attempt(&attempt).await.unwrap();
    let AttemptStart::Counted(attempt) = counted else { panic!("{counted:?}") };
    app.database.erase_used_link(&attempt, None, now).await.unwrap();
    assert_eq!(app.database.owed_notices(Timestamp::MAX).await.unwrap().len(), 1);
}

async fn ask_for_a_link(app: &App) {
    let hash = app.setpass.hash_pin(&"830274".into()).await.unwrap();
    let asker = Asker { name: "New User".to_owned(), email: "user@example.org".to_owned() };
    app.setpass.ask_for_link(&asker, &hash, None).await.unwrap();
}

#[tokio::test]
async fn mail_goes_out_while_keystone_is_silent() {
    let site = Site::new("[setpass.reset]\nmode = \"self-service\"").await;
    let (url, mut asked) = silent_keystone().await;
    let app = with_keystone(&site.app, &url);
    owe_a_notice(&app).await;
    ask_for_a_link(&app).await;
    let render_mail: RenderMail = Arc::new(|_| panic!("nobody tells whom a mail is for"));
    let resets = PasswordResets::with(&app, Arc::clone(&render_mail));
    let (_stop, stopping) = watch::channel(false);
    let under_way = UnderWay::default();
    let rounds = run(&app, &render_mail, Some(&resets), &under_way, &stopping);
    let sent = async {
        // Whoever writes notices and whoever answers requests wait for Keystone from now on.
        asked.recv().await.unwrap();
        let message = Message {
            sender: None,
            cc: Vec::new(),
            subject: "Welcome".to_owned(),
            text: "Hello".to_owned(),
            html: None,
        };
        let mail = Compose { to: vec!["new@example.org".to_owned()], message, link: None };
        let mut tx = app.database.begin().await.unwrap();
        app.outbox.enqueue(&mut tx, "welcome", "welcome", &mail).await.unwrap();
        tx.commit().await.unwrap();
        while site.mails().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = rounds => panic!("nobody asked them to stop"),
        sent = tokio::time::timeout(Duration::from_secs(20), sent) => sent.expect("the mail is sent in time"),
    }
    assert_eq!(site.mails(), ["new@example.org: Welcome"]);
    let owed = app.database.owed_notices(Timestamp::MAX).await.unwrap();
    assert_eq!(owed.first().map(|notice| notice.tries), Some(0), "Keystone was silent all the time");
}
