//! What a new user does: opens the mailed link, types the PIN and a password, and logs in.

use anyhow::{Context as _, Result, ensure};
use usher_tests::cloud::Cloud;
use usher_tests::{identity, web};

use crate::part::title;

const PASSWORD: &str = "correct horse battery staple";

/// A user who has not chosen a password yet.
pub struct Newcomer {
    /// Name to log in with.
    pub user: String,
    /// The PIN from the sign-up form.
    pub pin: String,
    /// The project that the user asked for.
    pub project: String,
}

/// Chooses a password on the page, and checks that it works.
pub fn set_password(cloud: &Cloud, newcomer: &Newcomer, link: &str) -> Result<()> {
    title("no terminal, so the demo goes on by itself");
    let keystone = cloud.keystone_url()?;
    let login = || identity::authenticate(&keystone, &newcomer.user, PASSWORD, Some(&newcomer.project));

    let before = login()?;
    println!("log in with the password to be chosen        {}", before.status);
    ensure!(before.status == 401, "nobody has chosen a password yet, and Keystone answers {}", before.status);

    let page = web::request("GET", link).header("Accept", "text/html").send()?;
    println!("GET the link                                 {}", page.status);
    ensure!(page.status == 200 && page.body.contains("<form"), "the link does not show a form");

    let chosen = [("pin", newcomer.pin.as_str()), ("password", PASSWORD), ("confirm_password", PASSWORD)];
    let set = web::request("POST", link).header("Accept", "text/html").form(&chosen).send()?;
    println!("POST PIN and password                        {}", set.status);
    ensure!(set.status == 200, "setpass refuses: {}", set.body);

    let after = login()?;
    println!("log in, scoped to {:<27}{}", newcomer.project, after.status);
    ensure!(after.status == 201, "the new password does not work");
    let token = after.json()?;
    let roles = token["token"]["roles"].as_array().context("the token has no roles")?;
    let roles: Vec<&str> = roles.iter().filter_map(|role| role["name"].as_str()).collect();
    println!("roles in the token                           {}", roles.join(", "));
    ensure!(roles.contains(&"member"), "the user is no member of {}", newcomer.project);

    let assignments =
        cloud.openstack(&["role", "assignment", "list", "--names", "--user", &newcomer.user])?;
    for assignment in assignments.as_array().context("openstack lists no roles")? {
        let field = |name: &str| assignment[name].as_str().unwrap_or_default().to_owned();
        println!(
            "openstack role assignment list               {} is {} on {}",
            field("User"),
            field("Role"),
            field("Project")
        );
    }
    println!("\nThe user can log in, and could not before.");
    Ok(())
}
