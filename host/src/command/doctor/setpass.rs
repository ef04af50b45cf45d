//! The pages, their certificate, or the setpass of another machine.

use super::findings::Findings;
use crate::clock::Clock;
use crate::command::Exit;
use crate::command::exit::of_remote_setpass;
use crate::http::Look;
use crate::keystone::Keystone;
use crate::remote_setpass::RemoteSetpass;
use crate::server::tls::{self, Remark};
use crate::settings::Settings;

/// The page here, or the setpass of another machine.
pub(super) async fn check_setpass(settings: &Settings, clock: &Clock, findings: &mut Findings) {
    if settings.setpass.remote.is_none() {
        return check_page(settings, findings);
    }
    // What is wrong with Keystone's settings is told with Keystone.
    let Ok(keystone) = Keystone::new(&settings.keystone, clock.clone()) else { return };
    let checked = async {
        match RemoteSetpass::new(settings, &keystone, clock)? {
            Some(remote) => remote.check().await.map(Some),
            None => Ok(None),
        }
    };
    match checked.await {
        Ok(found) => found.iter().for_each(|found| findings.good("setpass", found)),
        Err(error) => findings.bad("setpass", &error, of_remote_setpass(&error)),
    }
}

/// The logo is all of the pages that can be wrong where the settings are right.
fn check_page(settings: &Settings, findings: &mut Findings) {
    match (Look::load(&settings.site, &settings.setpass), &settings.setpass.page.logo) {
        (Ok(_), Some(logo)) => findings.good("page", format!("the logo is {}", logo.display())),
        (Ok(_), None) => {}
        (Err(error), _) => findings.bad("page", error, Exit::Usage),
    }
}

/// What users who open a link will make of the certificate.
pub(super) fn check_certificate(settings: &Settings, clock: &Clock, findings: &mut Findings) {
    let Some(tls) = &settings.setpass.tls else { return };
    let file = tls.certificate.display();
    // Where the pages are on another machine, its name is no name of this one, and only probes come here.
    let host = match &settings.setpass.remote {
        None => Some(settings.setpass.public_url().host_str().unwrap_or_default()),
        Some(_) => None,
    };
    match tls::examine(tls, host, clock) {
        Ok(Remark::None) => {
            let finding = host.map_or("is valid".to_owned(), |host| format!("is for {host}"));
            findings.good("tls", format!("the certificate {file} {finding}"));
        }
        Ok(Remark::EndsSoon) => {
            findings.warn("tls", format!("the certificate {file} ends within 14 days; renew it"));
        }
        Ok(Remark::NotYet) => findings.bad(
            "tls",
            format!("the certificate {file} is not valid yet; is the clock right?"),
            Exit::Usage,
        ),
        Ok(Remark::Ended) => {
            findings.bad("tls", format!("the certificate {file} has ended; renew it"), Exit::Usage);
        }
        Ok(Remark::OtherHost) => findings.bad(
            "tls",
            format!(
                "the certificate {file} does not name {}, the host of setpass.public_url; get one that does",
                host.unwrap_or_default()
            ),
            Exit::Usage,
        ),
        Err(error) => findings.bad("tls", error, Exit::Usage),
    }
}
