//! Loads a catalogue from a file or an n8n installation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::CatalogError;
use super::installation;
use crate::catalog::pack::pack;
use crate::catalog::{Catalog, Distilled, distil};

/// Builds the catalogue of an installation, with a few lines about its content.
pub fn catalog_of(from: &Path, packages: &[PathBuf]) -> Result<(Vec<u8>, String), CatalogError> {
    let installation = installation::read(from, packages)?;
    let facts = distil(&installation.packages);
    let named: Vec<(String, String)> =
        installation.packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect();
    let mut summary = String::new();
    summary += &format!("n8n {}\n", installation.n8n.as_deref().unwrap_or("of unknown version"));
    for (name, version) in &named {
        summary += &format!("{name} {version}\n");
    }
    let versions: usize = facts.nodes.values().map(|node| node.versions().len()).sum();
    summary += &format!("{} node types in {versions} versions, {} credential types\n", facts.nodes.len(), facts.credentials.len());
    match facts.unknown_ports.len() {
        0 => summary += "all ports are known",
        count => {
            summary += &format!("{count} ports are computed in an unknown way; their connections cannot be checked:");
            facts.unknown_ports.iter().for_each(|(name, side)| summary += &format!("\n  {name} {side}"));
        }
    }
    summary += &reach_summary(&facts);
    let bytes = pack(&facts, installation.n8n, named).map_err(|source| CatalogError::File {
        attempt: "pack",
        file: "the catalogue".to_owned(),
        source,
    })?;
    Ok((bytes, summary))
}

/// Lists the node types that need a grant in other namespaces than the instance's, by what they reach.
fn reach_summary(facts: &Distilled) -> String {
    let mut by_reach: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (name, reaches) in facts.reaches.iter().filter(|(_, reaches)| !reaches.is_empty()) {
        by_reach.entry(reaches.iter().map(|one| one.words()).collect()).or_default().push(name);
    }
    let off: usize = by_reach.values().map(Vec::len).sum();
    let mut summary =
        format!("\n{} node types reach nothing outside their own definition; {off} do, or are not reviewed:", facts.reaches.len() - off);
    by_reach.iter().for_each(|(reach, names)| summary += &format!("\n  {}: {}", reach.join(", "), names.join(", ")));
    summary
}

/// Reads a catalogue file, or builds the catalogue of an installation.
pub fn read(path: &Path) -> Result<Catalog, CatalogError> {
    let file = || path.display().to_string();
    let bytes = if path.is_dir() {
        catalog_of(path, &[])?.0
    } else {
        std::fs::read(path).map_err(|source| CatalogError::File { attempt: "read", file: file(), source })?
    };
    Catalog::from_bytes(bytes).map_err(|source| CatalogError::Unreadable { file: file(), source })
}
