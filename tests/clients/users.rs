//! Users, their roles and their passwords.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use usher::keystone::{ChangePasswordError, CreateUser, KeystoneError};
use usher::random;

use crate::cloud::{Cloud, administrator, create_project, create_user, fresh};

#[tokio::test]
async fn users_are_created_found_whatever_the_case_and_told_apart() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let (name, password) = (fresh("User"), random::password());
    let created = create_user(&keystone, &name, &password).await;
    assert_eq!(created.name, name);
    assert_eq!(created.email.as_deref(), Some("someone@example.org"));
    assert_eq!(created.description.as_deref(), Some("Some Öne"));
    assert_eq!(created.marker.as_deref(), Some("access:42"));
    assert!(created.enabled);

    for spelling in [name.clone(), name.to_lowercase(), name.to_uppercase(), format!(" {name} ")] {
        assert_eq!(keystone.find_user(&spelling).await.unwrap().as_ref(), Some(&created), "{spelling}");
    }
    assert_eq!(keystone.user(&created.id).await.unwrap().as_ref(), Some(&created));
    assert_eq!(keystone.find_user(&name[1..]).await.unwrap(), None, "a part of a name is not the name");
    assert_eq!(keystone.user("nobody").await.unwrap(), None);

    let again = CreateUser {
        name: &name,
        email: "",
        description: "",
        password: &password,
        default_project_id: None,
        marker: None,
    };
    let error = keystone.create_user(&again).await.unwrap_err();
    assert!(matches!(error, KeystoneError::Conflict { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains(password.expose_secret()));

    // SQLite and PostgreSQL let a second one in that differs in case; MySQL refuses it.
    let twin = CreateUser { name: &name.to_lowercase(), ..again };
    if let Ok(twin) = keystone.create_user(&twin).await {
        let error = keystone.find_user(&name).await.unwrap_err();
        assert!(matches!(&error, KeystoneError::Ambiguous { matches, .. } if matches.len() == 2), "{error}");
        cloud.remove(&format!("users/{}", twin.id)).await;
    }
    cloud.remove(&format!("users/{}", created.id)).await;
}

#[tokio::test]
async fn names_with_other_letters_and_wildcards_are_found() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let tail = random::identifier();
    for (name, spelling) in [
        (format!("JosÉ-{tail}@example.org"), format!("josé-{tail}@EXAMPLE.org")),
        (format!("a_b%c+{tail}"), format!("A_B%C+{tail}")),
        (format!("back\\slash {tail}"), format!("BACK\\slash {tail}")),
    ] {
        let user = create_user(&keystone, &name, &random::password()).await;
        assert_eq!(keystone.find_user(&spelling).await.unwrap().map(|user| user.name), Some(name));
        cloud.remove(&format!("users/{}", user.id)).await;
    }
}

#[tokio::test]
async fn roles_are_granted_twice_listed_and_revoked_twice() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let project = create_project(&keystone, &fresh("Physics")).await;
    assert_eq!(project.marker.as_deref(), Some("access:43"));
    let found = keystone.find_project(&project.name.to_uppercase()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&project));
    assert_eq!(keystone.project(&project.id).await.unwrap().as_ref(), Some(&project));
    let user = create_user(&keystone, &fresh("member"), &random::password()).await;
    let role = keystone.find_role("MEMBER").await.unwrap().unwrap();

    assert_eq!(keystone.roles_of_user(&user.id).await.unwrap(), []);
    for _ in 0..2 {
        keystone.grant(&user.id, &project.id, &role.id).await.unwrap();
    }
    let of_user = keystone.roles_of_user(&user.id).await.unwrap();
    assert_eq!(of_user, keystone.roles_on_project(&project.id).await.unwrap());
    // `member` implies `reader`, which the effective list shows as well.
    assert!(of_user.iter().any(|assignment| assignment.role == role));
    assert!(of_user.iter().all(|found| found.user_id == user.id && found.project_id == project.id));
    for _ in 0..2 {
        keystone.revoke(&user.id, &project.id, &role.id).await.unwrap();
    }
    assert_eq!(keystone.roles_on_project(&project.id).await.unwrap(), []);

    let error = keystone.grant(&user.id, &project.id, "no-such-role").await.unwrap_err();
    assert!(matches!(error, KeystoneError::NotFound { .. }), "{error}");
    cloud.remove(&format!("users/{}", user.id)).await;
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn a_user_changes_the_password_without_logging_in() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let (first, second, third) = (random::password(), random::password(), random::password());
    let user = create_user(&keystone, &fresh("changer"), &first).await;
    let change = |original: SecretString, new: SecretString| {
        let (keystone, id) = (keystone.clone(), user.id.clone());
        async move { keystone.change_password(&id, &original, &new).await }
    };

    let wrong = change(third.clone(), second.clone()).await;
    assert!(matches!(wrong, Err(ChangePasswordError::WrongOriginal)), "{wrong:?}");
    change(first.clone(), second.clone()).await.unwrap();
    assert!(cloud.token_of(&user.name, second.expose_secret(), None).await.is_some());
    assert!(cloud.token_of(&user.name, first.expose_secret(), None).await.is_none());

    keystone.set_password(&user.id, &third).await.unwrap();
    assert!(cloud.token_of(&user.name, third.expose_secret(), None).await.is_some());

    keystone.set_enabled(&user.id, false).await.unwrap();
    let disabled = change(third.clone(), first.clone()).await;
    assert!(matches!(disabled, Err(ChangePasswordError::Disabled)), "{disabled:?}");
    keystone.set_enabled(&user.id, true).await.unwrap();

    let lock = json!({ "user": { "options": { "lock_password": true } } });
    cloud.change(reqwest::Method::PATCH, &format!("users/{}", user.id), &lock).await;
    let locked = change(third, first).await;
    assert!(matches!(&locked, Err(ChangePasswordError::Locked(words)) if words.contains("administrator")));
    cloud.remove(&format!("users/{}", user.id)).await;
}
