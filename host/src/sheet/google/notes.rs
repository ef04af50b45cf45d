//! Remarks as the notes of rows' first cells.
//!
//! A note is written at a place, and nothing can make that depend on which row is there. Whether somebody
//! changed the order in the moment of the change, its answer shows; then the notes are read again, and what
//! was written at the places of other rows is undone.

use std::collections::{BTreeMap, HashMap};

use super::witness::Witness;
use super::{GoogleError, GoogleSheet, names, requests};
use crate::registration::RowNumber;
use crate::sheet::remark::{self, Decision, Remark};
use crate::sheet::{SheetError, Snapshot};

/// A worksheet as far as notes are concerned: for each row, from the first one on, the text that stands for it
/// and the note of its first cell.
struct Noted {
    texts: Vec<String>,
    notes: Vec<String>,
}

/// What undoes notes that were written at the places of other rows.
#[derive(Debug, PartialEq, Eq)]
struct Undo {
    /// What was there, at the places where its rows are now.
    notes: Vec<(RowNumber, String)>,
    /// Rows whose note, which is somebody's, may be lost for all that; by their numbers before the edit.
    lost: Vec<RowNumber>,
}

impl GoogleSheet {
    /// See [`crate::sheet::Sheet::remark`].
    pub(in crate::sheet) async fn remark(
        &self,
        seen: &Snapshot,
        remarks: &BTreeMap<RowNumber, Option<Remark>>,
    ) -> Result<Vec<RowNumber>, SheetError> {
        let Some(witness) = Witness::of(&seen.rows) else { return Ok(Vec::new()) };
        let changed = || SheetError::Changed { worksheet: seen.worksheet.clone() };
        let range = names::column(&seen.worksheet, witness.column);
        let api = self.access.api().await?;
        let ranges = [names::column(&seen.worksheet, 0), range.clone()];
        let mut found = api.cells(&self.id, &ranges).await?;
        let there = Noted { texts: found.texts(1), notes: found.notes(0) };
        if !witness.is_as_read(&seen.rows, &there.texts) {
            return Err(changed());
        }
        let mut notes = Vec::new();
        let mut in_the_way = Vec::new();
        for (number, remark) in remarks {
            match Decision::of(there.note(*number), remark.as_ref()) {
                Decision::Keep => {}
                Decision::Write(text) => notes.push((*number, text)),
                Decision::NotOurs => in_the_way.push(*number),
            }
        }
        if notes.is_empty() {
            return Ok(in_the_way);
        }
        let sheet_id = found.worksheet().sheet_id.unwrap_or_default();
        let requests = requests::write_notes(sheet_id, &notes);
        let mut after = api.change(&self.id, requests, Some(range.clone())).await?;
        if witness.is_as_read(&seen.rows, &after.texts(0)) {
            return Ok(in_the_way);
        }
        let lost = match self.undo(&there, &notes, sheet_id, &ranges).await {
            Ok(lost) => lost,
            // Nobody knows what the places of the other rows hold now.
            Err(error) => {
                tracing::warn!(%error, "notes at the places of other rows could not be undone");
                there.of_people().collect()
            }
        };
        if lost.is_empty() {
            return Err(changed());
        }
        Err(SheetError::NotesLost { worksheet: seen.worksheet.clone(), rows: lost })
    }

    /// Undoes what was written at the places of other rows. Answers the rows with somebody's note that may be
    /// lost for all that.
    async fn undo(
        &self,
        before: &Noted,
        written: &[(RowNumber, String)],
        sheet_id: i32,
        ranges: &[String; 2],
    ) -> Result<Vec<RowNumber>, GoogleError> {
        let api = self.access.api().await?;
        let mut found = api.cells(&self.id, ranges).await?;
        let now = Noted { texts: found.texts(1), notes: found.notes(0) };
        let undo = Undo::plan(before, written, &now);
        if undo.notes.is_empty() {
            return Ok(undo.lost);
        }
        let requests = requests::write_notes(sheet_id, &undo.notes);
        let mut after = api.change(&self.id, requests, Some(ranges[1].clone())).await?;
        if trimmed(&after.texts(0)) == trimmed(&now.texts) {
            return Ok(undo.lost);
        }
        // The order changed once more: what is where is not pursued further, but told.
        Ok(before.of_people().collect())
    }
}

impl Noted {
    fn note(&self, number: RowNumber) -> &str {
        at(&self.notes, number)
    }

    fn text(&self, number: RowNumber) -> &str {
        at(&self.texts, number)
    }

    /// The rows with a note of somebody's.
    fn of_people(&self) -> impl Iterator<Item = RowNumber> {
        (1..).zip(&self.notes).filter(|(_, note)| is_of_people(note)).map(|(number, _)| number)
    }

    /// Where each text is.
    fn places(&self) -> HashMap<&str, Vec<RowNumber>> {
        let mut places: HashMap<&str, Vec<RowNumber>> = HashMap::new();
        for (number, text) in (1..).zip(&self.texts).filter(|(_, text)| !text.is_empty()) {
            places.entry(text).or_default().push(number);
        }
        places
    }
}

impl Undo {
    fn plan(before: &Noted, written: &[(RowNumber, String)], now: &Noted) -> Self {
        let (places_before, places_now) = (before.places(), now.places());
        let of = |places: &HashMap<&str, Vec<RowNumber>>, text: &str| {
            places.get(text).cloned().unwrap_or_default()
        };
        let mut notes = Vec::new();
        let mut unexplained = false;
        // What somebody has written there since then is theirs.
        for (place, text) in written.iter().filter(|(place, text)| now.note(*place) == text) {
            let row = now.text(*place);
            match (of(&places_before, row).as_slice(), of(&places_now, row).as_slice()) {
                ([number], [_]) if number == place => {}
                ([number], [_]) if before.note(*number) == text => {}
                ([number], [_]) => notes.push((*place, before.note(*number).to_owned())),
                // A row that was not there before has nothing to be told.
                ([], [_]) if !text.is_empty() => notes.push((*place, String::new())),
                _ => unexplained = true,
            }
        }
        let is_there = |number: RowNumber| {
            let note = before.note(number);
            of(&places_now, before.text(number)).into_iter().any(|place| {
                now.note(place) == note || notes.iter().any(|(at, text)| *at == place && text == note)
            })
        };
        let lost = before.of_people().filter(|number| unexplained && !is_there(*number)).collect();
        Self { notes, lost }
    }
}

fn is_of_people(note: &str) -> bool {
    !note.trim().is_empty() && !remark::is_own(note)
}

fn at(column: &[String], number: RowNumber) -> &str {
    column.get((number as usize).wrapping_sub(1)).map_or("", String::as_str)
}

/// Without the blank rows at the end, which an answer may leave out.
fn trimmed(texts: &[String]) -> &[String] {
    crate::sheet::filled(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(rows: &[(&str, &str)]) -> Noted {
        let column = |part: fn(&(&str, &str)) -> String| rows.iter().map(part).collect();
        Noted { texts: column(|row| row.0.to_owned()), notes: column(|row| row.1.to_owned()) }
    }

    fn plan(before: &[(&str, &str)], written: &[(RowNumber, &str)], now: &[(&str, &str)]) -> Undo {
        let written: Vec<_> = written.iter().map(|(number, text)| (*number, (*text).to_owned())).collect();
        Undo::plan(&noted(before), &written, &noted(now))
    }

    fn undo(notes: &[(RowNumber, &str)], lost: &[RowNumber]) -> Undo {
        let notes = notes.iter().map(|(number, text)| (*number, (*text).to_owned())).collect();
        Undo { notes, lost: lost.to_vec() }
    }

    const BEFORE: [(&str, &str); 4] = [("email", ""), ("a", "Usher, old"), ("b", "Ann asks"), ("c", "")];

    #[test]
    fn what_a_look_saw_comes_back_where_its_row_is_now() {
        let written = [(2, "Usher, new"), (4, "Usher, c")];
        let now = [("email", ""), ("b", "Usher, new"), ("c", ""), ("a", "Usher, c")];
        assert_eq!(plan(&BEFORE, &written, &now), undo(&[(2, "Ann asks"), (4, "Usher, old")], &[]));
        let now = [("email", ""), ("new", "Usher, new"), ("a", "Usher, old"), ("b", "Usher, c"), ("c", "")];
        assert_eq!(plan(&BEFORE, &written, &now), undo(&[(2, ""), (4, "Ann asks")], &[]));
    }

    #[test]
    fn what_people_wrote_since_and_what_is_right_stays() {
        let written = [(2, "Usher, new"), (4, "Usher, c")];
        let now = [("email", ""), ("a", "Usher, new"), ("c", ""), ("b", "Bob answers")];
        assert_eq!(plan(&BEFORE, &written, &now), undo(&[], &[]));
    }

    #[test]
    fn a_note_whose_row_cannot_be_told_from_others_is_lost_and_told() {
        let before = [("email", ""), ("a", ""), ("b", "Ann asks"), ("b", "")];
        let now = [("email", ""), ("b", "Usher, new"), ("b", ""), ("a", "")];
        assert_eq!(plan(&before, &[(2, "Usher, new")], &now), undo(&[], &[3]));
        let now = [("email", ""), ("b", "Usher, new"), ("b", "Ann asks"), ("a", "")];
        assert_eq!(plan(&before, &[(2, "Usher, new")], &now), undo(&[], &[]));
    }
}
