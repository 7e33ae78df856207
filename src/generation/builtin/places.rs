//! Services of a clause: where its data comes from, and where it goes.

use super::clauses::Clause;
use super::flow::Flow;
use super::reading::Item;
use super::tokens::Kind;
use super::words::Act;
use super::world::World;

/// Words before the place to which things go.
const TO: &[&str] = &[
    "to", "in", "into", "on", "onto", "at", "with", "via", "by", "through", "using", "an", "a", "nach", "per", "mit", "en", "dans", "sur",
    "par", "avec", "con", "por", "uber", "auf", "als",
];
/// Services that send mails.
const MAILERS: &[&str] = &["gmail", "microsoftOutlook", "awsSes", "sendGrid", "mailgun", "mailjet", "mandrill", "sendInBlue"];

/// Returns what a clause asks for whose verbs only say that something is to be somewhere: `a message should appear in Slack`, `the answers come into a sheet`.
pub(super) fn implied(clause: &Clause) -> Option<Act> {
    let person = clause.items.iter().any(|item| item.is(&["bekommt", "erhalt", "recoit", "recibe", "gets", "receives"]));
    if person && clause.items.iter().any(|item| item.noun == Some("mail")) {
        return Some(Act::Send);
    }
    let at = clause.items.iter().position(|item| item.service.is_some())?;
    let before = &clause.items[..at];
    let placed = before.iter().rev().take(4).any(|item| item.is(TO) && !item.is(&["a"]))
        && !before.iter().any(|item| item.is(&["from", "aus", "von"]));
    let light = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    let message = clause.items.iter().any(|item| matches!(item.noun, Some("message" | "mail" | "sms" | "alert" | "reminder" | "post")));
    let appears = light(&[
        "appear",
        "appears",
        "erscheinen",
        "erscheint",
        "should",
        "soll",
        "sollen",
        "must",
        "gehen",
        "geht",
        "kommt",
        "doit",
        "debe",
        "get",
        "gets",
        "bekommt",
    ]);
    let moves =
        light(&["come", "comes", "kommen", "kommt", "landen", "landet", "land", "lands", "gehen", "geht", "wandern", "vont", "va", "van"]);
    // `bei neuen Releases eine Nachricht an Discord`.
    let nominal = clause.items.iter().all(|item| !item.is_verb);
    (placed && message && (appears || nominal)).then_some(Act::Send).or_else(|| (placed && moves).then_some(Act::Process))
}

/// Reports whether the data comes from the service at a place.
pub(super) fn is_source(items: &[Item], at: usize) -> bool {
    for item in items[..at].iter().rev().take(5) {
        if item.is(&["from", "aus", "von", "vom", "desde", "depuis"]) {
            return true;
        }
        if item.is(&[
            "to", "in", "into", "on", "onto", "at", "with", "via", "by", "through", "using", "an", "a", "nach", "per", "mit", "en", "dans",
            "sur", "par", "avec", "con", "por",
        ]) || item.is_verb
            || item.service.is_some()
        {
            return false;
        }
    }
    false
}

/// Reports whether a service is what a workflow that knows nothing yet is to tell about: `send today's Google Calendar events to Telegram`.
pub(super) fn is_object(flow: &Flow<'_>, clause: &Clause, at: usize, act: Act) -> bool {
    let tells = matches!(act, Act::Send | Act::Create | Act::Upload) && flow.data.hollow && flow.made.is_none();
    let elsewhere = clause
        .items
        .iter()
        .enumerate()
        .any(|(other, item)| other != at && item.service.is_some() && item.service != clause.items[at].service)
        || act == Act::Send && clause.items.iter().any(|item| item.kind == Kind::Mail || item.noun == Some("mail"));
    let mails = |item: &Item| item.service.is_some_and(|own| MAILERS.contains(&flow.lexicon.services[own].key.as_str()));
    // A service that something goes to has its preposition before it.
    let before =
        clause.items[..at].iter().rev().take(4).take_while(|item| item.kind != Kind::Comma && !item.is_verb && item.service.is_none());
    let named = before.into_iter().any(|item| item.is(TO) && !item.is(&["mit", "with"]));
    tells && elsewhere && !named && !mails(&clause.items[at])
}

/// Reports whether a message goes by mail besides the services: `to me by mail and to Discord`.
pub(super) fn also_mails(clause: &Clause, done: &[usize], world: &World<'_>) -> bool {
    let by = clause
        .items
        .windows(2)
        .any(|two| two[0].is(&["by", "via", "per", "par", "por"]) && two[1].noun == Some("mail") && two[1].service.is_none());
    by && !done.iter().any(|at| MAILERS.contains(&world.lexicon.services[*at].key.as_str())) && world.mail_service().is_none()
}

/// Places of services among the items of a clause, with the services.
pub(super) type Places = Vec<(usize, usize)>;

/// Tells what a mail is about from what sends it: `mail me my Google Calendar events`.
pub(super) fn mailed(clause: &Clause, mut sources: Places, targets: Places, world: &World<'_>) -> (Places, Places) {
    let mails =
        clause.items.iter().any(|item| item.is_verb && item.is(&["mail", "mails", "email", "emails", "mailed", "emailed", "mail-me"]));
    if !mails {
        return (sources, targets);
    }
    let (senders, others): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|(_, at)| MAILERS.contains(&world.lexicon.services[*at].key.as_str()));
    sources.extend(others);
    (sources, senders)
}
