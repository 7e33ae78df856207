//! Definitions with expressions of n8n in somebody's own chart, as charts/weirkeeper/README.md advises.

use std::process::Command;

use serde_json::json;

use super::helm::{program, project, run};
use crate::harness::n8n::answering;
use crate::harness::stack::{Stack, rand};

#[test]
fn expressions_survive_a_chart_that_reads_files_and_not_one_that_evaluates_them() {
    let stack = Stack::shared();
    let chart = stack.dir.join(format!("own-chart-{:x}", rand()));
    std::fs::create_dir_all(chart.join("templates")).expect("a folder");
    let mut definition = answering("orders", "={{ $json.query.version }}");
    definition["nodes"][0]["parameters"]["responseMode"] = json!("lastNode");
    let workflow = |template: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: orders }}\ndata:\n  orders.json: {{{{ {template} | quote }}}}\n---\n\
             apiVersion: weirkeeper.dev/v1alpha1\nkind: Workflow\nmetadata: {{ name: orders }}\nspec:\n  instanceRef: {{ name: main }}\n  \
             definitionFrom: {{ configMapKeyRef: {{ name: orders, key: orders.json }} }}\n"
        )
    };
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: own\nversion: 0.0.1\n").expect("a file");
    std::fs::write(chart.join("orders.json"), definition.to_string()).expect("a file");
    let rendered = |template: &str| {
        std::fs::write(chart.join("templates/orders.yaml"), workflow(template)).expect("a file");
        run(program(&stack, "helm", &["template", "own", chart.to_str().expect("a path")]), "")
    };

    let evaluated = rendered("tpl (.Files.Get \"orders.json\") .");
    assert!(!evaluated.ok && evaluated.err.contains("error"), "{evaluated:?}");
    let text = rendered(".Files.Get \"orders.json\"").text();
    assert!(text.contains("={{ $json.query.version }}"), "{text}");
    let file = chart.join("rendered.yaml");
    std::fs::write(&file, text).expect("a file");
    let validated = Command::new(env!("CARGO_BIN_EXE_weirkeeper")).arg("validate").arg(&file).output().expect("the binary runs");
    let said = [validated.stdout, validated.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(validated.status.success() && said.contains("1 workflow in 1 file: 0 errors"), "{said}");
    std::fs::remove_dir_all(chart).expect("the folder is there");

    // The example does it for every file of a folder.
    let example = project("examples/helm").display().to_string();
    let text = run(program(&stack, "helm", &["template", "example", &example]), "").text();
    let mut validate = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    validate.args(["validate", "-"]);
    let validated = run(validate, &text);
    assert!(validated.ok && text.contains("=Hello {{ $json.query.name") && validated.out.contains(": 0 errors"), "{validated:?}\n{text}");
}
