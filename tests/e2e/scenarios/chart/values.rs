//! Each value set is rendered, and the real API server accepts each object in a dry run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::helm::{Document, apply, chart, documents, find, helm, kubectl, program, project, render, run};
use super::value_sets;
use crate::harness::stack::{Stack, say};

const NAMESPACE: &str = "weirkeeper-system";

/// Returns a CRD of somebody else's that accepts any spec.
fn foreign_crd(group: &str, kind: &str) -> Value {
    let plural = if kind.ends_with('y') { kind.to_lowercase() } else { format!("{}s", kind.to_lowercase()) };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": format!("{plural}.{group}") },
        "spec": { "group": group, "scope": "Namespaced", "names": { "kind": kind, "plural": plural }, "versions": [{ "name": "v1", "served": true,
            "storage": true, "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": { "type": "object",
            "x-kubernetes-preserve-unknown-fields": true } } } } }] },
    })
}

/// Installs the CRDs of the kinds that value sets may render, those of cert-manager as they are, and creates the namespaces that they name. That of the release warns of pods, and
/// refuses them, that do not fit the restricted Pod Security Standard.
pub fn prepare(stack: &Stack) {
    kubectl(stack, &["apply", "--server-side", "--filename", stack.cert_manager().1.to_str().expect("a path")]).text();
    for (group, kind) in [("monitoring.coreos.com", "ServiceMonitor"), ("monitoring.coreos.com", "PrometheusRule")] {
        apply(stack, "default", &["--server-side"], &foreign_crd(group, kind)).text();
    }
    kubectl(stack, &["apply", "--server-side", "--filename", project("crds").to_str().expect("a path")]).text();
    kubectl(stack, &["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).text();
    for namespace in [NAMESPACE, "team-a", "team-b"] {
        kubectl(stack, &["create", "namespace", namespace]).text();
    }
    let levels = ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
    kubectl(stack, &["label", "namespace", NAMESPACE, &levels[0], &levels[1]]).text();
}

#[test]
fn each_value_set_is_rendered_twice_alike_and_taken_by_the_api_server() {
    let stack = Stack::own(&["--without-n8n"]);
    prepare(&stack);
    let (mut failures, mut table, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (name, values) in value_sets::all() {
        let flags = ["--api-versions", "weirkeeper.dev/v1alpha1"];
        let text = render(&stack, "weirkeeper", NAMESPACE, &values, &flags);
        assert_eq!(text, render(&stack, "weirkeeper", NAMESPACE, &values, &flags), "{name}: two renderings differ");
        let objects = documents(&text);
        // An object that an earlier value set rendered with the same text was accepted or reported there. Most are CRDs, which cost the API
        // server much more than other objects.
        let new: Vec<&str> = objects.iter().map(|one| one.text.as_str()).filter(|text| !known.contains(*text)).collect();
        let mut accepted = objects.len() - new.len();
        if !new.is_empty() {
            let dry = ["apply", "--server-side", "--dry-run=server", "--force-conflicts", "--filename", "-"];
            let taken = run(program(&stack, "kubectl", &dry), &new.join("\n---\n"));
            accepted += taken.out.lines().filter(|line| line.ends_with("(server dry run)")).count();
            if !taken.ok || accepted != objects.len() || !taken.err.is_empty() {
                failures.push(format!("{name}: {accepted} of {} accepted: {}", objects.len(), taken.err));
            }
        }
        known.extend(new.into_iter().map(str::to_owned));
        table.push(format!("| {name} | {} | {accepted} accepted |", objects.len()));
    }
    say(&format!("| value set | objects | dry run |\n| --- | --- | --- |\n{}", table.join("\n")));
    assert!(table.len() >= 20 && failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_default_says_what_a_cluster_expects_of_a_controller() {
    let stack = Stack::shared();
    let objects = documents(&render(&stack, "weirkeeper", NAMESPACE, &json!({}), &[]));
    let spec = &find(&objects, "Deployment", "weirkeeper")["spec"];
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(spec["replicas"], 2);
    let budget = &find(&objects, "PodDisruptionBudget", "weirkeeper")["spec"];
    assert_eq!((&budget["minAvailable"], &budget["unhealthyPodEvictionPolicy"]), (&json!(1), &json!("AlwaysAllow")));
    for (field, wanted) in [
        (&pod["securityContext"]["runAsNonRoot"], json!(true)),
        (&pod["securityContext"]["seccompProfile"]["type"], json!("RuntimeDefault")),
        (&container["securityContext"]["readOnlyRootFilesystem"], json!(true)),
        (&container["securityContext"]["allowPrivilegeEscalation"], json!(false)),
        (&container["securityContext"]["capabilities"], json!({ "drop": ["ALL"] })),
        // 20 s for running reconciliations, after the pause before SIGTERM.
        (&pod["terminationGracePeriodSeconds"], json!(45)),
        (&container["lifecycle"]["preStop"]["sleep"]["seconds"], json!(5)),
    ] {
        assert_eq!(*field, wanted);
    }
    // Each CRD is that of this version, although it has passed through Helm's reader.
    for crd in std::fs::read_dir(project("crds"))
        .expect("crds")
        .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("a CRD"))
    {
        let crd: Value = serde_saphyr::from_str(&crd).expect("YAML");
        let rendered = find(&objects, crd["kind"].as_str().expect("a kind"), crd["metadata"]["name"].as_str().expect("a name"));
        assert_eq!(with_floats(&rendered["spec"]), with_floats(&crd["spec"]), "{}", crd["metadata"]["name"]);
    }
}

/// Returns a value in which 1 and 1.0 are the same, as they are in JSON.
fn with_floats(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), with_floats(field))).collect(),
        Value::Array(items) => items.iter().map(with_floats).collect(),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

#[test]
fn a_release_for_some_namespaces_has_no_rule_in_the_whole_cluster_but_for_these_and_its_own_configuration() {
    let stack = Stack::shared();
    let objects =
        documents(&render(&stack, "weirkeeper", NAMESPACE, &json!({ "scope": { "namespaces": ["team-b", "team-a"] } }), &["--no-hooks"]));
    let name = "weirkeeper-weirkeeper-system";
    for rule in find(&objects, "ClusterRole", name)["rules"].as_array().expect("rules") {
        let named = rule["resourceNames"].as_array().unwrap_or_else(|| panic!("a rule for the whole cluster: {rule}"));
        assert!(named.iter().all(|one| ["kube-system", "team-a", "team-b", name].contains(&one.as_str().expect("a name"))), "{rule}");
    }
    let bound: BTreeSet<_> = objects.iter().filter(|one| one.object["kind"] == "ClusterRoleBinding").map(Document::key).collect();
    assert_eq!(bound.len(), 1, "{bound:?}");
    let roles = objects.iter().filter(|one| one.object["kind"] == "Role" && one.object["metadata"]["name"] == name).map(|one| one.key().1);
    assert_eq!(roles.collect::<Vec<_>>(), ["team-a", "team-b"]);
}

#[test]
fn helm_finds_nothing_to_complain_about() {
    let stack = Stack::shared();
    for (name, values) in value_sets::all() {
        let linted = helm(&stack, &["lint", "--strict", &chart()], &values);
        assert!(linted.ok && linted.out.contains("0 chart(s) failed"), "{name}: {}{}", linted.out, linted.err);
    }
}

#[test]
#[ignore = "needs promtool; `make test` runs it where there is one"]
fn alerts_fire_when_they_should_and_not_before() {
    let missing = "promtool was not found: install Debian's package `prometheus`, or put promtool on the PATH";
    let tested = std::process::Command::new("promtool")
        .args(["test", "rules", "charts/weirkeeper/alerts.test.yaml"])
        .current_dir(project(""))
        .output()
        .expect(missing);
    assert!(tested.status.success(), "{}{}", String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
}

#[test]
fn every_flag_of_the_operator_can_be_set() {
    let stack = Stack::shared();
    let mut set = BTreeSet::new();
    for (_, values) in value_sets::all() {
        let objects = documents(&render(&stack, "weirkeeper", NAMESPACE, &values, &["--show-only", "templates/deployment.yaml"]));
        let deployment = objects.iter().find(|one| one.object["kind"] == "Deployment").expect("a Deployment");
        let container = &deployment.object["spec"]["template"]["spec"]["containers"][0];
        let args = container["args"].as_array().expect("args").iter().filter_map(Value::as_str);
        set.extend(args.filter_map(|arg| arg.split('=').next()).filter(|arg| arg.starts_with("--")).map(str::to_owned));
        // The binary takes all of them: it only looks for a cluster afterwards, and finds none.
        let args: Vec<_> = container["args"].as_array().expect("args").iter().filter_map(Value::as_str).collect();
        let tried =
            std::process::Command::new(env!("CARGO_BIN_EXE_weirkeeper")).args(&args).arg("--help").output().expect("the binary runs");
        assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    }
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_weirkeeper")).args(["operator", "--help"]).output().expect("the binary runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let flags = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
    let flags: BTreeSet<String> = help
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .chain(flags)
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-').to_owned())
        .filter(|flag| flag.len() > 3)
        .collect();
    // By their environment variables: the name of the pod, and its namespace. Several replicas without a lease would all write.
    let otherwise = ["--identity", "--lease-namespace", "--leader-elect", "--help", "--kubeconfig"];
    let missing: Vec<_> = flags.iter().filter(|flag| !set.contains(*flag) && !otherwise.contains(&flag.as_str())).collect();
    assert!(set.len() > 15 && missing.is_empty(), "no value sets {missing:?}");
    assert!(set.iter().all(|flag| flags.contains(flag)), "the operator has no {:?}", set.difference(&flags).collect::<Vec<_>>());
}
