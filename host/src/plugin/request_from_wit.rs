//! Requests that a row parser read, into the host's own types.

use secrecy::SecretString;

use crate::registration::{
    AccessRequest, Account, Body, Outcome, ParsedRow, ProjectChoice, QuotaRequest, Rejection, Request,
    RowNumber, Stage,
};

use super::bindings::interfaces::types as wit;
use super::local_time::{date_from_wit, time_from_wit};

/// One row, or the row's number and what is wrong with the answer for it.
pub(super) fn parsed_row(row: wit::ParsedRow) -> Result<ParsedRow, (RowNumber, String)> {
    let wit::ParsedRow { number, outcome, warnings } = row;
    let outcome = match outcome {
        wit::Outcome::Rejected(wit::Rejection { requester, reason }) => {
            Outcome::Rejected(Rejection { requester, reason })
        }
        wit::Outcome::Request(read) => Outcome::Request(request(read).map_err(|reason| (number, reason))?),
    };
    Ok(ParsedRow { number, outcome, warnings })
}

fn request(request: wit::Request) -> Result<Request, String> {
    let wit::Request { key, stage: reached, body } = request;
    if key.trim().is_empty() {
        return Err("a request without a key".to_owned());
    }
    let body = match body {
        wit::RequestBody::Access(access) => Body::Access(Box::new(access_request(access))),
        wit::RequestBody::Quota(quota) => Body::Quota(Box::new(quota_request(quota)?)),
    };
    Ok(Request { key, stage: stage(reached)?, body })
}

fn stage(stage: wit::Stage) -> Result<Stage, String> {
    Ok(match stage {
        wit::Stage::Waiting(waiting) => Stage::Waiting {
            since: waiting.since.map(time_from_wit).transpose()?,
            reminded: waiting.reminded.map(time_from_wit).transpose()?,
        },
        wit::Stage::Denied => Stage::Denied,
        wit::Stage::Approved => Stage::Approved,
        wit::Stage::Ready => Stage::Ready,
    })
}

fn access_request(request: wit::AccessRequest) -> AccessRequest {
    AccessRequest {
        email: request.email,
        first_name: request.first_name,
        last_name: request.last_name,
        account: match request.account {
            wit::Account::New => Account::New,
            wit::Account::Existing => Account::Existing,
        },
        organisation: request.organisation,
        position: request.position,
        phone: request.phone,
        sponsor: request.sponsor,
        pin: request.pin.map(SecretString::from),
        comment: request.comment,
        project: match request.project {
            wit::ProjectChoice::Create(wit::NewProject { name, description, members }) => {
                ProjectChoice::Create { name, description, members }
            }
            wit::ProjectChoice::Join(wit::ExistingProject { name, contact_name, contact_email }) => {
                ProjectChoice::Join { name, contact_name, contact_email }
            }
        },
    }
}

fn quota_request(request: wit::QuotaRequest) -> Result<QuotaRequest, String> {
    Ok(QuotaRequest {
        email: request.email,
        first_name: request.first_name,
        last_name: request.last_name,
        organisation: request.organisation,
        project: request.project,
        until: match request.term {
            wit::QuotaTerm::Permanent => None,
            wit::QuotaTerm::Temporary(day) => Some(date_from_wit(day)?),
        },
        size: request.size.filter(|size| !size.trim().is_empty()),
        limits: request.limits.into_iter().map(|wanted| (wanted.key, wanted.limit)).collect(),
        comment: request.comment,
        notes: request.notes,
    })
}
