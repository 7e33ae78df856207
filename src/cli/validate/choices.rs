//! Selection of the findings to report, by configuration files, annotations and the command line.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments::{ValidateArguments, ValidateError};
use super::files::open_regular;
use super::order::name;
use crate::catalog::Catalog;
use crate::manifest::{Report, Source};
use crate::validator::check::doubt;
use crate::validator::rules::{Choice, Config, Rules};

/// Names of a configuration file.
const NAMES: [&str; 2] = [".weirkeeper.yaml", ".weirkeeper.yml"];

/// Maximum size of a configuration file, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A configuration file and the folder to which its paths are relative.
struct Found {
    folder: PathBuf,
    config: Config,
}

/// The nearest configuration file of each folder, as far as it was looked up.
struct Configs {
    given: Option<Rc<Found>>,
    search: bool,
    known: HashMap<PathBuf, Option<Rc<Found>>>,
}

/// Keeps the findings to report, with the severities to report them with. Returns the number of those that are dropped.
pub(super) fn apply(
    arguments: &ValidateArguments,
    sources: &[Source],
    reports: &mut [Report],
    catalog: &Catalog,
) -> Result<usize, ValidateError> {
    let mut configs = Configs {
        given: arguments.config.as_deref().map(|file| read(file, File::open(file)).map(Rc::new)).transpose()?,
        search: arguments.config.is_none() && !arguments.no_config,
        known: HashMap::new(),
    };
    let asked = Choice { select: arguments.select.clone(), ignore: arguments.ignore.clone(), ..Choice::default() };
    let (mut hidden, mut others) = (0, BTreeSet::new());
    for report in reports {
        let file = absolute(name(sources, report.source));
        let found = configs.nearest(&file)?;
        let version = arguments.n8n_version.as_deref().or_else(|| found.as_ref()?.config.n8n_version());
        if let Some(version) = version.filter(|version| !catalog.is_of(Some(version))) {
            doubt(report.findings.iter_mut().map(|placed| &mut placed.finding));
            others.insert(version.to_owned());
        }
        let choices = found.map_or_else(Vec::new, |found| found.config.choices(&relative(&found.folder, &file)));
        let rules = choices.iter().fold(Rules::default(), Rules::over).silenced(&report.silenced).over(&asked);
        let before = report.findings.len();
        report.findings = std::mem::take(&mut report.findings)
            .into_iter()
            .filter_map(|mut placed| {
                placed.finding = rules.apply(placed.finding)?;
                Some(placed)
            })
            .collect();
        hidden += before - report.findings.len();
    }
    let own = catalog.index().n8n.as_deref().unwrap_or("unknown version");
    for version in others {
        eprintln!("weirkeeper: the catalogue is that of n8n {own}, not {version}: errors about node types are reported as warnings");
    }
    Ok(hidden)
}

impl Configs {
    fn nearest(&mut self, file: &Path) -> Result<Option<Rc<Found>>, ValidateError> {
        if self.given.is_some() || !self.search {
            return Ok(self.given.clone());
        }
        let Some(folder) = file.parent() else { return Ok(None) };
        if let Some(known) = self.known.get(folder) {
            return Ok(known.clone());
        }
        let here = NAMES.iter().map(|name| folder.join(name)).find(|file| file.symlink_metadata().is_ok_and(|kind| !kind.is_dir()));
        let found = match here {
            // It was found and not named by the user, so it is opened only if it is a regular file.
            Some(file) => Some(Rc::new(read(&file, open_regular(&file))?)),
            // A repository's configuration does not extend beyond it.
            None if folder.join(".git").exists() => None,
            None => self.nearest(folder)?,
        };
        self.known.insert(folder.to_owned(), found.clone());
        Ok(found)
    }
}

fn read(file: &Path, opened: io::Result<File>) -> Result<Found, ValidateError> {
    let shown = file.display().to_string();
    let mut text = String::new();
    let failed = |error| ValidateError::ConfigFile(shown.clone(), error);
    opened.and_then(|opened| opened.take(LARGEST + 1).read_to_string(&mut text)).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(failed(io::Error::other(format!("it is larger than {LARGEST} bytes"))));
    }
    let config = Config::parse(&text).map_err(|error| ValidateError::Config(shown, error))?;
    let folder = absolute(&file.to_string_lossy()).parent().map(Path::to_owned).unwrap_or_default();
    Ok(Found { folder, config })
}

/// Returns the path of a file in its real folder. Standard input counts as a file in the working directory.
fn absolute(name: &str) -> PathBuf {
    let path = Path::new(name);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    path.file_name().map_or(folder.clone(), |file| folder.join(file))
}

fn relative(folder: &Path, file: &Path) -> String {
    let path = file.strip_prefix(folder).unwrap_or(file);
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
