//! Files: where the file of an item is, and what is read from it.

use serde_json::{Map, Value, json};

use super::clauses::Clause;
use super::data::{Data, Field};
use super::flow::Flow;
use super::names;
use super::operations::Operation;
use super::services::Service;
use super::starts::map;

/// Returns the node and the property with the item's file; one that is in a drive is downloaded.
pub(super) fn existing(flow: &mut Flow<'_>) -> Option<(String, String)> {
    if flow.file.is_some() {
        return flow.file.clone();
    }
    let kind = match flow.data.service.as_str() {
        "googleDrive" => "googleDrive.file.download",
        "microsoftOneDrive" => "microsoftOneDrive.file.download",
        _ => return None,
    };
    let id = flow.data.field("id").map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)))?;
    let node = flow.node(kind, "Download File", map(json!({"fileId": id})));
    flow.extend(&node);
    flow.file = Some((node, "data".to_owned()));
    flow.file.clone()
}

/// Returns the node and the property with the item's file; makes one of the data if there is none.
pub(super) fn file(flow: &mut Flow<'_>, clause: &Clause) -> Result<(String, String), String> {
    if let Some(file) = existing(flow) {
        return Ok(file);
    }
    // A list of files has none of them.
    if flow.data.node.is_empty() || flow.data.noun == "file" && flow.data.raw {
        return Err("a file".to_owned());
    }
    // A file in a drive has to be read first.
    let csv = clause.items.iter().any(|item| item.is(&["csv", "spreadsheet"]));
    let excel = clause.items.iter().any(|item| item.is(&["xlsx", "xls"]));
    if !flow.data.many && !csv && flow.data.open.is_none() && flow.made.is_none() {
        return Err("a file".to_owned());
    }
    let set = if let Some(made) = flow.made.clone().filter(|_| !flow.data.many) {
        let id = flow.node("set", "Text of the File", map(json!({"assignments": [{"text": format!("{{{{{made}}}}}")}]})));
        flow.extend(&id);
        json!({"operation": "toText", "sourceProperty": "text"})
    } else {
        json!({"operation": if csv { "csv" } else if excel { "xlsx" } else { "toJson" }})
    };
    let id = flow.node("convertToFile", "Make File", map(set));
    flow.extend(&id);
    flow.data.many = false;
    flow.file = Some((id.clone(), "data".to_owned()));
    Ok((id, "data".to_owned()))
}

/// Returns the name that the item's file has, or a time for one that has none.
pub(super) fn name(flow: &Flow<'_>) -> String {
    let drive = matches!(flow.data.service.as_str(), "googleDrive" | "microsoftOneDrive" | "dropbox" | "box");
    if let Some(field) = flow.data.field("name").filter(|_| drive) {
        return format!("{{{{{}}}}}", flow.data.code(&field.path));
    }
    let time = "$now.toFormat('yyyy-MM-dd-HHmmss')";
    let came = flow.file.as_ref().filter(|(holder, _)| flow.nodes.iter().any(|node| node.id == *holder && node.kind != "convertToFile"));
    match came {
        Some((_, property)) => format!("{{{{ $binary.{property}.fileName ?? {time} }}}}"),
        None => format!("{{{{ {time} }}}}"),
    }
}

/// Says under which name a service is to keep a file, and in which folder where its paths have folders.
pub(super) fn address(flow: &mut Flow<'_>, clause: &Clause, service: &Service, operation: &Operation, set: &mut Map<String, Value>) {
    if !operation.name.ends_with("upload") {
        return;
    }
    let file = name(flow);
    let folder = names::path(&clause.items)
        .or_else(|| names::places(&clause.items).into_iter().find(|(place, _)| *place == "folder").map(|(_, name)| name))
        .map(|folder| format!("{}/", folder.trim_matches('/')));
    let key = match service.key.as_str() {
        "awsS3" | "s3" => "fileName",
        "dropbox" | "nextCloud" | "ftp" => "path",
        "box" | "microsoftOneDrive" => return drop(set.insert("fileName".to_owned(), file.into())),
        "googleDrive" => return drop(set.insert("name".to_owned(), file.into())),
        _ => return,
    };
    flow.placed.extend(folder.as_ref().map(|folder| folder.trim_end_matches('/').to_owned()));
    let root = if key == "path" { "/" } else { "" };
    set.insert(key.to_owned(), format!("{root}{}{file}", folder.unwrap_or_default()).into());
}

/// Reports whether a clause asks for a file with the rows of a table.
pub(super) fn is_table(clause: &Clause) -> bool {
    clause.items.iter().any(|item| item.is(&["csv", "xlsx", "xls"]))
}

/// Returns the property of a file that the workflow made, if it is what a message is about.
pub(super) fn made(flow: &Flow<'_>) -> Option<String> {
    let (holder, property) = flow.file.as_ref()?;
    let node = flow.get(holder)?;
    (flow.made.is_none() && (matches!(node.kind.as_str(), "convertToFile" | "httpRequest") || node.kind.ends_with("image.generate")))
        .then(|| property.clone())
}

/// Sets the attachment of a mail.
///
/// # Errors
///
/// The attachment, where a service is not known to take one.
pub(super) fn attach(set: &mut Map<String, Value>, operation: &str, property: &str) -> Result<(), String> {
    let (key, value) = match operation {
        "emailSend.send" => ("options", json!({"appendAttribution": false, "attachments": property})),
        "gmail.message.send" => {
            ("options", json!({"appendAttribution": false, "attachmentsUi": {"attachmentsBinary": [{"property": property}]}}))
        }
        "microsoftOutlook.message.send" => {
            ("additionalFields", json!({"attachments": {"attachments": [{"binaryPropertyName": property}]}}))
        }
        _ => return Err("the attachment".to_owned()),
    };
    set.insert(key.to_owned(), value);
    Ok(())
}

/// Changes the format of the data; `None` if the clause does not say how.
pub(super) fn convert(flow: &mut Flow<'_>, clause: &Clause, nouns: &[&str]) -> Option<()> {
    let said = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    let holds = |flow: &mut Flow<'_>| existing(flow);
    let extracted = |flow: &mut Flow<'_>, operation: &str| -> Option<String> {
        let (_, property) = holds(flow)?;
        let id = flow.node("extractFromFile", "Read File", map(json!({"operation": operation, "binaryPropertyName": property})));
        flow.extend(&id);
        Some(id)
    };
    if said(&["xml"]) && !said(&["json"]) || said(&["xml"]) && position(clause, "xml") < position(clause, "json") {
        if holds(flow).is_some() {
            extracted(flow, "xml")?;
        }
        let id = flow.node("xml", "XML to JSON", map(json!({"mode": "xmlToJson", "dataPropertyName": "data"})));
        flow.extend(&id);
        let noun = flow.data.noun.clone();
        flow.turn_to(Data { node: id, open: Some(String::new()), noun, ..Data::default() });
        flow.file = None;
        return Some(());
    }
    if said(&["csv", "spreadsheet", "excel", "xlsx"]) && holds(flow).is_some() && !said(&["to", "into"]) {
        let id = extracted(flow, if said(&["csv"]) { "csv" } else { "xlsx" })?;
        flow.turn_to(Data { node: id, open: Some(String::new()), many: true, noun: "row".to_owned(), ..Data::default() });
        return Some(());
    }
    // n8n reads PDFs, and has no node that makes one.
    let made = clause.items.windows(3).any(|three| {
        let into = |item: &super::reading::Item| item.is(&["to", "into", "as", "zu", "in", "en", "als", "como"]);
        three[2].is(&["pdf"]) && (into(&three[0]) || into(&three[1]))
    });
    if (said(&["pdf"]) || nouns.contains(&"document")) && !made && holds(flow).is_some() {
        return text_of_pdf(flow);
    }
    None
}

fn position(clause: &Clause, word: &str) -> usize {
    clause.items.iter().position(|item| item.is(&[word])).unwrap_or(usize::MAX)
}

/// Reads the text of the item's PDF.
pub(super) fn text_of_pdf(flow: &mut Flow<'_>) -> Option<()> {
    let (_, property) = existing(flow)?;
    let id = flow.node("extractFromFile", "Read File", map(json!({"operation": "pdf", "binaryPropertyName": property})));
    flow.extend(&id);
    let words = vec!["text".to_owned()];
    let text = Field { label: "Text".to_owned(), words, path: "text".to_owned(), main: true };
    let noun = if flow.data.noun.is_empty() { "document".to_owned() } else { flow.data.noun.clone() };
    flow.turn_to(Data { node: id, fields: vec![text], noun, ..Data::default() });
    Some(())
}
