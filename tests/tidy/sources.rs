//! Style of source files: size, names, and forbidden content.

use crate::{hold, is_test, read, root, rust_files, shipped_lines, tracked};

const LONGEST: usize = 400;

#[test]
fn no_source_file_is_longer_than_400_lines() {
    let files = rust_files("src").into_iter().chain(rust_files("tests"));
    let complaints: Vec<String> = files
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{path} has {lines} lines"))
        .collect();
    hold("a longer file asks to be divided", &complaints);
}

#[test]
fn modules_are_named_files_and_nothing_is_called_utils() {
    let banned = ["mod", "utils", "util", "common", "helpers", "helper", "manager", "misc"];
    let complaints: Vec<String> = rust_files("src")
        .into_iter()
        .chain(rust_files("tests"))
        .filter(|path| path.trim_end_matches(".rs").split('/').any(|part| banned.contains(&part)))
        .collect();
    hold("names say what a thing is", &complaints);
}

#[test]
fn nothing_that_ships_may_panic_by_unwrap_or_expect() {
    let mut complaints = Vec::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test(path)) {
        for (number, line) in shipped_lines(&read(&path)) {
            if [".unwrap()", ".expect(\"", "panic!(", "todo!(", "unimplemented!("].iter().any(|word| line.contains(word)) {
                complaints.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    hold("errors are returned, not thrown", &complaints);
}

#[test]
fn no_tracked_file_names_a_machine_a_mirror_or_unfinished_work() {
    // Assembled at run time, so that this file does not contain them.
    let places = [["/ro", "ot/"].concat(), ["/ho", "me/"].concat(), ["/Us", "ers/"].concat()];
    let hosts = ["registry", "mirror", "artifactory", "nexus", "proxy"];
    let unfinished = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X:"].concat()];
    let mut complaints = Vec::new();
    for path in tracked(".") {
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        for (at, line) in text.lines().enumerate() {
            let mut complain = |what: &str| complaints.push(format!("{path}:{}: {what}", at + 1));
            if places.iter().any(|place| line.match_indices(place.as_str()).any(|(at, _)| starts_a_path(&line[..at]))) {
                complain("an absolute path of one machine");
            }
            if hosts_of(line).any(|host| hosts.iter().any(|word| host.contains(word))) {
                complain("a registry's host");
            }
            if !path.ends_with("package-lock.json") && unfinished.iter().any(|word| line.contains(word.as_str())) {
                complain("unfinished work");
            }
        }
    }
    hold("tracked files are whole and belong to no machine", &complaints);
}

/// Reports whether a path begins after this text, rather than continuing: `a/home/b` is not a home folder.
fn starts_a_path(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || "._-*]})~/".contains(c))
}

/// Returns the hosts of the URLs in a line.
fn hosts_of(line: &str) -> impl Iterator<Item = &str> {
    line.split("://").skip(1).map(|after| after.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-').next().unwrap_or(after))
}

#[test]
fn scripts_stop_at_the_first_failure() {
    let complaints: Vec<String> = tracked(".")
        .into_iter()
        .filter(|path| {
            read_start(path).is_some_and(|text| text.starts_with("#!") && text.contains("bash") && !text.contains("set -euo pipefail"))
        })
        .collect();
    hold("every bash script begins with set -euo pipefail", &complaints);
}

fn read_start(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(root().join(path)).ok()?;
    Some(text.chars().take(1000).collect())
}

#[test]
fn comments_name_a_thing_or_an_action() {
    // A descriptor of the compact form is a key of recorded answers: tests/fixtures/generation.
    let recorded = "src/generation/compact/form.rs";
    let mut complaints = Vec::new();
    let files = ["src", "tests", "benches"].iter().flat_map(|folder| rust_files(folder));
    for path in files.filter(|path| path != recorded) {
        for (at, line) in read(&path).lines().enumerate() {
            let Some(comment) = line.trim_start().strip_prefix("//") else { continue };
            let comment = comment.trim_start_matches(['/', '!']).trim_start();
            if ["What", "Whether", "Who"].contains(&comment.split(' ').next().unwrap_or_default()) {
                complaints.push(format!("{path}:{}: {comment}", at + 1));
            }
        }
    }
    hold("a comment begins with a noun or a verb, not with What, Whether or Who", &complaints);
}

#[test]
fn the_image_is_built_with_every_file_that_is_compiled_in() {
    let ignored = read(".dockerignore");
    // A folder whose contents are ignored again is only the way to its files.
    let emptied = |folder: &str| ignored.lines().any(|line| line == format!("{folder}/*"));
    let admitted: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).filter(|one| !emptied(one)).collect();
    let mut complaints = Vec::new();
    for path in rust_files("src") {
        let text = read(&path);
        for part in ["include_str!(", "include_bytes!("].into_iter().flat_map(|word| text.split(word).skip(1)) {
            let Some(named) = part.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
            // `..` leads from the file's folder up.
            let mut parts: Vec<&str> = path.split('/').collect();
            parts.pop();
            for step in named.split('/') {
                match step {
                    ".." => drop(parts.pop()),
                    step => parts.push(step),
                }
            }
            let file = parts.join("/");
            if !admitted.iter().any(|one| file == *one || file.starts_with(&format!("{one}/"))) {
                complaints.push(format!("{path} includes {file}"));
            }
        }
    }
    hold(".dockerignore admits what the sources include", &complaints);
}
