//! `weirkeeper catalog show` and `search`.

use serde_json::json;

use super::describe::{credential_human, credential_json, human, json};
use super::error::CatalogError;
use super::output::Output;
use crate::catalog::Catalog;
use crate::catalog::search::Hit;

/// Returns the facts about one type, as text to print.
pub fn show(catalog: &Catalog, name: &str, version: Option<f64>, output: Output) -> Result<String, CatalogError> {
    let unknown = |text: String| CatalogError::Unknown(text);
    let names = catalog.whole_names(name);
    let whole = match names.as_slice() {
        [one] => one,
        [] => {
            if let Some(credential) = catalog.credential(name) {
                return Ok(match output {
                    Output::Human => credential_human(&credential),
                    Output::Json => format!("{:#}\n", credential_json(&credential)),
                });
            }
            let near = catalog.nearest(name).or_else(|| catalog.nearest_credential(name).map(str::to_owned));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(unknown(format!("there is no node type or credential type {name:?}{hint}")));
        }
        several => return Err(unknown(format!("{name:?} is ambiguous: {}", several.join(", ")))),
    };
    let node = catalog.node(whole).ok_or_else(|| unknown(format!("{whole} cannot be unpacked")))?;
    let facts = match version {
        Some(version) => node.version(version),
        None => node.latest(),
    };
    let versions: Vec<String> = node.versions().iter().map(f64::to_string).collect();
    let facts = facts.ok_or_else(|| {
        let wanted = version.unwrap_or(node.default_version);
        unknown(format!("{whole} has no version {wanted}; existing versions: {}", versions.join(", ")))
    })?;
    Ok(match output {
        Output::Human => human(&node, facts, catalog.reaches(whole)),
        Output::Json => format!("{:#}\n", json(&node, facts, catalog.reaches(whole))),
    })
}

/// Returns search results, as text to print.
pub fn hits(hits: &[Hit], output: Output) -> String {
    let width = hits.iter().map(|hit| hit.name.len()).max().unwrap_or_default();
    hits.iter()
        .map(|hit| match output {
            Output::Json => {
                format!("{}\n", json!({"type": hit.name, "displayName": hit.display_name, "matched": hit.matched, "score": hit.score}))
            }
            Output::Human => {
                let matched: Vec<&str> = hit.matched.iter().take(5).map(String::as_str).collect();
                format!("{}\n", format!("{:<width$}  {:<28} {}", hit.name, hit.display_name, matched.join(", ")).trim_end())
            }
        })
        .collect()
}
