//! Which rows may be worked on: those whose rows before them have ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::registration::RowNumber;

/// The rows of a batch that have not been started.
pub(super) struct Schedule {
    /// Those that wait for nothing, in the order in which they became so.
    ready: VecDeque<RowNumber>,
    /// The others, with what they wait for.
    waiting: BTreeMap<RowNumber, BTreeSet<RowNumber>>,
    /// Who waits for a row.
    followers: BTreeMap<RowNumber, Vec<RowNumber>>,
}

impl Schedule {
    /// Rows, each with those that have to end first. One that is not in the batch is not waited for.
    pub(super) fn new(rows: &BTreeMap<RowNumber, &[RowNumber]>) -> Self {
        let mut schedule =
            Self { ready: VecDeque::new(), waiting: BTreeMap::new(), followers: BTreeMap::new() };
        for (&row, after) in rows {
            let before: BTreeSet<RowNumber> =
                after.iter().copied().filter(|before| rows.contains_key(before)).collect();
            if before.is_empty() {
                schedule.ready.push_back(row);
                continue;
            }
            for &one in &before {
                schedule.followers.entry(one).or_default().push(row);
            }
            schedule.waiting.insert(row, before);
        }
        schedule
    }

    /// A row that may be started now.
    pub(super) fn next(&mut self) -> Option<RowNumber> {
        self.ready.pop_front()
    }

    /// Notes that a row has ended, however.
    pub(super) fn ended(&mut self, row: RowNumber) {
        for follower in self.followers.remove(&row).unwrap_or_default() {
            if let Some(before) = self.waiting.get_mut(&follower) {
                before.remove(&row);
                if before.is_empty() {
                    self.waiting.remove(&follower);
                    self.ready.push_back(follower);
                }
            }
        }
    }

    /// Once nothing runs any more: the rows that wait for each other, with what they wait for.
    pub(super) fn stuck(self) -> BTreeMap<RowNumber, BTreeSet<RowNumber>> {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rows: &[(RowNumber, &'static [RowNumber])]) -> Schedule {
        Schedule::new(&rows.iter().copied().collect())
    }

    #[test]
    fn a_row_starts_as_soon_as_those_before_it_have_ended() {
        let mut schedule = schedule(&[(2, &[5]), (3, &[]), (4, &[3, 5]), (5, &[])]);
        assert_eq!([schedule.next(), schedule.next(), schedule.next()], [Some(3), Some(5), None]);
        schedule.ended(5);
        assert_eq!([schedule.next(), schedule.next()], [Some(2), None]);
        schedule.ended(3);
        assert_eq!([schedule.next(), schedule.next()], [Some(4), None]);
        assert!(schedule.stuck().is_empty());
    }

    #[test]
    fn rows_of_no_batch_are_not_waited_for_and_circles_come_to_light() {
        let mut schedule = schedule(&[(2, &[9]), (3, &[4]), (4, &[3])]);
        assert_eq!([schedule.next(), schedule.next()], [Some(2), None]);
        schedule.ended(2);
        assert_eq!(schedule.stuck().into_keys().collect::<Vec<_>>(), [3, 4]);
    }
}
