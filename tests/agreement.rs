#![allow(clippy::unwrap_used)]
use std::fs;
use weirkeeper::domain::catalog::Catalog;
use weirkeeper::domain::intake::{read_text, take_in};
use weirkeeper::domain::schema::{check_against, required_credentials};
#[test]
fn dump() {
    for folder in ["dev", "broken/dev"] {
        let mut files: Vec<_> = fs::read_dir(format!("../shared/corpora/{folder}")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
        files.sort();
        for path in files {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let Ok(read) = read_text(&fs::read_to_string(&path).unwrap(), 4 << 20) else { continue };
            let Ok(intake) = take_in(&read.value) else { continue };
            let mut findings = Vec::new();
            check_against(&intake.definition, Catalog::embedded(), &mut findings);
            for f in findings {
                let kind = f.node.as_ref().and_then(|n| intake.definition.node(n)).map(|n| format!("{}@{}", n.kind(), n.type_version().unwrap_or(0.0))).unwrap_or_default();
                println!("F\t{name}\t{}\t{}\t{}\t{kind}\t{}", f.code, f.severity, f.node.clone().unwrap_or_default().replace('\n', " "), f.to_string().replace('\n', " "));
            }
            for r in required_credentials(&intake.definition, Catalog::embedded()) {
                println!("C\t{name}\t{}\t{}", r.node.replace('\n', " "), r.types.join(","));
            }
        }
    }
}
