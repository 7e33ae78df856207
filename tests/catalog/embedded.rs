//! The catalogue that is compiled in equals the one that is built from the installation.

use std::collections::BTreeSet;
use std::time::Instant;

use weirkeeper::catalog::ports::Ports;
use weirkeeper::catalog::{Catalog, Kind, NodeType, Shared};
use weirkeeper::cli::catalog::{catalog_of, read};
use weirkeeper::domain::credential::plan::Tokens;

use crate::installation::folder;

#[test]
fn the_embedded_catalogue_is_what_the_installation_gives() {
    let (bytes, reported) = catalog_of(&folder(), &[]).unwrap();
    assert_eq!(bytes, catalog_of(&folder(), &[]).unwrap().0, "two runs give the same bytes");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/catalog/n8n-2.39.10.catalog");
    if std::env::var_os("WEIRKEEPER_WRITE").is_some() {
        std::fs::write(path, &bytes).unwrap();
    }
    println!("{reported}\n{} bytes", bytes.len());
    // Another release of the compression library may pack differently; the content must be the same.
    let (made, kept) = (Catalog::from_bytes(bytes).unwrap(), read(path.as_ref()).unwrap());
    assert_eq!(made.index().n8n, kept.index().n8n);
    assert_eq!(made.index().packages, kept.index().packages);
    let names = |catalog: &Catalog| catalog.index().nodes.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&made), names(&kept));
    for name in names(&made) {
        assert_eq!(made.node(&name), kept.node(&name), "{name}; run with WEIRKEEPER_WRITE=1 to write it anew");
    }
    for name in names(&made) {
        assert_eq!(made.reaches(&name), kept.reaches(&name), "{name}; run with WEIRKEEPER_WRITE=1 to write it anew");
    }
    for entry in &made.index().credentials {
        assert_eq!(made.credential(&entry.name), kept.credential(&entry.name), "{}", entry.name);
    }
    assert_eq!(made.index().credentials.len(), kept.index().credentials.len());
}

#[test]
fn every_type_of_the_embedded_catalogue_can_be_unpacked() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src/catalog/n8n-2.39.10.catalog")).unwrap();
    let start = Instant::now();
    let catalog = Catalog::from_bytes(bytes).unwrap();
    let opened = start.elapsed();
    let nodes: Vec<_> = catalog.index().nodes.iter().map(|entry| catalog.node(&entry.name).expect(&entry.name)).collect();
    let unpacked = start.elapsed() - opened;
    let credentials = catalog.index().credentials.iter().filter(|entry| catalog.credential(&entry.name).is_some()).count();
    assert_eq!(credentials, catalog.index().credentials.len());
    let names: Vec<&str> = catalog.index().nodes.iter().map(|entry| entry.name.as_str()).collect();
    let derived = |suffix: &str| names.iter().filter(|name| catalog.node(&format!("{name}{suffix}")).is_some()).count();
    let (tools, reviews) = (derived("Tool"), derived("HitlTool"));
    let count = |of: fn(&NodeType) -> usize| nodes.iter().map(|node| of(node)).sum::<usize>();
    let parameters = count(|node| node.variants.iter().map(|variant| all(&variant.parameters)).sum());
    let ports = |wanted: fn(&Ports) -> bool| {
        let of = |node: &NodeType| {
            node.variants.iter().flat_map(|variant| [&variant.inputs, &variant.outputs]).filter(|ports| wanted(ports)).count()
        };
        nodes.iter().map(|node| of(node)).sum::<usize>()
    };
    let (computed, unknown) = (ports(|ports| matches!(ports, Ports::Cases(_))), ports(|ports| *ports == Ports::Unknown));
    println!(
        "opened in {opened:?}, all unpacked in {unpacked:?}: {} types, {} descriptions, {} versions, {parameters} parameters, {} credential uses, {credentials} credential types, \
         {tools} tools, {reviews} reviews, {computed} computed ports, {unknown} unknown ports",
        nodes.len(),
        count(|node| node.variants.len()),
        count(|node| node.versions().len()),
        count(|node| node.variants.iter().map(|variant| variant.credentials.len()).sum()),
    );
    assert!(nodes.len() > 500 && tools > 250 && reviews > 5 && parameters > 30_000 && computed > 60);
    assert_eq!(unknown, 0, "n8n computes ports in a new way: teach src/catalog/families.rs");
    assert_eq!(names.len(), Catalog::embedded().index().nodes.len(), "the embedded catalogue can be read");
}

fn all(list: &[Shared]) -> usize {
    let inside = |parameter: &Shared| all(&parameter.fields) + parameter.groups.iter().map(|group| all(&group.fields)).sum::<usize>();
    list.iter().map(|parameter| 1 + inside(parameter)).sum()
}

#[test]
fn every_regular_expression_of_the_catalogue_is_understood() {
    let catalog = Catalog::embedded();
    let mut refused = Vec::new();
    let mut seen = 0;
    for entry in &catalog.index().nodes {
        let node = catalog.node(&entry.name).unwrap();
        let mut waiting: Vec<Shared> = node.variants.iter().flat_map(|variant| variant.parameters.iter().cloned()).collect();
        while let Some(parameter) = waiting.pop() {
            assert_ne!(parameter.kind, Kind::Other, "{} {} has a kind that is not known", entry.name, parameter.name);
            for pattern in parameter.modes.iter().flat_map(|mode| &mode.patterns) {
                seen += 1;
                if weirkeeper::catalog::display::matches(&format!("^{pattern}$"), "x").is_none() {
                    refused.push(format!("{} {}: {pattern}", entry.name, parameter.name));
                }
            }
            waiting.extend(parameter.fields.iter().cloned());
            waiting.extend(parameter.groups.iter().flat_map(|group| group.fields.iter().cloned()));
        }
    }
    assert!(seen > 500, "only {seen} were found");
    refused.sort();
    refused.dedup();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// n8n marks the field of a token that it renews as `expirable`; the catalogue does not have that.
#[test]
fn the_types_whose_tokens_n8n_renews_are_those_of_the_installation() {
    let mut renewed = BTreeSet::new();
    for package in ["n8n-nodes-base", "@n8n/n8n-nodes-langchain"] {
        let credentials = folder().join("node_modules").join(package).join("dist/credentials");
        for entry in std::fs::read_dir(&credentials).expect("the package has credentials") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
            let name = text.split("    name = '").nth(1).and_then(|rest| rest.split('\'').next());
            renewed.extend(name.filter(|_| text.contains("expirable: true")).map(str::to_owned));
        }
    }
    let known = Catalog::embedded().index().credentials.iter().filter(|entry| Tokens::of(&entry.name, false) == Tokens::Session);
    let known: BTreeSet<String> = known.map(|entry| entry.name.clone()).collect();
    println!("n8n renews the tokens of {} types: {renewed:?}", renewed.len());
    assert_eq!(known, renewed);
}
