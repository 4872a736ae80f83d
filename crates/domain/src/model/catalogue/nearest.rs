//! The name that was probably meant: the nearest one by edit distance, within a bound.

/// The largest edit distance of a suggestion.
const MAX_DISTANCE: usize = 4;

/// The name that is nearest to a text, if it is near enough to be meant: at most one edit for each
/// three characters, and at most four. Upper and lower case are the same. Of two that are equally near,
/// the first one.
///
/// The work is at most 9 cells for each character of each name: only cells near the diagonal of the
/// matrix of distances are computed.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut cells = 0;
    nearest_counted(text, names, &mut cells)
}

fn nearest_counted<'a>(
    text: &str,
    names: impl Iterator<Item = &'a str>,
    cells: &mut u64,
) -> Option<&'a str> {
    let wanted: Vec<_> = folded(text);
    // An edit more than the best so far is of no interest.
    let mut bound = (wanted.len() / 3).clamp(1, MAX_DISTANCE);
    let mut best = None;
    for name in names {
        if let Some(distance) = distance(&wanted, &folded(name), bound, cells) {
            best = Some(name);
            if distance == 0 {
                break;
            }
            bound = distance - 1;
        }
    }
    best
}

fn folded(text: &str) -> Vec<char> {
    text.chars().map(|c| c.to_ascii_lowercase()).collect()
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two texts.
/// `None` if it is more than `bound`.
fn distance(one: &[char], other: &[char], bound: usize, cells: &mut u64) -> Option<usize> {
    if one.len().abs_diff(other.len()) > bound {
        return None;
    }
    let beyond = bound + 1;
    // The rows before the last, the last, and the current one.
    let mut before = vec![beyond; other.len() + 1];
    let mut last: Vec<_> = (0..=other.len()).map(|at| at.min(beyond)).collect();
    for (row, have) in one.iter().enumerate() {
        let mut current = vec![beyond; other.len() + 1];
        if row < bound {
            current[0] = row + 1;
        }
        let first = row.saturating_sub(bound);
        let end = (row + bound + 1).min(other.len());
        let mut smallest = current[0];
        for column in first..end {
            *cells += 1;
            let is_same = *have == other[column];
            let mut edits = last[column] + usize::from(!is_same);
            edits = edits.min(last[column + 1] + 1).min(current[column] + 1);
            let is_swap = row > 0
                && column > 0
                && *have == other[column - 1]
                && one[row - 1] == other[column];
            if is_swap {
                edits = edits.min(before[column - 1] + 1);
            }
            current[column + 1] = edits.min(beyond);
            smallest = smallest.min(edits);
        }
        if smallest > bound {
            return None;
        }
        (before, last) = (last, current);
    }
    Some(last[other.len()]).filter(|distance| *distance <= bound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edits(one: &str, other: &str, bound: usize) -> Option<usize> {
        distance(&folded(one), &folded(other), bound, &mut 0)
    }

    /// The same distance without a bound, by the whole matrix.
    fn by_the_book(one: &str, other: &str) -> usize {
        let (one, other) = (folded(one), folded(other));
        let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
        for row in 0..=one.len() {
            for column in 0..=other.len() {
                table[row][column] = if row == 0 || column == 0 {
                    row + column
                } else {
                    let edits = usize::from(one[row - 1] != other[column - 1]);
                    let mut smallest = table[row - 1][column - 1] + edits;
                    smallest = smallest.min(table[row - 1][column] + 1);
                    smallest = smallest.min(table[row][column - 1] + 1);
                    if row > 1
                        && column > 1
                        && one[row - 1] == other[column - 2]
                        && one[row - 2] == other[column - 1]
                    {
                        smallest = smallest.min(table[row - 2][column - 2] + 1);
                    }
                    smallest
                };
            }
        }
        table[one.len()][other.len()]
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let names = ["invoice.paid", "order.created", "order.updated", "ping"];
        for (text, expected) in [
            ("order.creatd", Some("order.created")),
            ("order.craeted", Some("order.created")),
            ("Order.Created", Some("order.created")),
            ("orders.updated", Some("order.updated")),
            ("order_updatet", Some("order.updated")),
            ("pong", Some("ping")),
            ("p", None),
            ("customer.deleted", None),
        ] {
            assert_eq!(nearest(text, names.into_iter()), expected, "{text}");
        }
        assert_eq!(nearest("a", std::iter::empty()), None);
    }

    #[test]
    fn the_work_for_the_longest_names_is_bounded() {
        let names: Vec<_> = (0..1_000)
            .map(|number| format!("{}{number:04}", "x".repeat(124)))
            .collect();
        let mut cells = 0;
        let text = "x".repeat(128);
        let found = nearest_counted(&text, names.iter().map(String::as_str), &mut cells);
        assert!(found.is_some());
        assert!(cells <= 1_000 * 128 * 9, "{cells}");
    }

    proptest! {
        #[test]
        fn the_distance_is_symmetric_and_exact_up_to_its_bound(
            one in "[abc.]{0,12}",
            other in "[abc.]{0,12}",
            bound in 0_usize..6,
        ) {
            let found = edits(&one, &other, bound);
            prop_assert_eq!(found, edits(&other, &one, bound));
            let exact = by_the_book(&one, &other);
            prop_assert_eq!(found, (exact <= bound).then_some(exact));
        }
    }
}
