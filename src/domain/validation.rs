//! Whether a definition may go to n8n: what the validator says of it, and when that counts.
//!
//! A definition is validated before it is accepted as a version, and never against what serves: a stricter validator or
//! another catalogue may complain about a version that was accepted before, and holds nothing of it up.

use crate::api::workflow_status::{NeededFor, RequiredCredential, VersionResult, WorkflowStatus};

use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Finding, Severity, has_errors, summarise};
use crate::domain::render::called;
use crate::validator::check::{disagreements, doubt, examine, take_for_filled_in};
use crate::validator::rules::{Pattern, Rules};
use crate::validator::schema::NodeCredentials;

/// How much of the findings a condition shows.
const FINDINGS_CHARS: usize = 1_500;
/// How much of them where all are warnings.
const WARNINGS_CHARS: usize = 600;

/// What a definition is held against.
#[derive(Clone, Copy, Debug)]
pub struct ValidationContext<'a> {
    /// What is known of node types.
    pub catalog: &'a Catalog,
    /// The version of the n8n that it is for, if that is known.
    pub n8n: Option<&'a str>,
    /// Why the catalogue is not the one that was asked for, if it is not. Then nothing that rests on it is certain.
    pub instead: Option<&'a str>,
}

/// What the validator says of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationReport {
    /// Whether n8n would refuse it or it cannot work.
    pub refused: bool,
    /// The findings for people, errors first, bounded.
    pub said: String,
    /// The credentials that its nodes need, each once, without scopes; none is looked for on the instance.
    pub needs: Vec<RequiredCredential>,
}

/// Everything that is known to be wrong with a definition, as one judgement. `warnings` are those of its intake.
/// `active` and `tags` are those of the spec; `silenced` names what is not said where it is no error.
pub fn judge(
    definition: &Definition,
    active: Option<bool>,
    tags: Option<&[String]>,
    warnings: Vec<Finding>,
    measure: ValidationContext<'_>,
    silenced: &[Pattern],
) -> ValidationReport {
    let (mut findings, nodes) = examine(definition, active, measure.catalog);
    let needs = needs(definition, &nodes);
    let certain = measure.instead.is_none() && measure.catalog.is_of(measure.n8n);
    let doubted = !certain && doubt(&mut findings);
    findings.extend(warnings);
    findings.extend(disagreements(definition, active, tags));
    take_for_filled_in(&mut findings);
    let rules = Rules::default().silenced(silenced);
    let findings: Vec<Finding> =
        findings.into_iter().filter_map(|finding| rules.tell(finding)).filter(|finding| finding.severity != Severity::Info).collect();
    let refused = has_errors(&findings);
    let mut said = match (findings.is_empty(), refused) {
        (true, _) => "the definition is valid".to_owned(),
        (false, true) => summarise(&findings, FINDINGS_CHARS),
        (false, false) => summarise(&findings, WARNINGS_CHARS),
    };
    if doubted {
        said.push_str(&format!(" ({})", why_doubted(measure)));
    }
    ValidationReport { refused, said, needs }
}

fn why_doubted(measure: ValidationContext<'_>) -> String {
    let named = |version: Option<&str>| version.unwrap_or("of unknown version").to_owned();
    let why = measure.instead.map_or_else(
        || {
            format!(
                "the catalogue is that of n8n {}, the instance is n8n {}",
                named(measure.catalog.index().n8n.as_deref()),
                named(measure.n8n)
            )
        },
        str::to_owned,
    );
    format!("{why}: what rests on node types is only doubtful, and n8n decides")
}

/// What the nodes need, and what they call it.
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
                continue;
            }
            found.push(RequiredCredential {
                name,
                kind: kind.clone(),
                node: one.node.clone(),
                satisfied: false,
                needed_for: Some(needed_for),
                scopes: Vec::new(),
            });
        }
    }
    found
}

/// The credentials that a definition uses together with those that its nodes need, with the scopes of each type. What is needed and used
/// under the same name is one.
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

/// Whether a definition was accepted before, so that a judgement does not hold it up: it serves or served, it failed and something
/// else serves in its place, or it is on its way. One that was only saved is judged anew when it is to be published.
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
    use crate::api::workflow_status::{Intent, Operation, VersionSource};
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

    fn judged(definition: &Definition, n8n: Option<&str>, instead: Option<&str>) -> ValidationReport {
        judge(definition, Some(true), None, Vec::new(), ValidationContext { catalog: Catalog::embedded(), n8n, instead }, &[])
    }

    #[test]
    fn what_an_annotation_silences_is_not_said_and_still_refused_where_it_is_an_error() {
        let (silenced, wrong) = Pattern::parse_known("http-*, node-type-unknown, setting-unknown");
        assert_eq!(wrong, [""; 0]);
        let measure = ValidationContext { catalog: Catalog::embedded(), n8n: Some("2.39.10"), instead: None };
        let warnings = || vec![Finding::warning(crate::document::finding::Code::SettingUnknown, "settings.x", "it was left out")];
        let fine = definition("n8n-nodes-base.httpRequest", json!({ "url": "https://a.example" }));
        assert_eq!(judge(&fine, Some(true), None, warnings(), measure, &silenced).said, "the definition is valid");
        assert!(judge(&fine, Some(true), None, warnings(), measure, &[]).said.starts_with("1 warning: settings.x"));
        let odd = definition("n8n-nodes-base.doesNotExist", json!({}));
        assert!(judge(&odd, Some(true), None, warnings(), measure, &silenced).refused);
    }

    #[test]
    fn what_rests_on_the_catalogue_is_certain_only_for_n8n_of_its_version() {
        let own = Catalog::embedded().index().n8n.clone();
        let odd = definition("n8n-nodes-base.doesNotExist", json!({}));
        let exact = judged(&odd, own.as_deref(), None);
        assert!(exact.refused && exact.said.starts_with("1 error: node \"N\": nodes[1].type: there is no node type"), "{}", exact.said);
        for (n8n, instead, why) in [
            (Some("2.40.0"), None, "the catalogue is that of n8n 2.39.10, the instance is n8n 2.40.0"),
            (None, None, "the instance is n8n of unknown version"),
            (own.as_deref(), Some("ConfigMap nodes is missing"), "ConfigMap nodes is missing"),
        ] {
            let doubted = judged(&odd, n8n, instead);
            assert!(!doubted.refused && doubted.said.starts_with("1 warning: ") && doubted.said.contains(why), "{}", doubted.said);
        }
        let broken = definition("n8n-nodes-base.httpRequest", json!({ "url": "={{ $json. }}" }));
        for n8n in [own.as_deref(), Some("2.40.0")] {
            let judged = judged(&broken, n8n, None);
            assert!(judged.refused && !judged.said.contains("catalogue"), "an expression is wrong everywhere: {}", judged.said);
        }
        let fine = definition("n8n-nodes-base.httpRequest", json!({ "url": "https://a.example", "options": { "timeout": 5000 } }));
        let fine = judged(&fine, own.as_deref(), None);
        assert!(!fine.refused, "{}", fine.said);
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
        let judged = judged(&many, Catalog::embedded().index().n8n.as_deref(), None);
        assert!(judged.said.starts_with("61 errors, ") && judged.said.chars().count() <= FINDINGS_CHARS, "{}", judged.said);
        assert!(judged.said.contains("; and ") && judged.said.ends_with(" more"), "{}", judged.said);
        assert_eq!(judged.needs, Vec::new());
    }

    #[test]
    fn what_nodes_need_stands_beside_what_they_use() {
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
        let judged = judged(&definition, Some("2.39.10"), None);
        let used = [RequiredCredential {
            kind: "googleSheetsOAuth2Api".into(),
            name: "Sheets".into(),
            node: "S".into(),
            satisfied: true,
            needed_for: None,
            scopes: Vec::new(),
        }];
        let all = required(&used, &judged.needs, Catalog::embedded());
        let told: Vec<_> = all.iter().map(|one| (&*one.kind, &*one.name, &*one.node, one.satisfied, one.needed_for)).collect();
        let publication = Some(NeededFor::Publication);
        assert_eq!(
            told,
            [
                ("googleSheetsOAuth2Api", "Sheets", "S", true, publication),
                ("oAuth2Api", "", "N", false, Some(NeededFor::Run)),
                ("googleSheetsOAuth2Api", "", "S2", false, publication),
            ]
        );
        assert!(all[0].scopes.iter().any(|scope| scope.ends_with("/auth/spreadsheets")) && all[1].scopes.is_empty());
        assert_eq!(required(&used, &all, Catalog::embedded()), all, "what stands in the status says as much as the judgement");
    }

    #[test]
    fn a_version_that_was_accepted_is_not_held_up_by_a_later_judgement() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut status = WorkflowStatus::default();
        history::accept(&mut status, "a", VersionSource::Definition, "r".into(), now);
        assert!(!accepted_before(&status, "a", Some(true)), "numbered, and nothing of it was sent");
        for result in [VersionResult::Deployed, VersionResult::Good, VersionResult::Failed] {
            history::judge(&mut status.history, 1, result, None, now);
            assert!(accepted_before(&status, "a", Some(true)), "{result:?}");
        }
        history::judge(&mut status.history, 1, VersionResult::Pending, None, now);
        status.active_version = Some(1);
        assert!(accepted_before(&status, "a", None) && accepted_before(&status, "a", Some(false)), "it is saved");
        assert!(!accepted_before(&status, "a", Some(true)), "and is to be published for the first time");
        status.intent = Some(Intent::new(Operation::Deploy, "b", None, now));
        assert!(accepted_before(&status, "b", Some(true)) && !accepted_before(&status, "c", Some(true)));
    }
}
