//! Days of schedules: days of the week and their ranges, days of the month, dates, and days that are left out.

use std::collections::BTreeSet;

use super::super::reading::Item;
use super::super::schedule_words::{DAYS, MONTHS, PARTS, SHORT_DAYS, UNITS, Unit, WORKDAYS};
use super::super::tokens::Kind;
use super::super::words::is_among;
use super::{Found, of};

const TO: &[&str] = &["to", "through", "thru", "till", "until", "bis", "au", "a"];
const AND: &[&str] = &["and", "und", "et", "y", "&"];
const EXCEPT: &[&str] = &["except", "excluding", "ausser", "sauf", "excepto", "salvo", "but"];
const WEEKEND: &[&str] = &["weekend", "weekends", "wochenende", "wochenenden", "week", "fines", "fin"];

/// Returns the day of an item: of its name, or of what a range shortens it to.
fn day(item: &Item) -> Option<u8> {
    of(DAYS, item).or_else(|| of(SHORT_DAYS, item))
}

impl Found {
    /// Reads a day with a part of it in one word: `Sonntagabend`.
    pub(super) fn day_and_part(item: &Item) -> Option<(u8, u32)> {
        let day = |stem: &str| DAYS.iter().find(|(_, words)| is_among(words, stem)).map(|(day, _)| *day);
        let parts = PARTS.iter().flat_map(|(hour, words)| words.split_whitespace().map(move |word| (*hour, word)));
        parts.filter(|(_, word)| word.len() > 3).find_map(|(hour, word)| Some((day(item.word.strip_suffix(word)?)?, hour)))
    }

    /// Reads `Monday to Friday`, `Mon-Fri`, `du lundi au vendredi`.
    pub(super) fn range(&mut self, items: &[Item], at: usize) -> Option<usize> {
        let skip = usize::from(items[at].is(&["from", "von", "du", "de"]));
        let first = day(items.get(at + skip)?)?;
        let next = items.get(at + skip + 1)?;
        let joined = next.joint == Some('-') || next.text == "-" || next.text == "–";
        let by = if next.is(TO) || next.text == "-" || next.text == "–" { 2 } else { 1 };
        let last = items.get(at + skip + by).filter(|_| joined || by == 2).and_then(day)?;
        // Sunday is the seventh day here, and the day 0 of n8n.
        let last = if last == 0 { 7 } else { last };
        if first == 0 || last <= first {
            return None;
        }
        self.days.extend((first..=last).map(|day| day % 7));
        self.every = Some((1, self.every.map_or(Unit::Week, |(_, unit)| if unit == Unit::Day { Unit::Week } else { unit })));
        Some(self.mark(at, skip + by + 1))
    }

    /// Reads a date that comes each year: `every December 1st`, `jeden 24. Dezember`.
    pub(super) fn date(&mut self, items: &[Item], at: usize) -> Option<usize> {
        let yearly =
            |at: usize| items[..at].iter().rev().take(3).any(|item| item.is(&["every", "each", "jeden", "jedes", "chaque", "cada"]));
        let number = |at: usize| items.get(at).and_then(Item::number).filter(|day| day.fract() == 0.0 && (1.0..=31.0).contains(day));
        let month = |at: usize| items.get(at).and_then(|item| of(MONTHS, item));
        let (month, day, length) = match (month(at), number(at)) {
            (Some(month), _) => (month, number(at + 1)?, 2),
            (_, Some(day)) => {
                let by = (1..4).find(|by| !items.get(at + by).is_some_and(|next| next.is(&["of", "de"]) || next.kind == Kind::Stop))?;
                (month(at + by)?, day, by + 1)
            }
            _ => return None,
        };
        if !yearly(at) && self.every.is_none_or(|(_, unit)| unit != Unit::Year) {
            return None;
        }
        (self.month, self.of_month, self.every) = (Some(month), vec![day as u32], Some((1, Unit::Year)));
        let before = (at.saturating_sub(3)..at).filter(|at| items[*at].is(&["every", "each", "jeden", "jedes", "chaque", "cada"]));
        self.used.extend(before);
        Some(self.mark(at, length))
    }

    /// Reads `first of each month`, `am 1. des Monats`, `the 1st and the 15th of each month`.
    pub(super) fn day_of_month(&mut self, items: &[Item], at: usize) -> usize {
        let day = |item: &Item| {
            let first = item.is(&["first", "ersten", "premier", "primer", "1er"]);
            if first { Some(1.0) } else { item.number() }.filter(|day| day.fract() == 0.0 && (1.0..=31.0).contains(day))
        };
        let Some(first) = day(&items[at]) else { return 0 };
        let mut found = vec![first as u32];
        let mut by = 1;
        loop {
            let joins = |by: usize| items.get(at + by).is_some_and(|next| next.is(AND) || next.kind == Kind::Comma);
            let article = |by: usize| usize::from(items.get(at + by).is_some_and(|next| next.is(&["the", "am", "le", "el", "den"])));
            let stop = usize::from(items.get(at + by).is_some_and(|next| next.text == "."));
            let next = by + stop + 1 + article(by + stop + 1);
            let Some(more) = items.get(at + next).filter(|_| joins(by + stop)).and_then(day) else { break };
            found.push(more as u32);
            by = next + 1;
        }
        let skip = &[
            "day", "tag", "jour", "dia", "of", "de", "des", "du", "del", "im", "in", "the", "each", "every", "cada", "chaque", "jeden",
            "jedes", "a", "per",
        ];
        let from = by;
        while items.get(at + by).is_some_and(|next| next.is(skip) || next.kind == Kind::Stop && next.text == "." && by == from)
            && by < from + 6
        {
            by += 1;
        }
        if by == from || items.get(at + by).and_then(|unit| of(UNITS, unit)) != Some(Unit::Month) {
            return 0;
        }
        self.of_month = found;
        self.every = Some((1, Unit::Month));
        let mut before = at;
        while before.checked_sub(1).is_some_and(|at| items[at].is(&["the", "on", "am", "le", "el", "den", "dia", "jour", "day"])) {
            before -= 1;
        }
        self.used.extend(before..at);
        self.mark(at, by + 1)
    }

    /// Reads days of the week that are joined.
    pub(super) fn weekdays(&mut self, items: &[Item], at: usize) -> usize {
        let mut by = 0;
        while let Some(item) = items.get(at + by) {
            match of(DAYS, item) {
                Some(day) => {
                    self.days.insert(day);
                }
                None if item.among(WORKDAYS) => self.days.extend(1..=5),
                None => break,
            }
            by += 1;
            let more = |by: usize| items.get(at + by).is_some_and(|next| of(DAYS, next).is_some());
            while items.get(at + by).is_some_and(|next| next.kind == Kind::Comma || next.is(AND)) && more(by + 1) {
                by += 1;
            }
        }
        self.mark(at, by)
    }

    /// Leaves out the days that the prompt excepts: `every day except weekends`, `täglich außer am Wochenende`.
    pub(super) fn without(&mut self, items: &[Item]) {
        let negated = |at: usize| items[at].is(&["not"]) && items.get(at + 1).is_some_and(|next| next.is(&["on", "at"]));
        let Some(at) = (0..items.len()).find(|at| items[*at].is(EXCEPT) || negated(*at)) else { return };
        let skip = items[at + 1..]
            .iter()
            .take_while(|item| item.is(&["on", "at", "for", "not", "am", "an", "le", "les", "los", "el", "the", "de"]))
            .count();
        let from = at + 1 + skip;
        let Some(first) = items.get(from).filter(|_| self.every.is_some_and(|(count, _)| count == 1)) else { return };
        let mut gone: BTreeSet<u8> = BTreeSet::new();
        let mut to = from;
        if first.is(WEEKEND) {
            gone.extend([0, 6]);
            to += 1;
            while items.get(to).is_some_and(|next| next.is(&["end", "ends", "de", "semana"])) {
                to += 1;
            }
        }
        while let Some(day) = items.get(to).and_then(|item| of(DAYS, item)) {
            gone.insert(day);
            to += 1;
            let more = items.get(to + 1).is_some_and(|next| of(DAYS, next).is_some());
            to += usize::from(more && items.get(to).is_some_and(|next| next.is(AND) || next.kind == Kind::Comma));
        }
        if gone.is_empty() || gone.len() == 7 {
            return;
        }
        if self.days.is_empty() {
            self.days.extend(0..=6);
        }
        self.days.retain(|day| !gone.contains(day));
        self.every = self.every.map(|(count, unit)| (count, if unit == Unit::Day { Unit::Week } else { unit }));
        self.used.extend(at..to);
    }
}
