//! Time zones that a prompt names: `at 9 am Berlin time`, `(CET)`, `Europe/Paris`, `hora de Madrid`.

use std::ops::Range;

use super::names::joined;
use super::reading::Item;
use super::tokens::Kind;

const CITIES: &[(&str, &str)] = &[
    ("berlin berliner german deutsche deutscher", "Europe/Berlin"),
    ("vienna wien wiener", "Europe/Vienna"),
    ("zurich zurcher", "Europe/Zurich"),
    ("paris", "Europe/Paris"),
    ("madrid", "Europe/Madrid"),
    ("rome roma", "Europe/Rome"),
    ("amsterdam", "Europe/Amsterdam"),
    ("brussels bruxelles", "Europe/Brussels"),
    ("warsaw", "Europe/Warsaw"),
    ("london", "Europe/London"),
    ("lisbon lisboa", "Europe/Lisbon"),
    ("tokyo", "Asia/Tokyo"),
    ("singapore", "Asia/Singapore"),
    ("sydney", "Australia/Sydney"),
    ("chicago", "America/Chicago"),
    ("denver", "America/Denver"),
    ("toronto", "America/Toronto"),
    ("dublin", "Europe/Dublin"),
    ("stockholm", "Europe/Stockholm"),
    ("oslo", "Europe/Oslo"),
    ("copenhagen kopenhagen", "Europe/Copenhagen"),
    ("helsinki", "Europe/Helsinki"),
    ("athens athen", "Europe/Athens"),
    ("istanbul", "Europe/Istanbul"),
    ("prague prag praga", "Europe/Prague"),
    ("budapest", "Europe/Budapest"),
    ("barcelona", "Europe/Madrid"),
    ("munich munchen hamburg", "Europe/Berlin"),
    ("dubai", "Asia/Dubai"),
    ("mumbai delhi kolkata india", "Asia/Kolkata"),
    ("shanghai beijing", "Asia/Shanghai"),
    ("seoul", "Asia/Seoul"),
    ("bangkok", "Asia/Bangkok"),
    ("jakarta", "Asia/Jakarta"),
    ("melbourne", "Australia/Melbourne"),
    ("auckland", "Pacific/Auckland"),
    ("johannesburg", "Africa/Johannesburg"),
    ("cairo", "Africa/Cairo"),
    ("lagos", "Africa/Lagos"),
    ("nairobi", "Africa/Nairobi"),
    ("bogota", "America/Bogota"),
    ("lima", "America/Lima"),
    ("caracas", "America/Caracas"),
    ("vancouver", "America/Vancouver"),
    ("montreal", "America/Toronto"),
    ("phoenix", "America/Phoenix"),
    ("boston", "America/New_York"),
    ("seattle", "America/Los_Angeles"),
    ("eastern", "America/New_York"),
    ("central", "America/Chicago"),
    ("mountain", "America/Denver"),
    ("pacific", "America/Los_Angeles"),
];
const TWO_WORDS: &[(&str, &str, &str)] = &[
    ("new", "york", "America/New_York"),
    ("los", "angeles", "America/Los_Angeles"),
    ("san", "francisco", "America/Los_Angeles"),
    ("mexico", "city", "America/Mexico_City"),
    ("buenos", "aires", "America/Argentina/Buenos_Aires"),
    ("sao", "paulo", "America/Sao_Paulo"),
    ("hong", "kong", "Asia/Hong_Kong"),
    ("central", "european", "Europe/Berlin"),
];
/// Abbreviations, which count only in capital letters.
const SHORT: &[(&str, &str)] = &[
    ("UTC", "Etc/UTC"),
    ("GMT", "Etc/UTC"),
    ("CET", "Europe/Berlin"),
    ("CEST", "Europe/Berlin"),
    ("MEZ", "Europe/Berlin"),
    ("MESZ", "Europe/Berlin"),
    ("BST", "Europe/London"),
    ("EST", "America/New_York"),
    ("EDT", "America/New_York"),
    ("ET", "America/New_York"),
    ("CST", "America/Chicago"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("PT", "America/Los_Angeles"),
];

/// Finds the time zone among the items, and the places of its items.
pub(super) fn find(items: &[Item]) -> Option<(String, Range<usize>)> {
    (0..items.len()).find_map(|at| named(items, at))
}

fn named(items: &[Item], at: usize) -> Option<(String, Range<usize>)> {
    let item = items.get(at).filter(|item| item.kind == Kind::Word)?;
    let is = |at: usize, words: &[&str]| items.get(at).is_some_and(|item| item.is(words));
    let (text, length) = joined(items, at);
    let area = ["Europe/", "America/", "Asia/", "Africa/", "Australia/", "Pacific/", "Atlantic/", "Etc/"];
    if area.iter().any(|area| text.starts_with(area)) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-')) {
        return Some((text, at..at + length));
    }
    if let Some((_, zone)) = SHORT.iter().find(|(short, _)| *short == item.text) {
        let word = usize::from(is(at + 1, &["time"]));
        return Some(((*zone).to_owned(), at..at + 1 + word));
    }
    let two = TWO_WORDS.iter().find(|(one, other, _)| is(at, &[one]) && is(at + 1, &[other])).map(|(.., zone)| (*zone, 2));
    let one = CITIES.iter().find(|(words, _)| item.among(words)).map(|(_, zone)| (*zone, 1));
    let (zone, length) = two.or(one)?;
    // `Berlin time`, `Berliner Zeit`, `heure de Paris`, `time in London`.
    let behind = usize::from(is(at + length, &["local"]));
    if is(at + length + behind, &["time", "zeit", "timezone"]) {
        return Some((zone.to_owned(), at..at + length + behind + 1));
    }
    let before =
        at.checked_sub(2).filter(|before| is(*before, &["heure", "hora", "time", "zeit"]) && is(before + 1, &["de", "in", "of", "von"]))?;
    Some((zone.to_owned(), before..at + length))
}

#[cfg(test)]
mod tests {
    use super::super::reading::items;
    use super::super::services::Lexicon;
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn zones_are_those_that_the_prompt_names() {
        let lexicon = Lexicon::of(Catalog::embedded());
        for (text, wanted) in [
            ("every day at 9 am Berlin time", Some("Europe/Berlin")),
            ("Each Tuesday at 2pm New York time post it", Some("America/New_York")),
            ("daily at 18:00 UTC", Some("Etc/UTC")),
            ("daily at 18:00 (America/Sao_Paulo)", Some("America/Sao_Paulo")),
            ("tous les jours à 8h heure de Paris", Some("Europe/Paris")),
            ("jeden Tag um 9 Uhr Berliner Zeit", Some("Europe/Berlin")),
            ("the weather in Berlin each time", None),
            ("le rapport est prêt", None),
        ] {
            assert_eq!(find(&items(text, &lexicon)).map(|(zone, _)| zone).as_deref(), wanted, "{text}");
        }
    }
}
