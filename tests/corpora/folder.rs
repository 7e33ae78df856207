//! Location of the corpora: beside the repository, and never part of it.

use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora")
}

/// Reports whether the tests are ignored: the corpora do not exist, and this is not continuous integration, where that is a failure.
pub fn is_ignored() -> bool {
    !folder().is_dir() && std::env::var_os("CI").is_none()
}

/// Returns the folder of the corpora.
pub fn corpora() -> PathBuf {
    let folder = folder();
    assert!(folder.is_dir(), "there are no corpora in {}", folder.display());
    folder
}

/// Prints figures and details if the tests are run with `--nocapture`.
pub fn note(text: &str) {
    if std::env::args().any(|argument| argument == "--nocapture") {
        println!("{text}");
    }
}
