//! No data is locked during a request: an asynchronous mutex guards a turn, which is `()`, and the data has a lock that no `await` holds.

use syn::visit::{self, Visit};
use syn::{GenericArgument, Item, PathArguments, PathSegment, Type, TypePath};

use crate::imports::{is_for_tests, paths_in};
use crate::{hold, is_test, read, rust_files};

/// Commands that end with the last request.
const COMMANDS: &str = "src/cli/";

#[test]
fn a_lock_that_is_held_over_requests_guards_no_data() {
    let mut complaints = Vec::new();
    let mut turns = 0;
    for path in rust_files("src").into_iter().filter(|path| !is_test(path) && !path.starts_with(COMMANDS)) {
        let found = asynchronous_locks(&syn::parse_file(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}")));
        turns += found.iter().filter(|guards_data| !**guards_data).count();
        complaints.extend(found.iter().filter(|guards_data| **guards_data).map(|_| path.clone()));
    }
    assert!(turns >= 2, "only {turns} turns were found; does the test still read the types?");
    hold("keep the data in a std::sync::Mutex, and let a tokio::sync::Mutex<()> order the requests", &complaints);
}

/// Returns for each asynchronous lock in a file whether it guards data.
fn asynchronous_locks(file: &syn::File) -> Vec<bool> {
    let uses = file.items.iter().filter(|item| matches!(item, Item::Use(_))).cloned().collect();
    let uses = paths_in(&syn::File { items: uses, ..file.clone() }, "");
    let imported = uses.iter().any(|path| ["Mutex", "RwLock"].iter().any(|lock| *path == format!("tokio::sync::{lock}")));
    let mut reader = Reader { imported, found: Vec::new() };
    reader.visit_file(file);
    reader.found
}

struct Reader {
    /// Set if a lock without a path is an asynchronous one.
    imported: bool,
    found: Vec<bool>,
}

fn is_lock(segment: &PathSegment) -> bool {
    segment.ident == "Mutex" || segment.ident == "RwLock"
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        let segments = &path.path.segments;
        let asynchronous = if segments.len() > 1 { segments.first().is_some_and(|first| first.ident == "tokio") } else { self.imported };
        if let Some(PathArguments::AngleBracketed(arguments)) = segments.last().filter(|last| is_lock(last)).map(|last| &last.arguments)
            && asynchronous
        {
            let unit = |argument: &GenericArgument| matches!(argument, GenericArgument::Type(Type::Tuple(tuple)) if tuple.elems.is_empty());
            self.found.push(!arguments.args.iter().all(unit));
        }
        visit::visit_type_path(self, path);
    }
}

#[test]
fn asynchronous_locks_are_distinguished_from_others() {
    for (code, found) in [
        ("struct A { turn: tokio::sync::Mutex<()>, data: std::sync::Mutex<u8> }", vec![false]),
        ("struct A { data: Arc<tokio::sync::RwLock<Vec<u8>>> }", vec![true]),
        ("use tokio::sync::Mutex; struct A { data: Mutex<u8>, turn: Mutex<()> }", vec![true, false]),
        ("use std::sync::Mutex; struct A { data: Mutex<u8> }", vec![]),
        ("use std::sync::Mutex; struct A { turn: tokio::sync::Mutex<()>, data: Mutex<u8> }", vec![false]),
    ] {
        assert_eq!(asynchronous_locks(&syn::parse_file(code).unwrap()), found, "{code}");
    }
}
