//! Records for tables and sheets: the items that are prepared for them.

use serde_json::{Value, json};

use super::data::Wanted;
use super::flow::{Flow, node_of};
use super::queues;
use super::starts::map;
use crate::generation::compact::CompactNode;

fn add(values: &mut Vec<(String, String)>, label: &str, code: String) {
    if !values.iter().any(|(own, value)| own == label || *value == code) {
        values.push((label.to_owned(), code));
    }
}

/// Adds a Set node with the values of a record, unless the items are such records already; returns its id.
///
/// # Errors
///
/// A message, if nothing is known that a record could have.
pub(super) fn prepare(flow: &mut Flow<'_>, wanted: &[Wanted], sink: &str, document: bool) -> Result<Option<String>, String> {
    if flow.made.is_none() && wanted.is_empty() {
        queues::parse(flow, true);
    }
    let mut values: Vec<(String, String)> = Vec::new();
    wanted.iter().for_each(|one| add(&mut values, &one.label, one.code.clone()));
    if values.is_empty() {
        let main = flow.data.fields.iter().filter(|field| field.main);
        main.for_each(|field| add(&mut values, &field.label.to_lowercase(), flow.data.code(&field.path)));
    }
    if let Some(made) = flow.made.clone() {
        add(&mut values, "text", made);
    }
    let assigned = |values: &[(String, String)]| -> Vec<Value> {
        values.iter().map(|(label, code)| json!({label: format!("{{{{{code}}}}}")})).collect()
    };
    let set = if values.is_empty() || wanted.is_empty() && values.len() == 1 && flow.data.open.is_some() {
        let object = flow.data.object();
        let is_record = flow.data.whole.is_empty() && brings(flow);
        if flow.data.raw && is_record && flow.collected.is_none() && !document {
            return raw_record(flow, sink).map(|()| None);
        }
        if flow.data.open.is_none() && flow.data.fields.is_empty() && flow.collected.is_none() {
            return Err("the fields of the record".to_owned());
        }
        if document && let Some(node) = flow.by_id(sink) {
            node.set.insert("fields".to_owned(), "{{ Object.keys($json).join(',') }}".into());
        }
        if !document {
            flow.assume("Each field of the data goes into the column of its name");
        }
        if is_record {
            return Ok(None);
        }
        json!({"mode": "raw", "jsonOutput": format!("{{{{{object}}}}}")})
    } else {
        let labels: Vec<&str> = values.iter().map(|(label, _)| label.as_str()).collect();
        if document && let Some(node) = flow.by_id(sink) {
            node.set.insert("fields".to_owned(), labels.join(",").into());
        }
        flow.assume(format!("The columns are named {}", labels.join(", ")));
        json!({"assignments": assigned(&values)})
    };
    Ok(Some(flow.node("set", "Prepare Record", map(set))))
}

/// Takes records of unknown fields as they are: rows of a table, or whatever a sheet makes columns of.
///
/// # Errors
///
/// A message where a table would have to have columns that nobody made.
fn raw_record(flow: &mut Flow<'_>, sink: &str) -> Result<(), String> {
    let (from, to) = (flow.kind_of(&flow.data.node), flow.kind_of(sink));
    let sheet = to.starts_with("googleSheets") || to.starts_with("microsoftExcel");
    if from.ends_with("Trigger") || !sheet {
        return Err("the columns of the record".to_owned());
    }
    flow.assume("The columns are the fields of the records, as the service names them");
    Ok(())
}

/// Reports whether the branch ends with the items of the data: at its node, or at nodes behind that which only choose among them.
fn brings(flow: &Flow<'_>) -> bool {
    let mut at = node_of(&flow.tail);
    while at != flow.data.node {
        let chooses =
            |node: &&CompactNode| node.id == at && matches!(node.kind.as_str(), "removeDuplicates" | "filter" | "limit" | "sort" | "if");
        let Some(node) = flow.nodes.iter().find(chooses) else { return false };
        let Some(from) = flow.leading_to(&node.id).next() else { return false };
        at = node_of(from);
    }
    true
}
