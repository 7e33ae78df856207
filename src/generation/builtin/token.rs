//! Tokens of a text.

/// Kind of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A word.
    Word,
    /// A number, with its value.
    Number(f64),
    /// A time of day in minutes after midnight.
    Time(u32),
    /// A time that no day has: `25:00`.
    NoTime,
    /// An object or a list of JSON, as it is written.
    Json,
    /// An address with a scheme.
    Url,
    /// A host name without a scheme.
    Host,
    /// An e-mail address.
    Mail,
    /// A telephone number with its country, without blanks.
    Phone,
    /// A channel or a tag, with its sign.
    Channel,
    /// A quotation, without its marks.
    Quoted,
    /// The end of a sentence.
    Stop,
    /// A comma or a bracket.
    Comma,
    /// A colon, or an arrow from what starts the workflow to what it does.
    Colon,
    /// Any other sign.
    Sign,
}

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub kind: Kind,
    /// The text as it is written.
    pub text: String,
    /// The text in lower case, without accents and possessive endings.
    pub word: String,
    /// Begins with a capital letter where no sentence begins.
    pub name: bool,
    /// The sign that joins it to the token before: `deploy-done`, `acme/api`.
    pub joint: Option<char>,
}

impl Token {
    pub(super) fn new(kind: Kind, text: &str) -> Self {
        Self { kind, text: text.to_owned(), word: fold(text), name: false, joint: None }
    }
}

/// Returns the text in lower case and without accents.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'ä' | 'á' | 'à' | 'â' | 'ã' => folded.push('a'),
            'ö' | 'ó' | 'ò' | 'ô' | 'õ' => folded.push('o'),
            'ü' | 'ú' | 'ù' | 'û' => folded.push('u'),
            'é' | 'è' | 'ê' | 'ë' => folded.push('e'),
            'í' | 'ì' | 'î' | 'ï' => folded.push('i'),
            'ç' => folded.push('c'),
            'ñ' => folded.push('n'),
            'ß' => folded.push_str("ss"),
            'œ' => folded.push_str("oe"),
            '’' => folded.push('\''),
            other => folded.push(other),
        }
    }
    folded
}
