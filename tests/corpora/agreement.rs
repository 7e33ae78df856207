//! Findings of the check against the catalogue compared with the responses of a real n8n to real and to broken workflows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use weirkeeper::catalog::{Catalog, filled, issues};
use weirkeeper::document::definition::{Definition, Node};
use weirkeeper::document::finding::{Code, Finding};
use weirkeeper::document::parse::read_text;
use weirkeeper::validator::check::parse_and_check;
use weirkeeper::validator::schema::{NodeCredentials, examine};

use crate::folder::{corpora, note};

const NOTE: &str = "n8n-nodes-base.stickyNote";

/// Labels whose defect only the catalogue can show; the others are found without it.
const REMIT: &[&str] = &[
    "ai_",
    "conn_edge_type_mismatch",
    "conn_unknown_type",
    "connection_into_trigger",
    "cred_missing",
    "cred_type_hallucinated",
    "cred_wrong_type",
    "error_output_without_onError",
    "http_v1_shape_on_v4",
    "if_v1_shape_on_v2",
    "input_index_out_of_range",
    "invalid_",
    "missing_required_param",
    "output_index_out_of_range",
    "param_",
    "resource_locator_",
    "set_v1_shape_on_v3",
    "switch_v1_shape_on_v3",
    "typeVersion_of_other_package",
    "typeVersion_unknown",
    "unknown_node_type_",
];

/// Labels of errors that n8n publishes and runs all the same: it accepts newer versions, passes items through a trigger, and takes the
/// value of a locator with an unknown mode for an id.
const ACCEPTED: &[&str] =
    &["connection_into_trigger", "resource_locator_as_bad_object", "typeVersion_of_other_package", "typeVersion_unknown"];

fn definition(path: &Path) -> Option<Definition> {
    let read = read_text(&fs::read_to_string(path).unwrap(), 4 << 20).ok()?;
    Some(parse_and_check(&read.value).ok()?.definition)
}

struct Looked {
    definition: Definition,
    findings: Vec<Finding>,
    needs: Vec<NodeCredentials>,
}

fn look(path: &Path) -> Option<Looked> {
    let definition = definition(path)?;
    let mut findings = Vec::new();
    let needs = examine(&definition, Catalog::embedded(), &mut findings);
    Some(Looked { definition, findings, needs })
}

/// n8n's message about one node when it was asked to publish.
#[derive(Default)]
struct Said {
    credentials: BTreeSet<String>,
    parameters: Vec<String>,
}

/// Parses a message by node; the table holds it on one line, with two blanks in place of each line break.
fn said(message: &str) -> BTreeMap<String, Said> {
    let mut nodes = BTreeMap::new();
    for piece in message.split("  Node \"").skip(1) {
        let (name, issues) = piece.split_once("\":").unwrap();
        let said: &mut Said = nodes.entry(name.to_owned()).or_default();
        for issue in issues.split("  - ") {
            if let Some(name) = issue.trim().strip_prefix("Missing required credential: ") {
                said.credentials.insert(name.to_owned());
            } else if let Some(names) = issue.trim().strip_prefix("Missing or invalid required parameters: ") {
                said.parameters.extend(names.split(", ").map(str::to_owned));
            }
        }
    }
    nodes
}

/// Returns n8n's name of a credential, which for some types is the display name.
fn label(node: &Node, credential: &str) -> String {
    let kind = Catalog::embedded().node(node.kind()).unwrap();
    let uses = &kind.serving(node.type_version()).unwrap().credentials;
    let labels: Vec<&String> = uses.iter().filter(|one| one.name == credential).filter_map(|one| one.label.as_ref()).collect();
    labels.first().map_or(credential, |label| label.as_str()).to_owned()
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

pub fn at_least_99_percent_of_refusals_are_found_and_at_most_1_percent_of_accepted_nodes_are_flagged() {
    let corpora = corpora();
    let folder = corpora.join("dev");
    let table = fs::read_to_string(folder.join("N8N_VERDICT.tsv")).unwrap();
    let (mut refusals, mut found) = (0, 0);
    let (mut both, mut ours_only, mut theirs_only, mut chosen) = (0, 0, 0, 0);
    let (mut well, mut flagged) = (0, 0);
    let mut disagreements: Vec<String> = Vec::new();
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let (file, status, message) = (cells[0], cells.get(3).copied().unwrap_or_default(), cells.get(4).copied().unwrap_or_default());
        let Some(looked) = look(&folder.join(file)) else { continue };
        if let Some(kind) = message.strip_prefix("Unrecognized node type: ") {
            refusals += 1;
            // n8n names the type from which it would derive a tool.
            let is_kind = |own: &str| own.strip_suffix("Tool").unwrap_or(own) == kind.strip_suffix("Tool").unwrap_or(kind);
            let of_kind = |finding: &Finding| {
                finding.node.as_ref().and_then(|name| looked.definition.node(name)).is_some_and(|node| is_kind(node.kind()))
            };
            let hit = looked.findings.iter().any(|finding| finding.code.as_str().starts_with("node-type-") && of_kind(finding));
            found += usize::from(hit);
            if !hit {
                disagreements.push(format!("{file}: n8n does not know {kind}"));
            }
            continue;
        }
        let listed = message.starts_with("Cannot publish workflow:");
        // If a service was unreachable or an address was wrong, the nodes had passed.
        if !listed && status != "200" && status != "500" && !message.starts_with("There was a problem activating") {
            continue;
        }
        let nodes = said(message);
        let is_flagged =
            |name: &str| looked.findings.iter().any(|one| one.is_error() && one.node.as_deref().map(one_line).as_deref() == Some(name));
        for (name, text) in &nodes {
            for parameter in &text.parameters {
                refusals += 1;
                let by_name = |one: &Finding| {
                    one.is_error() && one.node.as_deref().map(one_line).as_ref() == Some(name) && one.path.contains(parameter.as_str())
                };
                let hit = looked.findings.iter().any(by_name);
                found += usize::from(hit);
                if !hit {
                    disagreements.push(format!("{file} {name}: n8n misses {parameter}"));
                }
            }
        }
        for node in looked.definition.nodes.iter().filter(|node| node.kind() != NOTE) {
            let name = one_line(node.name());
            let text = nodes.get(&name);
            if text.is_none_or(|text| text.parameters.is_empty()) {
                well += 1;
                if is_flagged(&name) {
                    flagged += 1;
                    disagreements.push(format!("{file} {name}: flagged, and well configured to n8n"));
                }
            }
            if listed {
                let needs = looked.needs.iter().find(|needs| needs.node == node.name());
                let ours: BTreeSet<String> = needs.iter().flat_map(|needs| &needs.types).map(|one| label(node, one)).collect();
                let theirs = text.map(|text| text.credentials.clone()).unwrap_or_default();
                both += ours.intersection(&theirs).count();
                ours_only += ours.difference(&theirs).count();
                theirs_only += theirs.difference(&ours).count();
                chosen += needs.map_or(0, |needs| needs.chosen.len());
                if ours != theirs {
                    disagreements.push(format!("{file} {name}: we say {ours:?}, n8n {theirs:?}"));
                }
            }
        }
    }
    let f1 = f64::from(2 * both as u32) / f64::from((2 * both + ours_only + theirs_only) as u32);
    note(&format!("refusals of n8n found         {found} of {refusals}"));
    note(&format!(
        "credentials                   {both} agreed, {ours_only} only ours, {theirs_only} only n8n's, F1 {f1:.4}; {chosen} chosen by parameters beside"
    ));
    note(&format!("well configured and flagged   {flagged} of {well}"));
    note(&disagreements.join("\n"));
    assert!(refusals >= 75 && both >= 800 && well >= 2500, "{refusals} {both} {well}");
    let listed = disagreements.join("\n");
    assert!(found * 100 >= refusals * 99, "{found} of {refusals}:\n{listed}");
    assert!(f1 >= 0.98, "F1 {f1}:\n{listed}");
    assert!(flagged * 100 <= well, "{flagged} of {well}:\n{listed}");
}

pub fn at_least_98_percent_of_labelled_defects_are_found_at_their_node_and_no_trap() {
    let corpora = corpora();
    let table = fs::read_to_string(corpora.join("broken/dev/LABELS.tsv")).unwrap();
    let (mut labels, mut hits, mut traps) = (0, 0, 0);
    let (mut missed, mut fallen) = (Vec::new(), Vec::new());
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let (file, class, node, base) = (cells[0], cells[1], cells[4], cells[5]);
        if class.starts_with("control_") {
            traps += 1;
            // The defects of the base file remain; no other error may be added.
            let reported = |path: &str| -> BTreeSet<(Code, Option<String>)> {
                let looked = look(&corpora.join(path)).unwrap();
                looked.findings.into_iter().filter(Finding::is_error).map(|one| (one.code, one.node)).collect()
            };
            fallen.extend(reported(file).difference(&reported(base)).map(|one| format!("{file}: {one:?}")));
        } else if REMIT.iter().any(|remit| class.starts_with(remit)) && cells[6] == "mutated" {
            labels += 1;
            let hit = look(&corpora.join(file)).is_some_and(|looked| {
                looked
                    .findings
                    .iter()
                    .any(|one| one.node.as_deref() == Some(node) && (one.is_error() || cells[3] == "warning" || ACCEPTED.contains(&class)))
            });
            hits += usize::from(hit);
            if !hit {
                missed.push(format!("{file}: {class} on {node}"));
            }
        }
    }
    note(&format!("labelled defects found        {hits} of {labels}; traps {traps}, fallen into {}", fallen.len()));
    note(&missed.join("\n"));
    assert!(labels >= 35 && traps >= 10, "{labels} {traps}");
    assert!(hits * 100 >= labels * 98, "{hits} of {labels}:\n{}", missed.join("\n"));
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
}

pub fn parameters_that_n8n_found_missing_at_publication_are_found() {
    let folder = corpora().join("dev");
    let table = fs::read_to_string(folder.join("N8N_VERDICT.tsv")).unwrap();
    let (mut named, mut complaints) = (0, Vec::new());
    for row in table.lines().skip(1) {
        let file = row.split('\t').next().unwrap_or_default();
        for node in row.split("Node \"").skip(1) {
            let Some((name, message)) = node.split_once("\":") else { continue };
            let Some((_, list)) = message.split_once("Missing or invalid required parameters: ") else { continue };
            let definition = definition(&folder.join(file)).unwrap();
            let found: BTreeSet<String> = definition
                .nodes
                .iter()
                .filter(|node| one_line(node.name()) == name)
                .flat_map(|node| missing(node).unwrap_or_default())
                .collect();
            let wanted = list.trim().split("  ").next().unwrap_or_default().split(", ").map(str::trim);
            for parameter in wanted.filter(|parameter| !parameter.is_empty()) {
                named += 1;
                if !found.contains(parameter) {
                    complaints.push(format!("{file} {name}: {parameter}"));
                }
            }
        }
    }
    note(&format!("{named} parameters, {} not found", complaints.len()));
    assert!(named > 20);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Returns the parameters that are missing in a node with defaults filled in, as n8n checks it before it publishes.
fn missing(node: &Node) -> Option<Vec<String>> {
    let (kind, version) = (node.kind(), node.type_version()?);
    let described = Catalog::embedded().node(kind)?;
    let facts = described.serving(Some(version))?;
    let full = filled(facts, node.0.get("parameters")?.as_object()?, version, kind).ok()?;
    Some(issues(facts, &full, version, kind).into_iter().map(|issue| issue.parameter).collect())
}
