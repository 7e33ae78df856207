//! Where the corpora are: beside the repository, and never part of it.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of the corpora. Where it is not there, the test that asks has nothing to look at: continuous integration (`CI` is
/// set) fails then, and elsewhere the test says that it is skipped.
pub fn corpora() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "there are no corpora in {}", path.display());
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    // Not printed with a macro: of a test that passes, such output is kept back.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: there are no corpora in {}", path.display());
    None
}
