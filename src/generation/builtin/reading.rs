//! The items of a prompt: its tokens with what each may mean.

use super::services::{Lexicon, Meaning};
use super::tokens::{Kind, Token, tokens};
use super::words::{self, Act, is_among};

/// A token, or several that name one service, with what it may mean.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub kind: Kind,
    /// The text as it is written.
    pub text: String,
    pub word: String,
    /// Begins with a capital letter inside a sentence.
    pub name: bool,
    pub service: Option<usize>,
    pub vendor: Option<usize>,
    /// Its request as a verb.
    pub act: Option<Act>,
    /// Its meaning as a noun.
    pub noun: Option<&'static str>,
    /// Says nothing about the workflow.
    pub plain: bool,
    /// Is a verb here, rather than a noun or an adjective.
    pub is_verb: bool,
    /// The sign that joins it to the item before.
    pub joint: Option<char>,
    /// Its place among the items of the prompt, unless a reading added it.
    pub at: Option<usize>,
}

impl Item {
    pub(super) fn is(&self, words: &[&str]) -> bool {
        self.kind == Kind::Word && self.service.is_none() && words.contains(&self.word.as_str())
    }

    /// Reports whether it is one of the words, which blanks part.
    pub(super) fn among(&self, words: &str) -> bool {
        self.kind == Kind::Word && self.service.is_none() && is_among(words, &self.word)
    }

    /// Reports whether it is a literal value of the user.
    pub(super) fn is_value(&self) -> bool {
        matches!(
            self.kind,
            Kind::Number(_) | Kind::Time(_) | Kind::Json | Kind::Url | Kind::Mail | Kind::Phone | Kind::Channel | Kind::Quoted
        )
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self.kind {
            Kind::Number(value) => Some(value),
            Kind::Word => number_word(&self.word),
            _ => None,
        }
    }
}

/// Words that join clauses.
pub(super) const JOINS: &str = "and then afterwards und dann anschliessend danach et puis ensuite y luego despues entonces e";
/// Words that may stand before a noun.
const DETERMINERS: &str = "the a an this that these those my our your his her its their each every all any some no new one der die das den dem des ein \
     eine einen einem einer mein meine meinen meinem unser unsere unseren unserem unserer jede jeden jedes jeder neue neuen neuer \
     neues le la les l un une des du mon ma mes notre nos votre chaque ce cette el los las una unos unas mi mis nuestro nuestra \
     nuestros nuestras cada short daily weekly monthly latest same incoming first last kurze kurzen nuevo nueva nuevos nuevas \
     nouveau nouvelle nouveaux nouvelles nouvel son sa ses full small open unread whole single sus su leur leurs another other more which \
     whose";
/// Words after which a word that may be a verb is one.
const BEFORE_VERBS: &str = "to should must will shall can could would may please also then just only automatically immediately i we you it they not dont \
     me bitte ich wir directly n8n that who him her them us";

/// Words that begin a condition.
const IFS: &str = "if when whenever falls wenn si quand cuando unless";
/// Words that end one.
const STATES: &str = "positive negative neutral valid invalid down unreachable true false open closed empty fails failed crashes arrives arrived created called answer respond available more less higher";

/// Reads the items of a text.
pub(super) fn items(text: &str, lexicon: &Lexicon) -> Vec<Item> {
    let tokens = tokens(text);
    let (mut items, mut at) = (Vec::with_capacity(tokens.len()), 0);
    while at < tokens.len() {
        let found = lexicon.find(&tokens, at);
        let length = found.map_or(1, |(_, length)| length);
        items.push(item(&tokens[at..at + length], found.map(|(meaning, _)| meaning)));
        at += length;
    }
    mark_verbs(&mut items);
    items
}

/// Marks the words that are verbs where they stand.
pub(super) fn mark_verbs(items: &mut [Item]) {
    for at in 0..items.len() {
        items[at].is_verb = is_verb(items, at);
    }
}

fn item(tokens: &[Token], meaning: Option<Meaning>) -> Item {
    let first = &tokens[0];
    let text = tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ");
    let (service, vendor) = match meaning {
        Some(Meaning::Service(at)) => (Some(at), None),
        Some(Meaning::Vendor(at)) => (None, Some(at)),
        None => (None, None),
    };
    let is_word = first.kind == Kind::Word && meaning.is_none();
    Item {
        kind: if meaning.is_some() { Kind::Word } else { first.kind },
        text,
        word: first.word.clone(),
        name: first.name,
        service,
        vendor,
        act: words::act(&first.word).filter(|_| is_word || service.is_some() && first.word == "tweet"),
        noun: words::noun(&first.word).filter(|_| is_word),
        plain: is_word && words::is_plain(&first.word),
        is_verb: false,
        joint: first.joint,
        at: None,
    }
}

/// Decides whether a word that may be a verb is one here.
fn is_verb(items: &[Item], at: usize) -> bool {
    let item = &items[at];
    // `Typeform-Antworten`.
    if item.act.is_none() || item.joint == Some('-') {
        return false;
    }
    let before = at.checked_sub(1).map(|before| &items[before]);
    let next = items.get(at + 1);
    if is_listed(items, at) {
        return false;
    }
    let determined = before.is_some_and(|before| before.among(DETERMINERS) && !before.among(BEFORE_VERBS) || before.service.is_some());
    let noun_follows = next.is_some_and(|next| next.noun.is_some() || next.service.is_some() || next.kind == Kind::Word && !next.plain);
    let participle = item.word.ends_with("ed") || item.word.ends_with("ing") || matches!(item.word.as_str(), "sent" | "written" | "won");
    // `the attached file`, `a recorded message`.
    if participle && determined && before.is_some_and(|before| before.service.is_none()) && noun_follows {
        return false;
    }
    if !words::is_also_noun(&item.word) || item.word.ends_with("ed") && item.word.len() > 4 {
        return !(determined && before.is_some_and(|before| before.service.is_none()) && item.noun.is_some());
    }
    // `Name and Email`: a noun with a capital letter.
    if item.noun.is_some() && item.name && item.text.chars().any(char::is_lowercase) && before.is_some_and(|before| before.among(JOINS)) {
        return false;
    }
    // German writes nouns with a capital letter; a request begins its sentence.
    let begins = before.is_none_or(|before| matches!(before.kind, Kind::Stop | Kind::Comma | Kind::Colon) || before.among(JOINS));
    let object = next.is_some_and(|next| {
        next.among(DETERMINERS)
            || next.is(&[
                "it",
                "them",
                "me",
                "us",
                "him",
                "her",
                "this",
                "everyone",
                "everybody",
                "to",
                "in",
                "into",
                "as",
                "via",
                "up",
                "down",
                "through",
                "with",
                "mit",
                "avec",
                "con",
            ])
            || next.service.is_some()
            || next.is_value()
            || next.noun.is_some()
            || next.kind == Kind::Word && !next.plain && next.act.is_none()
    });
    let first = before.is_none_or(|before| matches!(before.kind, Kind::Stop | Kind::Colon));
    // `…, answer ok`.
    let answers = item.act == Some(Act::Reply)
        && next.is_some_and(|next| {
            next.kind == Kind::Quoted || next.kind == Kind::Word && !next.among(JOINS) && !next.is(&["is", "are", "of", "should", "from"])
        });
    // `translate it and reply.`
    let ends = next.is_none_or(|next| matches!(next.kind, Kind::Stop | Kind::Comma));
    if ends && item.is(&["reply", "respond"]) && before.is_some_and(|before| before.among(JOINS)) {
        return true;
    }
    // `if it is over 500 post it to …`, `if it is negative alert #support`.
    let conditional = || {
        items[..at].iter().rev().take_while(|item| !matches!(item.kind, Kind::Stop | Kind::Comma | Kind::Colon)).any(|item| item.among(IFS))
    };
    let copula = at.checked_sub(2).is_some_and(|at| items[at].is(&["is", "are", "equals", "ist", "est", "es"]));
    let whole = |item: &Item| copula && !item.plain || item.number().is_some() || item.kind == Kind::Quoted || item.among(STATES);
    let target =
        next.is_some_and(|next| next.is(&["it", "them", "me", "us", "a", "an", "the"]) || next.service.is_some() || next.is_value());
    if target && before.is_some_and(whole) && conditional() {
        return true;
    }
    // `for every new issue with priority High open a …`.
    let each = || items[..at].windows(2).any(|two| two[0].is(&["for", "after", "on", "upon"]) && two[1].is(&["every", "each", "new"]));
    if before.is_some_and(|before| !before.plain && !before.is_verb)
        && next.is_some_and(|next| next.is(&["a", "an", "it", "them"]))
        && each()
    {
        return true;
    }
    if begins {
        return object
            || answers
            || first
                && next.is_some()
                && !next.is_some_and(|next| next.is_verb || matches!(next.kind, Kind::Stop | Kind::Comma | Kind::Colon));
    }
    let modal = before.is_some_and(|before| before.among(BEFORE_VERBS));
    modal && (object || next.is_none_or(|next| next.plain || !matches!(next.kind, Kind::Word)))
}

/// Returns a verb that is none of the words.
pub(super) fn verb(act: Act, text: &str) -> Item {
    Item {
        kind: Kind::Word,
        text: text.to_owned(),
        word: text.to_lowercase().replace(' ', "-"),
        name: false,
        service: None,
        vendor: None,
        act: Some(act),
        noun: None,
        plain: false,
        is_verb: true,
        joint: None,
        at: None,
    }
}

/// Returns a word that says nothing by itself.
pub(super) fn word_of(text: &str) -> Item {
    Item { act: None, plain: true, is_verb: false, ..verb(Act::Light, text) }
}

/// Reports whether a noun is a part of a list of what something has, rather than a verb: `with name, email and phone`, `(order number, total)`.
fn is_listed(items: &[Item], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| &items[before]) else { return false };
    if items[at].noun.is_none() && !words::is_also_noun(&items[at].word) {
        return false;
    }
    // The words behind a verb are its object.
    // `add name and email to the table` has a list as its object, and `log it and email to jo@example.com` two verbs.
    let field =
        at.checked_sub(2).is_some_and(|noun| matches!(items[noun].noun, Some("name" | "phone" | "address" | "company" | "message")));
    let address = items.get(at + 2).is_some_and(|next| next.kind == Kind::Mail);
    if items[at].noun == Some("mail") && field && !address && items.get(at + 1).is_some_and(|next| next.is(&["to", "in", "into"])) {
        return before.among(JOINS);
    }
    let object = items.get(at + 1).is_some_and(|next| {
        next.among(DETERMINERS)
            || next.is(&["it", "them", "me", "us", "him", "her", "everyone", "everybody"])
            || next.service.is_some()
            || next.is_value()
    });
    let begins = before.kind == Kind::Comma || before.among(JOINS) || before.text == "(";
    if object || !begins {
        return false;
    }
    let since =
        items[..at].iter().rposition(|item| matches!(item.kind, Kind::Stop | Kind::Colon) || item.is_verb && item.act != Some(Act::Light));
    let part = &items[since.map_or(0, |at| at + 1)..at];
    let bracketed = part.iter().rposition(|item| item.text == "(").is_some_and(|open| !part[open..].iter().any(|item| item.text == ")"));
    let with = part.iter().rposition(|item| item.is(&["with", "mit", "avec", "con", "fields", "including"]));
    // `with DeepL and reply` is no list of fields.
    let named = |from: usize| part[from..].iter().any(|item| item.service.is_some() || item.vendor.is_some());
    bracketed || items[at].noun.is_some() && with.is_some_and(|from| !named(from))
}

/// Returns the value of a number that is written out.
pub(super) fn number_word(word: &str) -> Option<f64> {
    const NUMBERS: &[(&str, f64)] = &[
        ("one", 1.0),
        ("two", 2.0),
        ("three", 3.0),
        ("four", 4.0),
        ("five", 5.0),
        ("six", 6.0),
        ("seven", 7.0),
        ("eight", 8.0),
        ("nine", 9.0),
        ("ten", 10.0),
        ("twelve", 12.0),
        ("fifteen", 15.0),
        ("twenty", 20.0),
        ("thirty", 30.0),
        ("zwei", 2.0),
        ("drei", 3.0),
        ("vier", 4.0),
        ("funf", 5.0),
        ("sechs", 6.0),
        ("acht", 8.0),
        ("zehn", 10.0),
        ("zwolf", 12.0),
        ("funfzehn", 15.0),
        ("zwanzig", 20.0),
        ("dreissig", 30.0),
        ("deux", 2.0),
        ("trois", 3.0),
        ("quatre", 4.0),
        ("cinq", 5.0),
        ("dix", 10.0),
        ("quinze", 15.0),
        ("trente", 30.0),
        ("dos", 2.0),
        ("tres", 3.0),
        ("cuatro", 4.0),
        ("cinco", 5.0),
        ("diez", 10.0),
        ("quince", 15.0),
        ("treinta", 30.0),
        ("eleven", 11.0),
        ("sieben", 7.0),
        ("neun", 9.0),
        ("elf", 11.0),
        ("sept", 7.0),
        ("huit", 8.0),
        ("seis", 6.0),
        ("siete", 7.0),
        ("ocho", 8.0),
        ("nueve", 9.0),
        ("hundred", 100.0),
    ];
    NUMBERS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn verbs(text: &str) -> Vec<String> {
        let lexicon = Lexicon::of(Catalog::embedded());
        items(text, &lexicon).into_iter().filter(|item| item.is_verb).map(|item| item.word).collect()
    }

    #[test]
    fn verbs_are_distinguished_from_nouns_by_their_place() {
        for (text, wanted) in [
            ("Mail me the report and post a note to Slack", vec!["mail", "post"]),
            ("send the mail to the list, then log it", vec!["send", "log"]),
            ("turn the attached XML into JSON and POST it to https://a.example/x", vec!["turn", "post"]),
            ("keep text, score and magnitude in Postgres", vec!["keep"]),
            ("should be uploaded to an S3 bucket", vec!["should", "be", "uploaded"]),
        ] {
            assert_eq!(verbs(text), wanted, "{text}");
        }
    }
}
