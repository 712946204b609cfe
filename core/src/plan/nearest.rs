//! The names that a misspelt one was meant to be.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longer names are compared by their beginning.
const COMPARED: usize = 64;

/// How many are offered.
const OFFERED: usize = 3;

/// `; did you mean a, b or c?`, or nothing when no name is near.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let wanted: Vec<char> = name.chars().take(COMPARED).flat_map(char::to_lowercase).collect();
    let mut near: Vec<(usize, &str)> =
        names.filter_map(|known| Some((distance(&wanted, known)?, known))).collect();
    near.sort_unstable();
    near.dedup();
    let near: Vec<&str> = near.into_iter().take(OFFERED).map(|(_, name)| name).collect();
    match near.split_last() {
        None => String::new(),
        Some((only, [])) => format!("; did you mean {only}?"),
        Some((last, rest)) => format!("; did you mean {} or {last}?", rest.join(", ")),
    }
}

/// How many edits apart two names are, if that is few enough. A name that holds the other is near as well.
fn distance(wanted: &[char], known: &str) -> Option<usize> {
    let name: Vec<char> = known.chars().take(COMPARED).flat_map(char::to_lowercase).collect();
    let (short, long) = if name.len() < wanted.len() { (&*name, wanted) } else { (wanted, &*name) };
    if short.len() > 2 && long.windows(short.len()).any(|window| window == short) {
        return Some(1);
    }
    let most = long.len() / 2;
    if long.len().saturating_sub(short.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=short.len()).collect();
    for (i, a) in long.iter().enumerate() {
        let mut before = i;
        let mut left = i.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b, cell) in short.iter().zip(row.iter_mut().skip(1)) {
            let changed = before.saturating_add(usize::from(a != b));
            before = *cell;
            left = changed.min(before.saturating_add(1)).min(left.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().filter(|edits| *edits <= most)
}

/// The words for a name that nothing has.
pub(super) fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    format!("there is no {what} {:?}{}", name.to_owned(), nearest(name, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_near_are_offered_the_nearest_first() {
        let names = ["github.create_issue", "github.list_issues", "time.now"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("github.creat_issue"), "; did you mean github.create_issue or github.list_issues?");
        assert_eq!(near("list_issues"), "; did you mean github.list_issues?");
        assert_eq!(near("TIME.NOW"), "; did you mean time.now?");
        assert_eq!(near("weather"), "");
    }
}
