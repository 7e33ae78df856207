//! Real workflows in the compact form and back, and the tokens that the form takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::document::canonical::{Digest, digest};
use weirkeeper::document::definition::{Definition, Node};
use weirkeeper::document::parse::read_text;
use weirkeeper::generation::compact::normal::normal;
use weirkeeper::generation::compact::{Compact, OnError, compile, decompile, read};
use weirkeeper::validator::check::parse_and_check;

use crate::folder::{corpora, note};

/// Share of workflows that come back the same, in percent.
const SAME: usize = 100;
/// Tokens of the compact form of the median workflow, in percent of those of minified JSON.
const TOKENS: usize = 50;

fn workflows() -> Vec<(String, Definition, Value)> {
    let mut files: Vec<PathBuf> = fs::read_dir(corpora().join("dev")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let workflow = |path: &PathBuf| {
        let raw = read_text(&fs::read_to_string(path).unwrap(), 4 << 20).ok()?.value;
        Some((path.file_stem()?.to_str()?.to_owned(), parse_and_check(&raw).ok()?.definition, raw))
    };
    files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")).filter_map(workflow).collect()
}

fn digest_of(definition: &Definition) -> Digest {
    let managed: BTreeSet<String> = definition.settings.keys().cloned().collect();
    digest(definition.into(), &managed)
}

/// Returns the workflow that the compact form stands for.
fn expanded(compact: &Compact) -> Result<Definition, String> {
    let value = serde_json::to_value(compact).unwrap();
    let read = read(&value).map_err(|findings| format!("{findings:?}"))?;
    let compiled = compile(&read, &BTreeMap::new(), Catalog::embedded());
    compiled.map(|compiled| compiled.definition).map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Returns the first difference of two workflows.
fn difference(one: &Definition, other: &Definition) -> String {
    let pairs = one.nodes.iter().zip(&other.nodes);
    let node = pairs.clone().find(|(one, other)| one != other);
    let short = |node: &Node| serde_json::to_string(node).unwrap().chars().take(1500).collect::<String>();
    match node {
        _ if one.nodes.len() != other.nodes.len() => format!("{} and {} nodes", one.nodes.len(), other.nodes.len()),
        Some((one, other)) => format!("\n  {}\n  {}", short(one), short(other)),
        None if one.connections != other.connections => {
            format!("connections\n  {:?}\n  {:?}", json!(one.connections), json!(other.connections))
        }
        None => format!("settings {:?} {:?}", one.settings, other.settings),
    }
}

pub fn real_workflows_come_back_the_same() {
    let catalog = Catalog::embedded();
    let workflows = workflows();
    let (mut same, mut exact, mut failures) = (0, 0, Vec::new());
    for (file, definition, _) in &workflows {
        let back = match decompile(definition, catalog) {
            Ok(done) => expanded(&done.compact),
            Err(findings) => Err(findings[0].to_string()),
        };
        match back {
            Ok(back) => {
                let (wanted, got) = (normal(definition, catalog), normal(&back, catalog));
                if digest_of(&wanted) == digest_of(&got) {
                    same += 1;
                    exact += usize::from(digest_of(definition) == digest_of(&back));
                } else {
                    failures.push(format!("{file}: {}", difference(&wanted, &got)));
                }
            }
            Err(error) => failures.push(format!("{file}: {error}")),
        }
    }
    note(&format!(
        "compact and back              {same} of {} the same but for harmless differences, {exact} with the same digest",
        workflows.len()
    ));
    note(&failures.join("\n"));
    assert!(workflows.len() >= 290, "{}", workflows.len());
    assert!(same * 100 >= workflows.len() * SAME, "{same} of {}:\n{}", workflows.len(), failures.join("\n"));
}

pub fn a_change_of_a_compact_workflow_is_no_harmless_difference() {
    let catalog = Catalog::embedded();
    let mut changed = [0; 3];
    for (file, definition, _) in workflows() {
        let done = decompile(&definition, catalog).unwrap().compact;
        let wanted = digest_of(&normal(&definition, catalog));
        let mut less = done.clone();
        less.edges.pop();
        let mut renamed = done.clone();
        let text = renamed
            .nodes
            .iter_mut()
            .flat_map(|node| node.set.values_mut())
            .find(|value| value.as_str().is_some_and(|text| !text.is_empty()));
        let has_text = text.map(|text| *text = "'changed".into()).is_some();
        let mut off = done.clone();
        off.nodes[0].on_error = Some(OnError::Continue);
        let tries = [(&less, !done.edges.is_empty()), (&renamed, has_text), (&off, off != done)];
        for (at, (compact, _)) in tries.into_iter().enumerate().filter(|(_, (_, changes))| *changes) {
            let Ok(back) = expanded(compact) else { continue };
            assert_ne!(digest_of(&normal(&back, catalog)), wanted, "{file}: change {at}");
            changed[at] += 1;
        }
    }
    note(&format!("changes distinguished          {changed:?}"));
    assert!(changed.iter().all(|count| *count > 200), "{changed:?}");
}

pub fn the_compact_form_takes_few_tokens() {
    let tokenizer = tiktoken_rs::o200k_base().unwrap();
    let count = |value: &Value| tokenizer.encode_ordinary(&value.to_string()).len();
    let (mut shares, mut bare_shares, mut compacts, mut minified) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Every third workflow: the vocabulary is slow without optimisation.
    for (_, definition, raw) in workflows().into_iter().step_by(3) {
        let Ok(done) = decompile(&definition, Catalog::embedded()) else { continue };
        let body = json!({"name": raw["name"], "nodes": raw["nodes"], "connections": raw["connections"], "settings": raw["settings"]});
        let (short, long) = (count(&serde_json::to_value(&done.compact).unwrap()), count(&body));
        shares.push(short * 100 / long);
        compacts.push(short);
        minified.push(long);
        // Without notes, which no form makes shorter.
        let notes = |nodes: &Value| {
            nodes.as_array().unwrap().iter().filter(|node| node["type"] != "n8n-nodes-base.stickyNote").cloned().collect::<Vec<_>>()
        };
        let mut body = body;
        body["nodes"] = notes(&body["nodes"]).into();
        let bare = Compact { notes: Vec::new(), ..done.compact };
        bare_shares.push(count(&serde_json::to_value(&bare).unwrap()) * 100 / count(&body));
    }
    let median = |numbers: &mut Vec<usize>| {
        numbers.sort_unstable();
        numbers[numbers.len() / 2]
    };
    let (all, bare) = (median(&mut shares), median(&mut bare_shares));
    note(&format!(
        "tokens (o200k)                median {} compact, {} minified; share {all} %, without notes {bare} %",
        median(&mut compacts),
        median(&mut minified)
    ));
    assert!(shares.len() >= 95, "{}", shares.len());
    assert!(all <= TOKENS && bare <= TOKENS, "{all} %, {bare} %");
}
