//! Output of nodes: the fields that further nodes refer to.

use super::outputs::OUTPUTS;

/// The output of a node, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Data {
    /// Id of the node.
    pub node: String,
    /// Known fields.
    pub fields: Vec<Field>,
    /// Path below which the user decides about the names of fields.
    pub open: Option<String>,
    /// Path of the object that an item is about; empty for the whole output.
    pub whole: String,
    /// Name of the binary property, if the items have files.
    pub binary: Option<String>,
    /// True if a run has several items.
    pub many: bool,
    /// True if the items say nothing but that the workflow started.
    pub hollow: bool,
    /// True if the items are records of which no field is known.
    pub raw: bool,
    /// The service that the items come from, by the name of its node type.
    pub service: String,
    /// Noun for an item, in English.
    pub noun: String,
    /// The participle for its event, if it is not new: `failed`.
    pub happened: Option<&'static str>,
}

/// A field of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Label for people.
    pub label: String,
    /// Nouns that mean the field.
    pub words: Vec<String>,
    /// Path in the output, or an expression of JavaScript on the output, with `@` in the place of the node.
    pub path: String,
    /// True if a message shows it even if the prompt does not name it.
    pub main: bool,
}

/// A field that a clause names and that the data has.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The words of the prompt for it.
    pub label: String,
    /// Nouns and words that mean it.
    pub nouns: Vec<String>,
    /// The code that reads it.
    pub code: String,
    /// The code that reads it from the variable `item`, if the latest data has it.
    pub line: Option<String>,
    /// True if the user decided about its name.
    pub open: bool,
}

impl Wanted {
    /// Reports whether a noun means the field.
    pub(super) fn is(&self, noun: &str) -> bool {
        self.nouns.iter().any(|own| own == noun)
    }
}

impl Data {
    /// Returns what a node outputs. `kind` is its type in the compact form; `event` tells outputs of one trigger apart.
    pub(super) fn of(node: &str, kind: &str, event: Option<&str>) -> Self {
        let mut data = Self { node: node.to_owned(), ..Self::default() };
        let by_event = event.map(|event| format!("{kind}.{event}"));
        let find = |name: &str| OUTPUTS.iter().find(|(own, _)| *own == name).map(|(_, fields)| *fields);
        let fields = by_event.as_deref().and_then(find).or_else(|| find(kind));
        for part in fields.unwrap_or_default().split(';').filter(|part| !part.is_empty()) {
            if let Some(path) = part.strip_prefix("open:") {
                data.open = Some(path.to_owned());
            } else if let Some(path) = part.strip_prefix("whole:") {
                data.whole = path.to_owned();
            } else if let Some((label, rest)) = part.split_once(':')
                && let Some((words, path)) = rest.split_once(':')
            {
                data.fields.push(Field {
                    label: label.trim_start_matches('-').to_owned(),
                    words: words.split(',').map(str::to_owned).collect(),
                    path: path.to_owned(),
                    main: !label.starts_with('-'),
                });
            }
        }
        data
    }

    /// Returns the code that reads a field, without braces.
    pub(super) fn code(&self, path: &str) -> String {
        match path {
            "" => self.node.clone(),
            path if path.contains('@') => path.replace('@', &self.node),
            path if path.starts_with('[') => format!("{}{path}", self.node),
            path => format!("{}.{path}", self.node),
        }
    }

    /// Returns the code of the object that an item is about.
    pub(super) fn object(&self) -> String {
        self.code(&self.whole)
    }

    /// Returns the field that a noun means.
    pub(super) fn field(&self, noun: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.words.iter().any(|word| word == noun))
    }

    /// Returns the code that reads what a noun means: a known field, or the field of that name where the user decides about names.
    pub(super) fn read(&self, noun: &str) -> Option<String> {
        let known = self.field(noun).map(|field| self.code(&field.path));
        known.or_else(|| {
            let open = self.open.as_ref()?;
            let name: String = noun.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            Some(self.code(&if open.is_empty() { name } else { format!("{open}.{name}") }))
        })
    }

    /// Returns the code of the address that mails of this item go to.
    pub(super) fn address(&self) -> Option<String> {
        let known = self.fields.iter().find(|field| field.words.iter().any(|word| word == "email"));
        known.map(|field| self.code(&field.path)).or_else(|| self.open.is_some().then(|| self.read("email")).flatten())
    }

    /// Returns the path of a field that the user decided about, by its name in the prompt: as it is written where people see it (the columns of a sheet,
    /// the questions of a form), and otherwise as programs write names.
    pub(super) fn own(&self, kind: &str, name: &str) -> Option<String> {
        let open = self.open.as_ref()?;
        let seen = ["typeform", "jotForm", "googleSheets", "airtable", "microsoftExcel", "wufoo", "formIo", "facebookLeadAds"]
            .iter()
            .any(|own| kind.starts_with(own));
        let key = if seen { name.to_owned() } else { name.split(' ').collect::<Vec<_>>().join("_") };
        let identifier = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !key.starts_with(|c: char| c.is_ascii_digit());
        let key = if identifier { format!(".{key}") } else { format!("['{}']", key.replace(['\\', '\''], "")) };
        Some(format!("{open}{key}").trim_start_matches('.').to_owned())
    }

    /// Returns a text about an item: the main fields, or all that there is.
    pub(super) fn text(&self) -> String {
        let main: Vec<&Field> = self.fields.iter().filter(|field| field.main).collect();
        match main.as_slice() {
            [] => {
                let object = self.object();
                format!(
                    "{{{{ Object.entries({object}).map(([key, value]) => key + ': ' + (typeof value === 'object' ? JSON.stringify(value) : value)).join('\\n') }}}}"
                )
            }
            [one] => format!("{{{{{}}}}}", self.code(&one.path)),
            fields => {
                fields.iter().map(|field| format!("{}: {{{{{}}}}}", field.label, self.code(&field.path))).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Returns the code of a text about one of many items, which the variable `item` holds.
    pub(super) fn line(&self) -> String {
        let item = Self { node: "item".to_owned(), ..Self::default() };
        let main: Vec<String> = self.fields.iter().filter(|field| field.main).map(|field| item.code(&field.path)).collect();
        if main.is_empty() {
            let object = item.code(&self.whole);
            return format!(
                "Object.entries({object}).map(([key, value]) => key + ': ' + (typeof value === 'object' ? JSON.stringify(value) : value)).join(', ')"
            );
        }
        main.join(" + ' – ' + ")
    }

    /// Returns a heading for an item of which nothing is known that would be one.
    pub(super) fn headline(&self, noun: &str) -> String {
        match self.happened {
            Some(what) => format!("{} {what}", capital(noun)),
            None => format!("New {noun}"),
        }
    }

    /// Returns a title for an item.
    pub(super) fn title(&self) -> Option<String> {
        let shown = |field: &&Field| field.main || field.words.iter().any(|word| word == "title");
        let named = ["title", "name", "message"].iter().find_map(|noun| self.field(noun).filter(shown));
        named.map(|field| format!("{{{{{}}}}}", self.code(&field.path)))
    }
}

/// Returns the text with a capital letter at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
