use serde_json::Value;

use crate::Folder;

const FINE: &str = r#"{"nodes": [{"name": "A", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0], "webhookId": "w",
  "parameters": {"path": "a", "authentication": "basicAuth"}, "credentials": {"httpBasicAuth": {"name": "Shop"}}},
  {"name": "B", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0], "parameters": {}}],
 "connections": {"A": {"main": [[{"node": "B", "type": "main", "index": 0}]]}}}"#;
const BROKEN: &str = r#"{
  "nodes": [
    {"name": "A", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0], "webhookId": "w", "parameters": {"path": "a", "authentication": "basicAuth"}, "credentials": {"httpBasicAuth": {"name": "Shop"}}},
    {"name": "B", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0], "parameters": {}}],
  "connections": {
    "A": {"main": [[{"node": "a", "type": "main", "index": 0}, {"node": "B", "type": "main", "index": 0}]]}
  }
}
"#;
const DOUBTFUL: &str =
    r#"{"nodes": [{"name": "A", "type": "n8n-nodes-base.noOp", "typeVersion": 1, "position": [0, 0]}], "connections": {}}"#;

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

fn validate(folder: &Folder, arguments: &[&str]) -> (i32, Vec<Value>) {
    let (code, out, _) = folder.run(&[&["validate", "--output", "json"], arguments].concat(), "");
    (code, lines(&out))
}

/// Returns the finding with a code.
fn finding<'a>(line: &'a Value, code: &str) -> &'a Value {
    let all = line["findings"].as_array().expect("findings");
    all.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("no {code}: {line:#}"))
}

#[test]
fn the_exit_code_distinguishes_valid_invalid_and_unreadable_files() {
    let folder = Folder::new("codes", &[("fine.json", FINE), ("broken.json", BROKEN), ("doubtful.json", DOUBTFUL)]);
    std::fs::write(folder.path().join("binary.json"), [0xff, 0xfe, 0]).unwrap();
    for (arguments, code) in [
        (&["fine.json"][..], 0),
        (&["doubtful.json"], 0),
        (&["--strict", "doubtful.json"], 1),
        (&["fine.json", "broken.json"], 1),
        (&["broken.json", "missing.json"], 2),
        (&["binary.json"], 2),
    ] {
        assert_eq!(validate(&folder, arguments).0, code, "{arguments:?}");
    }
    assert_eq!(folder.run(&["validate"], "").0, 2, "a call without a file is a usage error");
}

#[test]
fn json_output_is_one_object_a_line_with_names_as_given() {
    let folder = Folder::new("json", &[("fine.json", FINE), ("d/broken.json", BROKEN)]);
    let (_, reported) = validate(&folder, &["./fine.json", "d/broken.json", "gone.json"]);
    let files: Vec<(&str, bool)> = reported.iter().map(|line| (line["file"].as_str().unwrap(), line["valid"].as_bool().unwrap())).collect();
    assert_eq!(files, [("./fine.json", true), ("d/broken.json", false), ("gone.json", false)]);
    assert_eq!(reported[0]["requiredCredentials"], serde_json::json!([{ "node": "A", "types": ["httpBasicAuth"] }]));
    let wrong = finding(&reported[1], "connection-target-unknown");
    for key in ["code", "severity", "node", "path", "message", "got", "want", "suggestion"] {
        assert!(wrong.as_object().unwrap().contains_key(key), "{key}");
    }
    assert_eq!((&wrong["line"], &wrong["suggestion"], &wrong["severity"]), (&6.into(), &"A".into(), &"error".into()), "{wrong}");
    assert_eq!(reported[2]["findings"][0]["code"], "file-unreadable");
}

#[test]
fn folders_are_searched_in_order_and_standard_input_is_read() {
    let files =
        [("b.json", FINE), ("a/z.json", BROKEN), ("a/notes.txt", "x"), (".hidden/x.json", BROKEN), ("values.yaml", "replicas: 2\n")];
    let folder = Folder::new("folders", &files);
    let (code, reported) = validate(&folder, &["."]);
    let names: Vec<&str> = reported.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!((code, names), (1, vec!["./a/z.json", "./b.json"]));
    let (code, out, _) = folder.run(&["validate", "--output", "json", "-"], BROKEN);
    assert_eq!((code, &lines(&out)[0]["file"]), (1, &"-".into()));
}

#[test]
fn human_output_shows_the_line_with_a_marker_and_colour_only_when_asked() {
    let folder = Folder::new("human", &[("broken.json", BROKEN)]);
    let (_, out, _) = folder.run(&["validate", "broken.json"], "");
    assert!(out.contains("error[connection-target-unknown]") && out.contains("--> broken.json:6:"), "{out}");
    assert!(out.contains(r#"6 |     "A": {"main": [[{"node": "a""#), "{out}");
    let marker = out.lines().find(|line| line.contains("^^^")).unwrap();
    let shown = out.lines().find(|line| line.starts_with("6 |")).unwrap();
    let at = marker.find('^').unwrap();
    assert_eq!(&shown[at..=marker.rfind('^').unwrap()], r#""node": "a""#, "{out}");
    assert!(out.contains(r#"did you mean "A"?"#) && out.ends_with("1 workflow in 1 file: 1 error, 0 warnings\n"), "{out}");
    assert!(!out.contains('\u{1b}'));
    assert!(folder.run(&["validate", "--color", "always", "broken.json"], "").1.contains('\u{1b}'));
}

#[test]
fn sarif_output_names_rules_and_regions() {
    let folder = Folder::new("sarif", &[("a b.json", BROKEN)]);
    let (code, out, _) = folder.run(&["validate", "--output", "sarif", "a b.json", "gone.json"], "");
    let log: Value = serde_json::from_str(&out).unwrap();
    let run = &log["runs"][0];
    assert_eq!((code, &log["version"], &run["invocations"][0]["executionSuccessful"]), (2, &"2.1.0".into(), &false.into()));
    assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()) && result["message"]["text"].is_string());
        assert!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].is_string());
    }
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!((&place["artifactLocation"]["uri"], &place["region"]["startLine"]), (&"a%20b.json".into(), &6.into()));
}

#[test]
fn sarif_rules_carry_help_and_levels_and_findings_keep_their_fingerprint_when_lines_move() {
    let run = |name: &str, text: &str| {
        let (_, out, _) = Folder::new(name, &[("a.json", text)]).run(&["validate", "--output", "sarif", "a.json"], "");
        serde_json::from_str::<Value>(&out).unwrap()["runs"][0].clone()
    };
    let log = run("sarif-rules", BROKEN);
    let rules = log["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), weirkeeper::document::finding::Code::ALL.len());
    for rule in rules {
        let id = rule["id"].as_str().unwrap();
        assert!(rule["helpUri"].as_str().unwrap().ends_with(&format!("docs/findings.md#{id}")), "{rule}");
        assert!(rule["help"]["text"].as_str().unwrap().contains("Fix: ") && rule["help"]["markdown"].is_string(), "{rule}");
        assert!(["error", "warning", "note"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()), "{rule}");
    }
    let level = |code: &str| rules.iter().find(|rule| rule["id"] == code).unwrap()["defaultConfiguration"]["level"].clone();
    assert_eq!([level("script-syntax"), level("webhook-open"), level("errors-unhandled")], ["error", "warning", "note"]);
    let fingerprints = |log: &Value| -> Vec<String> {
        let results = log["results"].as_array().unwrap().iter();
        results.map(|one| one["partialFingerprints"]["weirkeeper/v1"].as_str().unwrap().to_owned()).collect()
    };
    let own = fingerprints(&log);
    assert!(!own.is_empty() && own.iter().collect::<std::collections::BTreeSet<_>>().len() == own.len(), "{own:?}");
    assert_eq!(fingerprints(&run("sarif-moved", &BROKEN.replacen('{', "{\n\n\n", 1))), own);
}

#[test]
fn for_another_n8n_version_node_type_errors_are_warnings() {
    let odd = FINE.replace("n8n-nodes-base.set", "n8n-nodes-base.sett");
    let folder = Folder::new("version", &[("odd.json", &odd), ("broken.json", BROKEN)]);
    assert_eq!(validate(&folder, &["odd.json"]).0, 1);
    assert_eq!(validate(&folder, &["--n8n-version", "2.39.10", "odd.json"]).0, 1);
    let (code, reported) = validate(&folder, &["--n8n-version", "2.40.0", "odd.json"]);
    assert_eq!((code, &finding(&reported[0], "node-type-unknown")["severity"]), (0, &serde_json::json!("warning")));
    let (code, _, aside) = folder.run(&["validate", "--n8n-version", "2.40.0", "broken.json"], "");
    assert_eq!(code, 1, "findings from the document alone stay errors");
    assert!(aside.contains("that of n8n 2.39.10, not 2.40.0"), "{aside}");
}

const SECRET: &str = r#"{"auths":{"registry.example":{"auth":"what nobody may read"}}}"#;

#[test]
fn nothing_of_the_targets_of_links_in_a_folder_is_shown() {
    let outside = Folder::new(
        "links-outside",
        &[("secret.json", SECRET), ("deep/flow.json", BROKEN), ("words.yaml", "password: what nobody may read\n")],
    );
    let folder = Folder::new("links", &[("fine.json", FINE), ("inside.json", FINE)]);
    let link = |from: &std::path::Path, to: &str| std::os::unix::fs::symlink(from, folder.path().join(to)).unwrap();
    link(&outside.path().join("secret.json"), "a.json");
    link(&outside.path().join("words.yaml"), "b.yaml");
    link(&outside.path().join("deep"), "c");
    link(std::path::Path::new("inside.json"), "d.json");
    for output in ["human", "concise", "json", "github", "sarif"] {
        let (code, out, message) = folder.run(&["validate", "--output", output, "."], "");
        assert_eq!(code, 0, "{output}: {out}{message}");
        assert!(!out.contains("what nobody may read") && !out.contains("registry.example"), "{output}: {out}");
        assert!(message.contains("symbolic links") && message.contains("./a.json, ./b.yaml, ./c, ./d.json"), "{message}");
    }
    // A file that is named is read; but no lines are shown of a file that is not a workflow.
    for name in ["a.json", "b.yaml"] {
        let (code, out, _) = folder.run(&["validate", name], "");
        assert!(code != 0 && !out.contains("nobody"), "{name}: {out}");
    }
    let (_, out, _) = folder.run(&["validate", "c/flow.json"], "");
    assert!(out.contains("| ") && out.contains("connection-target-unknown"), "{out}");
}

#[test]
fn a_configuration_file_that_is_a_link_is_not_followed() {
    let outside = Folder::new("config-outside", &[("secret.yaml", "ignroe: [what-nobody-may-read]\n")]);
    let folder = Folder::new("config-link", &[("fine.json", FINE)]);
    std::os::unix::fs::symlink(outside.path().join("secret.yaml"), folder.path().join(".weirkeeper.yaml")).unwrap();
    let (code, out, message) = folder.run(&["validate", "."], "");
    assert!(code != 0 && message.contains("symbolic link") && !message.contains("ignroe"), "{out}{message}");
    assert_eq!(folder.run(&["validate", "--no-config", "."], "").0, 0);
}

#[test]
fn a_pipe_in_a_folder_does_not_block() {
    let folder = Folder::new("pipe", &[("fine.json", FINE)]);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("a.json")).arg(folder.path().join(".weirkeeper.yaml")).status();
    assert!(made.unwrap().success());
    let (code, _, message) = folder.run(&["validate", "--no-config", "."], "");
    assert!(code == 0 && message.contains("special files") && message.contains("./a.json"), "{message}");
    let (code, _, message) = folder.run(&["validate", "fine.json"], "");
    assert!(code != 0 && message.contains("not a regular file"), "{message}");
}

#[test]
fn no_text_of_a_file_controls_the_terminal() {
    let broken = FINE.replace(r#""name": "B""#, r#""name": "B\u001b[2K\u202e\u200b\nfine.json: fine""#);
    let folder = Folder::new("steers", &[("broken.json", &broken)]);
    for output in ["human", "concise", "github"] {
        let (code, out, message) = folder.run(&["validate", "--output", output, "--color", "never", "."], "");
        assert!(code == 1 && out.contains("fine.json"), "{output}: {out}{message}");
        assert!(!out.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{output}: {out:?}");
        assert!(!out.lines().any(|line| line.starts_with("fine.json")), "{output}: {out}");
    }
}

#[test]
fn an_unreachable_webhook_path_has_a_finding() {
    for path in ["a/../b", "./a", "a//b", r"a\tb", r"a\u0000"] {
        let folder = Folder::new("odd-path", &[("odd.json", &FINE.replace(r#""path": "a""#, &format!(r#""path": "{path}""#)))]);
        let (_, reported) = validate(&folder, &["odd.json"]);
        assert_eq!(finding(&reported[0], "webhook-path-invalid")["node"], "A", "{path}");
    }
}

#[test]
fn a_probe_header_that_controls_proxies_has_a_finding() {
    for header in ["X-Original-URL", "X-Rewrite-URL", "Forwarded"] {
        let workflow = serde_json::json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "a" },
            "spec": { "instanceRef": { "name": "main" }, "definition": serde_json::from_str::<Value>(FINE).unwrap(),
                "healthCheck": { "probes": [{ "node": "A", "headers": [{ "name": header, "value": "/elsewhere" }] }] } } });
        let folder = Folder::new("steering-header", &[("workflow.json", &workflow.to_string())]);
        let (code, out, _) = folder.run(&["validate", "workflow.json"], "");
        assert!(code == 1 && out.contains("probes may not set a header"), "{header}: {out}");
    }
}
