//! Positions of YAML, from the events of the parser.

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span as Stretch};

use super::index::{Builder, Positions, Span};

pub(super) fn scan(text: &str) -> Positions {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    // The caller that read the text has reported its errors; the positions before the error are still valid.
    while let Some(Ok((event, stretch))) = parser.next_event() {
        let span = place(stretch);
        match event {
            Event::Scalar(text, style, ..) => {
                if builder.wants_key() {
                    builder.key(text.into_owned(), span);
                } else {
                    builder.value(span, style == ScalarStyle::Literal);
                }
            }
            Event::Alias(_) if builder.wants_key() => builder.key(String::new(), span),
            Event::Alias(_) => drop(builder.value(span, false)),
            // A key that is itself a container cannot be part of a path.
            Event::SequenceStart(..) => builder.open(span, true),
            Event::MappingStart(..) => builder.open(span, false),
            Event::SequenceEnd | Event::MappingEnd => builder.close(span.end_line, span.end_column),
            _ => {}
        }
    }
    builder.done()
}

fn place(stretch: Stretch) -> Span {
    let (start, end) = (stretch.start, stretch.end);
    Span { line: start.line(), column: start.col() + 1, end_line: end.line(), end_column: end.col() + 1 }
}
