//! The mails about quotas. In each limit -1 means unlimited.

use super::MailContent;

/// Changed quotas.
#[derive(Clone, Debug)]
pub struct QuotaMail {
    /// Name to greet the user by.
    pub full_name: String,
    /// The project.
    pub project: String,
    /// What changed.
    pub changes: Vec<QuotaChange>,
    /// The last day of a temporary change, in the site's words; none for a permanent one.
    pub until: Option<String>,
}

/// A limit before and after a change.
#[derive(Clone, Debug)]
pub struct QuotaChange {
    /// OpenStack's key.
    pub key: String,
    /// Limit before.
    pub old: i64,
    /// Limit now.
    pub new: i64,
    /// Why; may be blank.
    pub reason: String,
}

/// Quotas that were refused.
#[derive(Clone, Debug)]
pub struct QuotaDeniedMail {
    /// Name to greet the user by.
    pub full_name: String,
    /// The project.
    pub project: String,
    /// Why, and what would be granted.
    pub reason: String,
}

/// A temporary change that is about to end.
#[derive(Clone, Debug)]
pub struct QuotaEndingMail {
    /// Name to greet the user by.
    pub full_name: String,
    /// The project.
    pub project: String,
    /// When it ends, in the site's time zone and words.
    pub ends: String,
    /// The limits that go back.
    pub returns: Vec<QuotaReturn>,
}

/// A limit of a temporary change that is about to end.
#[derive(Clone, Debug)]
pub struct QuotaReturn {
    /// OpenStack's key.
    pub key: String,
    /// The limit as long as the change lasts.
    pub in_force: i64,
    /// The limit that it goes back to.
    pub goes_back_to: i64,
}

/// A temporary change that has ended.
#[derive(Clone, Debug)]
pub struct QuotaEndedMail {
    /// Name to greet the user by.
    pub full_name: String,
    /// The project.
    pub project: String,
    /// The limits that were put back: from the temporary one to the one of before.
    pub restored: Vec<QuotaChange>,
    /// The limits that were left alone.
    pub kept: Vec<KeptLimit>,
}

/// A limit that was changed again during a temporary change, and was left alone at its end.
#[derive(Clone, Debug)]
pub struct KeptLimit {
    /// OpenStack's key.
    pub key: String,
    /// The limit, which stays in force.
    pub in_force: i64,
    /// The limit before the temporary change, which was not put back.
    pub before: i64,
    /// Why it was left alone.
    pub reason: String,
}

/// Sample values for each kind of mail about quotas, for trying the wording.
#[must_use]
pub fn samples_of_quotas() -> Vec<MailContent> {
    let full_name = || "User".to_owned();
    let project = || "Project".to_owned();
    let change = |key: &str, old, new, reason: &str| QuotaChange {
        key: key.to_owned(),
        old,
        new,
        reason: reason.to_owned(),
    };
    let day = || "Monday, 1 January 2035".to_owned();
    let update = |until| {
        MailContent::QuotaUpdate(QuotaMail {
            full_name: full_name(),
            project: project(),
            changes: vec![change("cores", 8, 16, ""), change("ram", 4096, -1, "as requested")],
            until,
        })
    };
    let ended = |restored, kept| {
        MailContent::QuotaEnded(QuotaEndedMail { full_name: full_name(), project: project(), restored, kept })
    };
    let kept = KeptLimit {
        key: "ram".to_owned(),
        in_force: 8192,
        before: 4096,
        reason: "it was changed meanwhile".to_owned(),
    };
    // A template may leave a part out where there is nothing to say, so both ways are tried.
    vec![
        update(None),
        update(Some(day())),
        MailContent::QuotaDenied(QuotaDeniedMail {
            full_name: full_name(),
            project: project(),
            reason: "cores: a limit of 8 was requested, and 12 are in use".to_owned(),
        }),
        MailContent::QuotaEnding(QuotaEndingMail {
            full_name: full_name(),
            project: project(),
            ends: day(),
            returns: vec![QuotaReturn { key: "cores".to_owned(), in_force: 16, goes_back_to: 8 }],
        }),
        ended(vec![change("cores", 16, 8, "")], Vec::new()),
        ended(Vec::new(), vec![kept]),
    ]
}
