//! Restrictions that a prompt has beside an event or within a condition: `in the project SUP`, `with status open and priority high`, `with an attachment`. Each
//! is a parameter of the trigger or a condition behind it: without it the workflow would run for everything.

use std::collections::BTreeSet;

use super::choices::{self, Test};
use super::clauses::is_strange;
use super::conditions;
use super::flow::{Flow, written};
use super::operations::parts;
use super::reading::{Item, JOINS};
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::is_among;
use crate::generation::compact::{Case, CompactNode, Condition};

/// Words that open a restriction.
const OPENS: &str =
    "with without whose where that which containing mentioning having mit ohne deren dessen avec sans dont con sin cuyo cuya";
/// Words after which stands what an event is restricted to.
const BEFORE: &str = "with without whose about by from of for on type named called tagged labelled labeled regarding concerning mit ohne uber von aus fur avec sans par \
     pour sur con sin por para sobre in on at to im en dans";
const SOMEBODY: &[&str] = &["someone", "somebody", "anyone", "anybody", "people", "jemand", "quelqu", "alguien"];
/// Of these, the ones after which a known noun restricts, too: `a mail about invoices`.
const HAVING: &str = "with without about containing having regarding concerning mit ohne uber avec sans con sin sobre";
/// Adjectives that choose among things.
const CHOOSING: &str = "urgent critical important vip premium external internal public private large big small long short expensive cheap high low unpaid overdue late \
     blocked starred flagged returning existing german french spanish english italian dutch portuguese american european confidential personal weekly daily \
     wichtige wichtigen dringende dringenden grosse grossen externe externen urgente urgentes importante importantes";
/// Places that are the service itself.
const GENERIC: &[&str] = &["form", "mail", "website", "account", "webhook", "bot", "chat", "channel", "workflow"];

/// Returns the words of a list parted at commas and `and`.
fn conjuncts(items: &[Item]) -> Vec<Vec<Item>> {
    let own = items.split(|item| item.kind == Kind::Comma || item.among(JOINS));
    own.filter(|part| !part.is_empty()).map(<[Item]>::to_vec).collect()
}

/// Returns the tests of a condition, all of which have to hold; `None` if it is not understood.
pub(super) fn all(items: &[Item]) -> Option<Vec<Test>> {
    let plain = |test: &Test| test.chooses() || matches!(test, Test::Equals { .. });
    let parts = conjuncts(items);
    let several: Option<Vec<Test>> = parts.iter().map(|part| choices::read(part).filter(plain)).collect();
    several.filter(|tests| tests.len() > 1).or_else(|| choices::read(items).map(|test| vec![test]))
}

/// Returns the tests that the description of a thing has: `an order over 100 EUR with status open`.
pub(super) fn within(items: &[Item]) -> Vec<Test> {
    let opens = |at: usize| {
        items[at].among(OPENS) && !at.checked_sub(1).is_some_and(|before| choices::is_edge(&items[before]))
            || items[at].kind == Kind::Comma
            || items[at].among(JOINS)
    };
    let mut found: Vec<Vec<Item>> = vec![Vec::new()];
    for (at, item) in items.iter().enumerate() {
        if opens(at) {
            found.push(Vec::new());
        }
        if let Some(last) = found.last_mut() {
            let mut item = item.clone();
            // `with status open and priority high` is `with priority high`, too.
            if last.is_empty() && at > 0 && item.among(JOINS) {
                (item.word, item.text) = ("with".to_owned(), "with".to_owned());
            }
            last.push(item);
        }
    }
    let several: Vec<Test> = found.iter().filter_map(|part| choices::within(part)).collect();
    if several.len() > 1 {
        return several;
    }
    choices::within(items).or_else(|| choices::read(items).filter(Test::chooses)).into_iter().collect()
}

/// Returns one case that all tests have to pass; `None` if the data lacks what one is about.
pub(super) fn case(tests: &[Test], flow: &mut Flow<'_>) -> Option<Case> {
    let cases: Option<Vec<Case>> = tests.iter().map(|test| conditions::case(test, flow)).collect();
    let (mut first, rest) = cases.and_then(|cases| Some((cases.first()?.clone(), cases[1..].to_vec())))?;
    for case in rest {
        first.of.extend(case.of);
        (first.ignore_case, first.loose) = (first.ignore_case || case.ignore_case, first.loose || case.loose);
    }
    Some(first)
}

/// Makes the text of an item what follows the command that it starts with: `/todo buy milk`.
pub(super) fn without_command(flow: &mut Flow<'_>, tests: &[Test]) {
    let command = tests.iter().find_map(|test| match test {
        Test::Begins { text, ends: false, not: false, .. } if text.starts_with(['/', '!', '#']) => Some(text.clone()),
        _ => None,
    });
    let Some(command) = command else { return };
    if let Some(field) = flow.data.fields.iter_mut().find(|field| field.words.iter().any(|word| word == "text")) {
        let own = if field.path.contains('@') { format!("({})", field.path) } else { format!("@.{}", field.path) };
        field.path = format!("{own}.slice({}).trim()", command.encode_utf16().count());
        flow.assume(format!("The text is what follows {command}"));
    }
}

/// Adds the condition that an item has a file.
pub(super) fn only_with_file(flow: &mut Flow<'_>, has: &str) {
    let of = vec![Condition { left: format!("{{{{ {has} }}}}").into(), op: "boolean.true".to_owned(), right: serde_json::Value::Null }];
    flow.condition("filter", "Only With File", vec![Case { of, ..Case::default() }]);
}

/// The words and texts that nodes have, and what is said about them.
pub(super) struct Said {
    text: String,
    words: BTreeSet<String>,
}

impl Said {
    pub(super) fn of(nodes: &[CompactNode], assumptions: &[String]) -> Self {
        let own = nodes.iter().map(written);
        let text = own.chain(assumptions.iter().cloned()).collect::<Vec<_>>().join(" ").to_lowercase();
        let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
        Self { text, words }
    }

    fn has(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let text = text.trim_start_matches(['#', '@']);
        if text.chars().all(char::is_alphanumeric) { self.words.contains(text) } else { self.text.contains(text) }
    }

    /// Reports whether it has an item, if that is a literal value.
    fn lacks_value(&self, item: &Item) -> bool {
        match item.kind {
            Kind::Number(value) => !self.has(&value.to_string()),
            Kind::Quoted | Kind::Mail | Kind::Phone | Kind::Channel | Kind::Url | Kind::Host => !self.has(&item.text),
            _ => false,
        }
    }
}

/// Reports whether a word chooses among things, or may do so.
pub(super) fn is_choice(item: &Item) -> bool {
    item.among(CHOOSING) || is_strange(item)
}

/// Finds a part of a condition that is not in what was made of it: `if it is over 100 or the customer is a VIP`.
pub(super) fn left_out(items: &[Item], said: &Said) -> bool {
    let value = |item: &Item| item.number().is_some() || item.kind == Kind::Quoted || choices::is_copula(item);
    let first = items.iter().position(value).unwrap_or(items.len());
    let or = items.windows(2).any(|two| {
        two[0].is(&["or", "oder", "ou"])
            && !two[1].is(&["more", "higher", "above", "less", "lower", "below", "mehr", "weniger", "plus", "moins", "equal"])
    });
    or || items.iter().any(|item| said.lacks_value(item))
        || items[first..].iter().any(|item| is_strange(item) && !choices::compares(item) && !said.has(&item.text))
}

/// Finds what the description of a start chooses by, and what neither its trigger nor a condition behind it has.
pub(super) fn unaccounted(flow: &Flow<'_>, items: &[Item]) -> Option<Stuck> {
    let said = Said::of(&flow.nodes, &flow.assumptions);
    let hooked = flow.nodes.first().is_some_and(|node| node.kind == "webhook");
    let keys: Vec<String> = flow.nodes.iter().flat_map(|node| node.set.keys()).flat_map(|key| parts(key)).collect();
    let within = |at: usize, list: &str| {
        let before = items[..at].iter().rev().take(4).take_while(|item| !item.is_verb && item.kind == Kind::Word && item.service.is_none());
        before.into_iter().any(|item| item.among(list))
    };
    let found = (0..items.len()).find(|at| {
        let (item, next) = (&items[*at], items.get(at + 1));
        if said.lacks_value(item) {
            return true;
        }
        if item.kind != Kind::Word || item.service.is_some() || said.has(&item.text) {
            return false;
        }
        let before_thing =
            next.is_some_and(|next| next.noun.is_some() || next.service.is_some() || is_strange(next) || next.among(CHOOSING));
        if is_among(CHOOSING, &item.word) && before_thing {
            return true;
        }
        // `the sheet of our ideas`, `the word invoice`, `a webhook from our CRM`.
        let named = at.checked_sub(2).is_some_and(|of| items[of].is(&["of"]) && items[of + 1].is(&["our", "my", "the"]));
        let named = named || item.is(&["word", "words", "keyword"]) || hooked;
        let of_somebody = items[..*at].windows(2).any(|two| two[0].is(SOMEBODY) && two[1].is(&["from", "of", "in", "aus", "von", "de"]));
        if of_somebody && item.noun == Some("team") {
            return true;
        }
        if let Some(noun) = item.noun.filter(|_| !item.is_verb && within(*at, HAVING)) {
            let known = flow.data.field(noun).is_some() || flow.data.open.is_some() || flow.file.is_some();
            return !known && !said.has(noun) && !GENERIC.contains(&noun);
        }
        // The name of the form, the shop or the list that its trigger has.
        let own = next.and_then(|next| next.noun).is_some_and(|noun| GENERIC.contains(&noun) || keys.iter().any(|key| key == noun));
        is_strange(item)
            && !named
            && !choices::compares(item)
            && within(*at, BEFORE)
            && !own
            && next.is_none_or(|next| next.service.is_none())
    })?;
    Some(Stuck::Unknown(format!("what “{}” restricts", crate::text::one_line(&items[found].text, 40))))
}
