//! Selection of findings by the command line, a configuration file and an annotation.

use serde_json::Value;

use crate::Folder;

/// A webhook without authentication and webhookId, and a request without a timeout: two warnings and one info.
const OPEN: &str = r#"{"nodes": [
  {"name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0], "parameters": {"path": "a"}},
  {"name": "Ask", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200, 0], "onError": "continueRegularOutput",
   "parameters": {"url": "https://a.example"}}],
 "connections": {"Hook": {"main": [[{"node": "Ask", "type": "main", "index": 0}]]}}}"#;
const ALL: [&str; 3] = ["http-without-timeout info", "webhook-id-missing warning", "webhook-open warning"];

fn run(folder: &Folder, arguments: &[&str]) -> (i32, Vec<String>, String) {
    let (code, out, aside) = folder.run(&[&["validate", "--output", "json"], arguments].concat(), "");
    let mut reported: Vec<String> = Vec::new();
    for line in out.lines() {
        let line: Value = serde_json::from_str(line).expect("one JSON object a line");
        let word = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
        reported.extend(line["findings"].as_array().unwrap().iter().map(|one| format!("{} {}", word(one, "code"), word(one, "severity"))));
    }
    reported.sort();
    (code, reported, aside)
}

fn reported(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    run(folder, arguments).1
}

#[test]
fn the_command_line_selects_and_ignores_and_refuses_codes_that_do_not_exist() {
    let folder = Folder::new("select", &[("a.json", OPEN), ("empty.json", "[]")]);
    assert_eq!(reported(&folder, &["a.json"]), ALL);
    assert_eq!(reported(&folder, &["--select", "webhook-open", "a.json"]), ALL[2..]);
    assert_eq!(reported(&folder, &["--ignore", "webhook-*,http-*", "a.json"]), [""; 0]);
    assert_eq!(reported(&folder, &["--ignore", "webhook-*", "--select", "all,webhook-id-missing", "a.json"]), ALL[..2]);
    assert_eq!(reported(&folder, &["--ignore", "all", "empty.json"]), ["document-empty error"], "a file that was not checked never passes");
    let (code, _, aside) = run(&folder, &["--ignore", "webhok-open", "a.json"]);
    assert!(code == 2 && aside.contains(r#"did you mean "webhook-open"?"#), "{aside}");
    let (code, _, aside) = run(&folder, &["--ignore", "document-empty", "a.json"]);
    assert!(code == 2 && aside.contains("document-empty cannot be switched off"), "{aside}");
}

#[test]
fn infos_pass_and_warnings_fail_only_a_strict_run() {
    let folder = Folder::new("strict", &[("a.json", OPEN)]);
    for (arguments, code) in [(&["a.json"][..], 0), (&["--strict", "a.json"], 1), (&["--strict", "--ignore", "webhook-*", "a.json"], 0)] {
        assert_eq!(run(&folder, arguments).0, code, "{arguments:?}");
    }
}

#[test]
fn the_nearest_configuration_file_within_the_repository_applies() {
    let repository = "ignore: [webhook-open]\n";
    let team = "levels:\n  http-without-timeout: error\npaths:\n  old/*.json:\n    ignore: [all]\n";
    let files = [
        (".weirkeeper.yaml", "ignore: [all]\n"),
        ("repo/.git/HEAD", "ref\n"),
        ("repo/none/a.json", OPEN),
        ("repo/flows/.weirkeeper.yaml", repository),
        ("repo/flows/x/y/a.json", OPEN),
        ("repo/flows/team/.weirkeeper.yaml", team),
        ("repo/flows/team/a.json", OPEN),
        ("repo/flows/team/old/a.json", OPEN),
        ("other.yaml", "select: [webhook-id-missing]\n"),
    ];
    let folder = Folder::new("config", &files);
    assert_eq!(reported(&folder, &["repo/none/a.json"]), ALL, "a file outside of the repository is not its configuration");
    assert_eq!(reported(&folder, &["repo/flows/x/y/a.json"]), ALL[..2]);
    let (code, found, _) = run(&folder, &["repo/flows/team/a.json"]);
    assert_eq!((code, found), (1, vec!["http-without-timeout error".to_owned(), ALL[1].to_owned(), ALL[2].to_owned()]));
    assert_eq!(reported(&folder, &["repo/flows/team/old/a.json"]), [""; 0]);
    assert_eq!(
        reported(&folder, &["--select", "webhook-open", "repo/flows/team/old/a.json"]),
        ALL[2..],
        "the command line takes precedence"
    );
    assert_eq!(reported(&folder, &["--no-config", "repo/flows/team/old/a.json"]), ALL);
    assert_eq!(reported(&folder, &["--config", "other.yaml", "repo/flows/team/a.json"]), ALL[1..2]);
    let (code, _, aside) = run(&Folder::new("broken-config", &[(".weirkeeper.yaml", "ignored: []\n"), ("a.json", OPEN)]), &["a.json"]);
    assert!(code == 2 && aside.contains(".weirkeeper.yaml") && aside.contains("ignored"), "{aside}");
}

#[test]
fn another_n8n_version_in_the_configuration_makes_node_type_errors_warnings() {
    let odd = OPEN.replace("n8n-nodes-base.httpRequest", "n8n-nodes-base.httpRequestt");
    let files = [("a.json", odd.as_str()), ("new/.weirkeeper.yaml", "n8nVersion: 2.40.0\n"), ("new/a.json", odd.as_str())];
    let folder = Folder::new("config-version", &files);
    let (code, found, aside) = run(&folder, &["a.json", "new/a.json"]);
    assert_eq!(code, 1);
    let types: Vec<&String> = found.iter().filter(|one| one.starts_with("node-type")).collect();
    assert_eq!(types, ["node-type-unknown error", "node-type-unknown warning"]);
    assert!(aside.contains("not 2.40.0"), "{aside}");
}

#[test]
fn an_annotation_silences_warnings_but_no_error() {
    let manifest = |note: &str, kind: &str| {
        format!(
            "apiVersion: weirkeeper.dev/v1alpha1\nkind: Workflow\nmetadata:\n  name: a\n  annotations:\n    {note}\nspec:\n  instanceRef: {{name: main}}\n  definition: {}\n",
            OPEN.replace("httpRequest", kind).replace('\n', " ")
        )
    };
    let silent = "weirkeeper.dev/ignore-findings: webhook-*, node-type-unknown";
    let files = [
        ("a.yaml", manifest(silent, "httpRequest")),
        ("wrong.yaml", manifest(silent, "httpRequestt")),
        ("slip.yaml", manifest("weirkeeper.dev/ignore-findings: webhok-open", "httpRequest")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let folder = Folder::new("annotation", &files);
    assert_eq!(reported(&folder, &["a.yaml"]), ALL[..1]);
    assert_eq!(reported(&folder, &["--select", "webhook-open", "a.yaml"]), ALL[2..], "the command line takes precedence");
    let (code, found, _) = run(&folder, &["wrong.yaml"]);
    assert!(code == 1 && found.contains(&"node-type-unknown error".to_owned()), "{found:?}");
    let (_, out, _) = folder.run(&["validate", "slip.yaml"], "");
    assert!(out.contains("warning[manifest-invalid]") && out.contains(r#"did you mean "webhook-open"?"#), "{out}");
}

#[test]
fn nothing_to_validate_is_reported_and_fails_a_strict_run() {
    let folder = Folder::new("nothing", &[("empty/notes.txt", "x"), ("values/values.yaml", "replicas: 2\n")]);
    for (path, why) in [("empty", "no *.json"), ("values", "no n8n workflow")] {
        let (code, out, aside) = folder.run(&["validate", path], "");
        assert!(code == 0 && aside.contains("there is nothing to validate in") && aside.contains(why), "{out}{aside}");
        assert_eq!(folder.run(&["validate", "--strict", path], "").0, 1, "{path}");
    }
}

#[test]
fn people_see_the_worst_first_and_repeats_folded() {
    let many: Vec<(String, &str)> = (0..8).map(|at| (format!("{at}.json"), OPEN)).collect();
    let lonely = r#"{"nodes": [{"name": "T", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 0],
      "parameters": {"rule": {"interval": [{"field": "hours"}]}}},
      {"name": "X", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0], "parameters": {"assignments": "={{ $('Gone').item }}"}}],
      "connections": {"T": {"main": [[{"node": "X", "type": "main", "index": 0}]]}}}"#;
    let mut files: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    files.push(("z.json", lonely));
    let folder = Folder::new("order", &files);
    let (_, out, _) = folder.run(&["validate", "."], "");
    let heads: Vec<&str> = out.lines().filter(|line| line.contains("]: ")).collect();
    let codes: Vec<&str> = heads.iter().map(|head| head.split(']').next().unwrap()).collect();
    assert_eq!(
        codes,
        ["error[expression-node-unknown", "warning[webhook-open", "warning[webhook-id-missing", "info[http-without-timeout"],
        "{out}"
    );
    assert!(out.contains(r#"  = also: ./1.json:2:"#) && out.contains("  = also: 3 more; --output concise lists all"), "{out}");
    assert!(out.ends_with("9 workflows in 9 files: 1 error, 16 warnings, 8 for information\n"), "{out}");
    let (_, out, _) = folder.run(&["validate", "--ignore", "webhook-*", "0.json"], "");
    assert!(out.ends_with("1 workflow in 1 file: 0 errors, 0 warnings, 1 for information (2 not selected)\n"), "{out}");
}

#[test]
fn concise_output_is_a_line_a_finding_in_the_order_of_the_file() {
    let folder = Folder::new("concise", &[("a.json", OPEN)]);
    let (_, out, _) = folder.run(&["validate", "--output", "concise", "a.json"], "");
    let starts: Vec<&str> = out.lines().map(|line| line.split(']').next().unwrap()).collect();
    assert_eq!(starts.len(), 3, "{out}");
    assert!(starts.iter().all(|line| line.starts_with("a.json:")) && out.contains("warning[webhook-open] node \"Hook\": "), "{out}");
}

#[test]
fn github_output_is_escaped_workflow_commands_with_the_worst_first() {
    let named = OPEN.replace("\"Ask\"", "\"100% a, b: c\"").replace("https://a.example", "={{ $json. }}");
    let folder = Folder::new("github", &[("flows/a,b.json", &named)]);
    let (code, out, _) = folder.run(&["validate", "--output", "github", "flows"], "");
    let kinds: Vec<&str> = out.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!((code, kinds), (1, vec!["::error", "::warning", "::warning", "::notice"]), "{out}");
    let first = out.lines().next().unwrap();
    assert!(first.starts_with("::error file=flows/a%2Cb.json,line=4,endLine=4,col="), "{first}");
    assert!(first.contains(",title=weirkeeper expression-syntax::node \"100%25 a, b: c\": "), "{first}");
}

#[test]
fn a_finding_is_explained_with_an_example_and_a_fix() {
    let folder = Folder::new("explain", &[]);
    std::fs::create_dir_all(folder.path()).unwrap();
    let (code, out, _) = folder.run(&["validate", "--explain", "webhook-open"], "");
    assert!(code == 0 && out.starts_with("webhook-open\n\n**Warning.**") && out.contains("Fix: "), "{out}");
    let (code, _, aside) = folder.run(&["validate", "--explain", "webhok-open"], "");
    assert!(code == 2 && aside.contains(r#"did you mean "webhook-open"?"#), "{aside}");
}

#[test]
fn the_hook_for_pre_commit_runs_the_command_on_what_it_reads() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml");
    let hooks: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let hook = &hooks[0];
    assert_eq!((&hook["id"], &hook["language"]), (&"weirkeeper-validate".into(), &"rust".into()));
    let entry: Vec<&str> = hook["entry"].as_str().unwrap().split(' ').collect();
    assert_eq!(entry[0], env!("CARGO_PKG_NAME"), "the binary that cargo installs");
    let folder = Folder::new("hook", &[("workflows/a.json", OPEN)]);
    assert_eq!(folder.run(&[&entry[1..], &["workflows/a.json"]].concat(), "").0, 0);
    let files = fancy_regex::Regex::new(hook["files"].as_str().unwrap()).unwrap();
    for (path, taken) in [("workflows/a.json", true), ("team/n8n/b.yaml", true), ("package.json", false), ("workflows/readme.md", false)] {
        assert_eq!(files.is_match(path).unwrap(), taken, "{path}");
    }
}
