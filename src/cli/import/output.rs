//! Writing manifests: one file per workflow, or all of them as one stream.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::ImportError;
use crate::domain::catalog::Catalog;
use crate::domain::finding::Code;
use crate::domain::import::Imported;
use crate::domain::manifest::{Source, validate};
use crate::domain::yaml;

pub(super) fn write(imported: &[Imported], folder: Option<&Path>, force: bool) -> Result<(), ImportError> {
    let texts: Vec<(&str, String)> = imported.iter().map(|one| (one.name.as_str(), text(one))).collect();
    for (name, text) in &texts {
        warn(name, text);
    }
    let Some(folder) = folder else {
        let whole: String = texts.iter().map(|(_, text)| text.as_str()).collect();
        return io::stdout().lock().write_all(whole.as_bytes()).map_err(|error| ImportError::File("standard output".to_owned(), error));
    };
    let failed = |path: &Path, error| ImportError::File(format!("write {}", path.display()), error);
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let files: Vec<_> = texts.iter().map(|(name, text)| (folder.join(format!("{name}.yaml")), text)).collect();
    let exist: Vec<String> = files.iter().filter(|(path, _)| path.exists()).map(|(path, _)| path.display().to_string()).collect();
    if !force && !exist.is_empty() {
        return Err(ImportError::Exists(exist.join(", ")));
    }
    for (path, text) in files {
        let opened = OpenOptions::new().write(true).create(force).truncate(force).create_new(!force).open(&path);
        opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

fn text(imported: &Imported) -> String {
    imported.objects.iter().map(|object| format!("---\n{}", yaml::document(object))).collect()
}

/// Tells of what a review has to see before the manifest is committed: errors, and secrets. No finding repeats a value.
fn warn(name: &str, text: &str) {
    let source = Source { name: name.to_owned(), text: Ok(text.to_owned()), found: false };
    let secret = |code: Code| code.as_str().starts_with("secret-") || code.as_str() == "credential-embedded";
    let findings = validate(&[source], Catalog::embedded()).into_iter().flat_map(|report| report.findings).map(|placed| placed.finding);
    for finding in findings.filter(|finding| finding.is_error() || secret(finding.code)) {
        eprintln!("{name}: {}[{}]: {finding}", finding.severity, finding.code);
    }
}
