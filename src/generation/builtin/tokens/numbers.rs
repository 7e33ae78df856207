//! Numbers, times of day and JSON within a text.

use super::super::token::{Kind, Token, fold};

/// Reads numbers (`1,000.5`, `100€`, `30`, `-12`, `10k`) and times of day (`9:30`, `9am`, `18h`, `8 Uhr` without its word). A time that no day has, such
/// as `25:00`, is none of them.
pub(super) fn number(chunk: &str) -> Option<(Token, usize)> {
    if let Some(positive) = chunk.strip_prefix('-') {
        let (token, length) = number(positive)?;
        let Kind::Number(value) = token.kind else { return None };
        return Some((Token::new(Kind::Number(-value), &chunk[..=length]), length + 1));
    }
    if !chunk.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = chunk.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | ':'))).unwrap_or(chunk.len());
    let (body, tail) = chunk.split_at(digits);
    let body = body.trim_end_matches(['.', ',', ':']);
    let tail = if body.len() == digits { fold(tail) } else { String::new() };
    let time = |hour: &str, minute: &str, half: &str| -> Option<u32> {
        let (hour, minute) = (hour.parse::<u32>().ok()?, if minute.is_empty() { 0 } else { minute.parse::<u32>().ok()? });
        let hour = match half {
            "pm" if hour < 12 => hour + 12,
            "am" if hour == 12 => 0,
            _ => hour,
        };
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let token = |kind: Kind, length: usize| {
        let text: String = chunk.chars().take(length).collect();
        Some((Token::new(kind, &text), length))
    };
    if let Some((hour, minute)) = body.split_once(':') {
        let half = if matches!(tail.as_str(), "am" | "pm") { tail.as_str() } else { "" };
        return token(time(hour, minute, half).map_or(Kind::NoTime, Kind::Time), body.len() + half.len());
    }
    if let Some(minutes) = tail.strip_prefix('h').filter(|rest| rest.is_empty() || rest.len() == 2) {
        return token(Kind::Time(time(body, minutes, "")?), body.len() + tail.len());
    }
    if matches!(tail.as_str(), "am" | "pm") {
        return token(Kind::Time(time(body, "", &tail)?), body.len() + 2);
    }
    let plain: String = match body.rsplit_once([',', '.']) {
        Some((whole, rest)) if rest.len() != 3 => format!("{}.{rest}", whole.replace([',', '.'], "")),
        _ => body.replace([',', '.'], ""),
    };
    let value = plain.parse::<f64>().ok().filter(|value| value.is_finite())?;
    if tail == "k" {
        return token(Kind::Number(value * 1000.0), body.len() + 1);
    }
    // `2nd`, `3x`: the ending tells nothing.
    let ordinal = matches!(tail.as_str(), "st" | "nd" | "rd" | "th" | "x");
    token(Kind::Number(value), body.len() + if ordinal { tail.len() } else { 0 })
}

/// Returns the length of the JSON object or list that begins at a place, if there is one.
pub(super) fn json(letters: &[char]) -> Option<usize> {
    const LONGEST: usize = 2000;
    let rest = &letters[..letters.len().min(LONGEST)];
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, letter) in rest.iter().enumerate() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    let text: String = rest[..=at].iter().collect();
                    let value = serde_json::from_str::<serde_json::Value>(&text).ok()?;
                    return (value.is_object() || value.is_array()).then_some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
