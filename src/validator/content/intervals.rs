//! Time between two starts by a schedule or a poll, for each rule of a trigger.
//!
//! Source: `toCronExpression` and `recurrenceCheck` of n8n-nodes-base's `Schedule/GenericFunctions.js`, and of n8n-workflow's `cron.js`, as of
//! n8n 2.39.10.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::Value;

use crate::document::definition::Node;
use crate::validator::content::cron::{Values, parse};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Time between two starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::validator) enum Gap {
    /// Always that many seconds, or a little more.
    Seconds(u64),
    /// That of a cron expression.
    Cron([Values; 6]),
    /// An expression computes it.
    Computed,
}

/// Returns the time between starts for each rule of a trigger, with the parameter that holds the rules. A rule that n8n refuses is left
/// out.
pub(in crate::validator) fn gaps(node: &Node) -> Vec<(&'static [&'static str], Gap)> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    match node.kind() {
        "n8n-nodes-base.scheduleTrigger" => {
            let rules = list(node.parameter("rule").and_then(|rule| rule.get("interval")));
            rules.iter().filter_map(|rule| Some((&["rule", "interval"] as &[&str], of_schedule(rule)?))).collect()
        }
        "n8n-nodes-base.cron" => times(list(node.parameter("triggerTimes").and_then(|times| times.get("item"))), &["triggerTimes", "item"]),
        "n8n-nodes-base.interval" => {
            let unit = match node.parameter("unit").and_then(Value::as_str).unwrap_or("seconds") {
                "minutes" => MINUTE,
                "hours" => HOUR,
                _ => 1,
            };
            vec![(&["interval"], number(node.parameter("interval"), 1).scaled(unit))]
        }
        _ => match node.parameter("pollTimes") {
            Some(poll) => times(list(poll.get("item")), &["pollTimes", "item"]),
            None => Vec::new(),
        },
    }
}

fn times(items: Vec<Value>, keys: &'static [&'static str]) -> Vec<(&'static [&'static str], Gap)> {
    items.iter().filter_map(|item| Some((keys, of_time(item)?))).collect()
}

impl Gap {
    fn scaled(self, unit: u64) -> Self {
        match self {
            Self::Seconds(count) => Self::Seconds(count.saturating_mul(unit)),
            other => other,
        }
    }

    /// Returns the shortest time between two starts, in seconds; None if an expression computes it.
    pub(in crate::validator) fn shortest(self) -> Option<u64> {
        match self {
            Self::Seconds(seconds) => Some(seconds),
            Self::Cron(values) => Some(shortest(&values)),
            Self::Computed => None,
        }
    }

    /// Returns the greatest number of starts within a time in seconds; None if an expression computes it.
    pub(in crate::validator) fn most_starts(self, within: u64) -> Option<u64> {
        match self {
            Self::Seconds(seconds) => Some(within.div_ceil(seconds.max(1)).max(1)),
            Self::Cron(values) => Some(busiest(&values, within)),
            Self::Computed => None,
        }
    }
}

/// Reads a number; an absent one is n8n's default.
fn number(value: Option<&Value>, default: u64) -> Gap {
    match value {
        None | Some(Value::Null) => Gap::Seconds(default),
        Some(value) => value.as_f64().filter(|number| *number >= 0.0).map_or(Gap::Computed, |number| Gap::Seconds(number as u64)),
    }
}

fn of_schedule(rule: &Value) -> Option<Gap> {
    let field = match rule.get("field") {
        Some(Value::String(field)) if field.starts_with('=') => return Some(Gap::Computed),
        field => field.and_then(Value::as_str).unwrap_or("days"),
    };
    Some(match field {
        "cronExpression" => return of_cron(rule.get("expression")?),
        "seconds" => number(rule.get("secondsInterval"), 30),
        "minutes" => number(rule.get("minutesInterval"), 5).scaled(MINUTE),
        "hours" => number(rule.get("hoursInterval"), 1).scaled(HOUR),
        "weeks" => {
            let days = rule.get("triggerAtDay").map_or(Some(vec![0]), |days| {
                let days = days.as_array()?.iter().map(|day| day.as_u64().or_else(|| day.as_str()?.parse().ok()));
                days.collect::<Option<Vec<u64>>>()
            });
            match days.as_deref() {
                None => Gap::Computed,
                Some([_]) => number(rule.get("weeksInterval"), 1).scaled(7 * DAY),
                // Several days of one week, or all of them.
                Some([]) => Gap::Seconds(DAY),
                Some(days) => {
                    let days: Vec<String> = days.iter().map(u64::to_string).collect();
                    return of_cron(&Value::from(format!("0 0 * * {}", days.join(","))));
                }
            }
        }
        "months" => number(rule.get("monthsInterval"), 1).scaled(28 * DAY),
        _ => number(rule.get("daysInterval"), 1).scaled(DAY),
    })
}

/// Reads the older form, `{"mode": "everyX", "value": 5, "unit": "minutes"}`.
fn of_time(item: &Value) -> Option<Gap> {
    let mode = match item.get("mode") {
        Some(Value::String(mode)) if mode.starts_with('=') => return Some(Gap::Computed),
        mode => mode.and_then(Value::as_str).unwrap_or("everyDay"),
    };
    Some(match mode {
        "custom" => return of_cron(item.get("cronExpression")?),
        "everyMinute" => Gap::Seconds(MINUTE),
        "everyHour" => Gap::Seconds(HOUR),
        "everyWeek" => Gap::Seconds(7 * DAY),
        "everyMonth" => Gap::Seconds(28 * DAY),
        "everyX" => match (number(item.get("value"), 2), item.get("unit").and_then(Value::as_str).unwrap_or("hours")) {
            (computed @ (Gap::Computed | Gap::Cron(_)), _) => computed,
            // n8n makes a step of it, which begins anew with each hour or day.
            (Gap::Seconds(count), "minutes") => return of_cron(&Value::from(format!("*/{count} * * * *"))),
            (Gap::Seconds(count), _) => return of_cron(&Value::from(format!("0 */{count} * * *"))),
        },
        _ => Gap::Seconds(DAY),
    })
}

fn of_cron(expression: &Value) -> Option<Gap> {
    let Some(text) = expression.as_str() else { return Some(Gap::Computed) };
    if text.starts_with('=') {
        return Some(Gap::Computed);
    }
    Some(Gap::Cron(parse(text.trim()).ok()?))
}

/// Returns the times of a day at which a cron expression fires, in seconds, ascending.
fn times_of_day(values: &[Values; 6]) -> impl Iterator<Item = u64> + use<> {
    let values = *values;
    let list = move |slot: usize| (0..60u64).filter(move |value| values[slot] & 1 << value != 0);
    list(2).flat_map(move |hour| list(1).flat_map(move |minute| list(0).map(move |second| hour * HOUR + minute * MINUTE + second)))
}

/// Returns the greatest number of starts of a cron expression within a time in seconds; within less than a day, as if it fired every day.
fn busiest(values: &[Values; 6], within: u64) -> u64 {
    if within > DAY {
        let starts = u64::try_from(times_of_day(values).count()).unwrap_or(u64::MAX);
        return starts.saturating_mul(most_days(values, within.div_ceil(DAY))).max(1);
    }
    let day: Vec<u64> = times_of_day(values).collect();
    let mut most = 0;
    let (mut from, count) = (0, day.len());
    // Two days, because the time may begin before midnight.
    let at = |index: usize| day.get(index % count.max(1)).map_or(0, |time| time + if index < count { 0 } else { DAY });
    for to in 0..2 * count {
        while at(to) - at(from) >= within {
            from += 1;
        }
        most = most.max(to - from + 1);
    }
    u64::try_from(most).unwrap_or(u64::MAX).max(1)
}

/// Returns the shortest time between two starts of a cron expression, in seconds of a clock that is never put forward or back.
fn shortest(values: &[Values; 6]) -> u64 {
    let (mut within, mut first, mut last) = (u64::MAX, None, None);
    for time in times_of_day(values) {
        within = last.map_or(within, |last| within.min(time - last));
        first = first.or(Some(time));
        last = Some(time);
        if within == 1 {
            return 1;
        }
    }
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    within.min(days(values).saturating_mul(DAY).saturating_sub(last - first))
}

/// Reports for each day of a calendar whether an expression fires; None if it does every day. The calendar repeats itself after 28 years, but
/// for the years that are no leap years, which are not nearby.
fn calendar(values: &[Values; 6]) -> Option<impl Iterator<Item = bool>> {
    let [.., days, months, weekdays] = *values;
    let (any_day, any_weekday) = (days.count_ones() == 31, weekdays.count_ones() == 7);
    if any_day && any_weekday && months.count_ones() == 12 {
        return None;
    }
    let fires = move |date: Date| {
        let day = days & 1 << date.day() != 0;
        let weekday = weekdays & 1 << date.weekday().to_sunday_zero_offset() != 0;
        // If both are given, either is enough.
        months & 1 << date.month() != 0
            && match (any_day, any_weekday) {
                (false, false) => day || weekday,
                _ => day && weekday,
            }
    };
    Some(jiff::civil::date(2024, 1, 1).series(1.day()).take(28 * 366).map(fires))
}

/// Returns the greatest number of days on which an expression fires, among that many days in a row.
fn most_days(values: &[Values; 6], among: u64) -> u64 {
    let Some(calendar) = calendar(values) else { return among };
    let fired: Vec<bool> = calendar.collect();
    let among = usize::try_from(among).unwrap_or(usize::MAX).min(fired.len());
    let (mut count, mut most) = (0_u64, 0);
    for (day, fires) in fired.iter().enumerate() {
        count += u64::from(*fires);
        count -= u64::from(day.checked_sub(among).and_then(|left| fired.get(left)).is_some_and(|fired| *fired));
        most = most.max(count);
    }
    most
}

/// Returns the smallest number of days between two days on which an expression fires.
fn days(values: &[Values; 6]) -> u64 {
    let Some(calendar) = calendar(values) else { return 1 };
    let (mut least, mut since) = (u64::MAX, None::<u64>);
    for fired in calendar {
        if fired {
            least = since.map_or(least, |since| least.min(since));
            if least == 1 {
                return 1;
            }
        }
        since = if fired { Some(1) } else { since.map(|since| since + 1) };
    }
    least
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shortest_time_between_two_starts_of_a_cron_expression() {
        for (expression, wanted) in [
            ("* * * * *", MINUTE),
            ("* * * * * *", 1),
            ("*/2 * * * * *", 2),
            ("*/5 * * * *", 5 * MINUTE),
            ("*/7 * * * *", 4 * MINUTE),
            ("0 * * * *", HOUR),
            ("0,50 * * * *", 10 * MINUTE),
            ("0 */5 * * *", 4 * HOUR),
            ("30 9 * * *", DAY),
            ("0 0,23 * * *", HOUR),
            ("0 9 * * 1-5", DAY),
            ("0 9 * * 1", 7 * DAY),
            ("0 9 * * 1,4", 3 * DAY),
            ("0 9 1 * *", 28 * DAY),
            ("0 9 1 1 *", 365 * DAY),
            ("0 9 29 2 *", 1461 * DAY),
            ("0 9 1 * 1", DAY),
            ("0 0,23 1 * *", 23 * HOUR),
            ("@daily", DAY),
        ] {
            assert_eq!(of_cron(&json!(expression)).and_then(Gap::shortest), Some(wanted), "{expression}");
        }
        assert_eq!(of_cron(&json!("61 * * * *")), None);
        assert_eq!(of_cron(&json!("={{ $env.CRON }}")), Some(Gap::Computed));
    }

    #[test]
    fn the_busiest_time_of_an_expression_counts_each_start() {
        for (expression, within, wanted) in [
            ("* * * * *", MINUTE, 1),
            ("* * * * *", HOUR, 60),
            ("*/10 * * * * *", MINUTE, 6),
            ("0,50 * * * *", HOUR, 2),
            ("0,5 9 * * *", HOUR, 2),
            ("55 23,0 * * *", 2 * HOUR, 2),
            ("0 9 * * 1", DAY, 1),
            ("0 9 * * 1", 28 * DAY, 4),
            ("0,30 9 * * 1-5", 28 * DAY, 40),
            ("0 * * * *", 2 * DAY, 48),
            ("0 9 29 2 *", 366 * DAY, 1),
        ] {
            assert_eq!(of_cron(&json!(expression)).and_then(|gap| gap.most_starts(within)), Some(wanted), "{expression} {within}");
        }
        for (seconds, within, wanted) in [(10, MINUTE, 6), (7, MINUTE, 9), (DAY, MINUTE, 1)] {
            assert_eq!(Gap::Seconds(seconds).most_starts(within), Some(wanted), "{seconds}");
        }
        assert_eq!(Gap::Computed.most_starts(MINUTE), None);
    }

    #[test]
    fn rules_of_schedules_polls_and_intervals() {
        let node = |kind: &str, parameters: Value| {
            Node(json!({ "name": "N", "type": format!("n8n-nodes-base.{kind}"), "parameters": parameters }).as_object().unwrap().clone())
        };
        let schedule = |rule: Value| {
            gaps(&node("scheduleTrigger", json!({ "rule": { "interval": [rule] } }))).into_iter().map(|(_, gap)| gap).collect::<Vec<_>>()
        };
        assert_eq!(schedule(json!({})), [Gap::Seconds(DAY)]);
        assert_eq!(schedule(json!({ "field": "minutes" })), [Gap::Seconds(5 * MINUTE)]);
        assert_eq!(schedule(json!({ "field": "seconds", "secondsInterval": 10 })), [Gap::Seconds(10)]);
        assert_eq!(schedule(json!({ "field": "minutes", "minutesInterval": "={{ 1 }}" })), [Gap::Computed]);
        assert_eq!(schedule(json!({ "field": "weeks", "triggerAtDay": [1, 2] }))[0].shortest(), Some(DAY));
        assert_eq!(schedule(json!({ "field": "weeks", "weeksInterval": 2 })), [Gap::Seconds(14 * DAY)]);
        let polled =
            gaps(&node("gmailTrigger", json!({ "pollTimes": { "item": [{ "mode": "everyX", "value": 45, "unit": "minutes" }] } })));
        assert_eq!(polled[0].1.shortest(), Some(15 * MINUTE));
        assert_eq!(gaps(&node("interval", json!({ "interval": 2, "unit": "minutes" })))[0].1, Gap::Seconds(2 * MINUTE));
        assert!(gaps(&node("set", json!({}))).is_empty());
    }
}
