//! Schedules in words: `every weekday at 9`, `alle 15 Minuten`, `deux fois par jour`, `los lunes a las 8`, and cron expressions.

mod days;
mod intervals;
mod times;

use std::collections::BTreeSet;

use serde_json::Value;

use super::reading::Item;
use super::schedule_words::{ADVERBS, DAYS, EVERY, EVERY_THE, PARTS, PER, UNITS, Unit, WORKDAYS};
use super::tokens::Kind;

/// A schedule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Schedule {
    /// Intervals of n8n's schedule trigger.
    pub intervals: Vec<Value>,
    /// The schedule for people.
    pub said: String,
    /// Assumption where the prompt leaves something open, for people.
    pub assumed: Option<String>,
    /// True if only an adjective says it (`a daily report`), which may belong to something else.
    pub weak: bool,
    /// Two times of which the prompt does not say that both are meant, for people.
    pub contradiction: Option<String>,
}

/// Returns the number of an ordinal: `every second Monday`.
fn ordinal(item: &Item) -> Option<u32> {
    const ORDINALS: &[(u32, &str)] = &[(2, "other second 2nd zweite zweiten zweiter"), (3, "third 3rd dritte dritten"), (4, "fourth 4th")];
    of(ORDINALS, item)
}

fn of<T: Copy>(table: &[(T, &str)], item: &Item) -> Option<T> {
    table.iter().find(|(_, words)| item.among(words)).map(|(value, _)| *value)
}

#[derive(Default)]
struct Found {
    every: Option<(u32, Unit)>,
    days: BTreeSet<u8>,
    times: Vec<u32>,
    part: Option<u32>,
    /// Times a period.
    often: Option<(u32, Unit)>,
    of_month: Vec<u32>,
    /// Month of a date that comes each year.
    month: Option<u32>,
    /// First and last hour of a day.
    hours: Option<(u32, u32)>,
    weak: bool,
    contradiction: Option<String>,
    cron: Option<String>,
    used: BTreeSet<usize>,
}

/// Finds the schedule among the items, and the places of its items.
pub(super) fn find(items: &[Item]) -> Option<(Schedule, BTreeSet<usize>)> {
    let mut found = Found::default();
    let mut at = 0;
    while at < items.len() {
        at += found.step(items, at).max(1);
    }
    found.opens_with_time(items);
    found.between(items);
    found.times(items);
    found.without(items);
    let schedule = found.schedule()?;
    Some((Schedule { contradiction: found.contradiction, ..schedule }, found.used))
}

impl Found {
    fn mark(&mut self, from: usize, length: usize) -> usize {
        self.used.extend(from..from + length);
        length
    }

    /// Reads what begins at an item; returns the number of items that were used.
    fn step(&mut self, items: &[Item], at: usize) -> usize {
        let item = &items[at];
        let next = |by: usize| items.get(at + by);
        if let Some(length) = self.cron(items, at) {
            return length;
        }
        let every = item.among(EVERY) || item.among(EVERY_THE) && next(1).is_some_and(|next| next.is(&["les", "los", "las"]));
        if every && self.every.is_none() {
            let skip = if item.among(EVERY_THE) { 2 } else { 1 };
            let (mut count, mut by) = (1, skip);
            if let Some(number) = next(by).and_then(Item::number).filter(|number| (1.0..=1000.0).contains(number)) {
                (count, by) = (number as u32, by + 1);
            } else if let Some(nth) = next(by).and_then(ordinal) {
                (count, by) = (nth, by + 1);
            } else if next(by).is_some_and(|next| next.is(&["half", "halbe"])) {
                if next(by + 1).is_some_and(|next| of(UNITS, next) == Some(Unit::Hour)) {
                    self.every = Some((30, Unit::Minute));
                    return self.mark(at, by + 2);
                }
            } else if next(by).is_some_and(|next| next.is(&["single", "full", "business", "working", "einzelnen"])) {
                let work = next(by).is_some_and(|next| next.is(&["business", "working"]));
                if work {
                    self.days.extend(1..=5);
                }
                by += 1;
            }
            let Some(unit) = next(by) else { return 0 };
            if unit.among(WORKDAYS) {
                self.days.extend(1..=5);
                self.every = Some((1, Unit::Week));
                return self.mark(at, by + 1);
            }
            if let Some((day, hour)) = Self::day_and_part(unit) {
                self.days.insert(day);
                (self.every, self.part) = (Some((count, Unit::Week)), Some(hour));
                return self.mark(at, by + 1);
            }
            if of(DAYS, unit).is_some() {
                let length = self.weekdays(items, at + by);
                self.every = Some((count, Unit::Week));
                let part = items.get(at + by + length).and_then(|part| of(PARTS, part));
                self.part = self.part.or(part);
                let length = length + usize::from(part.is_some());
                return self.mark(at, by + length);
            }
            if let Some(hour) = of(PARTS, unit) {
                (self.every, self.part) = (Some((count, Unit::Day)), Some(hour));
                return self.mark(at, by + 1);
            }
            if let Some(unit) = of(UNITS, unit) {
                // `jours ouvrés`, `días laborables`.
                let work = next(by + 1).is_some_and(|next| next.among(WORKDAYS));
                if work {
                    self.days.extend(1..=5);
                }
                self.every = Some((count, if work { Unit::Week } else { unit }));
                return self.mark(at, by + 1 + usize::from(work));
            }
            return 0;
        }
        let often = match item.word.as_str() {
            "once" | "einmal" => Some((1, 1)),
            "twice" | "zweimal" => Some((2, 1)),
            "thrice" | "dreimal" => Some((3, 1)),
            _ => item.number().filter(|number| (1.0..=24.0).contains(number)).and_then(|number| {
                next(1).filter(|next| next.is(&["times", "time", "mal", "fois", "vez", "veces", "x"])).map(|_| (number as u32, 2))
            }),
        };
        if let Some((count, by)) = often {
            let per = next(by).is_some_and(|next| next.among(PER));
            let by = by + usize::from(per);
            let unit = next(by).and_then(|unit| of(UNITS, unit).filter(|_| per).or_else(|| of(ADVERBS, unit)));
            if let Some(unit) = unit {
                self.often = Some((count, unit));
                return self.mark(at, by + 1);
            }
        }
        if let Some(unit) = of(ADVERBS, item) {
            let before = at.checked_sub(1).map(|before| &items[before]);
            // `every Friday … the weekly close`.
            if self.every.is_some() && before.is_some_and(|before| before.is(&["the", "a", "an", "our", "my", "this", "die", "der", "das"]))
            {
                return 0;
            }
            self.weak |= self.every.is_none() && before.is_some_and(|before| before.plain && !before.is(&["and", "und", "me"]));
            if item.is(&["nightly"]) {
                self.part = Some(2);
            }
            self.every.get_or_insert((1, unit));
            return self.mark(at, 1);
        }
        if let Some(length) = self.range(items, at).or_else(|| self.date(items, at)) {
            return length;
        }
        // `on working days`.
        if item.is(&["working", "business"]) && next(1).is_some_and(|next| next.is(&["days", "day"])) {
            self.days.extend(1..=5);
            self.every.get_or_insert((1, Unit::Week));
            return self.mark(at, 2);
        }
        // `on Mondays`, `am Montag`, `le lundi`, `los lunes`.
        let placed = item.is(&["on", "am", "le", "los", "el", "den", "jeweils"]);
        if placed && next(1).is_some_and(|next| of(DAYS, next).is_some() || next.among(WORKDAYS)) {
            let length = self.weekdays(items, at + 1);
            self.every.get_or_insert((1, Unit::Week));
            return self.mark(at, 1) + length;
        }
        let adverb = item.word.ends_with('s') && item.text.chars().next().is_some_and(char::is_lowercase)
            || item.word.ends_with("days")
            || item.word.ends_with("tags");
        // `Monday 7am: …`, `Saturday at 10:00 …`.
        let timed = || {
            let by = 1 + usize::from(next(1).is_some_and(|next| next.is(&["at", "um"])));
            next(by).is_some_and(|next| matches!(next.kind, Kind::Time(_)))
        };
        if of(DAYS, item).is_some() && (adverb || timed()) || item.is(&["werktags", "weekdays", "workdays"]) {
            self.every.get_or_insert((1, Unit::Week));
            return self.weekdays(items, at);
        }
        if let Some(hour) = of(PARTS, item).filter(|_| item.word.ends_with('s') && item.word != "mornings") {
            self.part.get_or_insert(hour);
            self.every.get_or_insert((1, Unit::Day));
            return self.mark(at, 1);
        }
        self.day_of_month(items, at)
    }

    /// Reads a cron expression: a quotation, or five fields after the word.
    fn cron(&mut self, items: &[Item], at: usize) -> Option<usize> {
        let item = &items[at];
        let fits = |text: &str| {
            let fields: Vec<&str> = text.split_whitespace().collect();
            let plain = |field: &&str| field.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '/' | ',' | '-'));
            (fields.len() == 5 || fields.len() == 6) && fields.iter().all(plain) && text.contains(['*', '/'])
        };
        if item.kind == Kind::Quoted && fits(&item.text) {
            self.cron = Some(item.text.clone());
            return Some(self.mark(at, 1));
        }
        if !item.is(&["cron"]) {
            return None;
        }
        let mut expression = String::new();
        let (mut fields, mut by) = (0, 1);
        let skip =
            items.get(at + by).is_some_and(|next| next.is(&["expression", "schedule", "job", "ausdruck"]) || next.kind == Kind::Colon);
        by += usize::from(skip);
        // Blanks are lost, so fields are distinguished by their signs.
        let mut glued = false;
        while let Some(next) = items.get(at + by).filter(|_| fields < 5 || glued) {
            let sign = matches!(next.text.as_str(), "/" | "-" | ",");
            match next.kind {
                Kind::Number(_) | Kind::Sign | Kind::Comma if sign || next.text == "*" || next.number().is_some() => {
                    if !sign && !glued {
                        fields += 1;
                        expression.push(' ');
                    }
                    expression.push_str(&next.text);
                    glued = sign;
                }
                _ => break,
            }
            by += 1;
            if fields == 5 && !items.get(at + by).is_some_and(|next| matches!(next.text.as_str(), "/" | "-" | ",")) {
                break;
            }
        }
        let expression = expression.trim().to_owned();
        fits(&expression).then(|| {
            self.cron = Some(expression);
            self.mark(at, by)
        })
    }
}
