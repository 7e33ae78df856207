//! Checks of the values of a node against the parameters of its version.

use serde_json::{Map, Value};

use super::node::Known;
use super::shapes::{self, Misfit};
use super::{conditions, literal, misplaced};
use crate::catalog::display::Match;
use crate::catalog::js::Values;
use crate::catalog::{Filled, Issue, IssueKind, Kind, Level, NodeVersion, Parameter, Shared, issues, js, shown};
use crate::document::finding::{Code, Finding, is_full, kind_of, quoted};
use crate::document::json_path::{self, JsonPath};
use crate::text::similar;

/// Source: `http.METHODS` of Node.js 24.
const METHODS: &[&str] = &[
    "ACL",
    "BIND",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

pub(super) fn check(known: &Known<'_>, findings: &mut Vec<Finding>) {
    let Some(own) = known.node.parameters() else { return };
    let values = match &known.values {
        Ok(values) => values,
        Err(name) => {
            findings.push(unloadable(known, own, name));
            return;
        }
    };
    let mut missing = issues(known.facts(), values, known.version(), known.node.kind());
    // A name may occur several times in a description, each time with the same requirement.
    missing.dedup();
    let mut walk = Walk { known, values, missing: &missing, ignored: Vec::new(), findings };
    walk.level(known.facts().level(), own, values, JsonPath::Key(&JsonPath::Root(&known.at), "parameters"), true);
    let ignored = std::mem::take(&mut walk.ignored);
    for issue in &missing {
        if is_full(findings) {
            return;
        }
        findings.push(refused(known, issue, &ignored));
    }
}

/// Returns the finding for a value on which n8n fails when it loads the node: mostly a single entry in place of a list.
fn unloadable(known: &Known<'_>, own: &Map<String, Value>, name: &str) -> Finding {
    let node = JsonPath::Root(&known.at);
    let root = JsonPath::Key(&node, "parameters");
    if let Some((at, got)) = misplaced::single_entry(&known.facts().parameters, own, root, 0) {
        let message = "n8n expects a list here and cannot load the node; put [ ] around the entry".to_owned();
        return known.error(Code::ParameterShape, at, message).mismatch(got, "an array");
    }
    let message = "n8n cannot load a value of this shape".to_owned();
    known.error(Code::ParameterShape, JsonPath::Key(&root, name).written(), message)
}

/// Returns the finding for a value that n8n refuses to publish.
fn refused(known: &Known<'_>, issue: &Issue, ignored: &[&str]) -> Finding {
    // n8n loses names on its way into groups within groups.
    let steps = issue.path.split('.').filter(|step| !step.is_empty());
    let at = steps.fold(json_path::key(&known.at, "parameters"), |at, step| format!("{at}.{step}"));
    let name = quoted(&issue.parameter);
    match &issue.kind {
        IssueKind::Missing => {
            let mut message = format!("parameter {name} is required and empty");
            if let [only] = ignored {
                message.push_str(&format!("; {} is no parameter of the node", quoted(only)));
            }
            known.error(Code::ParameterMissing, at, message)
        }
        IssueKind::Locator { mode } => {
            let message = format!("the value of {name} does not match its mode {}", quoted(mode));
            known.error(Code::ParameterInvalid, at, message)
        }
        IssueKind::Type { want } => known
            .error(Code::ParameterInvalid, at, format!("n8n cannot convert the value of {name} to its type"))
            .mismatch("something else", want.clone()),
        IssueKind::Unreadable => known.error(Code::ParameterInvalid, at, format!("n8n cannot read the value of {name}")),
        IssueKind::TooFew(least) => known
            .error(Code::ParameterInvalid, at, format!("parameter {name} has too few entries"))
            .mismatch("fewer", format!("at least {least}")),
        IssueKind::TooMany(most) => known
            .error(Code::ParameterInvalid, at, format!("parameter {name} has too many entries"))
            .mismatch("more", format!("at most {most}")),
    }
}

struct Walk<'a, 'f> {
    known: &'a Known<'a>,
    /// Values as n8n loads them.
    values: &'a Filled<'a>,
    missing: &'a [Issue],
    /// First-level parameters that n8n ignores.
    ignored: Vec<&'a str>,
    findings: &'f mut Vec<Finding>,
}

impl<'a> Walk<'a, '_> {
    /// Checks one level of values: the node's own, those of a collection, or those of an entry of a group.
    fn level(&mut self, level: Level<'a>, own: &'a Map<String, Value>, loaded: &'a dyn Values, place: JsonPath<'_>, top: bool) {
        for (key, value) in own {
            if is_full(self.findings) {
                return;
            }
            let place = JsonPath::Key(&place, key);
            let named = level.named(key);
            if named.clone().next().is_none() {
                if !is_empty(value) {
                    self.unknown(level, key, value, place, top);
                }
                continue;
            }
            // A JSON text without expressions stays as it is, whether it begins with = or not.
            let fixed =
                |parameter: &&Shared| parameter.kind == Kind::Json && value.as_str().is_some_and(|text| literal::is_fixed(parameter, text));
            if js::is_expression(value) && !named.clone().all(|parameter| fixed(&parameter)) || is_empty(value) {
                continue;
            }
            let around = self.known.around(self.values);
            let showing: Vec<&Shared> = named.filter(|parameter| shown(&parameter.display, loaded, around)).collect();
            self.check_value(level, &showing, value, loaded.named(key), place);
        }
    }

    /// Checks a value against all visible parameters of its name: one that accepts it is enough.
    fn check_value(&mut self, beside: Level<'_>, showing: &[&'a Shared], value: &'a Value, loaded: Option<&'a Value>, place: JsonPath<'_>) {
        let mut first = None;
        for parameter in showing {
            match shapes::fits(parameter, value) {
                Ok(()) => return self.inside(parameter, value, loaded, place),
                Err(Misfit::Option) if is_still_known(beside, &parameter.name, value) => return,
                Err(misfit) => first = first.or(Some((*parameter, misfit))),
            }
        }
        if let Some((parameter, misfit)) = first {
            self.misfit(parameter, misfit, showing, value, place);
        }
    }

    fn inside(&mut self, parameter: &'a Parameter, value: &'a Value, loaded: Option<&'a Value>, place: JsonPath<'_>) {
        match parameter.kind {
            Kind::Filter => return conditions::check(self.known, value, place, self.findings),
            Kind::Json => return self.findings.extend(literal::check(self.known, parameter, value, place)),
            Kind::FixedCollection => {
                if let Some(finding) = self.of_other_kind(parameter, value, place) {
                    return self.findings.push(finding);
                }
            }
            _ => {}
        }
        if let (false, Some(own), Some(loaded)) = (parameter.fields.is_empty(), value.as_object(), loaded.and_then(Value::as_object)) {
            self.level(parameter.level(), own, loaded, place, false);
        }
        if parameter.groups.is_empty() {
            return;
        }
        for (name, entries) in value.as_object().into_iter().flatten() {
            if is_full(self.findings) {
                return;
            }
            let place = JsonPath::Key(&place, name);
            let Some(group) = parameter.groups.iter().find(|group| group.name == *name) else {
                if !is_empty(entries) {
                    self.unknown_group(parameter, name, place);
                }
                continue;
            };
            let loaded = loaded.and_then(|loaded| loaded.get(name));
            match (entries, loaded) {
                (Value::Array(entries), Some(Value::Array(loaded))) => {
                    for (at, (entry, loaded)) in entries.iter().zip(loaded).enumerate() {
                        if let (Some(entry), Some(loaded)) = (entry.as_object(), loaded.as_object()) {
                            self.level(group.level(), entry, loaded, JsonPath::Index(&place, at), false);
                        }
                    }
                }
                (Value::Object(entry), Some(Value::Object(loaded))) => self.level(group.level(), entry, loaded, place, false),
                _ => {}
            }
        }
    }

    /// Returns the finding for a value whose shape only fits the parameter of another version of the node type, and which this version does
    /// not read at all.
    fn of_other_kind(&self, parameter: &Parameter, value: &Value, place: JsonPath<'_>) -> Option<Finding> {
        let groups = value.as_object().filter(|groups| !groups.is_empty())?;
        if groups.keys().any(|name| parameter.groups.iter().any(|group| group.name == *name)) {
            return None;
        }
        let takes = |other: &Shared| {
            other.name == parameter.name && other.kind != parameter.kind && other.kind != Kind::Other && shapes::fits(other, value).is_ok()
        };
        let others = self.known.others().filter(|other| other.parameters.iter().any(takes) && self.is_written_for(other));
        let mut versions: Vec<f64> = others.flat_map(|other| other.versions.iter().copied()).collect();
        versions.sort_by(f64::total_cmp);
        let listed: Vec<String> = versions.iter().map(ToString::to_string).collect();
        let newest = listed.last()?;
        let message = format!(
            "the value of {} has the shape of version {} of the node type; n8n ignores it here, so set typeVersion to {newest} or write it for this one",
            quoted(&parameter.name),
            listed.join(", ")
        );
        Some(self.known.error(Code::ParameterOfOtherVersion, place.written(), message))
    }

    fn unknown(&mut self, level: Level<'_>, key: &'a str, value: &Value, place: JsonPath<'_>, top: bool) {
        if misplaced::is_setting(key, top) {
            return self.findings.push(misplaced::finding(self.known, key, place));
        }
        let around = self.known.around(self.values);
        if top {
            self.ignored.push(key);
            if let Some(finding) = self.of_other_version(key, value, place) {
                return self.findings.push(finding);
            }
        }
        let meant = match (top, self.missing) {
            (true, [only]) => Some(only.parameter.as_str()),
            _ => similar::nearest(
                key,
                level
                    .parameters()
                    .iter()
                    .filter(|parameter| shown(&parameter.display, self.values, around))
                    .map(|parameter| parameter.name.as_str()),
            ),
        };
        let message = format!("the node has no parameter {} here; n8n ignores it", quoted(key));
        self.findings.push(self.known.warning(Code::ParameterUnknown, place.written(), message).suggest(meant));
    }

    /// Returns the finding for a value that only another version of the node type would use. If all that is written fits that version, the
    /// node was written for it and does not do what is intended; otherwise the value may be a harmless leftover.
    fn of_other_version(&self, key: &str, value: &Value, place: JsonPath<'_>) -> Option<Finding> {
        let uses = |other: &&NodeVersion| {
            other.parameters.iter().any(|parameter| parameter.name == key && !js::deep_equal(&parameter.default, value))
        };
        let others: Vec<&NodeVersion> = self.known.others().filter(uses).collect();
        let whole = others.iter().find(|other| self.is_written_for(other));
        let versions = whole.or(others.first())?.versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("parameter {} belongs to version {versions} of the node type; n8n ignores it here", quoted(key));
        let (code, at) = (Code::ParameterOfOtherVersion, place.written());
        Some(if whole.is_some() { self.known.error(code, at, message) } else { self.known.warning(code, at, message) })
    }

    /// Reports whether another version knows every parameter and group for which the node has a value.
    fn is_written_for(&self, other: &NodeVersion) -> bool {
        let knows = |(key, value): (&String, &Value)| {
            let mut same = other.parameters.iter().filter(|parameter| parameter.name == *key);
            is_empty(value)
                || same.any(|parameter| {
                    let knows_group = |name: &String| parameter.groups.iter().any(|group| group.name == *name);
                    parameter.groups.is_empty() || value.as_object().is_some_and(|groups| groups.keys().all(knows_group))
                })
        };
        self.known.node.parameters().is_some_and(|own| own.iter().all(knows))
    }

    fn unknown_group(&mut self, parameter: &Parameter, name: &str, place: JsonPath<'_>) {
        let known: Vec<&str> = parameter.groups.iter().map(|group| group.name.as_str()).collect();
        let message = format!("parameter {} has no group {}; n8n ignores it", quoted(&parameter.name), quoted(name));
        let has_group = |same: &Shared| same.name == parameter.name && same.groups.iter().any(|group| group.name == name);
        let others: Vec<&NodeVersion> = self.known.others().filter(|other| other.parameters.iter().any(has_group)).collect();
        let finding = if others.iter().any(|other| self.is_written_for(other)) {
            self.known.error(Code::ParameterOfOtherVersion, place.written(), message)
        } else if others.is_empty() {
            self.known.warning(Code::ParameterUnknown, place.written(), message)
        } else {
            self.known.warning(Code::ParameterOfOtherVersion, place.written(), message)
        };
        let only = if let [only] = known.as_slice() { Some(*only) } else { None };
        self.findings.push(finding.suggest(similar::nearest(name, known.iter().copied()).or(only)));
    }

    fn misfit(&mut self, parameter: &Parameter, misfit: Misfit, showing: &[&Shared], value: &Value, place: JsonPath<'_>) {
        let name = quoted(&parameter.name);
        let finding = match misfit {
            Misfit::Option => {
                let mut offered: Vec<&Value> = showing.iter().flat_map(|one| &one.options.values).collect();
                offered.dedup();
                let meant = value.as_str().and_then(|value| similar::nearest(value, offered.iter().filter_map(|one| one.as_str())));
                let message = format!("parameter {name} has no such option");
                let finding = if shapes::is_decisive(&parameter.name) && !is_method(self.known.node.kind(), value) {
                    self.known.error(Code::ParameterOption, place.written(), message)
                } else {
                    self.known.warning(Code::ParameterOption, place.written(), message)
                };
                let listed: Vec<String> =
                    offered.iter().take(12).map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
                let more = if offered.len() > 12 { ", …" } else { "" };
                finding.mismatch(kind_of(value), format!("{}{more}", listed.join(", "))).suggest(meant)
            }
            Misfit::Mode => {
                let modes: Vec<&str> = parameter.modes.iter().map(|mode| mode.name.as_str()).collect();
                let own = value.get("mode").and_then(Value::as_str).unwrap_or_default();
                // Most nodes then take the value for an id; some check the mode and fail.
                let message = format!("the resource locator {name} has no such mode, so that its value may be misread");
                self.known
                    .warning(Code::LocatorMode, json_path::key(&place.written(), "mode"), message)
                    .mismatch(quoted(own), modes.join(", "))
                    .suggest(similar::nearest(own, modes.iter().copied()))
            }
            Misfit::Broken { got, want } => {
                let message = format!("parameter {name} has a value that the node cannot use");
                self.known.error(Code::ParameterShape, place.written(), message).mismatch(got, want)
            }
            Misfit::Doubtful { got, want } => {
                let message = format!("parameter {name} has a value of another kind");
                self.known.warning(Code::ParameterShape, place.written(), message).mismatch(got, want)
            }
        };
        self.findings.push(finding);
    }
}

/// Reports whether an HTTP request is sent with this method though n8n does not offer it. n8n sends whatever its HTTP library knows, in
/// upper or lower case (measured).
fn is_method(kind: &str, value: &Value) -> bool {
    let method = value.as_str().unwrap_or_default().to_ascii_uppercase();
    kind.starts_with("n8n-nodes-base.httpRequest") && METHODS.contains(&method.as_str())
}

/// Reports whether n8n knows a value that it no longer offers: it still shows other parameters for it.
fn is_still_known(beside: Level<'_>, name: &str, value: &Value) -> bool {
    let offered = beside.named(name).any(|same| same.options.values.iter().any(|one| js::strict_equal(one, value)));
    let asks = |parameter: &Shared| {
        let rules = parameter.display.show.iter().filter(|rule| rule.0 == name);
        rules.flat_map(|rule| &rule.1).any(|wanted| matches!(wanted, Match::Is(one) if js::strict_equal(one, value)))
    };
    !offered && beside.parameters().iter().any(asks)
}

/// Reports whether a value is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
