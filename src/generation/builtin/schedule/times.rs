//! Times of day in schedules.

use super::super::reading::{Item, number_word};
use super::super::schedule_words::{AT, PARTS, UNITS, Unit};
use super::super::tokens::Kind;
use super::intervals;
use super::{Found, of};

/// Returns the minutes of a time that is written with a point.
fn dotted(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once('.').filter(|(_, minute)| minute.len() == 2)?;
    let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// Returns the minutes of an hour that is a word: `at noon`, `at nine`.
fn word_hour(item: &Item) -> Option<u32> {
    let part = of(PARTS, item).filter(|hour| matches!(hour, 0 | 12));
    let number = number_word(&item.word).filter(|hour| (1.0..24.0).contains(hour)).map(|hour| hour as u32);
    part.or(number).map(|hour| hour * 60)
}

/// Reports whether what stands around an hour says that it is one of the second half of the day: `8 in the evening`, `8 de la tarde`.
fn second_half(behind: &[Item], before: Option<&Item>, hour: u32) -> bool {
    let skip = behind.iter().take_while(|item| item.is(&["in", "the", "at", "du", "de", "la", "l", "am", "por"])).take(3).count();
    let part = behind.get(skip).and_then(|item| of(PARTS, item)).or_else(|| before.and_then(|item| of(PARTS, item)));
    let night = behind.get(skip).is_some_and(|item| item.is(&["night", "nacht", "nachts", "noche", "nuit"]));
    part.is_some_and(|part| matches!(part, 15 | 18)) || night && hour >= 6
}

/// Reports whether a time is said to be one more: `and at 6 pm`, `8:00, 20:00`.
fn is_another(items: &[Item], at: usize) -> bool {
    let before = items[..at]
        .iter()
        .rev()
        .find(|item| !item.among(AT) && !item.is(&["the", "then", "again", "dann", "nochmal", "encore", "otra", "vez"]));
    before
        .is_some_and(|item| item.kind == Kind::Comma || item.is(&["and", "und", "et", "y", "&", "sowie", "plus", "or"]) || item.text == "&")
}

impl Found {
    /// Takes a time of day that begins the prompt for a daily one: `At 8:00 and 20:00 get …`.
    pub(super) fn opens_with_time(&mut self, items: &[Item]) {
        let time = |item: &Item| matches!(item.kind, Kind::Time(_));
        let hour =
            || items.get(1).is_some_and(|item| item.number().is_some()) && items.get(2).is_some_and(|item| item.is(&["uhr", "am", "pm"]));
        let opens = items.first().is_some_and(|first| first.is(&["at", "um", "a"])) && (items.get(1).is_some_and(time) || hour())
            || items.first().is_some_and(|first| first.is(&["a"])) && items.get(2).is_some_and(time);
        let bare = items.first().is_some_and(time) && !items.iter().any(|item| item.is(&["ago", "old"]));
        if (opens || bare) && self.every.is_none() && self.often.is_none() && self.cron.is_none() {
            self.every = Some((1, Unit::Day));
        }
    }

    /// Reads the hours within which something is repeated: `every hour between 9 and 17`, `alle 15 Minuten von 8 bis 18 Uhr`.
    pub(super) fn between(&mut self, items: &[Item]) {
        const AND: &[&str] = &["and", "to", "till", "until", "und", "bis", "et", "a", "y", "las"];
        if !self.every.is_some_and(|(_, unit)| matches!(unit, Unit::Minute | Unit::Hour)) {
            return;
        }
        let hour = |item: &Item| match item.kind {
            Kind::Time(minutes) => (minutes % 60 == 0).then_some(minutes / 60),
            Kind::Number(hour) => (hour.fract() == 0.0 && (0.0..=24.0).contains(&hour)).then_some(hour as u32),
            _ => None,
        };
        let clock = |at: usize| items.get(at).is_some_and(|item| item.is(&["uhr", "h", "heures", "am", "pm"]));
        for at in 0..items.len() {
            if !items[at].is(&["between", "from", "zwischen", "von", "entre", "de"]) {
                continue;
            }
            let first = at + 1 + items[at + 1..].iter().take_while(|item| item.is(&["las", "la"])).count();
            let Some(from) = items.get(first).and_then(hour) else { continue };
            let mut second = first + 1 + usize::from(clock(first + 1));
            let joined = items.get(second).is_some_and(|item| item.joint == Some('-') || item.text == "-");
            while items.get(second).is_some_and(|item| item.is(AND)) {
                second += 1;
            }
            let Some(to) = items.get(second).filter(|_| second > first + 1 || joined).and_then(hour) else { continue };
            let pm = |at: usize| if items.get(at).is_some_and(|item| item.is(&["pm"])) { 12 } else { 0 };
            let (from, to) = (from + pm(first + 1), to + pm(second + 1));
            if from < to {
                self.hours = Some((from, to));
                self.used.extend(at..=second + usize::from(clock(second + 1)));
                return;
            }
        }
    }

    /// Reads times of day, which count only together with a period.
    pub(super) fn times(&mut self, items: &[Item]) {
        if self.every.is_none() && self.often.is_none() {
            return;
        }
        for (at, item) in items.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &items[before]);
            let (placed, next) = (before.is_some_and(|before| before.among(AT)), items.get(at + 1));
            let clock = next.is_some_and(|next| next.is(&["uhr", "oclock", "o'clock", "heures", "h", "am", "pm"]));
            if self.used.contains(&at) && !matches!(item.kind, Kind::Word) {
                continue;
            }
            let joined = before.is_some_and(|before| before.is(&["and", "und", "et", "y"]))
                && !self.times.is_empty()
                && self.used.contains(&(at.saturating_sub(2)));
            let time = match item.kind {
                Kind::Time(time) if placed || joined || at == 0 || self.used.contains(&at.saturating_sub(1)) => Some(time),
                Kind::Number(hour)
                    if (placed || joined || clock) && hour.fract() == 0.0 && (0.0..24.0).contains(&hour) && !self.used.contains(&at) =>
                {
                    let unit = next.is_some_and(|next| of(UNITS, next).is_some() || next.noun.is_some() && next.act.is_none());
                    let hour = match next.map(|next| next.word.as_str()) {
                        Some("pm") if hour < 12.0 => hour + 12.0,
                        Some("am") if hour == 12.0 => 0.0,
                        _ => hour,
                    };
                    (clock || !unit).then_some(hour as u32 * 60)
                }
                // `um 17.30 Uhr`.
                Kind::Number(_) if clock && dotted(&item.text).is_some() => dotted(&item.text),
                // `at nine`.
                Kind::Word if placed && next.is_none_or(|next| of(UNITS, next).is_none()) => word_hour(item),
                _ => None,
            };
            if let Some(time) = time {
                let after = at + 1 + usize::from(clock);
                let time =
                    if time < 12 * 60 && second_half(&items[after..], items[..at].last(), time / 60) { time + 12 * 60 } else { time };
                if let Some(before) = self.times.last().filter(|before| **before != time && !is_another(items, at)) {
                    self.contradiction.get_or_insert(format!("{} and {}", intervals::clock(*before), intervals::clock(time)));
                }
                self.times.push(time);
                self.used.insert(at);
                if placed || joined {
                    self.used.insert(at - 1);
                    // `a las 8`.
                    let article = at.checked_sub(2).filter(|before| items[*before].is(&["a"]) && items[at - 1].is(&["las", "la"]));
                    self.used.extend(article);
                }
                if clock {
                    self.used.insert(at + 1);
                }
            }
        }
        let mut loose = items.iter().enumerate().filter(|(at, item)| {
            let before = at.checked_sub(1).map(|before| &items[before]);
            of(PARTS, item).is_some() && before.is_some_and(|before| before.is(&["the", "am", "in", "matin", "la"]))
        });
        if let Some((at, item)) = loose.next_back() {
            self.part = self.part.or_else(|| of(PARTS, item));
            self.used.insert(at);
        }
    }
}
