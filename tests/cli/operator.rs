//! Operator arguments that would be a mistake are refused before anything is started.

use crate::Folder;

#[test]
fn log_directives_that_would_silence_the_log_end_the_operator_at_once() {
    let folder = Folder::new("operator", &[("empty", "")]);
    for bad in ["nonsense=", "inof", "info,weirkeeper=loud"] {
        let (code, _, message) = folder.run(&["operator", "--log", bad], "");
        assert_eq!(code, 2, "{message}");
        assert!(message.contains("is not a log directive: write a level") && message.contains("--log"), "{message}");
    }
}

/// The chart refuses durations that the operator would refuse, before any pod restarts again and again.
#[test]
fn the_chart_knows_the_bounds_of_the_durations() {
    let checks = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/weirkeeper/templates/_checks.tpl");
    let checks = std::fs::read_to_string(checks).expect("the checks of the chart");
    let rows: Vec<Vec<&str>> = checks
        .lines()
        .filter(|line| line.trim().starts_with("(list \""))
        .map(|line| line.split('"').skip(1).step_by(2).collect())
        .collect();
    let folder = Folder::new("bounds", &[("empty", "")]);
    let (_, help, _) = folder.run(&["operator", "--help"], "");
    let durations = ["--full-interval", "--deletion-bound", "--reconcile-timeout", "--liveness-bound", "--lease-duration"];
    let known: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    for flag in durations.iter().chain(&["--webhook-certificate-lifetime"]) {
        assert!(help.contains(flag) && known.contains(flag), "{flag} is not among the checks {known:?}");
    }
    for row in rows {
        let [value, flag, least, most] = row.as_slice() else { panic!("{row:?}") };
        let (code, _, message) = folder.run(&["operator", flag, "1ms"], "");
        assert!(code == 2 && message.contains(&format!("from {least} to {most}")), "{value}: {message}");
    }
}
