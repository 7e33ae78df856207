//! Seed documents: the repository's examples, generated ones, and the corpora if they are stored beside the repository.

use std::fs;
use std::path::Path;

use serde_json::Value;
use weirkeeper::document::parse::read_text;

use crate::made;

/// Returns every document as a value.
pub fn documents() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<String> = [3, 12, 30].map(made::workflow).to_vec();
    let corpora = ["../shared/corpora/dev", "../shared/corpora/broken/dev"];
    // Nobody else has them; continuous integration does.
    let missing = corpora.iter().find(|folder| !root.join(folder).is_dir() && std::env::var_os("CI").is_some());
    assert!(missing.is_none(), "there are no corpora in {missing:?}");
    let folders = ["examples", "examples/configmap", "examples/demo"].into_iter().chain(corpora);
    for folder in folders.map(|folder| root.join(folder)) {
        let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        let known = |path: &Path| path.extension().is_some_and(|end| end == "json" || end == "yaml");
        texts.extend(files.into_iter().filter(|path| known(path)).filter_map(|path| fs::read_to_string(path).ok()));
    }
    // The first document of a file is enough.
    let first = |text: &str| read_text(text.split("\n---").find(|part| !part.trim().is_empty()).unwrap_or_default(), 1 << 20).ok();
    texts.iter().filter_map(|text| Some(first(text)?.value)).collect()
}
