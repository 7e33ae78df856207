//! Events of services that start no workflows: their records are read on a schedule, and the new ones count.

use serde_json::json;

use super::beside;
use super::clauses::{Clause, Role};
use super::reading::Item;
use super::schedule::Schedule;
use super::services::{Lexicon, Service};
use super::starts;
use super::tokens::Kind;
use super::words::Act;

/// Words for records that come into being; nothing tells one that was changed from one that was read before.
const COMES: &str = "uploaded uploads added adds add new created creates posted posts published publishes appears appear arrives arrive comes \
     placed saved put lands hochgeladen hinzugefugt angelegt erstellt neue neuer neues neuen erscheint ajoute ajoutee cree creee publie \
     publiee depose nouveau nouvelle anade anada sube suba crea nuevo nueva publica publique";

/// Turns the first clause about such an event into the step that reads the new records. Returns the service.
pub(super) fn read_instead<'l>(clauses: &mut Vec<Clause>, lexicon: &'l Lexicon) -> Option<&'l Service> {
    let silent = |item: &Item| {
        let service = &lexicon.services[item.service?];
        (service.trigger.is_none() && service.action.is_some()).then_some(service)
    };
    let at = clauses.iter().position(|clause| {
        let events = clause.role == Role::Start && clause.items.iter().any(|item| item.among(COMES));
        // Words beyond the record and its place would be lost.
        let bare = clause
            .items
            .iter()
            .all(|item| !item.is_value() && item.kind != Kind::Host && item.vendor.is_none() && !beside::is_choice(item));
        events && bare && clause.items.iter().filter(|item| item.service.is_some()).count() == 1
    })?;
    let items = &clauses[at].items;
    let place = items.iter().find(|item| silent(item).is_some())?.clone();
    let subject = starts::subject(items)?;
    let record = items.iter().find(|item| item.noun == Some(subject))?.clone();
    let service = silent(&place)?;
    let word = |text: &str| Item {
        text: text.to_owned(),
        word: text.to_owned(),
        service: None,
        act: None,
        noun: None,
        plain: true,
        is_verb: false,
        at: None,
        ..place.clone()
    };
    let get = Item { act: Some(Act::Get), is_verb: true, plain: false, ..word("get") };
    let mut clause = clauses.remove(at);
    (clause.role, clause.items) = (Role::Step, vec![get, word("new"), record, word("from"), place.clone()]);
    // The event is what everything else is about, wherever the prompt has it.
    clauses.insert(0, clause);
    Some(service)
}

/// Returns the schedule for a prompt that names none.
pub(super) fn often(service: &Service) -> Schedule {
    Schedule {
        intervals: vec![json!({"field": "minutes", "minutesInterval": 15})],
        said: "every 15 minutes".to_owned(),
        assumed: Some(format!("{} tells n8n of nothing new, so it is read that often", service.display)),
        ..Schedule::default()
    }
}
