//! Decision whether a definition may be sent to n8n: the validator's findings, and when they count.
//!
//! A definition is validated before it is accepted as a version, and never once it is published: a stricter validator or another catalogue
//! may find fault with a version that was accepted before, but does not block it.

use crate::api::required_credential::{NeededFor, RequiredCredential};
use crate::api::workflow_status::{VersionResult, WorkflowStatus};

use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Finding, Severity, has_errors, summarise};
use crate::domain::policies::{broken, is_violation};
use crate::domain::render::called;
use crate::validator::check::{self, disagreements, doubt, take_for_filled_in};
use crate::validator::policy::{self, Policy};
use crate::validator::rules::{Pattern, Rules};
use crate::validator::schema::NodeCredentials;

/// Maximum length of the findings in a condition.
const FINDINGS_CHARS: usize = 1_500;
/// Maximum length of the findings if all are warnings.
const WARNINGS_CHARS: usize = 600;

/// Catalogue and n8n version that a definition is validated against.
#[derive(Clone, Copy, Debug)]
pub struct ValidationContext<'a> {
    /// The catalogue of node types.
    pub catalog: &'a Catalog,
    /// The version of the n8n that the definition is for, if known.
    pub n8n: Option<&'a str>,
    /// Reason why the catalogue is not the requested one, if it is not. Then no finding that depends on it is certain.
    pub instead: Option<&'a str>,
}

/// Result of validating a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationReport {
    /// True if there are errors: n8n would refuse the definition, or it cannot work.
    pub refused: bool,
    /// Names of the policies of the namespace that deny the definition.
    pub denied_by: Vec<String>,
    /// The findings as text for people, errors first, bounded.
    pub message: String,
    /// The credentials that its nodes need, each once, without scopes; none of them is looked up on the instance.
    pub needs: Vec<RequiredCredential>,
}

/// Findings about a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The findings that are reported, in the order of the checks; no information.
    pub findings: Vec<Finding>,
    /// Reason why findings about node types are warnings, if an error became one.
    pub doubted: Option<String>,
    nodes: Vec<NodeCredentials>,
}

/// Examines a definition. `warnings` are those of its parsing, `active` and `tags` those of the spec; `silenced` selects findings that are
/// left out unless they are errors.
pub fn examine(
    definition: &Definition,
    active: Option<bool>,
    tags: Option<&[String]>,
    warnings: Vec<Finding>,
    measure: ValidationContext<'_>,
    policies: &[Policy<'_>],
    silenced: &[Pattern],
) -> Examined {
    let (mut findings, nodes) = check::examine(definition, active, measure.catalog);
    let certain = measure.instead.is_none() && measure.catalog.is_of(measure.n8n);
    let doubted = !certain && doubt(&mut findings);
    // Policies are certain, whatever the catalogue.
    policy::check(definition, policies, measure.catalog, &mut findings);
    findings.extend(warnings);
    findings.extend(disagreements(definition, active, tags));
    take_for_filled_in(&mut findings);
    let rules = Rules::default().silenced(silenced);
    let findings =
        findings.into_iter().filter_map(|finding| rules.apply(finding)).filter(|finding| finding.severity != Severity::Info).collect();
    Examined { findings, doubted: doubted.then(|| why_doubted(measure)), nodes }
}

/// Validates a definition: see [`examine`].
pub fn validate(
    definition: &Definition,
    active: Option<bool>,
    tags: Option<&[String]>,
    warnings: Vec<Finding>,
    measure: ValidationContext<'_>,
    silenced: &[Pattern],
    policies: &[Policy<'_>],
) -> ValidationReport {
    let Examined { findings, doubted, nodes } = examine(definition, active, tags, warnings, measure, policies, silenced);
    let needs = needs(definition, &nodes);
    let denied_by = broken(&findings, policies);
    let refused = findings.iter().any(|finding| finding.is_error() && !is_violation(finding, policies));
    let mut message = match (findings.is_empty(), has_errors(&findings)) {
        (true, _) => "the definition is valid".to_owned(),
        (false, true) => summarise(&findings, FINDINGS_CHARS),
        (false, false) => summarise(&findings, WARNINGS_CHARS),
    };
    if let Some(why) = doubted {
        message.push_str(&format!(" ({why})"));
    }
    ValidationReport { refused, denied_by, message, needs }
}

fn why_doubted(measure: ValidationContext<'_>) -> String {
    let named = |version: Option<&str>| version.unwrap_or("of unknown version").to_owned();
    let why = measure.instead.map_or_else(
        || {
            format!(
                "the catalogue is that of n8n {}, the instance runs n8n {}",
                named(measure.catalog.index().n8n.as_deref()),
                named(measure.n8n)
            )
        },
        str::to_owned,
    );
    format!("{why}: findings about node types are warnings, and n8n decides")
}

/// Returns the credentials that the nodes need, with the definition's name for each.
fn needs(definition: &Definition, nodes: &[NodeCredentials]) -> Vec<RequiredCredential> {
    let mut found: Vec<RequiredCredential> = Vec::new();
    for one in nodes {
        let own = definition.node(&one.node).and_then(Node::credentials);
        let called = |kind: &str| own.and_then(|own| own.get(kind)).map(called).unwrap_or_default();
        let publication = one.types.iter().map(|kind| (kind, NeededFor::Publication));
        for (kind, needed_for) in publication.chain(one.chosen.iter().map(|kind| (kind, NeededFor::Run))) {
            let name = called(kind);
            if let Some(known) = found.iter_mut().find(|known| known.kind == *kind && known.name == name) {
                known.needed_for = known.needed_for.min(Some(needed_for));
                known.add_node(&one.node);
                continue;
            }
            found.push(RequiredCredential {
                name,
                kind: kind.clone(),
                nodes: vec![one.node.clone()],
                needed_for: Some(needed_for),
                ..RequiredCredential::default()
            });
        }
    }
    found
}

/// Returns the credentials that a definition uses together with those that its nodes need, with the scopes of each type. A needed and a
/// used credential with the same name are one.
pub fn required(used: &[RequiredCredential], needs: &[RequiredCredential], catalog: &Catalog) -> Vec<RequiredCredential> {
    let mut all = used.to_vec();
    for need in needs {
        match all.iter_mut().find(|one| one.kind == need.kind && one.name == need.name) {
            Some(one) => one.needed_for = need.needed_for,
            None if need.name.is_empty() => all.push(need.clone()),
            None => {}
        }
    }
    for one in &mut all {
        one.scopes = catalog.credential(&one.kind).map(|facts| facts.scopes.clone()).unwrap_or_default();
    }
    all
}

/// Reports whether a definition was accepted before, so that validation does not block it: it is or was published, or failed and was rolled
/// back, or is being written. A version that was only saved is validated again before it is published.
pub fn accepted_before(status: &WorkflowStatus, digest: &str, active: Option<bool>) -> bool {
    let sent = |result| matches!(result, VersionResult::Deployed | VersionResult::Good | VersionResult::Failed);
    let saved = |version| status.active_version == Some(version) && (active != Some(true) || status.published_at.is_some());
    status.intent.as_ref().is_some_and(|intent| intent.digest == digest)
        || status.history.iter().any(|record| record.digest == digest && (sent(record.result) || saved(record.version)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::required_credential::CredentialState;
    use crate::api::workflow_status::{Intent, IntentOperation, VersionSource};
    use crate::domain::history;
    use crate::validator::check::parse_and_check;

    fn definition(kind: &str, parameters: Value) -> Definition {
        let nodes = json!([
            { "name": "T", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 0], "parameters": { "rule": { "interval": [{}] } } },
            { "name": "N", "type": kind, "typeVersion": 4.2, "position": [200, 0], "parameters": parameters },
        ]);
        let connections = json!({ "T": { "main": [[{ "node": "N", "type": "main", "index": 0 }]] } });
        parse_and_check(&json!({ "nodes": nodes, "connections": connections, "settings": {} })).unwrap().definition
    }

    fn validated(definition: &Definition, n8n: Option<&str>, instead: Option<&str>) -> ValidationReport {
        validate(definition, Some(true), None, Vec::new(), ValidationContext { catalog: Catalog::embedded(), n8n, instead }, &[], &[])
    }

    #[test]
    fn silenced_findings_are_left_out_but_errors_are_still_refused() {
        let (silenced, wrong) = Pattern::parse_known("http-*, node-type-unknown, setting-unknown");
        assert_eq!(wrong, [""; 0]);
        let measure = ValidationContext { catalog: Catalog::embedded(), n8n: Some("2.39.10"), instead: None };
        let warnings = || vec![Finding::warning(crate::document::finding::Code::SettingUnknown, "settings.x", "it was left out")];
        let fine = definition("n8n-nodes-base.httpRequest", json!({ "url": "https://a.example" }));
        assert_eq!(validate(&fine, Some(true), None, warnings(), measure, &silenced, &[]).message, "the definition is valid");
        assert!(validate(&fine, Some(true), None, warnings(), measure, &[], &[]).message.starts_with("1 warning: settings.x"));
        let odd = definition("n8n-nodes-base.doesNotExist", json!({}));
        assert!(validate(&odd, Some(true), None, warnings(), measure, &silenced, &[]).refused);
    }

    #[test]
    fn findings_about_node_types_are_errors_only_if_the_catalogue_matches_the_n8n_version() {
        let own = Catalog::embedded().index().n8n.clone();
        let odd = definition("n8n-nodes-base.doesNotExist", json!({}));
        let exact = validated(&odd, own.as_deref(), None);
        assert!(
            exact.refused && exact.message.starts_with("1 error: node \"N\": nodes[1].type: there is no node type"),
            "{}",
            exact.message
        );
        for (n8n, instead, why) in [
            (Some("2.40.0"), None, "the catalogue is that of n8n 2.39.10, the instance runs n8n 2.40.0"),
            (None, None, "the instance runs n8n of unknown version"),
            (own.as_deref(), Some("ConfigMap nodes is missing"), "ConfigMap nodes is missing"),
        ] {
            let doubted = validated(&odd, n8n, instead);
            assert!(!doubted.refused && doubted.message.starts_with("1 warning: ") && doubted.message.contains(why), "{}", doubted.message);
        }
        let broken = definition("n8n-nodes-base.httpRequest", json!({ "url": "={{ $json. }}" }));
        for n8n in [own.as_deref(), Some("2.40.0")] {
            let validated = validated(&broken, n8n, None);
            assert!(
                validated.refused && !validated.message.contains("catalogue"),
                "an expression is wrong everywhere: {}",
                validated.message
            );
        }
        let fine = definition("n8n-nodes-base.httpRequest", json!({ "url": "https://a.example", "options": { "timeout": 5000 } }));
        let fine = validated(&fine, own.as_deref(), None);
        assert!(!fine.refused, "{}", fine.message);
    }

    #[test]
    fn the_errors_are_listed_and_bounded() {
        let mut many = definition("n8n-nodes-base.httpRequest", json!({}));
        let one = many.nodes[1].clone();
        for number in 0..60 {
            let mut node = one.clone();
            node.0.insert("name".into(), json!(format!("N{number}")));
            node.0.insert("type".into(), json!("n8n-nodes-base.doesNotExist"));
            many.nodes.push(node);
        }
        let validated = validated(&many, Catalog::embedded().index().n8n.as_deref(), None);
        assert!(
            validated.message.starts_with("61 errors, ") && validated.message.chars().count() <= FINDINGS_CHARS,
            "{}",
            validated.message
        );
        assert!(validated.message.contains("; and ") && validated.message.ends_with(" more"), "{}", validated.message);
        assert_eq!(validated.needs, Vec::new());
    }

    #[test]
    fn needed_credentials_are_listed_beside_used_ones() {
        let parameters = json!({ "url": "https://a.example", "authentication": "genericCredentialType", "genericAuthType": "oAuth2Api" });
        let mut definition = definition("n8n-nodes-base.httpRequest", parameters);
        let sheets = json!({ "name": "S", "type": "n8n-nodes-base.googleSheets", "typeVersion": 4.7, "position": [400, 0],
            "parameters": { "operation": "read", "authentication": "oAuth2" }, "credentials": { "googleSheetsOAuth2Api": { "name": "Sheets" } } });
        let mut more = sheets.clone();
        more["name"] = json!("S2");
        more["credentials"] = json!({});
        for node in [sheets, more] {
            let name = node["name"].clone();
            definition.nodes.push(Node(node.as_object().unwrap().clone()));
            definition.connections.insert(
                if name == "S" { "N" } else { "S" }.to_owned(),
                json!({ "main": [[{ "node": name, "type": "main", "index": 0 }]] }),
            );
        }
        let validated = validated(&definition, Some("2.39.10"), None);
        let used = [RequiredCredential {
            kind: "googleSheetsOAuth2Api".into(),
            name: "Sheets".into(),
            nodes: vec!["S".into()],
            state: CredentialState::Satisfied,
            ..RequiredCredential::default()
        }];
        let all = required(&used, &validated.needs, Catalog::embedded());
        let listed: Vec<_> = all.iter().map(|one| (&*one.kind, &*one.name, &*one.nodes[0], one.state, one.needed_for)).collect();
        let publication = Some(NeededFor::Publication);
        assert_eq!(
            listed,
            [
                ("googleSheetsOAuth2Api", "Sheets", "S", CredentialState::Satisfied, publication),
                ("oAuth2Api", "", "N", CredentialState::Missing, Some(NeededFor::Run)),
                ("googleSheetsOAuth2Api", "", "S2", CredentialState::Missing, publication),
            ]
        );
        assert!(all[0].scopes.iter().any(|scope| scope.ends_with("/auth/spreadsheets")) && all[1].scopes.is_empty());
        assert_eq!(required(&used, &all, Catalog::embedded()), all, "the credentials in status are equivalent to those of the report");
    }

    #[test]
    fn an_accepted_version_is_not_blocked_by_a_later_validation() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut status = WorkflowStatus::default();
        history::accept(&mut status, "a", VersionSource::Definition, "r".into(), now);
        assert!(!accepted_before(&status, "a", Some(true)), "it has a number, and nothing was sent");
        for result in [VersionResult::Deployed, VersionResult::Good, VersionResult::Failed] {
            history::record_result(&mut status.history, 1, result, None, now);
            assert!(accepted_before(&status, "a", Some(true)), "{result:?}");
        }
        history::record_result(&mut status.history, 1, VersionResult::Pending, None, now);
        status.active_version = Some(1);
        assert!(accepted_before(&status, "a", None) && accepted_before(&status, "a", Some(false)), "it is saved");
        assert!(!accepted_before(&status, "a", Some(true)), "and is to be published for the first time");
        status.intent = Some(Intent::new(IntentOperation::Deploy, "b", None, now));
        assert!(accepted_before(&status, "b", Some(true)) && !accepted_before(&status, "c", Some(true)));
    }
}
