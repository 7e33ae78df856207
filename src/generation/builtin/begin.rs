//! Which clause starts the workflow, and in which order clauses count.

use super::arrivals;
use super::choices::{self, Test};
use super::clauses::{self, Clause, Role};
use super::form::RECIPIENT;
use super::reading::{self, Item};
use super::services::Lexicon;
use super::starts::{self, Start};
use super::tokens::Kind;
use super::words::Act;

/// Verbs for waiting for what comes.
pub(super) const LISTENS: &str = "listen listens listen-to listens-to listen-on listens-on consume consumes";

/// Something that starts the workflow.
pub(super) struct Event {
    pub start: Start,
    pub items: Vec<Item>,
    pub role: Role,
    /// True if it is not an event but something to look for: `check the feed for new entries`.
    pub is_state: bool,
}

/// Finds the clause that starts the workflow, and takes it, or the part of it that does so, out of the clauses.
pub(super) fn find_start(clauses: &mut Vec<Clause>, lexicon: &Lexicon, scheduled: bool) -> Option<Event> {
    let mut weak: Option<(usize, Event)> = None;
    for at in 0..clauses.len() {
        let clause = &clauses[at];
        let detected = starts::detect(&clause.items, lexicon);
        match clause.role {
            Role::Start | Role::Condition => {
                let state = choices::read(&clause.items).is_some_and(|test| !test.chooses());
                let when = clause.role == Role::Start && !state;
                let event = when || starts::says_event(&clause.items) || matches!(detected, Some(Start::Manual | Start::Error));
                if let Some((start, items)) = arrivals::of_pronoun(clauses, at, lexicon).filter(|_| !scheduled) {
                    return Some(Event { start, items, role: Role::Start, is_state: false });
                }
                let Some(start) = detected.filter(|_| event) else { continue };
                let clause = clauses.remove(at);
                return Some(Event { start, items: clause.items, role: Role::Start, is_state: false });
            }
            Role::Otherwise => {}
            Role::Step => {
                if let Some((mut event, rest)) = from_step(clause, lexicon, scheduled, at) {
                    let strong = event.role == Role::Start;
                    if strong {
                        match rest {
                            Some(items) => clauses[at].items = items,
                            None => drop(clauses.remove(at)),
                        }
                        // `we get orders in an IMAP mailbox; for each new mail …` says it twice.
                        let again = |clause: &mut Clause| {
                            clause.role == Role::Start && starts::detect(&clause.items, lexicon).as_ref() == Some(&event.start)
                        };
                        let again: Vec<Clause> = clauses.extract_if(at.., again).collect();
                        event.items.extend(again.into_iter().flat_map(|clause| clause.items));
                        return Some(event);
                    }
                    if weak.is_none() {
                        weak = Some((at, event));
                    }
                }
            }
        }
    }
    let (at, event) = weak?;
    if !event.is_state || !scheduled {
        clauses.remove(at);
    }
    Some(event)
}

/// Finds a start in a clause that is no subordinate clause. Returns what is left of the clause. The role is `Start` if it is certain.
fn from_step(clause: &Clause, lexicon: &Lexicon, scheduled: bool, at: usize) -> Option<(Event, Option<Vec<Item>>)> {
    let items = &clause.items;
    let is = |words: &[&str]| items.iter().any(|item| item.is(words));
    let noun = |noun: &str| items.iter().any(|item| item.noun == Some(noun) && item.service.is_none());
    let event = |start: Start, items: &[Item], role: Role, is_state: bool| Event { start, items: items.to_vec(), role, is_state };
    // `new rows in my sheet | should be sent …`
    if let Some(end) = clauses::subject_end(clause) {
        let end = before_place(items, end);
        let subject = &items[..end];
        let fresh = starts::says_event(subject)
            || subject.iter().any(|item| item.is(&["each", "every", "all", "any", "alle", "jede", "whatever", "anything", "who", "tout"]));
        let start = starts::detect(subject, lexicon).filter(|start| match start {
            Start::Manual | Start::Chat => false,
            // `our form should write …`, `errors of my workflows should be sent …`
            Start::Form | Start::Webhook | Start::Error => at == 0,
            // `my messages with the word invoice should …`
            _ => {
                fresh
                    || items[end].among("should must soll sollen doivent deben")
                        && subject.iter().any(|item| {
                            matches!(item.noun, Some("mail" | "message" | "submission" | "response" | "lead" | "image" | "audio"))
                        })
            }
        });
        let pronoun = subject.first().is_some_and(|item| item.is(&["i", "we", "you", "ich", "wir", "nous", "je"]));
        // `a webhook gets orders` asks for nothing else.
        let rest = &items[end..];
        let only_gets = matches!(start, Some(Start::Webhook | Start::Form))
            && rest
                .first()
                .is_some_and(|item| item.is(&["gets", "receives", "takes", "get", "receive", "empfangt", "bekommt", "recoit", "recibe"]))
            && rest.iter().all(|item| item.service.is_none() && !item.is_value())
            && rest.iter().filter(|item| item.is_verb && item.act != Some(Act::Light)).count() <= 1;
        // `any issue that gets created`.
        let happens = matches!(start, Some(Start::Service(_) | Start::Mail | Start::Feed))
            && rest.iter().any(|item| clauses::is_event_word(&item.word))
            && rest.iter().all(|item| {
                item.kind == Kind::Word
                    && item.service.is_none()
                    && (item.plain || item.act == Some(Act::Light) || clauses::is_event_word(&item.word))
            });
        if let Some(start) = start.clone().filter(|_| (only_gets || happens) && !scheduled) {
            return Some((event(start, items, Role::Start, false), None));
        }
        if let Some(start) = start.filter(|_| !pronoun && !scheduled) {
            return Some((event(start, subject, Role::Start, false), Some(items[end..].to_vec())));
        }
    }
    if let Some((from, to)) = fresh_object(items).filter(|_| !scheduled)
        && let Some(start) = starts::detect(&items[from..to], lexicon)
        && !matches!(start, Start::Manual | Start::Chat | Start::Error | Start::Form | Start::Webhook)
    {
        let mut rest = items[..from].to_vec();
        // `send each new customer of Stripe a welcome mail`: they get it.
        let gets = rest.last().is_some_and(|verb| verb.is_verb && verb.act == Some(Act::Send));
        let person = items[from..to].iter().any(|item| matches!(item.noun, Some("customer" | "contact" | "user" | "lead" | "visitor")));
        if gets && person && items.get(to).is_some_and(|item| item.is(&["a", "an", "ein", "eine", "einen"])) {
            rest.push(reading::word_of("them"));
        }
        rest.extend_from_slice(&items[to..]);
        let looks = rest.iter().all(|item| !item.is_verb || matches!(item.act, Some(Act::Get | Act::Light)));
        let bare = looks && rest.iter().all(|item| item.service.is_none() && !item.is_value());
        let left = rest.iter().any(|item| item.is_verb).then_some(rest).filter(|_| !bare);
        return Some((event(start, &items[from..to], Role::Start, false), left));
    }
    if let Some((start, from, to)) = arrivals::arriving(items, lexicon).filter(|_| !scheduled) {
        return Some((event(start, &items[from..to], Role::Start, false), arrivals::without(items, from, to)));
    }
    if let Some((start, left)) = described(items, lexicon).filter(|_| !scheduled) {
        let upto = items.len() - left.len();
        return Some((event(start, &items[..upto], Role::Start, false), Some(left)));
    }
    let start = starts::detect(items, lexicon)?;
    let verbs = clause.verbs();
    let acts: Vec<Act> = verbs.iter().filter_map(|at| items[*at].act).collect();
    let takes_in = items.iter().take(2).any(|item| item.is(&["we", "i", "people", "customers", "users", "ich", "wir", "nous", "je"]));
    let gets = is(&["get", "receive", "mention", "mentions", "bekommen", "erhalten", "recevons", "recibimos"]);
    // `suppliers send us orders by mail` asks for no mail.
    let sent_to_us = items.windows(3).any(|three| {
        let [who, verb, us] = three else { return false };
        who.kind == Kind::Word && !who.plain && !who.is_verb && verb.is_verb && verb.among(SENDS) && us.among("us me uns mir nous nos")
    });
    let arrives = takes_in && gets || sent_to_us;
    if arrives && !scheduled && acts.len() <= 1 && !matches!(start, Start::Manual | Start::Schedule(_)) {
        return Some((event(start, items, Role::Start, false), None));
    }
    // `receive bookings of Calendly`, `I have a folder on Google Drive where invoices arrive`
    let receives = items.first().is_some_and(|item| {
        item.is(&["receive", "receives", "accept", "erhalte", "recois", "recibe", "wait-for", "listen-for", "listen-to"])
    });
    let there = items.iter().any(|item| item.is(&["have", "there", "habe", "gibt", "haben", "ai", "tengo", "hay"]))
        && items.iter().any(|item| item.is(&["where", "which", "wo", "den", "dem", "ou", "donde"]))
        && starts::says_event(items);
    if !scheduled
        && (receives || there)
        && acts.is_empty()
        && matches!(start, Start::Service(_) | Start::Mail | Start::Feed | Start::Webhook | Start::Form)
    {
        return Some((event(start, items, Role::Start, false), None));
    }
    let watched = items
        .first()
        .is_some_and(|item| item.among("watch watches monitor monitors uberwache surveille vigila poll polls") || item.among(LISTENS));
    if watched && acts.iter().all(|act| *act == Act::Get) && matches!(start, Start::Service(_) | Start::Feed | Start::Mail) {
        let listens = items.first().is_some_and(|item| item.among(LISTENS));
        return Some((event(start, items, if listens { Role::Start } else { Role::Step }, !listens), None));
    }
    let mild = acts.iter().all(|act| matches!(act, Act::Create | Act::Light | Act::Reply | Act::Unsupported | Act::Upload | Act::Call));
    match start {
        Start::Webhook if mild && (noun("webhook") || starts::slashed(items).is_some()) => {
            Some((event(start, items, Role::Start, false), None))
        }
        Start::Form if mild || acts == [Act::Get] => Some((event(start, items, Role::Start, false), None)),
        Start::Chat if at == 0 && (mild || verbs.is_empty()) => Some((event(start, items, Role::Step, false), None)),
        Start::Manual if !scheduled => Some((event(start, items, Role::Step, false), acts.is_empty().then(Vec::new))),
        // `Telegram bot: …`, `auto reply for our WhatsApp number: …`
        Start::Service(_)
            if !scheduled
                && (noun("bot") || noun("reply"))
                && acts.iter().all(|act| matches!(act, Act::Create | Act::Reply | Act::Light)) =>
        {
            Some((event(start, items, Role::Step, false), None))
        }
        Start::Service(_) | Start::Mail | Start::Feed if verbs.is_empty() && starts::says_event(items) && !scheduled => {
            Some((event(start, items, Role::Start, false), None))
        }
        _ => None,
    }
}

/// Returns where the subject of a clause ends whose verb stands at the end: `neue Dateien in Google Drive | nach Dropbox kopieren`.
fn before_place(items: &[Item], verb: usize) -> usize {
    if verb + 1 < items.len() {
        return verb;
    }
    let Some(first) = items.iter().position(|item| item.service.is_some()) else { return verb };
    let to = |item: &Item| item.is(&["nach", "in", "an", "zu", "auf", "per", "mit", "als", "uber", "bei", "im", "zur", "zum"]);
    (first + 1..verb)
        .find(|at| to(&items[*at]) && items[*at..verb].iter().any(|item| item.service.is_some() || item.noun.is_some()))
        .unwrap_or(verb)
}

/// Returns the part of a clause that names new things: `post | every new issue in GitHub | to Discord`.
fn fresh_object(items: &[Item]) -> Option<(usize, usize)> {
    const FRESH: &str = "new incoming neue neuen neuer neues nouveau nouveaux nouvelle nouvelles nuevo nuevos nueva nuevas eingehende";
    let fresh = items.iter().position(|item| item.among(FRESH) || item.is(&["every", "each"]))?;
    let after_verb = items[..fresh].iter().any(|item| item.is_verb);
    let upto = items[fresh + 1..].iter().enumerate().position(|(at, item)| {
        let placed = items[fresh + 1..=fresh + at].iter().any(|item| item.service.is_some());
        item.is(&["to", "into", "with", "via", "by", "using", "per", "mit", "an", "avec", "par", "con", "por", "through"])
            || placed && item.is(&["in", "on", "as", "als", "en", "dans", "a", "an", "ein", "eine", "einen"])
            || item.is_verb
    });
    let to = upto.map_or(items.len(), |by| fresh + 1 + by);
    let says = items[fresh..to].iter().any(|item| item.among(FRESH));
    (after_verb && says).then_some((fresh, to))
}

/// Finds what a thing that is to be made does: `a Telegram bot that | answers questions with Gemini`.
fn described(items: &[Item], lexicon: &Lexicon) -> Option<(Start, Vec<Item>)> {
    let at = items.iter().position(|item| item.is(&["that", "which", "der", "die", "qui", "que"]))?;
    let thing = &items[..at];
    let is_thing = thing.iter().any(|item| matches!(item.noun, Some("bot" | "webhook" | "chat" | "form" | "workflow")));
    let own = thing.iter().any(|item| item.is_verb && !matches!(item.act, None | Some(Act::Light | Act::Create)));
    let does = |item: &Item| {
        matches!(
            item.act,
            Some(Act::Reply | Act::Summarize | Act::Translate | Act::Write | Act::Create | Act::Send | Act::Transcribe | Act::Extract)
        )
    };
    // A German clause has its verb at the end.
    let german = items[at].is(&["der", "die"]);
    let verb = items[at + 1..].iter().take(if german { usize::MAX } else { 1 }).find(|item| item.is_verb && does(item));
    let start = starts::detect(thing, lexicon)?;
    (is_thing && !own && verb.is_some()).then(|| (start, items[at + 1..].to_vec()))
}

/// Puts a condition behind its step before it: `alert me | if it is down`.
pub(super) fn conditions_first(clauses: &mut Vec<Clause>) {
    // `when the webhook is called and the amount is over 100, …`: the start is gone from the clauses.
    let beside =
        clauses.len() > 1 && clauses[0].role == Role::Step && clauses[0].verbs().is_empty() && clauses[1].sentence == clauses[0].sentence;
    if beside && choices::read(&clauses[0].items).is_some_and(|test| !matches!(test, Test::Mood(_) | Test::Valid(_) | Test::Down)) {
        clauses[0].role = Role::Condition;
    }
    let is_condition = |clause: &Clause| clause.role == Role::Condition || clause.role == Role::Start && clause.either;
    // `if the total is over 100 and the status is open`.
    let goes_on = |before: &Clause, clause: &Clause| {
        let other = clause.role == Role::Step && clause.verbs().is_empty();
        is_condition(before) && other && before.sentence == clause.sentence && choices::read(&clause.items).is_some()
    };
    while let Some(at) = (1..clauses.len()).find(|at| goes_on(&clauses[at - 1], &clauses[*at])) {
        let more = clauses.remove(at).items;
        clauses[at - 1].items.push(clauses::comma());
        clauses[at - 1].items.extend(more);
    }
    for at in 1..clauses.len() {
        let ends = clauses.get(at + 1).is_none_or(|next| next.sentence != clauses[at].sentence || next.role == Role::Otherwise);
        let behind =
            clauses[at - 1].role == Role::Step && clauses[at - 1].sentence == clauses[at].sentence && !clauses[at - 1].verbs().is_empty();
        if is_condition(&clauses[at]) && ends && behind {
            clauses.swap(at - 1, at);
        }
    }
}

/// Verbs of which the one who writes the prompt is the recipient.
const SENDS: &str = "send sends mail mails email emails post posts forward forwards upload uploads schicken schickt senden sendet envoient envoie envian envia";

/// Returns the items of a start with those of the prompt that say what its data has.
pub(super) fn with_details(start: &[Item], items: &[Item], kind: &Start) -> Vec<Item> {
    let attached = |item: &Item| item.is(&["attachment", "attachments", "attached", "anhang", "anhange", "adjunto", "joint"]);
    let field = |item: &Item| {
        matches!(
            item.noun,
            Some(
                "name"
                    | "mail"
                    | "address"
                    | "phone"
                    | "company"
                    | "message"
                    | "question"
                    | "feedback"
                    | "file"
                    | "image"
                    | "document"
                    | "date"
            )
        )
    };
    // `send it to me by mail` says how, and no field.
    let by_mail = |item: &Item| {
        let before = item.at.and_then(|at| at.checked_sub(1)).and_then(|before| items.get(before));
        item.noun == Some("mail") && before.is_some_and(|before| before.among("by via per par por"))
    };
    let mut all = start.to_vec();
    let wanted = |item: &Item| match kind {
        Start::Form => {
            item.service.is_none() && !item.is_verb && !by_mail(item) && (field(item) || item.is(&["cv", "pdf", "upload", "newsletter"]))
        }
        _ => attached(item),
    };
    // Whoever gets a mail has to give an address.
    let writes_back = items.iter().any(|item| {
        item.among("reporter visitor sender submitter applicant absender besucher visiteur visitante remitente expediteur")
            || item.noun == Some("visitor")
    });
    if *kind == Start::Form && writes_back {
        let mail = items.iter().find(|item| item.noun == Some("mail"));
        all.extend(mail.map(|mail| Item { is_verb: false, word: RECIPIENT.to_owned(), ..mail.clone() }));
    }
    // A form only asks for what is said before the first place that it goes to.
    let upto = if *kind == Start::Form { items.iter().position(|item| item.service.is_some()).unwrap_or(items.len()) } else { items.len() };
    all.extend(items[..upto].iter().filter(|item| wanted(item)).cloned());
    all
}

pub(super) fn is_error_flow(clause: &Clause) -> bool {
    let first = clause.items.iter().position(|item| item.noun == Some("error") || item.is(&["failures"]));
    first.is_some_and(|at| at < 2) && clause.items.iter().any(|item| item.service.is_some() || item.noun == Some("mail"))
}
