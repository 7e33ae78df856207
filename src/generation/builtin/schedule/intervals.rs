//! From what was found of a schedule to the intervals of n8n's schedule trigger.

use serde_json::{Value, json};

use super::super::schedule_words::{MONTH_NAMES, NAMES, Unit};
use super::{Found, Schedule};

impl Found {
    /// Returns the schedule; `None` if there is none, or if n8n has nothing that would be it.
    pub(super) fn schedule(&self) -> Option<Schedule> {
        if let Some(cron) = &self.cron {
            let intervals = vec![json!({"field": "cronExpression", "expression": cron})];
            return Some(Schedule { intervals, said: format!("cron {cron}"), ..Schedule::default() });
        }
        let (count, unit) = match (self.every, self.often) {
            (_, Some((count, Unit::Day))) if count > 1 && self.times.is_empty() => {
                let first = if count == 2 { vec![8, 20] } else { (0..count.min(24)).map(|at| at * 24 / count.min(24)).collect() };
                let (said, intervals) = (format!("{count} times a day"), first.iter().map(|hour| daily(1, hour * 60)).collect());
                let hours: Vec<String> = first.iter().map(|hour| clock(hour * 60)).collect();
                return Some(Schedule {
                    intervals,
                    said,
                    assumed: Some(format!("it runs at {}", hours.join(", "))),
                    ..Schedule::default()
                });
            }
            (_, Some((count, Unit::Hour))) if count > 1 => (60 / count.min(60), Unit::Minute),
            (_, Some((2, Unit::Week))) if self.days.is_empty() => {
                let intervals = vec![weekly(1, &[1, 4], 9 * 60)];
                let assumed = Some("it runs on Monday and Thursday at 09:00".to_owned());
                return Some(Schedule { intervals, said: "twice a week".to_owned(), assumed, ..Schedule::default() });
            }
            (_, Some((1, unit))) => (1, unit),
            (Some(every), _) => every,
            (None, Some((_, unit))) => (1, unit),
            (None, None) => return None,
        };
        if let Some(schedule) = self.as_cron(count, unit) {
            return schedule;
        }
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
            // n8n counts from the full hour, and from midnight.
            Unit::Minute if count >= 60 && count % 60 == 0 && count < 24 * 60 => ("minute", vec![hourly(count / 60)]),
            Unit::Minute if count >= 60 => return None,
            Unit::Minute => ("minute", vec![json!({"field": "minutes", "minutesInterval": count})]),
            Unit::Hour if count >= 24 && count % 24 == 0 && count / 24 <= 31 => ("hour", vec![daily(count / 24, 0)]),
            Unit::Hour if count >= 24 => return None,
            Unit::Hour => ("hour", vec![hourly(count)]),
            Unit::Day | Unit::Week if !days.is_empty() => {
                ("week", times.iter().map(|at| weekly(if unit == Unit::Week { count } else { 1 }, &days, *at)).collect())
            }
            Unit::Day => ("day", times.iter().map(|at| daily(count.clamp(1, 31), *at)).collect()),
            Unit::Week => ("week", times.iter().map(|at| weekly(count, &[1], *at)).collect()),
            Unit::Month => {
                let days = if self.of_month.is_empty() { vec![1] } else { self.of_month.clone() };
                ("month", days.iter().flat_map(|day| times.iter().map(|at| monthly(count, *day, *at))).collect())
            }
            // A number of months is counted from the publication, and a quarter from January.
            Unit::Quarter if count == 1 => ("quarter", times.iter().map(|at| dated(1, "1,4,7,10", *at)).collect()),
            Unit::Year if count == 1 => {
                let (day, month) = (self.of_month.first().copied().unwrap_or(1), self.month.unwrap_or(1));
                ("year", times.iter().map(|at| dated(day, &month.to_string(), *at)).collect())
            }
            Unit::Quarter | Unit::Year => return None,
        };
        let mut said = every(name);
        if !days.is_empty() {
            let names: Vec<&str> = days.iter().filter_map(|day| NAMES.get(usize::from(*day)).copied()).collect();
            said = if days == [1, 2, 3, 4, 5] { "every weekday".to_owned() } else { format!("every {}", names.join(", ")) };
        }
        if unit == Unit::Month && !self.of_month.is_empty() {
            let days: Vec<String> = self.of_month.iter().map(u32::to_string).collect();
            said.push_str(&format!(" on day {}", days.join(", ")));
        }
        if let Some(month) = self.month {
            said.push_str(&format!(" on {} {}", self.of_month.first().copied().unwrap_or(1), MONTH_NAMES[month as usize % 13]));
        }
        if clocked {
            said.push_str(&format!(" at {}", times.iter().map(|at| clock(*at)).collect::<Vec<_>>().join(", ")));
        }
        let on_monday = unit == Unit::Week && days.is_empty();
        let assumed = assumed.map(|said| if on_monday { format!("{said} on Monday") } else { said });
        Some(Schedule { intervals, said, assumed, weak: self.weak && self.times.is_empty() && self.days.is_empty(), ..Schedule::default() })
    }

    /// Returns the schedule that only a cron expression has: one that is repeated within hours or on days. `Some(None)`: nothing has it.
    fn as_cron(&self, count: u32, unit: Unit) -> Option<Option<Schedule>> {
        let plain = self.days.is_empty() && self.hours.is_none();
        match unit {
            Unit::Minute | Unit::Hour if !plain => {}
            // `every month on the first Monday`.
            Unit::Month | Unit::Quarter | Unit::Year if !self.days.is_empty() => return Some(None),
            _ => return None,
        }
        let days: Vec<String> = self.days.iter().map(u8::to_string).collect();
        let days = if days.is_empty() { "*".to_owned() } else { days.join(",") };
        let step = |count: u32| if count == 1 { String::new() } else { format!("/{count}") };
        let whole = if unit == Unit::Hour { count < 24 } else { count < 60 };
        if !whole {
            return Some(None);
        }
        let (minutes, hours) = match (unit, self.hours) {
            // The last hour is one at which it still runs, and with minutes the one at which it ends.
            (Unit::Hour, Some((from, to))) => ("0".to_owned(), format!("{from}-{}{}", to.min(23), step(count))),
            (Unit::Hour, None) => ("0".to_owned(), format!("*{}", step(count))),
            (_, Some((from, to))) => (format!("*{}", step(count)), format!("{from}-{}", to - 1)),
            (_, None) => (format!("*{}", step(count)), "*".to_owned()),
        };
        let expression = format!("{minutes} {hours} * * {days}");
        let intervals = vec![json!({"field": "cronExpression", "expression": expression})];
        let name = if unit == Unit::Hour { "hour" } else { "minute" };
        let mut said = if count == 1 { format!("every {name}") } else { format!("every {count} {name}s") };
        if let Some((from, to)) = self.hours {
            said.push_str(&format!(" from {from}:00 to {to}:00"));
        }
        if !self.days.is_empty() {
            let names: Vec<&str> = self.days.iter().filter_map(|day| NAMES.get(usize::from(*day)).copied()).collect();
            said.push_str(&format!(" on {}", names.join(", ")));
        }
        Some(Some(Schedule { intervals, said: format!("{said} (cron {expression})"), ..Schedule::default() }))
    }
}

fn dated(day: u32, months: &str, at: u32) -> Value {
    json!({"field": "cronExpression", "expression": format!("{} {} {day} {months} *", at % 60, at / 60)})
}

/// Returns a time of day for people.
pub(super) fn clock(at: u32) -> String {
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
