//! Reading what the command line names: files, folders, standard input.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::domain::manifest::Source;

/// No file beyond this many bytes is read.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;
/// Folders nested deeper than this are not followed.
const DEEPEST: usize = 64;

/// The texts of all files, in the order of the arguments; those of a folder in the order of their names.
pub(in crate::cli) fn read(paths: &[String]) -> Vec<Source> {
    let mut sources = Vec::new();
    for path in paths {
        if path == "-" {
            sources.push(source("-", false, || text(io::stdin().lock())));
        } else if Path::new(path).is_dir() {
            walk(path, 0, &mut sources);
        } else {
            sources.push(source(path, false, || text(File::open(path)?)));
        }
    }
    sources
}

fn source(name: &str, found: bool, read: impl FnOnce() -> io::Result<String>) -> Source {
    Source { name: name.to_owned(), text: read().map_err(|error| format!("it could not be read: {error}")), found }
}

fn text(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(io::Error::other(format!("it is larger than {LARGEST_FILE} bytes")));
    }
    if is_utf_16(&bytes) {
        return Err(io::Error::other("it is UTF-16, which PowerShell's > writes; save it as UTF-8 (`| Out-File -Encoding utf8`)"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no UTF-8 text"))
}

/// Whether it begins with the mark of UTF-16, or with two letters of it: each takes two bytes, one of which is zero.
fn is_utf_16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, _, 0, ..] | [0, _, 0, _, ..])
}

fn walk(folder: &str, depth: usize, sources: &mut Vec<Source>) {
    let listed = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let mut entries = match listed {
        Ok(entries) => entries,
        Err(error) => return sources.push(source(folder, true, || Err(error))),
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let file = entry.file_name();
        let Some(file) = file.to_str().filter(|file| !file.starts_with('.')) else { continue };
        let path = format!("{}/{file}", folder.trim_end_matches('/'));
        // A link to a folder may lead in a circle; a link to a file is read.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth < DEEPEST {
            walk(&path, depth + 1, sources);
        } else if !is_folder && [".json", ".yaml", ".yml"].iter().any(|ending| file.ends_with(ending)) && !Path::new(&path).is_dir() {
            sources.push(source(&path, true, || text(File::open(&path)?)));
        }
    }
}
