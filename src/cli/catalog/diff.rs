//! `weirkeeper catalog diff`.

use std::path::Path;

use serde_json::json;

use super::error::CatalogError;
use super::load::read;
use super::output::Output;
use crate::catalog::compare::{Change, compare};

/// Returns the text to print, and whether there are breaking changes.
pub fn diff(before: &Path, after: &Path, all: bool, output: Output) -> Result<(String, bool), CatalogError> {
    let changes = compare(&read(before)?, &read(after)?);
    let breaking = changes.iter().filter(|change| change.breaking).count();
    let shown: Vec<&Change> = changes.iter().filter(|change| all || change.breaking).collect();
    let text = match output {
        Output::Json => {
            let lines = shown.iter().map(|change| {
                let line = json!({"type": change.subject, "change": change.code, "part": change.part, "breaking": change.breaking});
                format!("{line}\n")
            });
            lines.collect()
        }
        Output::Human => human(&shown, breaking, changes.len()),
    };
    Ok((text, breaking > 0))
}

fn human(shown: &[&Change], breaking: usize, all: usize) -> String {
    let mut text = String::new();
    let mut subject = "";
    for change in shown {
        if change.subject != subject {
            subject = &change.subject;
            text += &format!("{subject}\n");
        }
        let mark = if change.breaking { '!' } else { ' ' };
        text += format!("  {mark} {:<22} {}", change.code, change.part).trim_end();
        text.push('\n');
    }
    text + &format!("{breaking} of {all} changes break something\n")
}
