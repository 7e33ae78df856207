//! Phrases of several words that ask for one thing: `end up in`, `let everybody know`, `I would like a mail with …`.

use super::channels::channels;
use super::reading::{self, Item, mark_verbs, verb, word_of};
use super::services::Lexicon;
use super::tokens::Kind;
use super::words::Act;

/// Phrases and what they ask for.
const PHRASES: &[(Act, &str)] = &[
    (
        Act::Create,
        "end up as|ends up as|ending up as|write down|writes down|note down|jot down|back up|backs up|backed up|make a backup of|take a backup of|keep a record of|keep track of",
    ),
    (
        Act::Process,
        "end up in|ends up in|end up on|ends up on|show up in|shows up in|show up on|go straight to|find their way to|find its way to",
    ),
    (
        Act::Send,
        "get notified|be notified|gets notified|get informed|be informed|get alerted|be alerted|get told|be told|keep me posted|keep us posted|keep me informed|keep us \
         informed|keep me updated|keep us updated|keep the team informed|drop a note|drop a message|drop a line|drop me a line|drop me a message|drop me a note|shoot me|give me a \
         heads up|give us a heads up|gib mir bescheid|gib uns bescheid|gib bescheid|sag mir bescheid|sage mir bescheid|sag bescheid|bescheid geben|hazme saber|hazmelo saber|fais moi \
         savoir|tiens moi informe|tiens moi au courant",
    ),
    (Act::Get, "look up|looks up|have a look at"),
    (Act::Light, "wait for|waits for|listen for|listens for|listen to|listens to|listen on|listens on|look out for"),
];
/// Words of a wish, and of what may stand between the wish and what is wished for.
const WISHES: &str = "want need like give mochte will brauche veux voudrais quiero necesito";
const BETWEEN: &str = "a an the me us to have get one ein eine einen mir uns un une una";
const MESSAGES: &[&str] = &["mail", "message", "sms", "alert", "reminder", "summary", "report"];
const EACH: &str = "every each jede jeden jedes jeder chaque cada";

/// Reads the items of a text, with a phrase as one of them.
pub(super) fn items(text: &str, lexicon: &Lexicon) -> Vec<Item> {
    let mut items = reachable(feeds(merged(reading::items(text, lexicon))));
    brackets(&mut items);
    channels(&mut items, lexicon);
    modals(&mut items);
    drops(&mut items);
    becomes(&mut items);
    know(&mut items);
    gotten(&mut items);
    clocks(&mut items);
    named_first(&mut items);
    wished(&mut items);
    mark_verbs(&mut items);
    verbless(&mut items);
    arrows(&mut items);
    items.iter_mut().enumerate().for_each(|(at, item)| item.at = Some(at));
    items
}

/// Makes `with` of a bracket that lists what something has: `a row (order number, email, total)`.
fn brackets(items: &mut [Item]) {
    for at in 1..items.len() {
        if items[at].text != "(" {
            continue;
        }
        let Some(length) = items[at..].iter().position(|item| item.text == ")") else { continue };
        let inner = &items[at + 1..at + length];
        let words = inner.iter().all(|item| item.kind == Kind::Comma || item.kind == Kind::Word && item.service.is_none() && !item.is_verb);
        let parts: Vec<&[Item]> = inner.split(|item| item.kind == Kind::Comma || item.among(reading::JOINS)).collect();
        if words && parts.len() > 1 && parts.iter().all(|part| (1..4).contains(&part.len())) {
            items[at] = Item { text: "(".to_owned(), ..word_of("with") };
        }
    }
}

/// Makes one item of a phrase.
fn merged(items: Vec<Item>) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::with_capacity(items.len());
    let mut at = 0;
    'items: while at < items.len() {
        for (act, phrase) in PHRASES.iter().flat_map(|(act, phrases)| phrases.split('|').map(move |phrase| (act, phrase))) {
            let words = || phrase.split_whitespace();
            let length = words().count();
            // In a sentence about what happens, `shows up in` is what happens.
            let asked =
                *act != Act::Process || items[..at].iter().rev().take(6).any(|item| item.among("should must shall will to soll sollen"));
            let fits = asked && items.len() - at >= length && words().zip(&items[at..]).all(|(word, item)| item.is(&[word]));
            if fits {
                let text: Vec<&str> = items[at..at + length].iter().map(|item| item.text.as_str()).collect();
                found.push(verb(*act, &text.join(" ")));
                at += length;
                continue 'items;
            }
        }
        found.push(items[at].clone());
        at += 1;
    }
    found
}

/// Adds what an arrow leaves out: that what is left of it is new, and the verb of what is right of it: `Trello card -> Asana task`.
fn arrows(items: &mut Vec<Item>) {
    let Some(arrow) = items.iter().position(|item| item.kind == Kind::Colon && item.text == "->") else { return };
    let end = |from: usize, items: &[Item]| {
        items[from..].iter().position(|item| matches!(item.kind, Kind::Stop | Kind::Colon)).map_or(items.len(), |by| from + by)
    };
    let mut at = arrow + 1;
    loop {
        let to = end(at, items);
        let own = &items[at..to];
        if !own.is_empty() && !own.iter().any(|item| item.is_verb && item.act != Some(Act::Light)) {
            const RECORDS: &[&str] = &[
                "row", "record", "task", "card", "contact", "page", "issue", "ticket", "deal", "event", "lead", "note", "customer", "item",
            ];
            let record = own.iter().any(|item| item.noun.is_some_and(|noun| RECORDS.contains(&noun)));
            items.retain({
                let mut place = 0;
                move |item| {
                    place += 1;
                    !(place > at && place <= to && item.among("new neue neuer neues neuen nouvelle nouveau nueva nuevo"))
                }
            });
            items.insert(at, verb(if record { Act::Create } else { Act::Send }, if record { "create" } else { "send" }));
        }
        at = end(at, items) + 1;
        if at >= items.len() || items[at - 1].text != "->" {
            break;
        }
    }
    let left = &items[..arrow];
    let says = left
        .iter()
        .any(|item| item.is_verb || super::clauses::is_event_word(&item.word) || item.among("new neue neuer every each daily weekly"));
    if !says && left.iter().any(|item| item.service.is_some()) {
        items.insert(0, word_of("new"));
    }
}

/// Makes one word of `are to be`, `needs to be` and the like.
fn modals(items: &mut Vec<Item>) {
    let mut at = 0;
    while at + 2 < items.len() {
        let said = items[at].is(&["are", "is", "need", "needs", "have", "has", "ought"])
            && items[at + 1].is(&["to"])
            && items[at + 2].is(&["be", "go"]);
        if said {
            items.splice(at..at + 2, [word_of("should")]);
        }
        at += 1;
    }
}

/// Makes `drop it into Slack` the request to put it there, rather than to leave it out.
fn drops(items: &mut [Item]) {
    for at in 0..items.len() {
        let into = |item: &Item| item.is(&["in", "into", "to", "on"]);
        let service = || {
            items[at + 1..]
                .windows(2)
                .take(8)
                .any(|two| into(&two[0]) && (two[1].service.is_some() || two[1].plain || two[1].kind == Kind::Channel))
        };
        if items[at].is(&["drop", "drops", "dump"]) && service() && items[at + 1..].iter().any(|item| item.service.is_some()) {
            items[at] = Item { name: items[at].name, ..verb(Act::Process, "put") };
        }
    }
}

/// Makes a verb of `become` where a service follows: `new ideas become Linear issues`.
fn becomes(items: &mut [Item]) {
    for at in 1..items.len() {
        let service = items[at + 1..].iter().take(3).any(|next| next.service.is_some());
        if service && items[at].is(&["become", "becomes"]) {
            items[at] = verb(Act::Create, "become");
        }
    }
}

/// Makes `let` in `let everybody know` the verb that it is.
fn know(items: &mut Vec<Item>) {
    let Some(at) = items.iter().position(|item| item.is(&["let", "lets"])) else { return };
    let ends = |item: &Item| matches!(item.kind, Kind::Stop | Kind::Comma | Kind::Colon);
    let Some(by) = items[at..].iter().take_while(|item| !ends(item)).take(12).position(|item| item.is(&["know"])) else { return };
    items.remove(at + by);
    items[at] = verb(Act::Send, "let know");
}

/// Makes `get a Slack message …` the request to send one.
fn gotten(items: &mut [Item]) {
    for at in 0..items.len() {
        let begins = at == 0 || matches!(items[at - 1].kind, Kind::Stop | Kind::Comma | Kind::Colon);
        let one = items.get(at + 1).is_some_and(|next| next.is(&["a", "an"]));
        let message = items
            .iter()
            .skip(at + 2)
            .take(3)
            .take_while(|item| item.kind == Kind::Word)
            .any(|item| item.noun.is_some_and(|noun| MESSAGES.contains(&noun)));
        if begins && one && message && items[at].is(&["get", "receive"]) {
            items[at] = verb(Act::Send, "send-me");
        }
    }
}

/// Makes a time of `half past six`, `quarter to nine`, `halb neun`.
fn clocks(items: &mut Vec<Item>) {
    let mut at = 0;
    while at + 1 < items.len() {
        let hour = |by: usize| {
            items
                .get(at + by)
                .and_then(Item::number)
                .filter(|hour| hour.fract() == 0.0 && (1.0..=12.0).contains(hour))
                .map(|hour| hour as u32)
        };
        let past = items[at + 1].is(&["past", "nach"]);
        let to = items[at + 1].is(&["to", "vor"]);
        let quarter = items[at].is(&["quarter", "viertel"]);
        let found = match (hour(1), hour(2)) {
            (Some(hour), _) if items[at].is(&["halb"]) => Some((hour * 60 - 30, 2)),
            (_, Some(hour)) if items[at].is(&["half"]) && past => Some((hour * 60 + 30, 3)),
            (_, Some(hour)) if quarter && past => Some((hour * 60 + 15, 3)),
            (_, Some(hour)) if quarter && to => Some((hour * 60 - 15, 3)),
            _ => None,
        };
        if let Some((time, length)) = found {
            let text: Vec<&str> = items[at..at + length].iter().map(|item| item.text.as_str()).collect();
            let item = Item { kind: Kind::Time(time % (24 * 60)), text: text.join(" "), ..word_of("time") };
            items.splice(at..at + length, [item]);
        }
        at += 1;
    }
}

/// Puts a service that is named before a colon into the sentence: `Shopify: when an order is paid, …`.
fn named_first(items: &mut Vec<Item>) {
    let when = |item: &Item| item.is(&["when", "whenever", "if", "wenn", "quand", "cuando"]);
    if let [service, colon, first, ..] = items.as_slice()
        && service.service.is_some()
        && colon.kind == Kind::Colon
        && when(first)
    {
        let service = service.clone();
        items.drain(..2);
        items.splice(1..1, [word_of("in"), service]);
    }
}

/// Makes the message of a wish the request: `I would like a daily mail with …`.
fn wished(items: &mut Vec<Item>) {
    let begins = |at: usize, items: &[Item]| at == 0 || matches!(items[at - 1].kind, Kind::Stop | Kind::Comma | Kind::Colon);
    let Some(wish) = items.iter().position(|item| item.among(WISHES)) else { return };
    // `would like` and `I'd like` have their subject before them.
    let start = (0..=wish).rev().find(|at| begins(*at, items)).unwrap_or(wish);
    let subject = items[start..wish].iter().all(|item| item.plain || item.act == Some(Act::Light) || item.is(&["d", "ich", "je"]));
    let mut to = wish + 1;
    while items.get(to).is_some_and(|item| item.among(BETWEEN) || item.plain && item.noun.is_none() || item.service.is_some())
        && to < wish + 7
    {
        to += 1;
    }
    let Some(message) = items.get(to).filter(|item| item.noun.is_some_and(|noun| MESSAGES.contains(&noun)) && !item.is(&["it"])) else {
        return;
    };
    let more = items.get(to + 1).is_some_and(|next| {
        next.is(&["with", "of", "about", "when", "whenever", "if", "every", "each", "mit", "uber", "wenn", "avec", "con", "on", "as"])
    });
    if !subject || !more {
        return;
    }
    let word = if message.noun == Some("mail") { "mail-me" } else { "send-me" };
    let request = Item { word: word.to_owned(), act: Some(Act::Send), plain: false, is_verb: true, ..message.clone() };
    let kept: Vec<Item> = items[wish + 1..to].iter().filter(|item| !item.among(BETWEEN)).cloned().collect();
    // `a Slack message`: the service is where it goes.
    let (services, others): (Vec<Item>, Vec<Item>) = kept.into_iter().partition(|item| item.service.is_some());
    let mut new = others;
    new.push(request);
    for service in services {
        new.push(word_of("to"));
        new.push(service);
    }
    items.splice(start..=to, new);
}

/// Adds the verb to a sentence that names only what is to be made for each thing: `a card in Trello for each mail …`.
fn verbless(items: &mut Vec<Item>) {
    let end = items.iter().position(|item| item.kind == Kind::Stop).unwrap_or(items.len());
    let first = &items[..end];
    let each = first.windows(2).position(|two| two[0].is(&["for", "per", "fur", "pour", "para", "por"]) && two[1].among(EACH));
    let Some(each) = each.filter(|at| *at > 0) else { return };
    let asks = first[..each].iter().any(|item| item.is_verb);
    let thing = first[..each].iter().any(|item| item.noun.is_some()) && first[..each].iter().any(|item| item.service.is_some());
    if !asks && thing && first[0].kind == Kind::Word && !first[0].among(EACH) {
        items.insert(0, verb(Act::Create, "create"));
    }
}

/// Takes a name before `RSS feed` for the name of the feed.
fn feeds(mut items: Vec<Item>) -> Vec<Item> {
    for at in 0..items.len() {
        let feed = |by: usize| {
            items.get(at + by).is_some_and(|next| next.is(&["rss", "atom"]) || next.noun == Some("feed") && next.service.is_none())
        };
        if items[at].service.is_some() && (feed(1) || feed(2) && items[at + 1].is(&["blog", "news", "site", "website", "channel"])) {
            items[at] = Item { service: None, plain: true, act: None, noun: None, ..items[at].clone() };
        }
    }
    items
}

/// Turns `check whether https://… is up, otherwise …` into a check and the condition that it fails.
fn reachable(mut items: Vec<Item>) -> Vec<Item> {
    const UP: &str = "reachable up online available responds responding accessible alive erreichbar verfugbar antwortet accessible disponible repond responde funciona joignable funktioniert lauft";
    let Some(url) = items.iter().position(|item| item.kind == Kind::Url) else { return items };
    let Some(whether) = items[..url].iter().rposition(|item| item.is(&["ob", "whether", "if", "si"])).filter(|at| url - at <= 4) else {
        return items;
    };
    let Some(up) = items[url..].iter().take(5).position(|item| item.among(UP)).map(|by| url + by) else { return items };
    const ELSE: &[&str] = &["otherwise", "else", "sonst", "andernfalls", "sinon"];
    let other = items[up..].iter().position(|item| item.is(ELSE)).map(|by| up + by);
    // `bei Fehler`, `on failure`, `en cas d'erreur`.
    let case = || {
        let fails = |item: &Item| item.noun == Some("error") || item.is(&["failure", "ausfall", "echec", "panne", "outage"]);
        let at = items[up..].iter().position(fails).map(|by| up + by)?;
        let opens: &[&[&str]] =
            &[&["en", "cas", "d"], &["en", "cas", "de"], &["en", "caso", "de"], &["in", "case", "of"], &["bei"], &["on"], &["im"]];
        let before =
            |words: &&&[&str]| at >= words.len() && words.iter().zip(&items[at - words.len()..]).all(|(word, item)| item.is(&[*word]));
        opens.iter().find(before).map(|words| (at - words.len(), words.len() + 1))
    };
    let not = || {
        items[up..]
            .windows(2)
            .position(|two| two[0].is(&["if", "wenn", "falls", "si"]) && two[1].is(&["not", "nicht", "non", "no", "pas"]))
            .map(|by| up + by)
    };
    let found = other.map(|at| (at, 1)).or_else(|| not().map(|at| (at, 2))).or_else(case);
    let Some((other, length)) = found else { return items };
    let rest = items.split_off(up + 1);
    // The words around the address belong to the question.
    items.truncate(url + 1);
    let mut head = items;
    head.remove(whether);
    if whether > 0 && head[whether - 1].kind == Kind::Comma {
        head.remove(whether - 1);
    }
    let comma = || Item { kind: Kind::Comma, ..word_of(",") };
    head.extend([comma(), word_of("if"), word_of("it"), word_of("is"), word_of("down"), comma()]);
    let gone = other - (up + 1);
    head.extend(
        rest.into_iter()
            .enumerate()
            .filter(|(at, item)| {
                !(gone..gone + length).contains(at)
                    && !(*at <= gone && (item.kind == Kind::Comma || item.is(&["ist", "and", "und", "et", "y"])))
            })
            .map(|(_, item)| item),
    );
    head
}
