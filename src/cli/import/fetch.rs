//! Reads n8n: the list of workflows, and the content of the selected ones.

use super::arguments::ImportArguments;
use super::error::ImportError;
use crate::cli::connection::runtime;
use crate::document::lenient_json::beyond;
use crate::domain::mark::Mark;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::render::symbolise_remote;
use crate::manifest::import::{Chosen, Known, names};
use crate::n8n::N8nClient;

/// The workflows to import.
pub(super) struct Fetched {
    pub(super) chosen: Vec<Chosen>,
    /// Number of workflows that were selected.
    pub(super) total: usize,
    pub(super) notes: Vec<String>,
}

pub(super) fn fetch(arguments: &ImportArguments, key: Option<&str>) -> Result<Fetched, ImportError> {
    let client = arguments.connection.client(key)?;
    runtime()?.block_on(select(&client, arguments))
}

async fn select(client: &N8nClient, arguments: &ImportArguments) -> Result<Fetched, ImportError> {
    let (mut known, mut notes, mut missing, mut total) = (Vec::new(), Vec::new(), arguments.id.clone(), 0);
    let wanted = |workflow: &RemoteWorkflow| {
        arguments.all || arguments.id.contains(&workflow.id) || workflow.tags.iter().any(|tag| arguments.tag.contains(&tag.name))
    };
    // Names depend on all workflows, so that importing a selection results in the same names as importing all.
    let listed = client
        .scan_workflows(None, |workflow| {
            let workflow = match workflow {
                Ok(workflow) => workflow,
                Err(unread) => {
                    if arguments.all || arguments.id.contains(&unread.id) {
                        total += 1;
                        missing.retain(|id| *id != unread.id);
                        notes.push((
                            unread.id,
                            format!("left out: workflow {:?} cannot be read; its fields do not match n8n's API", unread.name),
                        ));
                    }
                    return None;
                }
            };
            let mark = Mark::of(&workflow.settings);
            missing.retain(|id| *id != workflow.id);
            known.push(Known {
                id: workflow.id.clone(),
                name: workflow.name.clone(),
                created_at: workflow.created_at.clone(),
                object: mark.as_ref().map(|mark| mark.name.clone()),
            });
            if !wanted(&workflow) {
                return None;
            }
            total += 1;
            let why = match mark {
                _ if workflow.is_archived => "it is archived".to_owned(),
                Some(mark) if !arguments.managed => format!("Workflow {}/{} manages it already; use --managed", mark.namespace, mark.name),
                _ => match &workflow.cut {
                    Some(path) => too_deep(path),
                    None => return Some(workflow),
                },
            };
            notes.push((workflow.id, format!("left out: {why}")));
            None
        })
        .await?;
    if !missing.is_empty() {
        return Err(ImportError::Missing(missing.join(", ")));
    }
    let names = names(known);
    let mut chosen = Vec::new();
    for workflow in listed {
        let id = workflow.id.clone();
        match published(client, workflow).await? {
            Some((RemoteWorkflow { cut: Some(path), .. }, _)) => notes.push((id, format!("left out: {}", too_deep(&path)))),
            Some((workflow, drafted)) => {
                if drafted {
                    notes.push((
                        id.clone(),
                        "the draft differs from the published version and is not imported; adoption replaces it".to_owned(),
                    ));
                }
                chosen.push(Chosen { name: names.get(&id).cloned().unwrap_or_default(), workflow });
            }
            None => notes.push((id, "left out: n8n does not return its published version".to_owned())),
        }
    }
    let named = |(id, message): (String, String)| format!("{}: {message}", names.get(&id).unwrap_or(&id));
    Ok(Fetched { chosen, total, notes: notes.into_iter().map(named).collect() })
}

fn too_deep(path: &str) -> String {
    format!("it {} at {path}, and a Workflow cannot hold that; flatten it in n8n", beyond())
}

/// Returns the workflow with the published version in place of the draft, and whether the draft differs.
async fn published(client: &N8nClient, mut workflow: RemoteWorkflow) -> Result<Option<(RemoteWorkflow, bool)>, ImportError> {
    // Lists may include the published version without its nodes.
    workflow.active_version = None;
    let version = workflow.active_version_id.clone().filter(|_| workflow.active && workflow.active_version_id != workflow.version_id);
    let Some(version) = version else {
        return Ok(Some((workflow, false)));
    };
    workflow.active_version = client.get_version(&workflow.id, &version).await?;
    Ok(workflow.published_apart().map(|published| {
        let drafted = symbolise_remote(&workflow).digest != symbolise_remote(&published).digest;
        (published, drafted)
    }))
}
