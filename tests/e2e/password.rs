//! `usher password reset`: a user who has forgotten the password chooses another.

use usher_tests::identity;
use usher_tests::sheet::AccessRow;

use crate::newcomer;
use crate::scene::kill_import_at;
use crate::stage::{Stage, expect_status, expect_words};

#[test]
fn a_reset_mails_a_link_and_the_old_password_ends() {
    let stage = Stage::new();
    let user = "forgetful@reset.example.org";
    let (old, new) = ("the old password", "the next password");
    stage.cloud.identity().unwrap().create_user(user, old).unwrap();
    let keystone = stage.cloud.keystone_url().unwrap();
    let login = |password: &str| identity::authenticate(&keystone, user, password, None).unwrap().status;
    assert_eq!(login(old), 201);

    let site = stage.site(&[]);
    let run = site.usher_with_input(&["password", "reset", user], "7359\n").unwrap();
    expect_status(&run, 0);
    assert!(!run.stdout.contains("token=") && !run.stderr.contains("token="), "a link was printed");
    assert_eq!(login(old), 401);
    assert_eq!(login(new), 401);

    let received = stage.mail.wait_for(1).unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].to, [user]);
    assert!(received[0].tls.is_some());
    assert!(!received[0].text.as_deref().unwrap().contains("7359"), "the PIN was mailed");
    let link = newcomer::links(&stage.mail, user).remove(0);
    let serving = site.serve().unwrap();
    assert_eq!(newcomer::choose(&serving, &link, "1357", new).status, 403, "another PIN");
    assert_eq!(newcomer::choose(&serving, &link, "7359", new).status, 200);
    assert_eq!(login(new), 201);
}

/// An import that was killed when it had created the user knows a password that the reset ends. So whoever goes
/// on with it must not mail a link that would need that password, nor one that is recorded already.
#[test]
fn a_reset_in_the_middle_of_an_import_leaves_one_link_and_it_works() {
    let stage = Stage::new();
    let keystone = stage.cloud.keystone_url().unwrap();
    for (number, place) in [
        "create-user done#1",
        "create-user finished#1",
        "announce begun#1",
        "announce finished#1",
        "mail password claimed#1",
    ]
    .iter()
    .enumerate()
    {
        let user = format!("user@place{number}.reset.example.org");
        let site = stage.site(&[AccessRow::founding(&user, &format!("Reset {number}"))]);
        assert_eq!(kill_import_at(&site, place), None, "{place}");
        expect_status(&site.usher_with_input(&["password", "reset", &user], "7359\n").unwrap(), 0);
        expect_status(&site.import(&["--all"]).unwrap(), 0);
        assert_eq!(site.requests().unwrap().len(), 1, "{place}");

        let links = newcomer::links(&stage.mail, &user);
        assert_eq!(links.len(), 1, "{place}");
        let mut mails = stage.mail.received().unwrap();
        mails.retain(|mail| mail.to == [user.clone()]);
        assert_eq!(mails.len(), 3, "{place}: reset, new project and welcome");
        let serving = site.serve().unwrap();
        // The PIN of the sheet belonged to the link that is not made.
        assert_eq!(
            newcomer::choose(&serving, &links[0], "4821", "the first password").status,
            403,
            "{place}"
        );
        assert_eq!(
            newcomer::choose(&serving, &links[0], "7359", "the first password").status,
            200,
            "{place}"
        );
        let login = identity::authenticate(&keystone, &user, "the first password", None).unwrap();
        assert_eq!(login.status, 201, "{place}");
    }
}

#[test]
fn a_pin_that_is_none_or_guessed_first_changes_nothing() {
    let stage = Stage::new();
    let user = "careful@reset.example.org";
    stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let site = stage.site(&[]);
    for (pin, words) in [("12a4", "PIN"), ("0000", "anybody would guess"), ("170462", "anybody would guess")]
    {
        let run = site.usher_with_input(&["password", "reset", user], &format!("{pin}\n")).unwrap();
        assert_ne!(run.status, Some(0), "{}", run.said());
        expect_words(&run, &[words]);
        assert!(!run.stderr.contains(pin), "{}", run.said());
    }
    assert!(stage.mail.received().unwrap().is_empty());
    let keystone = stage.cloud.keystone_url().unwrap();
    assert_eq!(identity::authenticate(&keystone, user, "the old password", None).unwrap().status, 201);
}

#[test]
fn a_user_who_does_not_exist_is_named() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let run = site.usher_with_input(&["password", "reset", "nobody@reset.example.org"], "7359\n").unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["nobody@reset.example.org"]);
}
