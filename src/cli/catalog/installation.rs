//! Locates n8n's packages and reads their description files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::sources::Sources;
use crate::catalog::{RawPackage, raw};

const PACKAGES: [&str; 2] = ["n8n-nodes-base", "@n8n/n8n-nodes-langchain"];

/// Reason for which an installation could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The folder does not exist.
    #[error("{0} is not a folder; give the folder in which n8n is installed")]
    NoFolder(String),
    /// The folder does not contain n8n.
    #[error(
        "{folder} is not an n8n installation: there is no package {package} in it or above it; give the folder that contains node_modules"
    )]
    NotInstalled {
        /// The folder that was searched.
        folder: String,
        /// The package that was searched for.
        package: &'static str,
    },
    /// A package does not describe its node types.
    #[error(
        "{0} has no dist/types/nodes.json: it is not built, or its author does not publish it; in the package's folder, \
         `npx n8n-generate-metadata` of n8n-core writes it"
    )]
    NoTypes(String),
    /// A file could not be read.
    #[error("read {0}: {1}; check that the installation is complete")]
    File(String, io::Error),
    /// A file does not have the content that n8n writes.
    #[error(
        "read {0}: {1}; the installation is damaged or of an n8n version that this Weirkeeper does not know: reinstall it, or use a newer Weirkeeper"
    )]
    Json(String, serde_json::Error),
}

/// Packages and version of an installation.
pub struct Installation {
    /// The version of n8n, if its own package was found.
    pub n8n: Option<String>,
    /// n8n's own packages, then the given ones.
    pub packages: Vec<RawPackage>,
}

/// Reads an installation and additional packages.
pub fn read(from: &Path, further: &[PathBuf]) -> Result<Installation, InstallationError> {
    let folder =
        from.canonicalize().ok().filter(|folder| folder.is_dir()).ok_or_else(|| InstallationError::NoFolder(from.display().to_string()))?;
    let mut found = Vec::new();
    for package in PACKAGES {
        let missing = || InstallationError::NotInstalled { folder: from.display().to_string(), package };
        found.push((package.to_owned(), find(&folder, package).ok_or_else(missing)?));
    }
    let mut sources = Sources::new(found.clone(), find(&found[0].1, "n8n-workflow").or_else(|| find(&folder, "n8n-workflow")).as_deref());
    let mut packages = Vec::new();
    for (_, folder) in &found {
        let mut package = read_package(folder)?;
        let known = folder.join("dist/known/nodes.json");
        if known.is_file() {
            package.reaches = sources.reaches(folder, &read_json(&known)?);
        }
        packages.push(package);
    }
    for package in further {
        if !package.is_dir() {
            return Err(InstallationError::NoFolder(package.display().to_string()));
        }
        packages.push(read_package(package)?);
    }
    let n8n = match manifest(&folder)?.filter(|manifest| manifest["name"] == "n8n") {
        Some(manifest) => Some(manifest),
        None => find(&folder, "n8n").map(|folder| manifest(&folder)).transpose()?.flatten(),
    };
    Ok(Installation { n8n: n8n.and_then(|manifest| manifest["version"].as_str().map(str::to_owned)), packages })
}

/// Returns the folder of a package, as Node.js would resolve it from the folder and from n8n in it, then among pnpm's links.
fn find(folder: &Path, package: &str) -> Option<PathBuf> {
    let inside = folder.join("node_modules/n8n").canonicalize().ok();
    for start in [Some(folder.to_owned()), inside].into_iter().flatten() {
        for above in start.ancestors() {
            let beside = if above.ends_with("node_modules") { above.join(package) } else { above.join("node_modules").join(package) };
            if beside.join("package.json").is_file() {
                return Some(beside);
            }
        }
    }
    let mut linked: Vec<PathBuf> = [folder.join("node_modules/.pnpm"), folder.join(".pnpm")]
        .iter()
        .filter_map(|store| std::fs::read_dir(store).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("node_modules").join(package)))
        .filter(|found| found.join("package.json").is_file())
        .collect();
    linked.sort();
    linked.pop()
}

fn manifest(folder: &Path) -> Result<Option<Value>, InstallationError> {
    let file = folder.join("package.json");
    if file.is_file() { read_json(&file).map(Some) } else { Ok(None) }
}

fn read_package(folder: &Path) -> Result<RawPackage, InstallationError> {
    let manifest = manifest(folder)?.unwrap_or_default();
    let text = |key: &str| manifest[key].as_str().unwrap_or_default().to_owned();
    let nodes = folder.join("dist/types/nodes.json");
    if !nodes.is_file() {
        return Err(InstallationError::NoTypes(folder.display().to_string()));
    }
    let credentials = folder.join("dist/types/credentials.json");
    Ok(RawPackage {
        name: text("name"),
        version: text("version"),
        nodes: read_json(&nodes)?,
        credentials: if credentials.is_file() { read_json(&credentials)? } else { Vec::new() },
        implementations: implementations(folder)?,
        // Community packages are not reviewed, so their nodes always need a grant.
        reaches: BTreeMap::new(),
    })
}

/// Returns the node types whose source has one implementation per version, which their descriptions do not show.
fn implementations(folder: &Path) -> Result<BTreeMap<String, Vec<(f64, String)>>, InstallationError> {
    let known = folder.join("dist/known/nodes.json");
    if !known.is_file() {
        return Ok(BTreeMap::new());
    }
    let known: Value = read_json(&known)?;
    let source = |entry: &Value| std::fs::read_to_string(folder.join(entry["sourcePath"].as_str()?)).ok();
    let versions = |entry: &Value| source(entry).filter(|text| text.contains("VersionedNodeType")).map(|text| raw::implementations(&text));
    Ok(known.as_object().into_iter().flatten().filter_map(|(name, entry)| Some((name.clone(), versions(entry)?))).collect())
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, InstallationError> {
    let name = || file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| InstallationError::File(name(), error))?;
    serde_json::from_slice(&bytes).map_err(|error| InstallationError::Json(name(), error))
}
