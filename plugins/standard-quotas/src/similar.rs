//! Which of several words somebody may have meant.

/// The word that differs from another in the fewest letters, if these are few.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let edits = words.into_iter().map(|known| (edits(word, known), known));
    let (distance, known) = edits.min_by_key(|&(distance, _)| distance)?;
    (distance <= 1 + word.len() / 5).then_some(known)
}

/// The number of letters to insert, delete or replace that turn one word into another (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!([edits("", "abc"), edits("kitten", "sitting"), edits("same", "same")], [3, 3, 0]);
    }

    #[test]
    fn what_is_too_far_off_was_not_meant() {
        assert_eq!(nearest("ceiling", ["ceilings", "sizes"]), Some("ceilings"));
        assert_eq!(nearest("happiness", ["ceilings", "sizes"]), None);
        assert_eq!(nearest("sizes", []), None);
    }
}
