//! Clause by clause: steps, conditions with their branches, and the flow for failures.

use super::begin::is_error_flow;
use super::beside::{self, Said};
use super::choices::{self, Test};
use super::clauses::{self, Clause, Role};
use super::conditions;
use super::flow::Flow;
use super::starts::{self, Start};
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::Act;
use super::world::World;
use super::{ai, fetch, steps};

pub(super) struct Run<'r, 'w> {
    pub world: &'r World<'w>,
    pub stuck: &'r mut Vec<Stuck>,
    /// Where the branch went on before the condition of this sentence.
    pub before: Option<String>,
    /// The condition, with its output for what does not fit.
    pub gate: Option<String>,
    pub sentence: usize,
    /// True if the next clause says what happens otherwise, though there is no condition.
    pub parted: bool,
    /// Number of effects when the branch began.
    pub effects: usize,
    /// True if a later clause answers.
    pub answered: bool,
}

impl Run<'_, '_> {
    pub(super) fn clause(&mut self, flow: &mut Flow<'_>, clause: &Clause) {
        if clause.sentence != self.sentence {
            self.sentence = clause.sentence;
            if clause.role != Role::Otherwise
                && let Some(before) = self.before.take()
            {
                self.close(flow);
                flow.tail = before;
                self.gate = None;
            }
        }
        let done = match clause.role {
            Role::Condition => self.condition(flow, clause),
            Role::Start if clause.either => self.condition(flow, clause),
            Role::Start => Err(Stuck::Unknown(clause.text())),
            Role::Otherwise => self.otherwise(flow, clause),
            Role::Step if self.parted => self.kind(flow, clause),
            Role::Step => self.step(flow, clause),
        };
        if let Err(stuck) = done {
            self.stuck.push(stuck);
        }
    }

    /// Ends a branch: one without an effect is a condition without its step.
    pub(super) fn close(&mut self, flow: &Flow<'_>) {
        if flow.effects == self.effects {
            self.stuck.push(Stuck::Unknown("a condition without a step".to_owned()));
        }
    }

    fn step(&mut self, flow: &mut Flow<'_>, clause: &Clause) -> Result<(), Stuck> {
        flow.each |= clause.items.iter().any(|item| item.is(&["each", "every", "jede", "jeden", "jedes", "chaque", "cada"]));
        if is_error_flow(clause) && !matches!(self.world.start, Start::Error) {
            return self.errors(flow, clause);
        }
        let acts: Vec<Act> = clause.verbs().iter().filter_map(|at| clause.items[*at].act).collect();
        let before = flow.tail.clone();
        let chosen = self.choose(flow, clause)?;
        if flow.data.many && clause.items.iter().any(|item| item.among(fetch::FRESH)) {
            fetch::unseen(flow);
        }
        let done = if ai::is_asked(clause, &acts, self.world) {
            ai::step(flow, clause, &acts, self.world, self.answered)
        } else {
            steps::step(flow, clause, self.world)
        };
        if chosen {
            flow.tail = before;
        }
        done
    }

    /// Adds the condition that a step has within: `post the positive ones`. Returns whether there is one.
    fn choose(&mut self, flow: &mut Flow<'_>, clause: &Clause) -> Result<bool, Stuck> {
        let said = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
        let moody = said(&["positive", "negative", "neutral", "positiv", "negativ", "positif", "negatif", "positivo", "negativo"]);
        if let (true, Some(id), Some(Test::Mood(mood))) = (moody, flow.mood.clone(), choices::read(&clause.items)) {
            flow.tail = format!("{id}.{}", 1 - mood);
            return Ok(true);
        }
        let checked =
            said(&["valid", "invalid", "deliverable", "gultige", "valides", "validas", "validos"]) && flow.data.field("status").is_some();
        if (moody || checked)
            && let Some(test) = choices::read(&clause.items)
        {
            let case = conditions::case(&test, flow).ok_or_else(|| Stuck::Condition(clause.text()))?;
            flow.condition("if", "If", vec![case]);
            return Ok(true);
        }
        // Items that are read here are filtered behind their node; the test is about items that exist already.
        let reads = clause.verbs().iter().any(|at| matches!(clause.items[*at].act, Some(Act::Get | Act::Download)));
        if !reads
            && !flow.data.hollow
            && let Some(test) = choices::within(&clause.items)
        {
            // `create an issue with priority High` says what the new one is like.
            let makes = clause.verbs().iter().any(|at| matches!(clause.items[*at].act, Some(Act::Create | Act::Update | Act::Upsert)));
            if makes && matches!(test, Test::Equals { .. }) {
                return Err(Stuck::Unknown(clause.text()));
            }
            let case = conditions::case(&test, flow).ok_or_else(|| Stuck::Condition(clause.text()))?;
            flow.condition("filter", "Filter", vec![case]);
            return Ok(true);
        }
        // Any other choice among the items is not understood.
        if said(&["ones", "those", "only", "except", "nur", "ausser", "solo", "sauf", "seulement", "excepto"])
            && !flow.data.many
            && !flow.data.hollow
        {
            return Err(Stuck::Condition(clause.text()));
        }
        Ok(false)
    }

    fn condition(&mut self, flow: &mut Flow<'_>, clause: &Clause) -> Result<(), Stuck> {
        let unknown = || Stuck::Condition(clause.text());
        let tests = beside::all(&clause.items).ok_or_else(unknown)?;
        let test = tests.first().ok_or_else(unknown)?.clone();
        // A second condition of the sentence stands beside the first.
        if let Some(before) = &self.before {
            flow.tail.clone_from(before);
        }
        let before = flow.tail.clone();
        if matches!(test, Test::Code { .. }) {
            fetch::watch_status(flow).ok_or_else(unknown)?;
        }
        match (&test, flow.mood.clone()) {
            (Test::Down, _) => {
                fetch::on_failure(flow).ok_or_else(unknown)?;
                self.gate = None;
            }
            (Test::Mood(mood), Some(id)) => {
                flow.tail = format!("{id}.{}", 1 - mood);
                self.gate = None;
            }
            _ => {
                let case = beside::case(&tests, flow).ok_or_else(unknown)?;
                let id = flow.condition("if", "If", vec![case]);
                let values = test.chooses() || matches!(test, Test::Equals { .. });
                if values && beside::left_out(&clause.items, &Said::of(&flow.nodes[flow.nodes.len() - 1..], &[])) {
                    return Err(unknown());
                }
                self.gate = Some(format!("{id}.false"));
            }
        }
        self.before = Some(before);
        self.effects = flow.effects;
        let other = clause.items.iter().filter_map(|item| item.service).any(|at| self.world.start_service != Some(at));
        if has_steps(clause) || other {
            return Err(unknown());
        }
        Ok(())
    }

    fn otherwise(&mut self, flow: &mut Flow<'_>, clause: &Clause) -> Result<(), Stuck> {
        let unknown = || Stuck::Unknown(clause.text());
        let gate = self.gate.take().ok_or_else(unknown)?;
        flow.tail = gate;
        self.effects = flow.effects;
        if clause.items.is_empty() {
            return Ok(());
        }
        let mut step = Clause { role: Role::Step, ..clause.clone() };
        // `everything else to a mail` has no verb: it is sent.
        if step.verbs().is_empty()
            && let Some(item) = step.items.first_mut()
        {
            (item.act, item.is_verb) = (Some(Act::Send), true);
        }
        self.step(flow, &step)?;
        if flow.effects == self.effects { Err(unknown()) } else { Ok(()) }
    }

    /// Adds the condition of a kind of items that has a place of its own: `bugs go to Jira, everything else to a mail`.
    fn kind(&mut self, flow: &mut Flow<'_>, clause: &Clause) -> Result<(), Stuck> {
        let unknown = || Stuck::Condition(clause.text());
        let end = clauses::subject_end(clause).ok_or_else(unknown)?;
        let subject = clause.items[..end].iter().rev().find(|item| item.kind == Kind::Word && !item.plain).ok_or_else(unknown)?;
        let field = self
            .world
            .items
            .iter()
            .find(|item| item.is(&["kind", "type", "category", "typ", "art", "categorie", "tipo"]))
            .ok_or_else(unknown)?;
        let word = subject.word.strip_suffix('s').unwrap_or(&subject.word).to_owned();
        let test = Test::Equals { nouns: vec![field.word.clone()], text: word.clone(), not: false };
        let case = conditions::case(&test, flow).ok_or_else(unknown)?;
        flow.assume(format!("{} are those whose {} is {word}", subject.text, field.word));
        self.before = Some(flow.tail.clone());
        let id = flow.condition("if", "If", vec![case]);
        self.gate = Some(format!("{id}.false"));
        self.effects = flow.effects;
        let rest = Clause { items: clause.items[end..].to_vec(), ..clause.clone() };
        self.step(flow, &rest)
    }

    /// Adds a second start, for failed executions, with a message.
    fn errors(&mut self, flow: &mut Flow<'_>, clause: &Clause) -> Result<(), Stuck> {
        let tail = std::mem::take(&mut flow.tail);
        let (data, made, collected) = (flow.data.clone(), flow.made.take(), flow.collected.take());
        let built = starts::build(flow, &Start::Error, &clause.items, &[], false).map_err(Stuck::Unknown);
        let mut sends = clause.clone();
        // `errors should reach me on Telegram`: to reach somebody is to send something.
        if sends.verbs().is_empty()
            && let Some(item) = sends.items.iter_mut().find(|item| item.is(&["reach", "go", "goes", "come"]))
        {
            (item.act, item.is_verb) = (Some(Act::Send), true);
        }
        let done = built.and_then(|()| steps::step(flow, &sends, self.world));
        (flow.tail, flow.data, flow.made, flow.collected) = (tail, data, made, collected);
        done
    }
}

/// Reports whether a condition has a step within that nothing took out.
fn has_steps(clause: &Clause) -> bool {
    const DOES: &[Act] = &[
        Act::Send,
        Act::Create,
        Act::Upload,
        Act::Update,
        Act::Upsert,
        Act::Delete,
        Act::Stop,
        Act::Call,
        Act::Unsupported,
        Act::Download,
    ];
    clause.verbs().iter().any(|at| *at > 0 && clause.items[*at].act.is_some_and(|act| DOES.contains(&act)))
}
