//! Dependencies: their source, their licences, and a single TLS implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::{hold, read, root};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Licences of dependencies. An `OR` requires one of them, an `AND` all.
const LICENCES: &[&str] =
    &["Apache-2.0", "Apache-2.0 WITH LLVM-exception", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Zlib", "Unicode-3.0"];
/// A second TLS or crypto library would double the number of patches.
const BANNED: &[&str] =
    &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys", "security-framework", "schannel"];
/// With two versions of one of these, a patch of one leaves the other vulnerable.
const ONCE: &[&str] = &[
    "rustls",
    "rustls-webpki",
    "ring",
    "hyper",
    "hyper-util",
    "hyper-rustls",
    "h2",
    "http",
    "http-body",
    "httparse",
    "tokio",
    "url",
    "kube",
    "reqwest",
];

/// Returns the packages that are compiled on this platform, according to `cargo metadata`.
fn compiled() -> Vec<Value> {
    let rustc = Command::new("rustc").arg("-vV").current_dir(root()).output().expect("rustc runs");
    let text = String::from_utf8(rustc.stdout).expect("rustc prints text");
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let run = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(run.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&run.stderr));
    let metadata: Value = serde_json::from_slice(&run.stdout).expect("cargo metadata prints JSON");
    let resolved: BTreeSet<&str> =
        metadata["resolve"]["nodes"].as_array().expect("nodes").iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages.filter(|package| resolved.contains(package["id"].as_str().unwrap_or_default())).cloned().collect()
}

/// Reports whether a licence expression can be satisfied with the licences of the list.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    let mut parts = vec![String::new()];
    let mut depth = 0;
    // Split at the outermost AND; an expression in brackets is evaluated as a whole.
    for word in expression.split_whitespace() {
        depth += word.matches('(').count();
        if word == "AND" && depth == 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
        depth -= word.matches(')').count().min(depth);
    }
    let one = |part: &str| part.trim_matches(['(', ')']).split(" OR ").any(|licence| LICENCES.contains(&licence.trim()));
    parts.iter().all(|part| one(part))
}

#[test]
fn supply_chain_everything_comes_from_crates_io_with_a_checksum() {
    let lock = read("Cargo.lock");
    let mut complaints = Vec::new();
    let mut packages = 0;
    for package in lock.split("[[package]]").skip(1) {
        let field =
            |name: &str| package.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).map(|value| value.trim_matches('"'));
        let name = field("name").unwrap_or_default();
        if name == env!("CARGO_PKG_NAME") {
            continue;
        }
        packages += 1;
        if field("source") != Some(CRATES_IO) || field("checksum").is_none_or(|sum| sum.len() != 64) {
            complaints.push(format!("{name}: {:?}", field("source")));
        }
    }
    assert!(packages > 100, "only {packages} packages were found");
    hold("a dependency from elsewhere", &complaints);
}

#[test]
fn supply_chain_every_licence_is_on_the_list() {
    let complaints: Vec<String> = compiled()
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(allowed))
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    hold("a licence that is not on the list", &complaints);
}

#[test]
fn supply_chain_there_is_one_tls_and_one_of_each_part_that_guards_it() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in compiled() {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        versions.entry(text("name")).or_default().insert(text("version"));
    }
    let banned = BANNED.iter().filter(|name| versions.contains_key(**name)).map(|name| format!("{name} is compiled in"));
    let doubled = ONCE
        .iter()
        .filter(|name| versions.get(**name).is_some_and(|found| found.len() > 1))
        .map(|name| format!("{name} is compiled in several versions: {:?}", versions[*name]));
    let complaints: Vec<String> = banned.chain(doubled).collect();
    assert!(versions.contains_key("rustls") && versions.contains_key("ring"), "rustls with ring is what there is");
    hold("TLS comes once, from rustls and ring", &complaints);
}

#[test]
fn supply_chain_licence_expressions_are_read_as_written() {
    for fine in [
        "MIT",
        "MIT OR GPL-3.0",
        "Unlicense/MIT",
        "Apache-2.0 / MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(allowed(fine), "{fine}");
    }
    for refused in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND OpenSSL", "", "MITX"] {
        assert!(!allowed(refused), "{refused}");
    }
}
