//! Schedules: cron expressions and intervals.
//!
//! Source: n8n-nodes-base's `Schedule/GenericFunctions.js` and n8n's `active-workflow-triggers.js`.

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, is_full};
use crate::document::json_path;
use crate::validator::content::cron::parse;
use crate::validator::content::nodes::{nodes, parameter_path, unless_disabled};

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    for (index, node) in nodes(definition) {
        if is_full(findings) {
            return;
        }
        match node.kind() {
            "n8n-nodes-base.scheduleTrigger" => check_schedule(index, node, findings),
            "n8n-nodes-base.cron" => check_times(index, node, "triggerTimes", Code::ScheduleTooOften, findings),
            _ if node.parameter("pollTimes").is_some() => check_times(index, node, "pollTimes", Code::PollTooOften, findings),
            _ => {}
        }
    }
}

fn check_schedule(index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let intervals = node.parameter("rule").and_then(|rule| rule.get("interval")).and_then(Value::as_array);
    let base = parameter_path(index, &["rule", "interval"]);
    for (position, interval) in intervals.into_iter().flatten().enumerate() {
        if is_full(findings) {
            return;
        }
        let at = json_path::index(&base, position);
        let field = interval.get("field").and_then(Value::as_str).unwrap_or("days");
        if field == "cronExpression" {
            let expression = interval.get("expression").and_then(Value::as_str).unwrap_or_default();
            check_cron(node, &json_path::key(&at, "expression"), expression, Code::ScheduleTooOften, findings);
            continue;
        }
        let (key, most) = match field {
            "seconds" => ("secondsInterval", 59.0),
            "minutes" => ("minutesInterval", 59.0),
            "hours" => ("hoursInterval", 23.0),
            "days" => ("daysInterval", 31.0),
            "weeks" => ("weeksInterval", f64::MAX),
            "months" => ("monthsInterval", f64::MAX),
            _ => continue,
        };
        check_hour_of(node, &at, field, interval, findings);
        let Some(size) = interval.get(key).and_then(Value::as_f64) else {
            if field == "seconds" {
                findings.push(too_often(node, &at, Code::ScheduleTooOften));
            }
            continue;
        };
        // n8n checks the range from this version on; older versions fail only if the value makes no schedule.
        let strict = node.type_version().is_some_and(|version| version >= 1.3);
        if size < 1.0 || size > most && strict {
            let want = if most < 100.0 { format!("1 to {most}") } else { "1 or more".to_owned() };
            let finding = invalid(node, json_path::key(&at, key), format!("n8n cannot schedule an interval of {size} {field}"));
            // Older versions take every 0 minutes for every minute.
            let severity = if field == "minutes" && size == 0.0 && !strict { Severity::Warning } else { finding.severity };
            findings.push(Finding { severity, ..finding }.mismatch(size.to_string(), want));
        } else if field == "seconds" && size < 60.0 {
            findings.push(too_often(node, &json_path::key(&at, key), Code::ScheduleTooOften));
        }
    }
}

/// Checks the minute, hour and day at which an interval begins, which become part of the cron expression that n8n makes of it.
fn check_hour_of(node: &Node, at: &str, field: &str, interval: &Value, findings: &mut Vec<Finding>) {
    let parts: &[(&str, f64, f64)] = match field {
        "hours" => &[("triggerAtMinute", 0.0, 59.0)],
        "days" | "weeks" => &[("triggerAtMinute", 0.0, 59.0), ("triggerAtHour", 0.0, 23.0)],
        "months" => &[("triggerAtMinute", 0.0, 59.0), ("triggerAtHour", 0.0, 23.0), ("triggerAtDayOfMonth", 1.0, 31.0)],
        _ => &[],
    };
    check_parts(node, at, parts, interval, findings);
}

fn check_parts(node: &Node, at: &str, parts: &[(&str, f64, f64)], holder: &Value, findings: &mut Vec<Finding>) {
    for (key, least, most) in parts {
        let Some(value) = holder.get(*key).and_then(Value::as_f64).filter(|value| value < least || value > most) else { continue };
        let finding = invalid(node, json_path::key(at, key), format!("n8n cannot schedule {key} {value}"));
        findings.push(
            finding.mismatch(value.to_string(), if *most < 100.0 { format!("{least} to {most}") } else { format!("{least} or more") }),
        );
    }
}

fn invalid(node: &Node, at: String, message: String) -> Finding {
    Finding { severity: unless_disabled(node), ..Finding::error(Code::ScheduleInvalid, at, message) }.at_node(node.name())
}

/// Checks the older form, `{"item": [{"mode": "custom", "cronExpression": "…"}]}`.
fn check_times(index: usize, node: &Node, parameter: &str, often: Code, findings: &mut Vec<Finding>) {
    let items = node.parameter(parameter).and_then(|times| times.get("item")).and_then(Value::as_array);
    let base = parameter_path(index, &[parameter, "item"]);
    for (position, item) in items.into_iter().flatten().enumerate() {
        if is_full(findings) {
            return;
        }
        let at = json_path::index(&base, position);
        let mode = item.get("mode").and_then(Value::as_str).unwrap_or("everyDay");
        if let ("custom", Some(expression)) = (mode, item.get("cronExpression").and_then(Value::as_str)) {
            check_cron(node, &json_path::key(&at, "cronExpression"), expression.trim(), often, findings);
        }
        let parts: &[(&str, f64, f64)] = match mode {
            "everyHour" => &[("minute", 0.0, 59.0)],
            "everyDay" | "everyWeek" => &[("minute", 0.0, 59.0), ("hour", 0.0, 23.0)],
            "everyMonth" => &[("minute", 0.0, 59.0), ("hour", 0.0, 23.0), ("dayOfMonth", 1.0, 31.0)],
            "everyX" => &[("value", 1.0, f64::MAX)],
            _ => &[],
        };
        check_parts(node, &at, parts, item, findings);
    }
}

fn check_cron(node: &Node, at: &str, expression: &str, often: Code, findings: &mut Vec<Finding>) {
    if expression.starts_with('=') {
        return;
    }
    match parse(expression) {
        Err(problem) => {
            let message = format!("n8n does not accept this cron expression: {problem}");
            let finding = Finding { severity: unless_disabled(node), ..Finding::error(Code::CronInvalid, at, message) };
            findings.push(finding.at_node(node.name()));
        }
        Ok(_) if often == Code::PollTooOften && is_below_a_minute(expression) => {
            let message = "n8n refuses to poll more often than once a minute; set the seconds field to a single number";
            findings.push(Finding { severity: unless_disabled(node), ..Finding::error(often, at, message) }.at_node(node.name()));
        }
        Ok(values) if values[0].count_ones() > 1 => findings.push(too_often(node, at, often)),
        Ok(_) => {}
    }
}

/// Reports whether n8n refuses a polling expression as too frequent: it checks the text of the first of six fields, and so accepts
/// `@secondly`. Source: `isSubMinuteCron` of n8n-workflow's cron.js.
fn is_below_a_minute(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    fields.len() == 6 && !fields.first().is_some_and(|second| second.bytes().all(|byte| byte.is_ascii_digit()))
}

fn too_often(node: &Node, at: &str, code: Code) -> Finding {
    Finding::warning(code, at, "this runs more often than once a minute; check that this is intended").at_node(node.name())
}
