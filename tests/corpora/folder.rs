//! Location of the corpora: beside the repository, and never part of it.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Returns the folder of the corpora. If it does not exist, the calling test has no input: in continuous integration (`CI` is set) it
/// fails, and elsewhere it prints that it is skipped.
pub fn corpora() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "there are no corpora in {}", path.display());
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    // Not printed with a macro: the test harness captures that output of a test that passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: there are no corpora in {}", path.display());
    None
}
