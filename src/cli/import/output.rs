//! Writes manifests: one file per workflow, or all of them as one stream.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::error::ImportError;
use crate::catalog::Catalog;
use crate::document::finding::Code;
use crate::document::yaml;
use crate::manifest::import::Imported;
use crate::manifest::skeleton::Skeleton;
use crate::manifest::{Source, validate};
use crate::text::sha256::sha256_hex;
use crate::text::shown;

/// Maximum length of an object name in a file name, in bytes.
const LONGEST: usize = 200;

/// Folder of the N8nCredentials: an object of either kind may have any name.
const CREDENTIALS: &str = "credentials";

pub(super) fn write(imported: &[Imported], credentials: &[Skeleton], folder: Option<&Path>, force: bool) -> Result<(), ImportError> {
    let texts: Vec<(&str, String)> = imported.iter().map(|one| (one.name.as_str(), text(one))).collect();
    for (name, text) in &texts {
        warn(name, text);
    }
    let adopting = credentials.iter().map(|one| (one.name.as_str(), one.adopting(Catalog::embedded())));
    let adopting: Vec<(&str, String)> = adopting.collect();
    let Some(folder) = folder else {
        let whole: String = adopting.iter().chain(&texts).map(|(_, text)| text.as_str()).collect();
        return io::stdout().lock().write_all(whole.as_bytes()).map_err(|error| ImportError::File("standard output".to_owned(), error));
    };
    let failed = |path: &Path, error| ImportError::File(format!("write {}", path.display()), error);
    let beside = folder.join(CREDENTIALS);
    let needed = if adopting.is_empty() { folder } else { &beside };
    fs::create_dir_all(needed).map_err(|error| failed(needed, error))?;
    let workflows = texts.iter().map(|(name, text)| (folder.join(file_name(name)), text));
    let files: Vec<_> = workflows.chain(adopting.iter().map(|(name, text)| (beside.join(file_name(name)), text))).collect();
    // A link counts, whatever its target.
    let exist: Vec<String> =
        files.iter().filter(|(path, _)| path.symlink_metadata().is_ok()).map(|(path, _)| path.display().to_string()).collect();
    if !force && !exist.is_empty() {
        return Err(ImportError::Exists(exist.join(", ")));
    }
    for (path, text) in files {
        put(&path, text, force).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// Creates a file, or with `force` replaces it atomically by way of a temporary file beside it. A link is replaced and never followed.
fn put(path: &Path, text: &str, force: bool) -> io::Result<()> {
    let create = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes());
    if !force {
        return create(path);
    }
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = create(&beside).and_then(|()| fs::rename(&beside, path));
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        // The remains of the temporary file are of no use.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Returns the name of the file for an object, whose name is a DNS name. No system takes it for a device, and it fits into any folder.
fn file_name(name: &str) -> String {
    let first = name.split('.').next().unwrap_or_default();
    let port = |word: &str| first.strip_prefix(word).is_some_and(|rest| rest.len() == 1 && rest.starts_with(|c: char| c.is_ascii_digit()));
    let device = matches!(first, "con" | "prn" | "aux" | "nul") || port("com") || port("lpt");
    match name.len() {
        // No label of a DNS name ends in a dash, so that no other object gets this file name.
        _ if device => format!("{first}-{}.yaml", &name[first.len()..]),
        ..=LONGEST => format!("{name}.yaml"),
        _ => format!("{}-{}.yaml", &name[..LONGEST - 60], &sha256_hex(name)[..16]),
    }
}

fn text(imported: &Imported) -> String {
    imported.objects.iter().map(|object| format!("---\n{}", yaml::document(object))).collect()
}

/// Prints what a review has to see before the manifest is committed: errors and secrets. No finding repeats a value.
fn warn(name: &str, text: &str) {
    let source = Source { name: name.to_owned(), text: Ok(text.to_owned()), found: false };
    let secret = |code: Code| code.as_str().starts_with("secret-") || code.as_str() == "credential-embedded";
    let findings = validate(&[source], Catalog::embedded()).into_iter().flat_map(|report| report.findings).map(|placed| placed.finding);
    for finding in findings.filter(|finding| finding.is_error() || secret(finding.code)) {
        eprintln!("{name}: {}[{}]: {}", finding.severity, finding.code, shown(&finding.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_replaced_by_a_file_and_its_target_stays() {
        let folder = std::env::temp_dir().join(format!("weirkeeper-put-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (theirs, link, dangling) = (folder.join("theirs"), folder.join("a.yaml"), folder.join("b.yaml"));
        fs::write(&theirs, "theirs").unwrap();
        std::os::unix::fs::symlink(&theirs, &link).unwrap();
        std::os::unix::fs::symlink(folder.join("nowhere"), &dangling).unwrap();
        assert!(put(&link, "ours", false).is_err() && put(&dangling, "ours", false).is_err());
        put(&link, "ours", true).unwrap();
        put(&dangling, "ours", true).unwrap();
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!((text(&theirs).as_str(), text(&link).as_str(), text(&dangling).as_str(), left.len()), ("theirs", "ours", "ours", 3));
        assert!(link.symlink_metadata().unwrap().is_file() && !folder.join("nowhere").exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn no_file_name_is_that_of_a_device_or_too_long() {
        for (name, file) in [
            ("orders", "orders.yaml"),
            ("con", "con-.yaml"),
            ("com1", "com1-.yaml"),
            ("nul.v2", "nul-.v2.yaml"),
            ("console", "console.yaml"),
            ("lpt", "lpt.yaml"),
        ] {
            assert_eq!(file_name(name), file);
        }
        let long = "a.".repeat(126) + "a";
        let other = "a.".repeat(126) + "b";
        assert!(file_name(&long).len() <= 255 && file_name(&long) != file_name(&other));
    }
}
