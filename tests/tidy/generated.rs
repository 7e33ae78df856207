//! Generated files are up to date. `make docs` rewrites them.

use weirkeeper::cli::crds::documents;

use crate::argocd::{config_map, health_checks};
use crate::reference::{field_reference, reason_catalogue};
use crate::schema::kinds;
use crate::{root, tracked};

/// Set by `make docs`: write the files instead of comparing them.
const WRITE: &str = "WEIRKEEPER_WRITE";

pub fn hold_file(path: &str, wanted: &str) {
    let file = root().join(path);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, wanted).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let held = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = held
        .lines()
        .zip(wanted.lines())
        .position(|(held, wanted)| held != wanted)
        .unwrap_or(held.lines().count().min(wanted.lines().count()));
    assert!(held == wanted, "{path} is not what is generated now (from line {}); run `make docs` and read the difference", differs + 1);
}

#[test]
fn generated_crds_are_those_of_the_types() {
    let documents = documents().expect("the CRDs become YAML");
    for (name, yaml) in &documents {
        hold_file(&format!("crds/{name}"), yaml);
    }
    let mut names: Vec<String> = documents.iter().map(|(name, _)| format!("crds/{name}")).collect();
    names.sort();
    assert_eq!(tracked("crds"), names, "crds/ holds a file for each kind and policy and nothing else");
}

#[test]
fn generated_catalogue_of_reasons_is_that_of_the_code() {
    hold_file("docs/reasons.md", &reason_catalogue());
}

#[test]
fn generated_schema_of_the_configuration_file_is_that_of_the_type() {
    let schema = schemars::schema_for!(weirkeeper::validator::rules::Config);
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    hold_file("docs/reference/weirkeeper-config.schema.json", &format!("{text}\n"));
}

#[test]
fn generated_schemas_of_the_compact_form_are_those_of_the_type() {
    use weirkeeper::generation::compact::{schema, strict_schema};
    for (file, schema) in [("compact", schema()), ("compact-strict", strict_schema())] {
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
        hold_file(&format!("docs/reference/{file}.schema.json"), &format!("{text}\n"));
    }
}

#[test]
fn generated_reference_of_fields_is_that_of_the_crds() {
    for (kind, schema) in kinds() {
        hold_file(&format!("docs/reference/{}.md", kind.to_lowercase()), &field_reference(&kind, &schema));
    }
}

#[test]
fn generated_customizations_of_argo_cd_are_those_of_the_scripts() {
    for (path, script) in health_checks() {
        hold_file(&path, &script);
    }
    hold_file("config/argocd/argocd-cm.yaml", &config_map());
}
