//! What a run over the sheets came to that mails about requests.

use schemars::JsonSchema;
use serde::Serialize;

use crate::batch::BatchError;
use crate::batch::report::counted;
use crate::registration::RowNumber;
use crate::sheet::SheetError;

/// What a run came to.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// The requests that mail was sent about, or would be, in the order of the sheets.
    pub requests: Vec<ReportedNotice>,
    /// What could not be done. The next run tries it again.
    pub failed: Vec<String>,
    /// What the operator should know besides.
    pub notices: Vec<String>,
    /// Mail that could not be sent yet, or was refused.
    pub mail_errors: Vec<String>,
    /// Whether a service was out of reach.
    pub unreachable: bool,
    /// Whether a whole sheet, its marks or the mail server cannot be used before somebody acts.
    pub unusable: bool,
    /// Whether marks may stand in the wrong rows, which no setting mends.
    #[serde(skip)]
    pub marks_astray: bool,
    /// Why the mail server is out of reach. People read it with the mail that waits; this is kept with the job.
    #[serde(skip)]
    pub mail_server: Option<String>,
    /// The notices without what people typed: what is kept of them with the job.
    #[serde(skip)]
    pub kept_notices: Vec<String>,
}

/// A request that mail was sent about, or would be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReportedNotice {
    /// The sheet: `access` or `quota`.
    pub sheet: &'static str,
    /// The row's number when it was read.
    pub row: RowNumber,
    /// The requester's address.
    pub email: String,
    /// The project; may be blank.
    pub project: String,
    /// How far it has come.
    pub state: NoticeState,
}

/// How far a mail about a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    /// It would be recorded and sent (in a dry run), or could not be recorded.
    Due,
    /// It waits to be sent.
    Waits,
    /// The mail server refused it.
    Refused,
    /// An operator decided that it is not sent.
    Dropped,
    /// The mail server took it, and the row has not got its mark yet.
    Unmarked,
    /// The mail server took it, and the row has its mark.
    Marked,
    /// The mail server took it, and the row is gone meanwhile, or not one any more that gets the mark.
    RowGone,
}

impl NoticeState {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Waits => "waits to be sent",
            Self::Refused => "mail refused",
            Self::Dropped => "mail dropped",
            Self::Unmarked => "sent, not marked yet",
            Self::Marked => "sent and marked",
            Self::RowGone => "sent, the row is decided or gone",
        }
    }
}

impl Report {
    /// What goes wrong with one request does not keep the others waiting.
    ///
    /// # Errors
    /// The error itself, where nothing can be done safely after it.
    pub(crate) fn fail(&mut self, what: &str, error: BatchError) -> Result<(), BatchError> {
        match error {
            BatchError::Database(_) | BatchError::Exclusive(_) => Err(error),
            other => {
                self.failed.push(format!("{what}: {other}"));
                Ok(())
            }
        }
    }

    /// What goes wrong with one whole sheet does not keep the other waiting.
    ///
    /// # Errors
    /// The error itself, where nothing can be done safely after it.
    pub(crate) fn fail_whole(&mut self, what: &str, error: BatchError) -> Result<(), BatchError> {
        match error.is_passing() {
            true => self.unreachable = true,
            false => self.unusable = true,
        }
        self.marks_astray |= matches!(error, BatchError::Sheet(SheetError::MarksAstray { .. }));
        self.fail(what, error)
    }

    /// Something cannot be used before somebody acts. Told once, however often it is met.
    pub(crate) fn fail_for_good(&mut self, what: String) {
        self.unusable = true;
        if !self.failed.contains(&what) {
            self.failed.push(what);
        }
    }

    /// Tells the operator something.
    pub(crate) fn note(&mut self, notice: String) {
        self.note_privately(notice.clone(), notice);
    }

    /// Tells the operator something of which only `kept` is to be kept.
    pub(crate) fn note_privately(&mut self, notice: String, kept: String) {
        self.notices.push(notice);
        self.kept_notices.push(kept);
    }

    /// Whether a later try is all that something needs: mail that waits to be sent, or marks that wait to be written.
    #[must_use]
    pub fn has_to_go_on(&self) -> bool {
        let goes_on = |state| matches!(state, NoticeState::Waits | NoticeState::Unmarked);
        self.requests.iter().any(|request| goes_on(request.state))
    }

    /// Whether everything that was due is done. What an operator has dropped is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_open =
            |state| matches!(state, NoticeState::Waits | NoticeState::Refused | NoticeState::Unmarked);
        self.failed.is_empty()
            && self.mail_errors.is_empty()
            && !self.requests.iter().any(|request| is_open(request.state))
    }

    /// One sentence about the whole, without names.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut parts = vec![counted(self.requests.len(), "request", "requests")];
        for state in [
            NoticeState::Due,
            NoticeState::Waits,
            NoticeState::Refused,
            NoticeState::Dropped,
            NoticeState::Unmarked,
            NoticeState::Marked,
            NoticeState::RowGone,
        ] {
            let count = self.requests.iter().filter(|request| request.state == state).count();
            if count > 0 {
                parts.push(format!("{count} {}", state.name()));
            }
        }
        if !self.failed.is_empty() {
            parts.push(counted(self.failed.len(), "failure", "failures"));
        }
        parts.join(", ")
    }
}
