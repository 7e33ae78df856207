//! From a prompt to nodes: finds the start, then adds the steps under their conditions.

use super::ai;
use super::begin::{Event, conditions_first, find_start, with_details};
use super::beside;
use super::channels::assumed_channels;
use super::clauses::{self, Clause, Role};
use super::coverage::{forgotten, unknown_request, unmade, unreached};
use super::evidence;
use super::flow::Flow;
use super::mentions;
use super::phrases;
use super::polled;
use super::reading::{self, Item};
use super::run::Run;
use super::schedule;
use super::services::Lexicon;
use super::starts::{self, Start};
use super::stuck::Stuck;
use super::trail::{Part, PartKind};
use super::words::Act;
use super::world::World;
use super::{restrictions, zones};
use crate::catalog::Catalog;

/// Reading of a prompt.
pub(super) struct Composed<'c> {
    pub flow: Flow<'c>,
    pub start: Option<Start>,
    /// Obstacles to building, in the order of the prompt.
    pub stuck: Vec<Stuck>,
    pub items: Vec<Item>,
    /// The time zone that the prompt names.
    pub zone: Option<String>,
}

/// Composes a workflow.
pub(super) fn compose<'c>(text: &str, channel: &str, catalog: &'c Catalog, lexicon: &'c Lexicon) -> Composed<'c> {
    let items = phrases::items(text, lexicon);
    let mut flow = Flow::new(catalog, lexicon);
    for channel in assumed_channels(&items) {
        flow.assume(format!("{channel} is a channel of Slack"));
    }
    let found = schedule::find(&items);
    let mut used = found.as_ref().map(|(_, used)| used.clone()).unwrap_or_default();
    let zone = zones::find(&items).filter(|_| found.is_some());
    used.extend(zone.iter().flat_map(|(_, range)| range.clone()));
    let mut rest: Vec<Item> = items.iter().enumerate().filter(|(at, _)| !used.contains(at)).map(|(_, item)| item.clone()).collect();
    reading::mark_verbs(&mut rest);
    let mut clauses = clauses::clauses(&rest);
    let mut stuck = Vec::new();
    let event = find_start(&mut clauses, lexicon, found.is_some());
    let polled = if event.is_none() { polled::read_instead(&mut clauses, lexicon) } else { None };
    let contradiction = found.as_ref().and_then(|(schedule, _)| schedule.contradiction.as_ref());
    stuck.extend(contradiction.map(|times| Stuck::Unknown(format!("the times {times}, of which one is meant"))));
    let schedule = found.map(|(schedule, _)| schedule).or_else(|| polled.map(polled::often));
    let (start, of_start) = match (schedule, event) {
        (Some(schedule), Some(event)) if schedule.weak => (Start::Schedule(schedule), None).or_event(event),
        (Some(schedule), Some(event)) => match event.role {
            // `every morning, for each new row in the sheet …` reads the sheet.
            Role::Step if event.is_state => (Start::Schedule(schedule), None),
            _ if matches!(event.start, Start::Manual) => (Start::Schedule(schedule), None),
            _ => {
                stuck.push(Stuck::Unknown("two different starts of one workflow".to_owned()));
                (event.start, Some(event.items))
            }
        },
        (Some(schedule), None) => (Start::Schedule(schedule), None),
        (None, Some(event)) => (event.start, Some(event.items)),
        (None, None) => {
            let unclear = clauses.iter().find(|clause| clause.role == Role::Start).map(Clause::text);
            stuck.push(Stuck::Unknown(unclear.unwrap_or_else(|| "what starts the workflow".to_owned())));
            return Composed { flow, start: None, stuck, items, zone: None };
        }
    };
    conditions_first(&mut clauses);
    let start_service = if let Start::Service(at) = start { Some(at) } else { None };
    let channel = reading::items(channel, lexicon);
    let world = World { lexicon, items: &items, start: start.clone(), channel, start_service };
    let answers = clauses.iter().any(|clause| clause.verbs().iter().any(|at| clause.items[*at].act == Some(Act::Reply)));
    let of_start = of_start.unwrap_or_default();
    // Fields of a form, and attachments, may be named later in the prompt.
    let about: Vec<Item> = if matches!(start, Start::Form | Start::Mail | Start::Service(_)) {
        with_details(&of_start, &items, &start)
    } else {
        of_start.clone()
    };
    if let Err(what) = starts::build(&mut flow, &start, &about, &items, answers) {
        stuck.push(Stuck::Unknown(what));
        return Composed { flow, start: Some(start), stuck, items, zone: None };
    }
    let mut parts: Vec<Part> = Vec::new();
    let gate = filter_start(&mut flow, &of_start, &clauses).unwrap_or_else(|error| {
        stuck.push(error);
        None
    });
    let chosen = matches!(start, Start::Service(_) | Start::Mail | Start::Feed | Start::Webhook);
    stuck.extend(beside::unaccounted(&flow, &of_start).filter(|_| chosen && stuck.is_empty()));
    parts.push(Part::new(&about, &flow, 0, PartKind::Start));
    let mut run =
        Run { world: &world, stuck: &mut stuck, before: None, gate, sentence: usize::MAX, parted: false, effects: 0, answered: false };
    for at in 0..clauses.len() {
        run.answered = clauses[at + 1..].iter().any(is_answer);
        let parted = clauses.get(at + 1).is_some_and(|next| next.role == Role::Otherwise && next.sentence == clauses[at].sentence);
        run.parted = parted && clauses[at].role == Role::Step && run.gate.is_none();
        let condition = clauses[at].role == Role::Condition || clauses[at].role == Role::Start;
        let kind = if condition { PartKind::Condition } else { PartKind::Step };
        let before = flow.nodes.len();
        run.clause(&mut flow, &clauses[at]);
        parts.push(Part::new(&clauses[at].items, &flow, before, kind));
    }
    if run.before.is_some() {
        run.close(&flow);
    }
    if flow.effects == 0
        && stuck.is_empty()
        && start == Start::Chat
        && let Some(clause) = clauses.first().cloned().or_else(|| whole(&items))
    {
        let before = flow.nodes.len();
        stuck.extend(ai::chat(&mut flow, &clause, &world).err());
        parts.push(Part::new(&clause.items, &flow, before, PartKind::Step));
    }
    if start == Start::Webhook {
        starts::asked_for_nothing(&mut flow, &items);
    }
    stuck.extend(restrictions::unknown_event(&of_start).filter(|_| matches!(start, Start::Service(_))));
    flow.drop_repeated();
    stuck.extend(unknown_request(&flow, &items, &used));
    stuck.extend(forgotten(&flow, &rest));
    stuck.extend(mentions::broken(&flow, &rest).filter(|_| stuck.is_empty()));
    // The step that nothing was made of.
    if flow.effects == 0 && stuck.is_empty() && items.iter().any(|item| item.service.is_some()) {
        let step = clauses.iter().find(|clause| clause.role == Role::Step && !clause.items.is_empty());
        stuck.extend(step.map(|clause| Stuck::Unknown(clause.text())));
    }
    stuck.extend(restrictions::unaccounted(&flow, &items, &used).filter(|_| stuck.is_empty()));
    if stuck.is_empty() {
        stuck.extend(unreached(&flow, &items, &of_start).or_else(|| unmade(&flow, &items)));
    }
    if stuck.is_empty() {
        stuck.extend(evidence::missing(&mut flow, &items, &used, &parts));
    }
    Composed { flow, start: Some(start), stuck, items, zone: zone.map(|(zone, _)| zone) }
}

trait OrEvent {
    fn or_event(self, event: Event) -> (Start, Option<Vec<Item>>);
}

impl OrEvent for (Start, Option<Vec<Item>>) {
    /// Prefers an event to an adjective such as `daily`.
    fn or_event(self, event: Event) -> (Start, Option<Vec<Item>>) {
        if event.is_state { self } else { (event.start, Some(event.items)) }
    }
}

fn whole(items: &[Item]) -> Option<Clause> {
    (!items.is_empty()).then(|| Clause { role: Role::Step, items: items.to_vec(), sentence: 0, either: false })
}

fn is_answer(clause: &Clause) -> bool {
    clause.role == Role::Step
        && clause.verbs().iter().any(|at| matches!(clause.items[*at].act, Some(Act::Reply | Act::Send)))
        && clause
            .items
            .iter()
            .any(|item| item.is(&["back", "answer", "reply", "response", "result", "thread", "it", "antwort", "replies", "answers"]))
}

/// Adds the condition that the description of the start has: `orders over 100 EUR`. Returns the output for all others, if the prompt says what
/// happens otherwise.
fn filter_start(flow: &mut Flow<'_>, items: &[Item], clauses: &[Clause]) -> Result<Option<String>, Stuck> {
    let tests = beside::within(items);
    if tests.is_empty() {
        return Ok(None);
    }
    let unknown = || Stuck::Condition(whole(items).map(|clause| clause.text()).unwrap_or_default());
    let case = beside::case(&tests, flow).ok_or_else(unknown)?;
    let otherwise = clauses.iter().position(|clause| clause.role == Role::Otherwise);
    if otherwise.is_some_and(|at| clauses[..at].iter().all(|clause| clause.role == Role::Step)) {
        return Ok(Some(format!("{}.false", flow.condition("if", "If", vec![case]))));
    }
    flow.condition("filter", "Filter", vec![case]);
    beside::without_command(flow, &tests);
    Ok(None)
}
