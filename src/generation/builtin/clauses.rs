//! Clauses of a prompt: what starts the workflow, what is asked under which condition, and the steps.

use super::reading::{Item, JOINS};
use super::tokens::Kind;
use super::words::{Act, is_among};

/// Part that a clause plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Says what starts the workflow: `when a form is submitted`.
    Start,
    /// Says when the steps behind it run: `if the score is positive`.
    Condition,
    /// The steps behind it run if the condition before does not hold.
    Otherwise,
    /// A step, or something that is not understood.
    Step,
}

/// A clause.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    pub role: Role,
    pub items: Vec<Item>,
    /// Number of the sentence.
    pub sentence: usize,
    /// True if a word such as `if` could introduce an event as well as a condition.
    pub either: bool,
}

impl Clause {
    /// Returns the verbs that ask for something, outside relative clauses.
    pub(super) fn verbs(&self) -> Vec<usize> {
        let mut relative = false;
        let mut found = Vec::new();
        for (at, item) in self.items.iter().enumerate() {
            relative = (relative || begins_relative(&self.items, at)) && item.kind != Kind::Comma;
            if item.is_verb && !relative && !matches!(item.act, None | Some(Act::Light)) {
                found.push(at);
            }
        }
        found
    }

    /// Returns the words as they are written.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            let glued = matches!(item.kind, Kind::Comma | Kind::Stop | Kind::Colon) || text.is_empty();
            if !glued {
                text.push(' ');
            }
            text.push_str(&item.text);
        }
        text
    }
}

/// Words before the word that introduces a clause.
const LEADING: &[&str] = &["but", "only", "also", "aber", "nur", "mais", "pero", "solo", "and", "so", "seulement"];
const RELATIVES: &str = "that which who whom whose qui que dont die";
const WHEN: &str = "when whenever sobald wenn quand lorsque lorsqu cuando";
const IF: &str = "if falls si";
const ELSE: &str = "otherwise else sonst andernfalls ansonsten sinon autrement";
const MODALS: &str = "should must shall will would soll sollen muss mussen doit doivent debe deben werden wird";

/// Reports whether a relative clause begins at an item: the word follows what it describes.
fn begins_relative(items: &[Item], at: usize) -> bool {
    let item = &items[at];
    let after_noun = at
        .checked_sub(1)
        .map(|before| &items[before])
        .is_some_and(|before| before.noun.is_some() || before.service.is_some() || !before.plain);
    let next = items.get(at + 1);
    let follows = next.is_some_and(|next| next.act.is_some() || next.plain && next.noun.is_none());
    item.among(RELATIVES) && after_noun && follows && at > 0 && !items[at - 1].is_verb
}

/// Splits the items into clauses.
pub(super) fn clauses(items: &[Item]) -> Vec<Clause> {
    let mut found: Vec<Clause> = Vec::new();
    for (sentence, items) in sentences(items).into_iter().enumerate() {
        let mut own: Vec<Clause> = Vec::new();
        let mut listing = false;
        for chunk in chunks(&items) {
            let (role, either, skipped) = role(&chunk);
            let clause = Clause { role, items: chunk[skipped..].to_vec(), sentence, either };
            if clause.items.is_empty() && role != Role::Otherwise {
                continue;
            }
            // A clause without a verb continues a list: `title, link and summary`.
            let goes_on = role == Role::Step && clause.verbs().is_empty() && !has_subject(&clause.items);
            // `post to #deals whenever …, with the title | and the value`: what the message has belongs to it.
            let step = own.iter().position(|clause| clause.role == Role::Step && !clause.verbs().is_empty());
            let with = clause.items.first().is_some_and(|item| item.is(&["with", "mit", "avec", "con", "including"]));
            if let Some(step) = step.filter(|_| goes_on && own.last().is_some_and(|last| last.role == Role::Start) && (with || listing)) {
                listing = true;
                own[step].items.push(comma());
                own[step].items.extend(clause.items);
                continue;
            }
            // `when a form with name | and email is submitted`: the list belongs to the start, and its verb follows.
            if let Some(last) = own.last_mut().filter(|last| role == Role::Step && last.role == Role::Start)
                && lists(&last.items)
                && (goes_on || happens(&clause.items))
            {
                last.items.push(comma());
                last.items.extend(clause.items);
                continue;
            }
            match own.last_mut() {
                Some(last) if goes_on && (last.role == Role::Step || last.role == Role::Condition && is_short(&clause.items)) => {
                    last.items.push(comma());
                    last.items.extend(clause.items);
                }
                Some(last) if goes_on && last.role == Role::Start && is_short(&clause.items) => {
                    last.items.push(comma());
                    last.items.extend(clause.items);
                }
                _ => own.push(clause),
            }
        }
        found.extend(own);
    }
    found
}

/// Reports whether the items are a thing with a list of what it has, and do not say yet what happens to it.
fn lists(items: &[Item]) -> bool {
    let Some(with) = items.iter().position(|item| item.is(&["with", "mit", "avec", "con"])) else { return false };
    let said = |item: &Item| item.is(COPULAS) || is_event_word(&item.word) && !item.among(FRESH);
    with > 0 && !items.iter().any(said)
}

/// Reports whether the items end with what happens to the things before: `email is submitted`, `E-Mail abgeschickt wird`.
fn happens(items: &[Item]) -> bool {
    let Some(copula) = items.iter().position(|item| item.is(COPULAS)) else {
        return items.last().is_some_and(|last| is_event_word(&last.word)) && !items.iter().any(|item| item.service.is_some());
    };
    let event = items.iter().position(|item| is_event_word(&item.word) && !item.among(FRESH));
    let asks =
        items[..copula].iter().any(|item| item.is_verb && !matches!(item.act, None | Some(Act::Light)) && !is_event_word(&item.word));
    event.is_some() && copula > 0 && copula < 6 && !asks
}

/// Reports whether the items have a light verb with a subject, so that they are a sentence of their own.
fn has_subject(items: &[Item]) -> bool {
    items
        .iter()
        .any(|item| item.is_verb && item.act == Some(Act::Light) && !item.is(&["with", "mit", "avec", "using", "included", "including"]))
}

fn is_short(items: &[Item]) -> bool {
    items.len() <= 4
}

/// Returns the comma between two parts of a clause.
pub(super) fn comma() -> Item {
    Item {
        kind: Kind::Comma,
        text: ",".to_owned(),
        word: ",".to_owned(),
        name: false,
        service: None,
        vendor: None,
        act: None,
        noun: None,
        plain: true,
        is_verb: false,
        joint: None,
        at: None,
    }
}

fn sentences(items: &[Item]) -> Vec<Vec<Item>> {
    let mut found = vec![Vec::new()];
    for (at, item) in items.iter().enumerate() {
        // `post to #news: "…"`: what is quoted behind a colon is the text.
        let text = item.kind == Kind::Colon
            && item.text == ":"
            && items.get(at + 1).is_some_and(|next| next.kind == Kind::Quoted)
            && items.get(at + 2).is_none_or(|next| next.kind == Kind::Stop);
        if text {
            found.last_mut().into_iter().for_each(|last: &mut Vec<Item>| last.push(comma()));
            continue;
        }
        if matches!(item.kind, Kind::Stop | Kind::Colon) {
            found.push(Vec::new());
        } else if let Some(last) = found.last_mut() {
            last.push(item.clone());
        }
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Verbs that a participle follows.
const COPULAS: &[&str] = &["is", "are", "gets", "get", "was", "comes", "wird", "werden", "ist", "est", "sont", "es", "se"];
/// Words for things that come.
const FRESH: &str = "new every each incoming neue neuer neuen neuem jeder jedem jede chaque cada";

/// Splits a sentence at commas and joining words, before subordinate clauses, and where a request follows a subordinate clause.
fn chunks(items: &[Item]) -> Vec<Vec<Item>> {
    let mut found: Vec<Vec<Item>> = vec![Vec::new()];
    for (at, item) in items.iter().enumerate() {
        let last = found.last_mut();
        let Some(last) = last else { break };
        // `ein Telegram-Bot, der Fragen beantwortet`.
        let relative = item.kind == Kind::Comma
            && items.get(at + 1).is_some_and(|next| next.is(&["der", "die", "das", "welcher"]))
            && at.checked_sub(1).is_some_and(|before| matches!(items[before].noun, Some("bot" | "chat" | "workflow" | "form" | "webhook")));
        if relative {
            continue;
        }
        if item.kind == Kind::Comma || item.among(JOINS) && !joins_numbers(items, at) {
            if !last.is_empty() {
                found.push(Vec::new());
            }
            continue;
        }
        let subordinate = begins_subordinate(items, at);
        let lead = last.iter().find(|own| !own.is(LEADING));
        let starts = lead.is_some_and(|first| first.among(WHEN) || first.among(IF) || first.is(&["every", "each", "once", "as", "unless"]));
        // `bei neuen Issues | eine Nachricht senden`, `on each new order | create an invoice`.
        let upon = last
            .first()
            .is_some_and(|first| first.is(&["on", "upon", "after", "bei", "nach", "a", "pour", "con", "por", "para", "for", "fur"]))
            && last.get(1).is_some_and(|second| second.among(FRESH));
        let object = upon
            && last.len() > 2
            && item.is(&["a", "an", "ein", "eine", "einen"])
            && (has_request(&items[at..]) || items.get(at + 1).is_some_and(|next| matches!(next.noun, Some("message" | "mail" | "sms"))));
        let starts = starts || upon;
        let requested = object
            || starts && item.is_verb && !matches!(item.act, None | Some(Act::Light)) && last.len() > 2 && is_request(items, at, upon);
        if (subordinate || requested) && !last.is_empty() && !last.iter().all(|own| own.is(LEADING)) {
            found.push(Vec::new());
        }
        if let Some(last) = found.last_mut() {
            last.push(item.clone());
        }
    }
    found.retain(|chunk| !chunk.is_empty());
    found
}

fn joins_numbers(items: &[Item], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| items.get(before));
    before.is_some_and(|before| before.number().is_some()) && items.get(at + 1).is_some_and(|next| next.number().is_some())
}

/// Reports whether a verb within a subordinate clause begins a request: it follows the clause's own verb, and an object follows it.
fn is_request(items: &[Item], at: usize, upon: bool) -> bool {
    let before = &items[at - 1];
    let own = upon || before.number().is_some() || items[..at].iter().any(|item| is_event_word(&item.word) || item.is_verb);
    let german = items.get(at + 1).is_none_or(|next| next.is(&["wird", "werden", "wurde", "ist", "sind", "hat", "haben"]));
    let negated = before.is(&["not", "dont", "doesnt", "nicht", "pas", "no", "does", "do", "can", "cannot", "cant", "ne", "ihn", "sie"]);
    own && !german
        && !negated
        && !before.is(&[
            "is", "are", "was", "were", "be", "been", "being", "gets", "get", "got", "has", "have", "est", "sont", "es", "son", "ist",
            "sind", "wird", "ete",
        ])
        && !before.is(&["to", "i", "we", "you", "they", "people", "users", "customers", "someone", "he", "she", "it"])
        && !items[at].word.ends_with('s')
        && !items[at].word.ends_with("ed")
}

fn begins_subordinate(items: &[Item], at: usize) -> bool {
    let next = |by: usize| items.get(at + by);
    let item = &items[at];
    item.among(WHEN)
        || item.among(IF) && !next(1).is_some_and(|next| next.is(&["possible", "available", "any"]))
        || item.among(ELSE) && at == 0
        || item.is(&["every", "each"]) && next(1).is_some_and(|next| next.is(&["time"]))
        || item.is(&["chaque"]) && next(1).is_some_and(|next| next.is(&["fois"]))
        || item.is(&["cada"]) && next(1).is_some_and(|next| next.is(&["vez"]))
        || item.is(&["jedes"]) && next(1).is_some_and(|next| next.is(&["mal"]))
        || item.is(&["as"]) && next(1).is_some_and(|next| next.is(&["soon"]))
        || item.is(&["des"]) && next(1).is_some_and(|next| next.is(&["qu", "que", "quun", "quune"]))
        || item.is(&["once"]) && next(1).is_some_and(|next| next.plain && !next.is(&["per"]) || next.noun.is_some())
        || item.is(&["unless"])
}

/// Returns the role of a chunk, whether it may be the other one, and the number of its introducing items.
fn role(chunk: &[Item]) -> (Role, bool, usize) {
    let word = |at: usize, words: &[&str]| chunk.get(at).is_some_and(|item| item.is(words));
    let skip = chunk.iter().take_while(|item| item.is(LEADING)).count();
    let Some(first) = chunk.get(skip) else { return (Role::Step, false, chunk.len()) };
    let not_follows = word(skip + 1, &["not", "nicht", "no", "non"]) && chunk.len() == skip + 2;
    if first.among(ELSE) || first.among(IF) && not_follows {
        return (Role::Otherwise, false, skip + 1 + usize::from(not_follows));
    }
    if first.is(&["everything", "everyone", "everybody", "anything", "alles", "all", "todo", "tout"])
        && word(skip + 1, &["else", "other", "others", "andere", "anderen", "lo", "le"])
    {
        return (Role::Otherwise, false, skip + 2);
    }
    if first.is(&["the"]) && word(skip + 1, &["rest", "others"]) {
        return (Role::Otherwise, false, skip + 2);
    }
    if first.is(&["in", "for"]) && word(skip + 1, &["all"]) && word(skip + 2, &["other", "others"]) {
        return (Role::Otherwise, false, (skip + 4).min(chunk.len()));
    }
    // `and if so, …` goes on with what was asked.
    if first.among(IF) && word(skip + 1, &["so", "yes", "ja", "oui"]) {
        return (Role::Step, false, skip + 2);
    }
    if first.among(IF) || first.is(&["unless"]) {
        return (Role::Condition, true, skip + usize::from(!first.is(&["unless"])));
    }
    if first.among(WHEN) {
        return (Role::Start, true, skip + 1);
    }
    let two = first.is(&["every", "each", "jedes", "chaque", "cada"]) && word(skip + 1, &["time", "mal", "fois", "vez"]);
    if two {
        return (Role::Start, false, skip + 2 + usize::from(word(skip + 2, &["that", "que", "qu", "wenn"])));
    }
    if first.is(&["as"]) && word(skip + 1, &["soon"]) {
        return (Role::Start, false, (skip + 3).min(chunk.len()));
    }
    if first.is(&["des"]) && word(skip + 1, &["qu", "que", "quun", "quune"]) {
        return (Role::Start, false, skip + 2);
    }
    if first.is(&["once"]) {
        return (Role::Start, false, skip + 1);
    }
    let each = word(skip + 1, &["each", "every", "jede", "jeden", "jedes", "jeder", "chaque", "cada"]);
    let fresh = word(skip + 1, &["new", "every", "each", "incoming", "neue", "neuer"]);
    if first.is(&["for", "fur", "pour", "para", "por", "a", "con", "bei", "avec"]) && each && !has_request(&chunk[skip..])
        || first.is(&["on", "after", "upon", "bei", "nach"]) && fresh
    {
        return (Role::Start, false, skip + 1);
    }
    if first.is(&["after"]) && skip == 0 && chunk.len() > 2 && chunk.iter().any(|item| is_event_word(&item.word)) {
        return (Role::Start, false, 1);
    }
    (Role::Step, false, skip)
}

fn has_request(items: &[Item]) -> bool {
    items.iter().any(|item| item.is_verb && !matches!(item.act, None | Some(Act::Light)))
}

/// Reports whether an item is a word that no reading knows.
pub(super) fn is_strange(item: &Item) -> bool {
    item.kind == Kind::Word
        && item.service.is_none()
        && item.vendor.is_none()
        && item.noun.is_none()
        && item.act.is_none()
        && !item.plain
        && item.number().is_none()
        && !is_event_word(&item.word)
}

/// Reports whether a word says that something happened.
pub(super) fn is_event_word(word: &str) -> bool {
    const EVENTS: &str = "succeeds succeeded writes wrote books places wins buys bought signups created added submitted submits received receives arrives arrived arrive comes come came lands land landed posted uploaded \
        uploads filled fills opened opens closed updated changed changes deleted paid pays published publishes starred booked books cancelled \
        canceled fails failed called calls hit mentioned mentions mention joins joined subscribes subscribed unsubscribes reacts sent sends \
        pushed pushes join reach reaches merged released won lost signed signs appears appear appeared registers registered placed made completed moved assigned \
        reported declined denied orders ordered new triggered requested dropped drops saved enters enter entered incoming resolved raised expires happens occurs started \
        starts finishes finished ends rises falls climbs posts pasted paste rated crashes crashed breaks \
        erstellt angelegt eingeht eingegangen kommt ankommt hochgeladen ausgefullt abgeschickt abgesendet geandert geloscht bezahlt eintrifft \
        gesendet hinzugefugt aktualisiert veroffentlicht erscheint auftritt fehlschlagt landet eingereicht gekundigt storniert aufgerufen bekommen \
        ankommen reussi payee annulee cree creee ajoute ajoutee arrive recu recue soumis envoye modifie supprime paye publie depose remplit rempli echoue apparait soumet recois \
        llega llegue crea cree creado anade anada recibe recibo recibido envia envie actualiza elimina publica publique paga suba sube falla falle fallan \
        aparece aparezca abra abre abierta cierra cierre rellena rellene complete entra entre";
    is_among(EVENTS, word)
}

/// Returns the place of the verb that begins the request of a clause, if a subject stands before it: `new rows in my sheet | should be sent`.
pub(super) fn subject_end(clause: &Clause) -> Option<usize> {
    let modal = clause.items.iter().position(|item| item.among(MODALS) || item.is(&["get", "gets", "goes", "go"]) && item.is_verb);
    let first = clause.verbs().first().copied();
    // `store every message I get in …` has its request before.
    let modal = modal.filter(|at| clause.items[*at].among(MODALS) || first.is_none_or(|first| first >= *at));
    match (modal, first) {
        (Some(modal), _) if modal > 0 => Some(modal),
        (_, Some(first)) if first > 0 => Some(first),
        _ => None,
    }
}
