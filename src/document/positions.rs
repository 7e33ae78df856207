//! Positions of the parts of a document in its text, so that a finding can be shown on its line.
//!
//! JSON is scanned here; YAML is read from the events of the parser below serde-saphyr. Both take time and memory in proportion to the
//! text.

mod index;
mod json;
mod yaml;

pub use index::{Positions, Span};

impl Positions {
    /// Indexes JSON that was read before. Text that is not JSON is indexed as far as possible.
    pub fn of_json(text: &str) -> Self {
        json::scan(text)
    }

    /// Indexes one YAML document that was read before.
    pub fn of_yaml(text: &str) -> Self {
        yaml::scan(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(positions: &Positions, path: &str) -> (usize, usize) {
        let span = positions.find(path).unwrap();
        (span.line, span.column)
    }

    #[test]
    fn every_member_of_a_json_document_is_found_on_its_line_and_column() {
        let text = "{\n  \"nodes\": [\n    {\"name\": \"é\", \"a\\nb\": 1},\n    { \"name\": \"B\",\n      \"a \\\"] b\": {\"c\": [1, 2]} }\n  ]\n}";
        let positions = Positions::of_json(text);
        for (path, place) in [
            ("", (1, 1)),
            ("nodes", (2, 3)),
            ("nodes[0]", (3, 5)),
            ("nodes[0].name", (3, 6)),
            (r#"nodes[0]["a\nb"]"#, (3, 19)),
            ("nodes[1]", (4, 5)),
            (r#"nodes[1]["a \"] b"].c[1]"#, (5, 28)),
            // A missing value is shown where it should be.
            ("nodes[1].type", (4, 5)),
            ("connections.A", (1, 1)),
        ] {
            assert_eq!(found(&positions, path), place, "{path}");
        }
        let name = positions.find("nodes[0].name").unwrap();
        assert_eq!((name.end_line, name.end_column), (3, 17), "key and value, in characters");
        assert_eq!(positions.find("nodes[1]").unwrap().end_line, 5);
    }

    #[test]
    fn the_members_of_a_yaml_document_are_found_too() {
        let text = "# a note\nnodes:\n  - name: A\n    parameters: {url: x, list: [1, 2]}\n  -\n    name: B\ncode: |\n  one\n    two\n";
        let positions = Positions::of_yaml(text);
        for (path, place) in [
            ("nodes", (2, 1)),
            ("nodes[0]", (3, 5)),
            ("nodes[0].name", (3, 5)),
            ("nodes[0].parameters.list[1]", (4, 36)),
            ("nodes[1].name", (6, 5)),
            ("nodes[1].type", (6, 5)),
            ("code", (7, 1)),
        ] {
            assert_eq!(found(&positions, path), place, "{path}");
        }
        assert_eq!(positions.literal_from("code"), Some(7));
        assert_eq!(positions.literal_from("nodes[0].name"), None);
    }

    #[test]
    fn deep_nesting_takes_no_stack() {
        let deep = "[".repeat(200_000);
        assert!(Positions::of_json(&deep).find("[0][0]").is_some());
    }

    proptest! {
        #[test]
        fn any_text_has_positions_of_some_kind(text in "[\\[\\]{}:,\"\\\\ a-c1\n#|>-]{0,80}") {
            let _ = Positions::of_json(&text).find("a[0].b");
            let _ = Positions::of_yaml(&text).find("a[0].b");
        }
    }
}
