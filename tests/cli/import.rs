use crate::Folder;

#[test]
fn a_key_is_no_argument_and_something_must_be_chosen() {
    let folder = Folder::new("import", &[("x", "")]);
    let base = ["import", "--url", "http://127.0.0.1:9", "--instance", "main"];
    let (code, _, message) = folder.run(&base, "");
    assert!(code == 2 && message.contains("--all"), "{message}");
    let (code, _, message) = folder.run(&[&base[..], &["--all", "--api-key", "k"]].concat(), "");
    assert!(code == 2 && message.contains("--api-key"), "{message}");
    let (code, _, message) = folder.run(&[&base[..], &["--all"]].concat(), "");
    assert!(code == 1 && message.contains("WEIRKEEPER_N8N_API_KEY"), "{message}");
}
