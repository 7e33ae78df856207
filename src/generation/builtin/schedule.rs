//! Schedules in words: `every weekday at 9`, `alle 15 Minuten`, `deux fois par jour`, `los lunes a las 8`, and cron expressions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::reading::Item;
use super::schedule_words::{ADVERBS, AT, DAYS, EVERY, EVERY_THE, NAMES, PARTS, PER, UNITS, Unit, WORKDAYS};
use super::tokens::Kind;

/// A schedule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schedule {
    /// Intervals of n8n's schedule trigger.
    pub intervals: Vec<Value>,
    /// The schedule for people.
    pub said: String,
    /// Assumption where the prompt leaves something open, for people.
    pub assumed: Option<String>,
    /// True if only an adjective says it (`a daily report`), which may belong to something else.
    pub weak: bool,
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
    of_month: Option<u32>,
    weak: bool,
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
    found.times(items);
    let schedule = found.schedule()?;
    Some((schedule, found.used))
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
            } else if next(by).is_some_and(|next| next.is(&["other", "zweite", "zweiten"])) {
                (count, by) = (2, by + 1);
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
            self.weak |= self.every.is_none() && before.is_some_and(|before| before.plain && !before.is(&["and", "und", "me"]));
            if item.is(&["nightly"]) {
                self.part = Some(2);
            }
            self.every.get_or_insert((1, unit));
            return self.mark(at, 1);
        }
        // `on Mondays`, `am Montag`, `le lundi`, `los lunes`.
        let placed = item.is(&["on", "am", "le", "los", "el", "den", "jeweils"]);
        if placed && next(1).is_some_and(|next| of(DAYS, next).is_some() || next.among(WORKDAYS)) {
            let length = self.weekdays(items, at + 1);
            self.every.get_or_insert((1, Unit::Week));
            return self.mark(at, 1) + length;
        }
        let adverb = item.word.ends_with('s') && item.text.chars().next().is_some_and(char::is_lowercase) || item.word.ends_with("days");
        if of(DAYS, item).is_some() && adverb || item.is(&["werktags"]) {
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

    /// Reads `first of each month`, `am 1. des Monats`, `1st day of the month`.
    fn day_of_month(&mut self, items: &[Item], at: usize) -> usize {
        let item = &items[at];
        let first = item.is(&["first", "ersten", "premier", "primer", "1er"]);
        let Some(day) = if first { Some(1.0) } else { item.number() }.filter(|day| (1.0..=31.0).contains(day)) else { return 0 };
        let mut by = 1;
        let skip = &[
            "day", "tag", "jour", "dia", "of", "de", "des", "du", "del", "im", "in", "the", "each", "every", "cada", "chaque", "jeden",
            "a", "per",
        ];
        while items.get(at + by).is_some_and(|next| next.is(skip) || matches!(next.kind, Kind::Stop) && next.text == "." && by == 1)
            && by < 6
        {
            by += 1;
        }
        if by == 1 || items.get(at + by).and_then(|unit| of(UNITS, unit)) != Some(Unit::Month) {
            return 0;
        }
        self.of_month = Some(day as u32);
        self.every = Some((1, Unit::Month));
        let article = at.checked_sub(1).filter(|before| items[*before].is(&["the", "on", "am", "le", "el", "den"]));
        self.used.extend(article);
        self.mark(at, by + 1)
    }

    /// Reads days of the week that are joined.
    fn weekdays(&mut self, items: &[Item], at: usize) -> usize {
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
            while items.get(at + by).is_some_and(|next| next.kind == Kind::Comma || next.is(&["and", "und", "et", "y"])) && more(by + 1) {
                by += 1;
            }
        }
        self.mark(at, by)
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

    /// Reads times of day, which count only together with a period.
    fn times(&mut self, items: &[Item]) {
        if self.every.is_none() && self.often.is_none() {
            return;
        }
        for (at, item) in items.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &items[before]);
            let (placed, next) = (before.is_some_and(|before| before.among(AT)), items.get(at + 1));
            let clock = next.is_some_and(|next| next.is(&["uhr", "oclock", "o'clock", "heures", "h", "am", "pm"]));
            let joined = before.is_some_and(|before| before.is(&["and", "und", "et", "y"]))
                && !self.times.is_empty()
                && self.used.contains(&(at.saturating_sub(2)));
            let time = match item.kind {
                Kind::Time(time) if placed || joined || self.used.contains(&at.saturating_sub(1)) => Some(time),
                Kind::Number(hour)
                    if (placed || joined || clock) && hour.fract() == 0.0 && (0.0..24.0).contains(&hour) && !self.used.contains(&at) =>
                {
                    let unit = next.is_some_and(|next| of(UNITS, next).is_some() || next.noun.is_some() && next.act.is_none());
                    let pm = next.is_some_and(|next| next.is(&["pm"])) && hour < 12.0;
                    (clock || !unit).then_some((hour as u32 + if pm { 12 } else { 0 }) * 60)
                }
                Kind::Word if placed => of(PARTS, item).filter(|hour| matches!(hour, 0 | 12)).map(|hour| hour * 60),
                _ => None,
            };
            if let Some(time) = time {
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

    fn schedule(&self) -> Option<Schedule> {
        if let Some(cron) = &self.cron {
            let intervals = vec![json!({"field": "cronExpression", "expression": cron})];
            return Some(Schedule { intervals, said: format!("cron {cron}"), assumed: None, weak: false });
        }
        let (count, unit) = match (self.every, self.often) {
            (_, Some((count, Unit::Day))) if count > 1 && self.times.is_empty() => {
                let first = if count == 2 { vec![8, 20] } else { (0..count.min(24)).map(|at| at * 24 / count.min(24)).collect() };
                let (said, intervals) = (format!("{count} times a day"), first.iter().map(|hour| daily(1, hour * 60)).collect());
                let hours: Vec<String> = first.iter().map(|hour| clock(hour * 60)).collect();
                return Some(Schedule { intervals, said, assumed: Some(format!("it runs at {}", hours.join(", "))), weak: false });
            }
            (_, Some((count, Unit::Hour))) if count > 1 => (60 / count.min(60), Unit::Minute),
            (_, Some((2, Unit::Week))) if self.days.is_empty() => {
                let intervals = vec![weekly(1, &[1, 4], 9 * 60)];
                let assumed = Some("it runs on Monday and Thursday at 09:00".to_owned());
                return Some(Schedule { intervals, said: "twice a week".to_owned(), assumed, weak: false });
            }
            (_, Some((1, unit))) => (1, unit),
            (Some(every), _) => every,
            (None, Some((_, unit))) => (1, unit),
            (None, None) => return None,
        };
        let clocked = !matches!(unit, Unit::Second | Unit::Minute | Unit::Hour);
        let (times, assumed) = match (self.times.as_slice(), self.part) {
            ([], part) if clocked => {
                let at = part.unwrap_or(9) * 60;
                (vec![at], Some(format!("it runs at {}", clock(at))))
            }
            (times, _) => (times.to_vec(), None),
        };
        let days: Vec<u8> = self.days.iter().copied().collect();
        let every = |name: &str| if count == 1 { format!("every {name}") } else { format!("every {count} {name}s") };
        let (name, intervals): (&str, Vec<Value>) = match unit {
            Unit::Second => ("second", vec![json!({"field": "seconds", "secondsInterval": count.clamp(1, 59)})]),
            Unit::Minute if count >= 60 => ("minute", vec![hourly((count / 60).clamp(1, 23))]),
            Unit::Minute => ("minute", vec![json!({"field": "minutes", "minutesInterval": count})]),
            Unit::Hour if count >= 24 => ("hour", vec![daily((count / 24).clamp(1, 31), 0)]),
            Unit::Hour => ("hour", vec![hourly(count)]),
            Unit::Day | Unit::Week if !days.is_empty() => {
                ("week", times.iter().map(|at| weekly(if unit == Unit::Week { count } else { 1 }, &days, *at)).collect())
            }
            Unit::Day => ("day", times.iter().map(|at| daily(count.clamp(1, 31), *at)).collect()),
            Unit::Week => ("week", times.iter().map(|at| weekly(count, &[1], *at)).collect()),
            Unit::Month => ("month", times.iter().map(|at| monthly(count, self.of_month.unwrap_or(1), *at)).collect()),
            Unit::Quarter => ("quarter", times.iter().map(|at| monthly(3 * count, 1, *at)).collect()),
            Unit::Year => ("year", times.iter().map(|at| monthly(12 * count, 1, *at)).collect()),
        };
        let mut said = every(name);
        if !days.is_empty() {
            let names: Vec<&str> = days.iter().filter_map(|day| NAMES.get(usize::from(*day)).copied()).collect();
            said = if days == [1, 2, 3, 4, 5] { "every weekday".to_owned() } else { format!("every {}", names.join(", ")) };
        }
        if clocked {
            said.push_str(&format!(" at {}", times.iter().map(|at| clock(*at)).collect::<Vec<_>>().join(", ")));
        }
        let on_monday = unit == Unit::Week && days.is_empty();
        let assumed = assumed.map(|said| if on_monday { format!("{said} on Monday") } else { said });
        Some(Schedule { intervals, said, assumed, weak: self.weak && self.times.is_empty() && self.days.is_empty() })
    }
}

fn clock(at: u32) -> String {
    format!("{:02}:{:02}", at / 60, at % 60)
}

fn hourly(count: u32) -> Value {
    json!({"field": "hours", "hoursInterval": count, "triggerAtMinute": 0})
}

fn daily(count: u32, at: u32) -> Value {
    json!({"field": "days", "daysInterval": count, "triggerAtHour": at / 60, "triggerAtMinute": at % 60})
}

fn weekly(count: u32, days: &[u8], at: u32) -> Value {
    json!({"field": "weeks", "weeksInterval": count, "triggerAtDay": days, "triggerAtHour": at / 60, "triggerAtMinute": at % 60})
}

fn monthly(count: u32, day: u32, at: u32) -> Value {
    json!({"field": "months", "monthsInterval": count, "triggerAtDayOfMonth": day, "triggerAtHour": at / 60, "triggerAtMinute": at % 60})
}
