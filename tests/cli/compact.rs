//! `weirkeeper compact` and `weirkeeper expand`.

use serde_json::{Value, json};

use crate::Folder;

/// Returns the JSON documents of docs/compact.md.
fn examples() -> Vec<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compact.md")).unwrap();
    page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn each_example_of_the_page_is_expanded_without_errors_and_comes_back() {
    let folder = Folder::new("compact-examples", &[("empty", "")]);
    let examples = examples();
    assert!(examples.len() >= 3);
    for example in examples {
        let (code, workflow, stderr) = folder.run(&["expand", "-", "--set", "channel=C0123"], &example);
        assert_eq!((code, stderr.contains("error")), (0, false), "{stderr}");
        let (code, again, stderr) = folder.run(&["compact", "-"], &workflow);
        assert_eq!((code, stderr.as_str()), (0, ""), "{again}");
        let read: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(
            read["nodes"].as_array().unwrap().len(),
            serde_json::from_str::<Value>(&example).unwrap()["nodes"].as_array().unwrap().len()
        );
    }
}

#[test]
fn exit_codes_tell_errors_from_files_that_cannot_be_read() {
    let folder = Folder::new("compact-codes", &[("broken.json", "{\"compact\": 1, \"nodes\": [")]);
    let wrong = json!({"compact": 1, "nodes": [{"id": "n1", "use": "slak", "as": "A"}], "edges": []}).to_string();
    let (code, out, stderr) = folder.run(&["expand", "-"], &wrong);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(stderr.contains("nodes[0].use") && stderr.contains("did you mean \"slack\"?"), "{stderr}");
    assert_eq!(folder.run(&["expand", "broken.json"], "").0, 2);
    assert_eq!(folder.run(&["expand", "missing.json"], "").0, 2);
    assert_eq!(folder.run(&["compact", "missing.json"], "").0, 2);
    assert_eq!(folder.run(&["expand", "-", "--set", "channel"], &wrong).0, 2);
    assert_eq!(folder.run(&["compact", "-"], "{\"nodes\": 1}").0, 1);
}

#[test]
fn a_slot_without_a_value_is_a_warning() {
    let folder = Folder::new("compact-slots", &[("empty", "")]);
    let (code, out, stderr) = folder.run(&["expand", "-"], &examples()[0]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("warning: slot-open: ") && out.contains("?channel"), "{stderr}");
}
