//! Suggestions: the most similar of the existing names.

use std::collections::HashMap;

use icu_normalizer::ComposingNormalizerBorrowed;

/// Returns the candidate that the author most probably meant, if one is similar enough.
///
/// Names that differ only in case or surrounding whitespace win over those that differ by a few letters; beyond a third of the letters
/// nothing is suggested, since a wrong hint is worse than none.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(wanted);
    let limit = (folded.len() / 3).clamp(1, MOST);
    let mut other = Vec::new();
    let mut rows = Rows::default();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().filter(|candidate| *candidate != wanted) {
        // Most candidates are far too long or too short, which their byte length shows if they are ASCII.
        if candidate.is_ascii() && candidate.trim().len().min(LONGEST).abs_diff(folded.len()) > limit {
            continue;
        }
        other.clear();
        other.extend(letters(candidate));
        let Some(found) = distance(&folded, &other, limit, &mut rows).map(|distance| (distance, candidate)) else { continue };
        best = Some(best.map_or(found, |best| best.min(found)));
    }
    best.map(|(_, candidate)| candidate)
}

/// Names by their visual shape, computed once for all look-ups.
pub struct Shapes<'a>(HashMap<String, &'a str>);

impl<'a> Shapes<'a> {
    /// Of several names that look the same, keeps the first in alphabetical order.
    pub fn of(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut shapes = HashMap::new();
        for name in names {
            let first = shapes.entry(shape(name)).or_insert(name);
            *first = name.min(first);
        }
        Self(shapes)
    }

    /// Returns the name that looks like the wanted one but has other characters, and how the two differ.
    pub fn alike(&self, wanted: &str) -> Option<(&'a str, &'static str)> {
        let found = self.0.get(&shape(wanted)).copied().filter(|name| *name != wanted)?;
        let composed = ComposingNormalizerBorrowed::new_nfc();
        Some(if composed.normalize(wanted) == composed.normalize(found) {
            (found, "one that looks the same consists of other characters (Unicode NFC and NFD, as after copying on macOS); copy its name")
        } else {
            (found, "one that looks the same has other whitespace, invisible or compatibility characters; copy its name")
        })
    }
}

/// Returns the visual shape of a name: composed, all blanks alike, without invisible characters.
fn shape(name: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfkc();
    let seen = composed.normalize(name);
    let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{fe00}'..='\u{fe0f}');
    let letters = seen.chars().filter(|c| !invisible(*c)).map(|c| if c.is_whitespace() { ' ' } else { c });
    letters.collect::<String>().trim().to_owned()
}

/// Maximum number of differing letters.
const MOST: usize = 6;
/// Maximum number of letters of a name that are compared.
const LONGEST: usize = 128;

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.trim().chars().take(LONGEST).flat_map(char::to_lowercase)
}

fn fold(name: &str) -> Vec<char> {
    letters(name).collect()
}

/// Three rows of the table of distances, reused for each candidate.
#[derive(Default)]
struct Rows {
    before_last: Vec<usize>,
    last: Vec<usize>,
    row: Vec<usize>,
}

/// Returns the optimal string alignment distance (insertion, deletion, substitution, swap of neighbours), or `None` if it is more than
/// `limit`. Only the part of the table that can be within the limit is filled in.
fn distance(a: &[char], b: &[char], limit: usize, rows: &mut Rows) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    // A common beginning and end do not matter; most similar names differ in a few letters only.
    let begin = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[begin..], &b[begin..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    let far = limit + 1;
    let Rows { before_last, last, row } = rows;
    for cells in [&mut *before_last, &mut *row] {
        cells.clear();
        cells.resize(b.len() + 1, far);
    }
    last.clear();
    last.extend((0..=b.len()).map(|at| at.min(far)));
    for (i, ca) in a.iter().enumerate() {
        let from = i.saturating_sub(limit);
        let to = b.len().min(i + 1 + limit);
        row.fill(far);
        if from == 0 {
            row[0] = (i + 1).min(far);
        }
        let mut least = row[0];
        for j in from..to {
            let cb = b[j];
            let substituted = last[j] + usize::from(*ca != cb);
            let mut best = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == cb {
                best = best.min(before_last[j - 1] + 1);
            }
            row[j + 1] = best.min(far);
            least = least.min(best);
        }
        if least > limit {
            return None;
        }
        std::mem::swap(before_last, last);
        std::mem::swap(last, row);
    }
    last.last().copied().filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let nodes = ["Send mail", "Autopilot5 ", "HTTP Request", "Set"];
        assert_eq!(nearest("Autopilot5", nodes), Some("Autopilot5 "));
        assert_eq!(nearest("send Mail", nodes), Some("Send mail"));
        assert_eq!(nearest("HTTP Reqeust", nodes), Some("HTTP Request"));
        assert_eq!(nearest("Sett", nodes), Some("Set"));
        assert_eq!(nearest("Postgres", nodes), None);
        assert_eq!(nearest("", nodes), None);
    }

    /// Computes the whole table, without any shortcut.
    fn plainly(a: &[char], b: &[char]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                table[i][j] = if i == 0 || j == 0 {
                    i + j
                } else {
                    let substituted = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut best = substituted.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        best = best.min(table[i - 2][j - 2] + 1);
                    }
                    best
                };
            }
        }
        table[a.len()][b.len()]
    }

    proptest! {
        #[test]
        fn the_distance_is_that_of_the_whole_table(a in "[ab c]{0,12}", b in "[ab c]{0,12}", limit in 1usize..7) {
            let (a, b) = (fold(&a), fold(&b));
            let whole = plainly(&a, &b);
            prop_assert_eq!(distance(&a, &b, limit, &mut Rows::default()), (whole <= limit).then_some(whole));
        }

        #[test]
        fn the_nearest_is_the_first_by_name_of_those_with_the_least_distance(wanted in "[abC ]{0,8}", names in proptest::collection::vec("[abcé ]{0,8}", 0..8)) {
            let limit = (fold(&wanted).len() / 3).clamp(1, 6);
            let near = names.iter().filter(|name| **name != wanted).map(|name| (plainly(&fold(&wanted), &fold(name)), name.as_str()));
            prop_assert_eq!(nearest(&wanted, names.iter().map(String::as_str)), near.filter(|(far, _)| *far <= limit).min().map(|(_, name)| name));
        }
    }

    #[test]
    fn a_swap_of_neighbours_counts_once() {
        let far = |a: &str, b: &str, limit| distance(&fold(a), &fold(b), limit, &mut Rows::default());
        assert_eq!(far("abcd", "abdc", 3), Some(1));
        assert_eq!(far("abcd", "xyzw", 3), None);
        assert_eq!(far("", "ab", 3), Some(2));
    }
}
