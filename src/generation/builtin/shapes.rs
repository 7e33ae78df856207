//! Steps that change which items there are, or when they go on.

use serde_json::{Map, json};

use super::choices;
use super::clauses::Clause;
use super::conditions;
use super::flow::Flow;
use super::records;
use super::starts::map;
use super::words::Act;

/// Names of the languages in English.
pub(super) const LANGUAGE_NAMES: &[(&str, &str)] = &[
    ("EN", "English"),
    ("DE", "German"),
    ("FR", "French"),
    ("ES", "Spanish"),
    ("IT", "Italian"),
    ("NL", "Dutch"),
    ("PL", "Polish"),
    ("PT", "Portuguese"),
    ("JA", "Japanese"),
    ("ZH", "Chinese"),
];

pub(super) fn language(clause: &Clause) -> Option<String> {
    const LANGUAGES: &[(&str, &str)] = &[
        ("english englisch englische anglais ingles", "EN"),
        ("german deutsch deutsche allemand aleman", "DE"),
        ("french franzosisch franzosische francais frances", "FR"),
        ("spanish spanisch spanische espagnol espanol", "ES"),
        ("italian italienisch italien italiano", "IT"),
        ("dutch niederlandisch", "NL"),
        ("polish polnisch", "PL"),
        ("portuguese portugiesisch", "PT"),
        ("japanese japanisch", "JA"),
        ("chinese", "ZH"),
    ];
    LANGUAGES.iter().find(|(words, _)| clause.items.iter().any(|item| item.among(words))).map(|(_, code)| (*code).to_owned())
}

pub(super) fn wait(flow: &mut Flow<'_>, clause: &Clause) -> Option<()> {
    const UNITS: &[(&str, &str)] = &[
        ("second seconds sekunden secondes segundos", "seconds"),
        ("minute minutes minuten minutos", "minutes"),
        ("hour hours stunde stunden heure heures hora horas", "hours"),
        ("day days tag tage jour jours dia dias", "days"),
    ];
    let (at, unit) = clause
        .items
        .iter()
        .enumerate()
        .find_map(|(at, item)| UNITS.iter().find(|(words, _)| item.among(words)).map(|(_, unit)| (at, *unit)))?;
    let before = at.checked_sub(1).map(|before| &clause.items[before])?;
    let amount = before.number().or_else(|| before.is(&["a", "an", "eine", "einen", "une", "un", "una"]).then_some(1.0))?;
    let id = flow.node("wait", "Wait", map(json!({"resume": "timeInterval", "amount": amount, "unit": unit})));
    flow.extend(&id);
    Some(())
}

pub(super) fn shape(flow: &mut Flow<'_>, clause: &Clause, act: Act) -> Option<()> {
    match act {
        Act::Filter => {
            let test = choices::read(&clause.items)?;
            let drop = clause.items.iter().any(|item| item.is(&["drop", "skip", "ignore", "exclude", "discard", "out", "ignoriere"]));
            let case = conditions::case(&test, flow).filter(|_| !drop)?;
            flow.condition("filter", "Filter", vec![case]);
        }
        Act::Collect => {
            records::collect(flow);
        }
        Act::Deduplicate => {
            let id = flow.node("removeDuplicates", "Remove Duplicates", Map::new());
            flow.extend(&id);
        }
        _ => return None,
    }
    Some(())
}
