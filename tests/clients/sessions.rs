//! Who Usher is to Keystone, and who may act as an administrator.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use usher::keystone::KeystoneError;
use usher::random;

use crate::cloud::{Cloud, administrator, connect, connect_as, create_project, create_user, fresh};

#[tokio::test]
async fn an_administrator_is_told_who_it_is() {
    let identity = administrator().whoami().await.unwrap();
    assert_eq!((identity.user.as_str(), identity.project.as_str()), ("admin", "admin"));
    assert!(identity.roles.contains(&"admin".to_owned()));
    assert!(identity.to_string().contains("admin on project admin"));
}

#[tokio::test]
async fn only_tokens_for_the_admin_project_authorize_and_only_admins_create_users() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let project = create_project(&keystone, &fresh("chemistry")).await;
    let password = random::password();
    let user = create_user(&keystone, &fresh("dora"), &password).await;
    let role = keystone.find_role("member").await.unwrap().unwrap();
    keystone.grant(&user.id, &project.id, &role.id).await.unwrap();
    let token = cloud.token_of(&user.name, password.expose_secret(), Some(&project.name)).await.unwrap();

    assert!(!keystone.authorizes_admin(&SecretString::from(token)).await.unwrap());
    assert!(keystone.authorizes_admin(&SecretString::from(cloud.token.clone())).await.unwrap());
    for nonsense in ["nonsense", "", "line\nbreak"] {
        assert!(!keystone.authorizes_admin(&SecretString::from(nonsense)).await.unwrap(), "{nonsense:?}");
    }

    let (member, _folder) = connect_as(&user, &password, &project.name, &cloud.url);
    assert_eq!(keystone.may_create_users().await.unwrap(), Some(true));
    assert_eq!(member.may_create_users().await.unwrap(), Some(false));
    let error = member.set_enabled(&user.id, false).await.unwrap_err();
    assert!(
        matches!(&error, KeystoneError::Forbidden { message, .. } if message.contains("identity:update_user"))
    );
    assert!(error.to_string().contains("role admin"), "{error}");
    cloud.remove(&format!("users/{}", user.id)).await;
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn an_application_credential_serves_and_a_wrong_secret_is_refused() {
    let cloud = Cloud::new().await;
    let user = administrator().whoami().await.unwrap().user_id;
    let wanted =
        json!({ "application_credential": { "name": random::identifier(), "roles": [{ "name": "admin" }] } });
    let path = format!("users/{user}/application_credentials");
    let answer = cloud.change(reqwest::Method::POST, &path, &wanted).await;
    let text = |key: &str| answer["application_credential"][key].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let robot = || {
        connect(&format!(
            "method = \"application-credential\"\nurl = \"{}\"\nid = \"{}\"\nsecret = {{ file = \"{}\" }}",
            cloud.url,
            text("id"),
            file.display()
        ))
    };
    std::fs::write(&file, text("secret")).unwrap();
    assert_eq!(robot().whoami().await.unwrap().user_id, user);
    assert_eq!(robot().may_create_users().await.unwrap(), Some(true));

    std::fs::write(&file, "sesame").unwrap();
    let error = robot().whoami().await.unwrap_err();
    assert!(matches!(error, KeystoneError::Unauthorized { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    cloud.remove(&format!("{path}/{}", text("id"))).await;
}

#[tokio::test]
async fn a_revoked_token_is_replaced() {
    let cloud = Cloud::new().await;
    let keystone = administrator();
    // A new password revokes the user's tokens, so this takes an administrator of its own.
    let password = random::password();
    let user = create_user(&keystone, &fresh("erin"), &password).await;
    let role = keystone.find_role("admin").await.unwrap().unwrap();
    let admin_project = keystone.find_project("admin").await.unwrap().unwrap();
    keystone.grant(&user.id, &admin_project.id, &role.id).await.unwrap();
    let (other, _folder) = connect_as(&user, &password, "admin", &cloud.url);
    other.whoami().await.unwrap();
    keystone.set_password(&user.id, &password).await.unwrap();
    cloud.until_tokens_serve(&user.name, &password).await;
    assert_eq!(other.user(&user.id).await.unwrap().map(|found| found.id), Some(user.id.clone()));
    cloud.remove(&format!("users/{}", user.id)).await;
}
