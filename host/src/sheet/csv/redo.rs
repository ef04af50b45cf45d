//! Replaces two worksheets as one step.
//!
//! No file system replaces two files at once. So both new contents are written first, then a record that
//! says so; from then on the move has happened, whatever comes. Whoever changes the folder next finds the
//! record and finishes it; whoever only reads sees the new contents and leaves the folder as it is.
//! Without a record nothing has happened.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::folder::{Folder, failure, is_name};
use crate::fail_point;
use crate::sheet::SheetError;

/// The record of a move that has been decided.
const RECORD: &str = ".usher.move";

/// The record while it is being written.
const RECORD_NEXT: &str = ".usher.move.next";

/// The new contents, in the order in which they take their places.
const PREPARED: [&str; 2] = [".usher.move.1", ".usher.move.2"];

/// Names a content: another content has another name.
pub(super) fn version(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Two worksheets that change together. The second one exists.
pub(super) struct Move {
    pub replacements: [Replacement; 2],
}

/// What becomes of one worksheet.
pub(super) struct Replacement {
    worksheet: String,
    /// Version of the content that is replaced; none where there is no file yet.
    before: Option<String>,
    bytes: Vec<u8>,
}

/// The version of a worksheet as it is now; none where there is none.
fn version_now(folder: &Folder, worksheet: &str) -> Result<Option<String>, SheetError> {
    match folder.read(worksheet) {
        Ok(bytes) => Ok(Some(version(&bytes))),
        Err(SheetError::NoSuchWorksheet { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Replacement {
    pub(super) fn new(worksheet: &str, before: Option<&[u8]>, bytes: Vec<u8>) -> Self {
        Self { worksheet: worksheet.to_owned(), before: before.map(version), bytes }
    }
}

/// What the record says, so that the move can be finished, and only if nobody interfered.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    replacements: [RecordedReplacement; 2],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedReplacement {
    worksheet: String,
    before: Option<String>,
    after: String,
}

/// The steps of a move. Death between any two of them, or within one, is made good by [`finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write both new contents.
    Prepare,
    /// Write the record: the move is decided.
    Decide,
    /// The first content takes its place.
    ReplaceFirst,
    /// The second content takes its place.
    ReplaceSecond,
    /// Remove the record.
    Forget,
}

impl Step {
    pub(super) const ALL: [Self; 5] =
        [Self::Prepare, Self::Decide, Self::ReplaceFirst, Self::ReplaceSecond, Self::Forget];
}

impl Move {
    /// Does it all. The caller holds the folder's lock.
    pub(super) fn perform(&self, folder: &Folder) -> Result<(), SheetError> {
        for step in Step::ALL {
            fail_point::reached(|| format!("files to {step:?}"));
            self.step(folder, step).inspect_err(|error| {
                if matches!(error, SheetError::Changed { .. }) {
                    // Nothing was decided. What cannot be cleared away now, the next change clears away.
                    let _later = finish(folder);
                }
            })?;
        }
        Ok(())
    }

    /// Does one step.
    pub(super) fn step(&self, folder: &Folder, step: Step) -> Result<(), SheetError> {
        let [first, second] = &self.replacements;
        match step {
            Step::Prepare => {
                for (replacement, prepared) in self.replacements.iter().zip(PREPARED) {
                    // A worksheet that is made now is for the same people as the one its rows come from.
                    let like = if replacement.before.is_some() { replacement } else { second };
                    folder.write(&folder.path().join(prepared), &replacement.bytes, &like.worksheet)?;
                }
                Ok(())
            }
            Step::Decide => {
                let next = folder.path().join(RECORD_NEXT);
                let record = folder.path().join(RECORD);
                let text = self.record(&record)?;
                folder.write(&next, &text, &second.worksheet)?;
                // Writing took its time. Who saved one of the worksheets meanwhile is not overwritten.
                for replacement in &self.replacements {
                    if version_now(folder, &replacement.worksheet)? != replacement.before {
                        return Err(SheetError::Changed { worksheet: replacement.worksheet.clone() });
                    }
                }
                folder.rename(&next, &record)?;
                folder.sync()
            }
            Step::ReplaceFirst => replace(folder, first, PREPARED[0]),
            Step::ReplaceSecond => {
                replace(folder, second, PREPARED[1])?;
                folder.sync()
            }
            Step::Forget => {
                folder.remove(&folder.path().join(RECORD))?;
                folder.sync()
            }
        }
    }

    fn record(&self, file: &std::path::Path) -> Result<Vec<u8>, SheetError> {
        let replacements = self.replacements.each_ref().map(|replacement| RecordedReplacement {
            worksheet: replacement.worksheet.clone(),
            before: replacement.before.clone(),
            after: version(&replacement.bytes),
        });
        serde_json::to_vec_pretty(&Record { replacements })
            .map_err(|error| failure("write", file, std::io::Error::other(error)))
    }
}

/// Puts a new content in its place, unless somebody has saved another one there.
fn replace(folder: &Folder, replacement: &Replacement, prepared: &str) -> Result<(), SheetError> {
    let prepared = folder.path().join(prepared);
    let file = folder.file(&replacement.worksheet);
    if version_now(folder, &replacement.worksheet)? != replacement.before {
        return Err(SheetError::Interrupted { file, prepared, record: folder.path().join(RECORD) });
    }
    folder.rename(&prepared, &file)
}

/// Finishes a move that was decided and then interrupted, and clears away one that was not decided yet. The
/// caller holds the folder's lock.
pub(super) fn finish(folder: &Folder) -> Result<(), SheetError> {
    let Some(to_do) = unfinished(folder)? else {
        return PREPARED
            .iter()
            .chain([&RECORD_NEXT])
            .try_for_each(|left| folder.remove(&folder.path().join(left)));
    };
    for (worksheet, prepared) in to_do {
        folder.rename(&prepared, &folder.file(&worksheet))?;
    }
    folder.sync()?;
    for prepared in PREPARED {
        folder.remove(&folder.path().join(prepared))?;
    }
    folder.remove(&folder.path().join(RECORD))?;
    folder.sync()
}

/// The bytes of a worksheet as they are once an interrupted move has been finished. Changes nothing. The
/// caller holds the folder's lock.
pub(super) fn read(folder: &Folder, worksheet: &str) -> Result<Vec<u8>, SheetError> {
    let to_do = unfinished(folder)?.unwrap_or_default();
    match to_do.into_iter().find(|(moved, _)| moved == worksheet) {
        Some((_, prepared)) => std::fs::read(&prepared).map_err(|source| failure("read", &prepared, source)),
        None => folder.read(worksheet),
    }
}

/// The names of the worksheets, sorted, as they are once an interrupted move has been finished. Changes
/// nothing. The caller holds the folder's lock.
pub(super) fn worksheets(folder: &Folder) -> Result<Vec<String>, SheetError> {
    let mut names = folder.worksheets()?;
    names.extend(unfinished(folder)?.into_iter().flatten().map(|(name, _)| name));
    names.sort();
    names.dedup();
    Ok(names)
}

/// The worksheets whose new contents have still to take their places, with the files that hold these. None
/// where no move was decided.
fn unfinished(folder: &Folder) -> Result<Option<Vec<(String, PathBuf)>>, SheetError> {
    let record_file = folder.path().join(RECORD);
    let text = match std::fs::read(&record_file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failure("read", &record_file, source)),
    };
    let record: Record = serde_json::from_slice(&text)
        .map_err(|error| failure("understand", &record_file, std::io::Error::other(error)))?;
    let mut to_do = Vec::new();
    for (replacement, prepared) in record.replacements.into_iter().zip(PREPARED) {
        let prepared = folder.path().join(prepared);
        if !is_name(&replacement.worksheet) {
            let source = std::io::Error::other("it names a worksheet that cannot be");
            return Err(failure("understand", &record_file, source));
        }
        let there = version_now(folder, &replacement.worksheet)?;
        if there.as_ref() == Some(&replacement.after) {
            continue;
        }
        // Renamed already means edited since; not what it was before means edited meanwhile. What people
        // wrote is not overwritten.
        if !prepared.exists() {
            continue;
        }
        if there != replacement.before {
            let file = folder.file(&replacement.worksheet);
            return Err(SheetError::Interrupted { file, prepared, record: record_file });
        }
        to_do.push((replacement.worksheet, prepared));
    }
    Ok(Some(to_do))
}
