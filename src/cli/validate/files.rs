//! Reads the files, folders and standard input that the command line names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use crate::manifest::Source;
use crate::text::shown;

/// Maximum size in bytes of a file, and of all files together.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;
const LARGEST_SET: u64 = 1024 * 1024 * 1024;
/// Maximum nesting of folders that are followed.
const DEEPEST: usize = 64;
/// Maximum number of skipped files that are named.
const NAMED: usize = 5;

/// Files that were read.
#[derive(Default)]
struct Set {
    sources: Vec<Source>,
    bytes: u64,
    /// Links and other files in a folder that are not regular files.
    passed_over: Vec<String>,
}

/// Returns the texts of all files, in the order of the arguments, and within a folder in the order of their names. A path that is named is
/// read whatever it is. In a folder, whose content may come from anybody, only regular files are read.
pub fn read(paths: &[String]) -> Vec<Source> {
    let mut set = Set::default();
    for path in paths {
        if path == "-" {
            set.take("-", false, || Ok(io::stdin().lock()));
        } else if Path::new(path).is_dir() {
            set.walk(path, 0);
        } else {
            set.take(path, false, || File::open(path));
        }
    }
    if let Some(note) = passed_over(&set.passed_over) {
        eprintln!("weirkeeper: warning: {note}");
    }
    set.sources
}

fn passed_over(names: &[String]) -> Option<String> {
    let first = names.iter().take(NAMED).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    let more = names.len().checked_sub(NAMED).filter(|more| *more > 0).map_or_else(String::new, |more| format!(" and {more} more"));
    let what = "symbolic links and special files in a folder are not read; give their targets as arguments";
    (!names.is_empty()).then(|| format!("{what}: {first}{more}"))
}

/// Opens a regular file, and nothing that replaced it: links are not followed, and pipes are not waited for.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let refused = || io::Error::other("it is a symbolic link or not a regular file, and is read only if it is given as an argument");
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(refused());
    }
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused()) }
}

impl Set {
    fn take<R: Read>(&mut self, name: &str, found: bool, open: impl FnOnce() -> io::Result<R>) {
        let source = source(name, found, || text(open()?, LARGEST_FILE.min(LARGEST_SET - self.bytes)));
        self.bytes += source.text.as_ref().map_or(0, |text| text.len() as u64);
        self.sources.push(source);
    }

    fn walk(&mut self, folder: &str, depth: usize) {
        let listed = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => return self.sources.push(source(folder, true, || Err(error))),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let file = entry.file_name();
            let Some(file) = file.to_str().filter(|file| !file.starts_with('.')) else { continue };
            let path = format!("{}/{file}", folder.trim_end_matches('/'));
            let kind = entry.file_type();
            let is = |what: fn(&fs::FileType) -> bool| kind.as_ref().is_ok_and(what);
            let fits = [".json", ".yaml", ".yml"].iter().any(|ending| file.ends_with(ending));
            if is(fs::FileType::is_dir) {
                if depth < DEEPEST {
                    self.walk(&path, depth + 1);
                }
            } else if fits && is(fs::FileType::is_file) {
                self.take(&path, true, || open_regular(Path::new(&path)));
            } else if fits || is(fs::FileType::is_symlink) && Path::new(&path).is_dir() {
                self.passed_over.push(path);
            }
        }
    }
}

fn source(name: &str, found: bool, read: impl FnOnce() -> io::Result<String>) -> Source {
    Source { name: name.to_owned(), text: read().map_err(|error| format!("it could not be read: {error}")), found }
}

fn text(from: impl Read, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let all = if most < LARGEST_FILE { ", the rest of the limit for all files together" } else { "" };
        return Err(io::Error::other(format!("it is larger than {most} bytes{all}")));
    }
    if is_utf_16(&bytes) {
        return Err(io::Error::other("it is UTF-16, which PowerShell's > writes; save it as UTF-8 (`| Out-File -Encoding utf8`)"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

/// Reports whether the text begins with a byte order mark of UTF-16, or with two letters in it: each takes two bytes, one of which is zero.
fn is_utf_16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, _, 0, ..] | [0, _, 0, _, ..])
}
