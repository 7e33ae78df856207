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
