//! Suggestions: the most similar of the existing names.

use std::collections::HashMap;

use icu_normalizer::ComposingNormalizerBorrowed;
use rapidfuzz::distance::osa;

/// Returns the candidate that the author most probably meant, if one is similar enough.
///
/// Names that differ only in case or surrounding whitespace win over those that differ by a few letters; beyond a third of the letters
/// nothing is suggested, since a wrong hint is worse than none.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(wanted);
    let length = folded.chars().count();
    let limit = (length / 3).clamp(1, MOST);
    let compared = osa::BatchComparator::new(folded.chars());
    let within = osa::Args::default().score_cutoff(limit);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().filter(|candidate| *candidate != wanted) {
        // Most candidates are far too long or too short, which their byte length shows if they are ASCII.
        if candidate.is_ascii() && candidate.trim().len().min(LONGEST).abs_diff(length) > limit {
            continue;
        }
        let Some(distance) = compared.distance_with_args(fold(candidate).chars(), &within) else { continue };
        let found = (distance, candidate);
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

fn fold(name: &str) -> String {
    name.trim().chars().take(LONGEST).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strsim::osa_distance;

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

    proptest! {
        #[test]
        fn the_distance_is_that_of_another_implementation(a in "[ab c]{0,12}|[abc]{50,140}", b in "[ab c]{0,12}|[abc]{50,140}", limit in 1usize..7) {
            let within = osa::Args::default().score_cutoff(limit);
            let found = osa::BatchComparator::new(a.chars()).distance_with_args(b.chars(), &within);
            prop_assert_eq!(found, Some(osa_distance(&a, &b)).filter(|distance| *distance <= limit));
        }

        #[test]
        fn names_of_many_letters_are_compared_alike(name in "[abc]{50,140}", edits in proptest::collection::vec((0usize..140, "[abc]"), 0..8), limit in 1usize..7) {
            let mut letters: Vec<char> = name.chars().collect();
            for (at, letter) in edits {
                let (at, letter) = (at % letters.len(), letter.chars().next().unwrap());
                match letter {
                    'a' => letters[at] = letter,
                    'b' => letters.insert(at, letter),
                    _ => letters.swap(at, (at + 1).min(name.len() - 1)),
                }
            }
            let edited: String = letters.into_iter().collect();
            let within = osa::Args::default().score_cutoff(limit);
            let found = osa::BatchComparator::new(name.chars()).distance_with_args(edited.chars(), &within);
            prop_assert_eq!(found, Some(osa_distance(&name, &edited)).filter(|distance| *distance <= limit));
        }

        #[test]
        fn the_nearest_is_the_first_by_name_of_those_with_the_least_distance(wanted in "[abC ]{0,8}", names in proptest::collection::vec("[abcé ]{0,8}", 0..8)) {
            let limit = (fold(&wanted).chars().count() / 3).clamp(1, 6);
            let near = names.iter().filter(|name| **name != wanted).map(|name| (osa_distance(&fold(&wanted), &fold(name)), name.as_str()));
            prop_assert_eq!(nearest(&wanted, names.iter().map(String::as_str)), near.filter(|(far, _)| *far <= limit).min().map(|(_, name)| name));
        }
    }

    #[test]
    fn a_swap_of_neighbours_counts_once() {
        // A name of four letters may differ by one.
        assert_eq!(nearest("abcd", ["abdc"]), Some("abdc"));
        assert_eq!(nearest("abcd", ["xyzw"]), None);
        assert_eq!(nearest("abcd", ["badc"]), None);
    }
}
