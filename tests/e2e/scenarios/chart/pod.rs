//! In place of a kubelet: starts the process that a pod describes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::helm::{get, kubectl, program};
use crate::harness::kubectl::Output;
use crate::harness::stack::{Stack, rand};
use crate::harness::world::PATIENCE;

/// Returns the command of a container of a pod: its program by its image, its arguments with the paths of its mounted volumes, its environment
/// and nothing else, and a kubeconfig with a new token of its service account.
pub fn command(stack: &Stack, namespace: &str, pod: &str, spec: &Value, container: &Value) -> Command {
    let home = stack.dir.join("pods").join(format!("{pod}-{:x}", rand()));
    std::fs::create_dir_all(&home).expect("a folder");
    let image = container["image"].as_str().expect("an image");
    assert!(container["command"].is_null(), "the image has no shell");
    let program = if image.contains("/kubectl:") { stack.kubectl() } else { PathBuf::from(env!("CARGO_BIN_EXE_weirkeeper")) };
    let mounts = mounts(stack, namespace, spec, container, &home);
    let mut command = Command::new(program);
    for argument in container["args"].as_array().into_iter().flatten().map(|one| one.as_str().expect("text")) {
        let argument = argument.replace("=0.0.0.0:", "=127.0.0.1:");
        let mounted = mounts.iter().find(|(path, _)| argument.contains(&format!("={path}/")));
        let argument = mounted.map_or(argument.clone(), |(path, folder)| argument.replace(path.as_str(), &folder.display().to_string()));
        command.arg(argument);
    }
    command.env_clear().env("PATH", "/usr/bin:/bin").env("NO_PROXY", "127.0.0.1").env("HOME", &home).env("KUBERC", "off");
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().expect("a name");
        let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.name") => pod.to_owned(),
            Some("metadata.namespace") => namespace.to_owned(),
            Some(other) => panic!("{name}: {other} is not known here"),
            None => variable["value"].as_str().unwrap_or_else(|| panic!("{name} has no value")).to_owned(),
        };
        command.env(name, value);
    }
    assert_eq!(spec["automountServiceAccountToken"], true, "the pod has a token");
    let kubeconfig = home.join("kubeconfig");
    let account = spec["serviceAccountName"].as_str().expect("a service account");
    std::fs::write(&kubeconfig, identity(stack, namespace, account)).expect("a kubeconfig");
    command.env("KUBECONFIG", kubeconfig);
    command
}

/// Returns a kubeconfig with a new token of a service account.
pub fn identity(stack: &Stack, namespace: &str, account: &str) -> String {
    let token = kubectl(stack, &["create", "token", account, "--namespace", namespace, "--duration=1h"]).text();
    let mut kubeconfig = serde_json::to_value(Kubeconfig::read_from(stack.kubeconfig("admin")).expect("a kubeconfig")).expect("JSON");
    kubeconfig["users"][0]["user"] = json!({ "token": token.trim() });
    kubeconfig.to_string()
}

/// Writes the volumes of a container to files, and returns the folders by the path in the container.
fn mounts(stack: &Stack, namespace: &str, spec: &Value, container: &Value, home: &Path) -> BTreeMap<String, PathBuf> {
    let mut folders = BTreeMap::new();
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let name = mount["name"].as_str().expect("a name");
        let volume = spec["volumes"].as_array().into_iter().flatten().find(|volume| volume["name"] == name);
        let volume = volume.unwrap_or_else(|| panic!("{name} is mounted and no volume"));
        let folder = home.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        if let Some(source) = volume["configMap"]["name"].as_str() {
            for (file, text) in get(stack, &["configmap", source, "--namespace", namespace])["data"].as_object().expect("data") {
                std::fs::write(folder.join(file), text.as_str().expect("text")).expect("a file");
            }
        } else {
            assert!(volume["emptyDir"].is_object(), "{volume} is not known here");
        }
        folders.insert(mount["mountPath"].as_str().expect("a path").to_owned(), folder);
    }
    folders
}

/// The operator of a Deployment, as one of its pods runs it.
pub struct Replica {
    child: Option<Child>,
    pub log: PathBuf,
    metrics: String,
}

impl Replica {
    /// Starts a replica of the Deployment that the cluster has; `through` is a kubeconfig in place of its own.
    pub fn start(stack: &Stack, namespace: &str, deployment: &str, through: Option<&Path>) -> Self {
        crate::harness::world::install_crypto();
        let found = get(stack, &["deployment", deployment, "--namespace", namespace]);
        let spec = &found["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        let pod = format!("{deployment}-{:x}", rand());
        let log = stack.dir.join("logs").join(format!("{pod}.log"));
        let mut command = command(stack, namespace, &pod, spec, container);
        if let Some(through) = through {
            command.env("KUBECONFIG", through);
        }
        let file = std::fs::File::create(&log).expect("a log");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().expect("the operator starts");
        // The probes of the pod.
        let port = |name: &str| container["ports"].as_array().expect("ports").iter().find(|port| port["name"] == name).cloned();
        let probe = &container["readinessProbe"]["httpGet"];
        let port = port(probe["port"].as_str().expect("the name of a port")).expect("that port")["containerPort"].clone();
        let replica = Self { child: Some(child), log, metrics: format!("http://127.0.0.1:{port}") };
        assert_eq!((&probe["path"], &container["livenessProbe"]["httpGet"]["path"]), (&json!("/readyz"), &json!("/livez")));
        replica
    }

    /// Waits until it is ready and alive, as its probes ask.
    pub async fn until_ready(&mut self) {
        let started = Instant::now();
        loop {
            let asked = [self.get("/readyz").await, self.get("/livez").await];
            if asked.iter().all(|(status, _)| *status == 200) {
                return;
            }
            let ended = self.child.as_mut().expect("a process").try_wait().expect("its state");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "not ready: {asked:?}, ended: {ended:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns the answer of an endpoint; 0 if there is none.
    pub async fn get(&self, path: &str) -> (u16, String) {
        match reqwest::get(format!("{}{path}", self.metrics)).await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        }
    }

    /// Returns its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as Kubernetes does, and returns how long that took.
    pub fn terminate(&mut self) -> Duration {
        let started = Instant::now();
        if let Some(mut child) = self.child.take() {
            let sent = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
            assert!(sent.success(), "the operator takes a signal");
            child.wait().expect("the operator is gone");
        }
        started.elapsed()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs Helm, and meanwhile the pods and Jobs of its hooks, until Helm ends. `before` is called before the first one.
pub fn with_hooks(stack: &Stack, namespace: &str, arguments: &[&str], mut before: impl FnMut()) -> (Output, Vec<String>) {
    let mut child =
        program(stack, "helm", arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Helm runs");
    let (mut ran, started) = (Vec::new(), Instant::now());
    while child.try_wait().expect("the state of Helm").is_none() {
        assert!(started.elapsed() < PATIENCE, "helm {arguments:?} does not end; ran {ran:?}");
        for kind in ["pod", "job"] {
            for object in get(stack, &[kind, "--namespace", namespace])["items"].as_array().into_iter().flatten() {
                let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
                if object["metadata"]["annotations"]["helm.sh/hook"].is_null() || ran.iter().any(|one: &String| one.starts_with(&name)) {
                    continue;
                }
                before();
                let spec = if kind == "pod" { &object["spec"] } else { &object["spec"]["template"]["spec"] };
                let (mut good, mut said) = (true, String::new());
                for container in spec["containers"].as_array().expect("containers") {
                    let output = super::helm::run(command(stack, namespace, &name, spec, container), "");
                    good &= output.ok;
                    said.push_str(&format!("{}{}", output.out, output.err));
                }
                finish(stack, namespace, kind, &name, good);
                ran.push(format!("{name}: {said}"));
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output().expect("Helm has ended");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (Output { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }, ran)
}

/// Writes the status of a pod or Job whose processes have ended.
fn finish(stack: &Stack, namespace: &str, kind: &str, name: &str, good: bool) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now });
    let status = match (kind, good) {
        ("pod", good) => json!({ "phase": if good { "Succeeded" } else { "Failed" } }),
        (_, true) => {
            json!({ "startTime": now, "completionTime": now, "succeeded": 1, "conditions": [condition("SuccessCriteriaMet"), condition("Complete")] })
        }
        (_, false) => json!({ "startTime": now, "failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")] }),
    };
    let patch = json!({ "status": status }).to_string();
    kubectl(stack, &["patch", kind, name, "--namespace", namespace, "--subresource=status", "--type=merge", "--patch", &patch]).text();
}
