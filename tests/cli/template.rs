//! `weirkeeper template`.

use serde_json::{Value, json};

use crate::Folder;

fn template(text: &str) -> String {
    json!({"apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "hello"}, "spec": {
        "title": "Hello", "category": "Notification", "description": "Says hello.",
        "inputs": [
            {"name": "who", "description": "Whom to greet.", "required": true},
            {"name": "times", "type": "Number", "description": "How often.", "default": 2},
            {"name": "to", "type": "List", "items": "Email", "description": "Recipients.", "default": ["ann@example.org"]}],
        "credentials": [{"type": "smtp"}], "examples": [{"inputs": {"who": "Ann"}}],
        "compact": {"compact": 1, "name": "Hello", "nodes": [
            {"id": "start", "use": "scheduleTrigger", "as": "Daily", "set": {"rule": {"interval": [{"field": "days", "daysInterval": "?times"}]}}},
            {"id": "mail", "use": "emailSend.send", "as": "Mail", "retry": {"tries": 3},
                "set": {"fromEmail": "a@example.org", "toEmail": "{{?to}}", "subject": text, "emailFormat": "text", "text": "x"}}],
            "edges": ["start>mail"]}}})
    .to_string()
}

#[test]
fn the_list_and_the_description_name_what_there_is() {
    let folder = Folder::new("template-list", &[("empty", "")]);
    let (code, table, stderr) = folder.run(&["template", "list"], "");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(table.starts_with("NAME") && table.lines().count() > 10, "{table}");
    let (_, found, _) = folder.run(&["template", "list", "health", "slack", "--output", "json"], "");
    let found: Value = serde_json::from_str(&found).unwrap();
    assert!(found.as_array().unwrap().iter().any(|one| one["name"] == "http-health-check" && one["inputs"].is_array()), "{found}");
    let (code, text, _) = folder.run(&["template", "show", "http-health-check"], "");
    assert_eq!(code, 0);
    for part in
        ["credential   slackApi", "addresses: List of Url, required", "schedule: Cron, default */5 * * * *", "--set channel='#operations'"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let (_, json, _) = folder.run(&["template", "show", "http-health-check", "--output", "json"], "");
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["kind"], "WorkflowTemplate");
    let (code, _, stderr) = folder.run(&["template", "show", "http-health-chek"], "");
    assert_eq!(code, 2);
    assert!(stderr.contains("did you mean http-health-check?"), "{stderr}");
}

#[test]
fn a_template_is_rendered_with_the_values_of_the_command_line_and_of_a_file() {
    let folder = Folder::new("template-render", &[("hello.yaml", &template("Hello {{?who}}")), ("values.yaml", "who: Bob\ntimes: 3\n")]);
    let arguments = ["template", "render", "hello.yaml", "--inputs", "values.yaml", "--set", "to=a@example.org, b@example.org"];
    let (code, out, stderr) = folder.run(&arguments, "");
    assert_eq!(code, 0, "{stderr}");
    let workflow: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(workflow["nodes"][0]["parameters"]["rule"]["interval"][0]["daysInterval"], 3);
    let mail = &workflow["nodes"][1];
    assert_eq!(
        (&mail["parameters"]["subject"], &mail["parameters"]["toEmail"]),
        (&json!("Hello Bob"), &json!("a@example.org, b@example.org"))
    );
    assert_eq!(mail["credentials"], json!({"smtp": {"name": "smtp"}}));

    let (code, out, stderr) = folder.run(&["template", "render", "hello.yaml", "--set", "times=often", "--set", "hwo=x"], "");
    assert_eq!((code, out.as_str()), (1, ""));
    for part in ["template-input-unknown", "did you mean \"who\"?", "template-input-missing", "inputs.times", "want a number"] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    assert_eq!(folder.run(&["template", "render", "missing.yaml"], "").0, 2);
    assert_eq!(folder.run(&["template", "render", "values.yaml"], "").0, 2);
    assert_eq!(folder.run(&["template", "render", "hello.yaml", "--example", "--manifest", "--name", "No Name"], "").0, 2);
}

#[test]
fn a_manifest_maps_the_credentials_and_passes_the_validation() {
    let folder = Folder::new("template-manifest", &[("hello.yaml", &template("Hello {{?who}}"))]);
    let (code, out, stderr) =
        folder.run(&["template", "render", "hello.yaml", "--example", "--manifest", "--name", "greeting", "--instance", "main"], "");
    assert_eq!(code, 0, "{stderr}");
    let manifest: Value = serde_saphyr::from_str(&out).unwrap();
    assert_eq!((&manifest["metadata"]["name"], &manifest["spec"]["instanceRef"]["name"]), (&json!("greeting"), &json!("main")));
    assert_eq!(manifest["spec"]["credentials"], json!([{"name": "smtp", "existing": {"name": "smtp"}}]));
    assert!(
        manifest["spec"]["definition"]["nodes"].as_array().unwrap().iter().all(|node| node.get("id").is_none()),
        "each Workflow gets ids of its own"
    );
    let (code, out, stderr) = folder.run(&["validate", "-"], &out);
    assert_eq!(code, 0, "{out}{stderr}");
}

#[test]
fn validation_names_the_place_in_the_template() {
    let folder =
        Folder::new("template-validate", &[("sound.yaml", &template("Hello {{?who}}")), ("broken.yaml", &template("Hello {{?woh}}"))]);
    let (code, _, stderr) = folder.run(&["template", "validate", "sound.yaml"], "");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("1 template validated"), "{stderr}");
    let (code, _, stderr) = folder.run(&["template", "validate", "sound.yaml", "broken.yaml"], "");
    assert_eq!(code, 1);
    assert!(
        stderr.contains("broken.yaml: hello: error: template-placeholder: compact.nodes[1].set.subject")
            && stderr.contains("did you mean \"who\"?"),
        "{stderr}"
    );
    assert_eq!(folder.run(&["template", "validate", "missing.yaml"], "").0, 2);
}

#[test]
fn the_templates_of_the_folder_are_valid_by_the_command_too() {
    let folder = Folder::new("template-folder", &[("empty", "")]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let (code, _, stderr) = folder.run(&["template", "validate", path], "");
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn workflows_of_a_set_are_rendered_from_its_templates_and_from_those_that_ship() {
    let workflow = |reference: Value| {
        json!({"apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"},
            "spec": {"instanceRef": {"name": "main"}, "templateRef": reference,
                "credentials": [{"name": "smtp", "existing": {"name": "Mail"}}]}})
        .to_string()
    };
    let own = |inputs: Value| workflow(json!({"name": "hello", "inputs": inputs}));
    let files = [
        ("template.yaml", template("Hello {{?who}}")),
        ("sound.yaml", own(json!({"who": "Ann"}))),
        ("inputs.yaml", own(json!({"whom": "Ann", "times": "two"}))),
        ("found.yaml", own(json!({"who": "Ann", "to": ["nobody"]}))),
        ("missing.yaml", workflow(json!({"name": "helo"}))),
        ("ships.yaml", workflow(json!({"kind": "BuiltinTemplate", "name": "status-endpoint", "inputs": {"path": "a b"}}))),
        ("unknown.yaml", workflow(json!({"kind": "BuiltinTemplate", "name": "status-endpont"}))),
        ("both.yaml", workflow(json!({"kind": "BuiltinTemplate", "name": "status-endpoint", "namespace": "a"}))),
    ];
    let folder = Folder::new("template-set", &files.each_ref().map(|(name, text)| (*name, text.as_str())));
    let run = |file: &str| folder.run(&["validate", "template.yaml", file], "");
    let (code, out, stderr) = run("sound.yaml");
    assert_eq!(code, 0, "{out}{stderr}");
    for (file, code, parts) in [
        (
            "inputs.yaml",
            1,
            &["template-input-unknown", "did you mean \"who\"?", "template-input-missing", "spec.templateRef.inputs.times"][..],
        ),
        ("found.yaml", 1, &["template-input-invalid", "entry 1"]),
        ("missing.yaml", 0, &["definition-not-found", "did you mean \"hello\"?"]),
        ("ships.yaml", 1, &["template-input-invalid", "spec.templateRef.inputs.path"]),
        ("unknown.yaml", 1, &["definition-not-found", "did you mean \"status-endpoint\"?"]),
        ("both.yaml", 1, &["a BuiltinTemplate has no namespace"]),
    ] {
        let (exit, out, stderr) = run(file);
        let all = format!("{out}{stderr}");
        assert_eq!(exit, code, "{file}: {all}");
        assert!(parts.iter().all(|part| all.contains(part)), "{file}: {all}");
    }
}

#[test]
fn a_manifest_by_reference_names_the_template_and_its_inputs() {
    let folder = Folder::new("template-reference", &[("empty", "")]);
    let arguments = ["template", "render", "status-endpoint", "--set", "path=mine", "--manifest", "--by-reference", "--name", "mine"];
    let (code, out, stderr) = folder.run(&arguments, "");
    assert_eq!(code, 0, "{stderr}");
    let manifest: Value = serde_saphyr::from_str(&out).unwrap();
    let reference = json!({"kind": "BuiltinTemplate", "name": "status-endpoint", "inputs": {"path": "mine"}});
    assert_eq!((&manifest["spec"]["templateRef"], &manifest["spec"]["definition"]), (&reference, &Value::Null));
    assert_eq!(folder.run(&["validate", "-"], &out).0, 0);
}
