//! Cron expressions.
//!
//! Source: `time.js` of the npm package cron 4.4.0, which n8n schedules with.

/// Fields of a cron expression with their ranges.
const FIELDS: [(&str, u64, u64); 6] =
    [("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7)];

const NAMES: [(&str, &str); 19] = [
    ("jan", "1"),
    ("feb", "2"),
    ("mar", "3"),
    ("apr", "4"),
    ("may", "5"),
    ("jun", "6"),
    ("jul", "7"),
    ("aug", "8"),
    ("sep", "9"),
    ("oct", "10"),
    ("nov", "11"),
    ("dec", "12"),
    ("sun", "0"),
    ("mon", "1"),
    ("tue", "2"),
    ("wed", "3"),
    ("thu", "4"),
    ("fri", "5"),
    ("sat", "6"),
];

const PRESETS: [(&str, &str); 9] = [
    ("@yearly", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@daily", "0 0 0 * * *"),
    ("@hourly", "0 0 * * * *"),
    ("@minutely", "0 * * * * *"),
    ("@secondly", "* * * * * *"),
    ("@weekdays", "0 0 0 * * 1-5"),
    ("@weekends", "0 0 0 * * 0,6"),
];

/// A set of values, one bit for each value of a field.
pub(in crate::validator) type Values = u64;

/// Parses a cron expression into the values of each field. The error describes the problem.
pub(in crate::validator) fn parse(source: &str) -> Result<[Values; 6], String> {
    let source = source.to_lowercase();
    let source = PRESETS.iter().find(|(name, _)| *name == source).map_or(source.as_str(), |(_, meaning)| *meaning);
    let source = without_names(source)?;
    let units: Vec<&str> = source.split_whitespace().collect();
    if !(5..=6).contains(&units.len()) {
        return Err(format!("it has {} fields instead of 5, or 6 with seconds first", units.len()));
    }
    let mut values = [1; 6];
    for (unit, slot) in units.iter().zip(6 - units.len()..) {
        values[slot] = field(unit, slot)?;
    }
    match fires(&values) {
        true => Ok(values),
        false => Err("it never fires, since no such day exists".into()),
    }
}

/// Replaces names of months and days by numbers. Letters are taken three at a time, wherever they stand.
fn without_names(source: &str) -> Result<String, String> {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let letters = rest.bytes().take(3).take_while(u8::is_ascii_lowercase).count();
        if letters == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(letters);
        let Some((_, number)) = NAMES.iter().find(|(name, _)| *name == word) else {
            return Err("it has letters that are not the name of a month or day (such as L, W or #)".into());
        };
        out.push_str(number);
        rest = after;
    }
    Ok(out)
}

fn field(text: &str, slot: usize) -> Result<Values, String> {
    let (name, low, high) = FIELDS[slot];
    if text.split(',').any(|part| part.find('*').is_some_and(|at| at > 0)) {
        return Err(format!("the {name} has a * in the wrong place"));
    }
    let all = format!("{low}-{high}");
    let mut values = 0;
    for range in text.replace('*', &all).split(',') {
        let (range, step) = match range.split_once('/') {
            Some((range, step)) => (range, Some(number(step).ok_or_else(|| unreadable(name))?)),
            None => (range, None),
        };
        let (lower, upper) = match range.split_once('-') {
            Some((lower, upper)) => (lower, Some(number(upper).ok_or_else(|| unreadable(name))?)),
            None => (range, None),
        };
        let lower = number(lower).ok_or_else(|| unreadable(name))?;
        if step == Some(0) {
            return Err(format!("the {name} has a step of 0"));
        }
        if upper.is_some_and(|upper| lower > upper) {
            return Err(format!("the {name} has a range that ends before it starts"));
        }
        if lower < low || upper.unwrap_or(lower) > high {
            return Err(format!("the {name} is outside of {low} to {high}"));
        }
        let upper = upper.unwrap_or(if step.is_some() { high } else { lower });
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
        values |= (lower..=upper).step_by(step).fold(0, |bits, value| bits | 1 << value);
    }
    // Sunday is 0 and 7.
    if slot == 5 && values & 1 << 7 != 0 {
        values = values & !(1 << 7) | 1;
    }
    Ok(values)
}

fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number that is too long for a u64 is out of every range.
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn unreadable(name: &str) -> String {
    format!("the {name} cannot be read")
}

/// Reports whether there is a day on which the expression fires: 31 February, for example, never comes. If both the day of the week and the
/// day of the month are given, either is enough.
fn fires(values: &[Values; 6]) -> bool {
    const LAST_DAYS: [u64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let [.., days, months, weekdays] = values;
    let any_weekday = weekdays.count_ones() == 7;
    !any_weekday || (1..=12u64).zip(LAST_DAYS).any(|(month, last)| months & 1 << month != 0 && (1..=last).any(|day| days & 1 << day != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_expressions_are_taken_as_n8n_takes_them() {
        for fine in [
            "* * * * *",
            "*/5 * * * *",
            "0 9 * * 1-5",
            "0 0 1 1 *",
            "0 0 0 1 1 *",
            "@daily",
            "0 9 * * MON-FRI",
            "0 9 * jan,jul sun",
            " 0  9 * * * ",
            "5/15 * * * *",
            "0 0 * * 7",
            "0 0 31 * *",
            "0 0 29 2 *",
            "0 0 31 2 1",
            "1,2,3-5/2 * * * *",
            "0 0 * * 0-7",
            "*/90 * * * *",
            "00 09 * * *",
        ] {
            assert!(parse(fine).is_ok(), "{fine}: {:?}", parse(fine));
        }
        for (bad, why) in [
            ("61 25 * * *", "minute is outside"),
            ("* * * *", "4 fields"),
            ("", "0 fields"),
            ("0 0 0 0 * * *", "7 fields"),
            ("0 25 * * *", "hour is outside"),
            ("0 0 ? * *", "day of month cannot be read"),
            ("0 0 L * *", "letters"),
            ("0 0 * * 5#2", "day of week cannot be read"),
            ("*/0 * * * *", "step of 0"),
            ("5-1 * * * *", "ends before"),
            ("0 0 0 * *", "day of month is outside"),
            ("0 0 31 2 *", "no such day"),
            ("0 0 30 2 *", "no such day"),
            ("0 0 31 4,6 *", "no such day"),
            ("5* * * * *", "wrong place"),
            ("-1 * * * *", "minute cannot be read"),
            ("every day", "letters"),
            ("@reboot", "letters"),
            ("0 0 * * 8", "day of week is outside"),
            ("99999999999999999999999 * * * *", "outside"),
            ("1//2 * * * *", "cannot be read"),
            ("0 9 * * 1–5", "cannot be read"),
        ] {
            assert!(parse(bad).is_err_and(|error| error.contains(why)), "{bad}: {:?}", parse(bad));
        }
    }
}
