//! The parameters of one level: of a node, of a collection or of an entry of a group.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::changes::changed;
use super::display::{Around, Clause, Decision, Rule};
use super::js::Values;
use super::model::{Group, Kind, NodeVersion, Parameter, Shared};
use super::plan::{Misshapen, Name, Plan, Planned, Run, Visit, Visits};

/// Parameters of one level.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    parameters: &'a [Shared],
    plan: &'a Plan,
}

/// Results of clauses for the values of a level. Parameters share most of their clauses: each is decided once.
pub(super) struct Decisions<'a> {
    level: Level<'a>,
    decided: Vec<Option<Decision>>,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(level: Level<'a>) -> Self {
        Self { level, decided: vec![None; level.plan.clauses.len()] }
    }

    /// Reports whether the parameter of this index shows.
    pub(super) fn shows(&mut self, at: usize, values: &dyn Values, around: Around<'_>) -> bool {
        let plan = self.level.plan;
        Decision::all(plan.listed[plan.ranges[at].clone()].iter().map(|clause| self.decide(*clause, values, around)))
    }

    /// Reports whether the first clause of a run hides its parameters.
    pub(super) fn hides(&mut self, run: &Run, values: &dyn Values, around: Around<'_>) -> bool {
        run.clause.is_some_and(|clause| matches!(self.decide(clause, values, around), Decision::Hidden))
    }

    fn decide(&mut self, clause: usize, values: &dyn Values, around: Around<'_>) -> Decision {
        *self.decided[clause].get_or_insert_with(|| self.level.plan.clauses[clause].decide(values, around))
    }
}

impl NodeVersion {
    /// Returns the parameters of the node.
    pub fn level(&self) -> Level<'_> {
        self.plan.of(&self.parameters)
    }
}

impl Parameter {
    /// Returns the parameters inside a `collection`.
    pub fn level(&self) -> Level<'_> {
        self.plan.of(&self.fields)
    }
}

impl Group {
    /// Returns the parameters of an entry of the group.
    pub fn level(&self) -> Level<'_> {
        self.plan.of(&self.fields)
    }
}

impl Planned {
    fn of<'a>(&'a self, parameters: &'a [Shared]) -> Level<'a> {
        Level { parameters, plan: self.0.get_or_init(|| Box::new(Plan::of(parameters))) }
    }
}

impl<'a> Level<'a> {
    /// Returns all parameters, in n8n's order.
    pub fn parameters(self) -> &'a [Shared] {
        self.parameters
    }

    /// Returns the parameters of a name: several may have it, each with other conditions.
    pub fn named(self, name: &str) -> impl Iterator<Item = &'a Shared> + Clone + use<'a> {
        self.plan.names.get(name).into_iter().flat_map(|name| &name.at).map(move |at| &self.parameters[*at])
    }

    /// Returns the parameters of kind `credentialsSelect`.
    pub fn credential_selectors(self) -> impl Iterator<Item = &'a Shared> {
        self.plan.selectors.iter().map(move |at| &self.parameters[*at])
    }

    /// Returns the parameters that may have issues, or have parameters inside them that may, with their indexes; and whether they may while
    /// they do not show.
    pub(super) fn checked(self) -> impl Iterator<Item = (usize, &'a Shared, bool)> {
        self.plan.checked.iter().map(move |(at, hidden)| (*at, &self.parameters[*at], *hidden))
    }

    pub(super) fn name(self, name: &str) -> Option<&'a Name> {
        self.plan.names.get(name)
    }

    /// Returns the default of a parameter as n8n loads it; `None` if n8n declares none.
    pub(super) fn default_of(self, at: usize) -> Option<&'a Value> {
        let own = &self.parameters[at].default;
        self.plan.defaults.get(&at).or_else(|| (!own.is_null()).then_some(own))
    }

    /// Returns the order in which n8n visits the parameters.
    pub(super) fn visits(self) -> Result<&'a Visits, Misshapen> {
        self.plan.visits.as_ref().map_err(Clone::clone)
    }
}

impl Plan {
    fn of(parameters: &[Shared]) -> Self {
        let mut names: HashMap<String, Name> = HashMap::with_capacity(parameters.len());
        for (at, parameter) in parameters.iter().enumerate() {
            names.entry(parameter.name.clone()).or_default().at.push(at);
        }
        let (mut clauses, mut listed, mut ranges) = (Vec::<Clause>::new(), Vec::new(), Vec::with_capacity(parameters.len()));
        for parameter in parameters {
            let from = listed.len();
            for clause in parameter.display.clauses() {
                let known = clauses.iter().position(|known| clause.is(known));
                listed.push(known.unwrap_or(clauses.len()));
                if known.is_none() {
                    clauses.push(clause.owned());
                }
            }
            ranges.push(from..listed.len());
        }
        let changed = |(at, parameter): (usize, &Shared)| Some((at, changed(parameter, None, &parameter.default)?));
        let checked = |(at, parameter): (usize, &Shared)| Some((at, may_have_issues(parameter)?));
        let selects = |at: &usize| parameters[*at].kind == Kind::CredentialsSelect;
        let visits = order(parameters).map(|order| {
            let all = visits(&order, parameters, &mut names);
            Visits { runs: runs(&all, &clauses, |at| ranges[at].clone().next().map(|first| listed[first]), &names), all }
        });
        Self {
            defaults: parameters.iter().enumerate().filter_map(changed).collect(),
            checked: parameters.iter().enumerate().filter_map(checked).collect(),
            selectors: (0..parameters.len()).filter(selects).collect(),
            names,
            clauses,
            listed,
            ranges,
            visits,
        }
    }
}

/// Completes the order of visits, and notes in each name when it is visited.
fn visits(order: &[usize], parameters: &[Shared], names: &mut HashMap<String, Name>) -> Vec<Visit> {
    let mut visits = Vec::with_capacity(parameters.len());
    for at in order.iter().copied() {
        let Some(name) = names.get_mut(&parameters[at].name) else { continue };
        let repeated = name.at.len() > 1;
        if name.first.is_some() && !repeated {
            // Visiting the only parameter of a name again changes nothing.
            continue;
        }
        name.first.get_or_insert(visits.len());
        name.last = visits.len();
        let simple = !matches!(parameters[at].kind, Kind::Collection | Kind::FixedCollection);
        visits.push(Visit { at, simple, repeated, decided: false });
    }
    for (now, visit) in visits.iter_mut().enumerate() {
        visit.decided = parameters[visit.at].display.clauses().all(|clause| is_decided(&clause.rule.0, now, names));
    }
    visits
}

/// Reports whether no parameter that a rule of this key mentions is visited at this position or later.
fn is_decided(key: &str, now: usize, names: &HashMap<String, Name>) -> bool {
    let past = |name: &str| names.get(name).is_none_or(|name| name.last < now);
    let path = key.strip_prefix('/').unwrap_or(key);
    !path.contains('[') && past(path) && past(path.split('.').next().unwrap_or_default())
}

/// Divides visits into runs; `first` returns the index of the first clause of a parameter.
fn runs(visits: &[Visit], clauses: &[Clause], first: impl Fn(usize) -> Option<usize>, names: &HashMap<String, Name>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (now, visit) in visits.iter().enumerate() {
        let clause = first(visit.at);
        match runs.last_mut().filter(|run| run.clause == clause) {
            Some(run) => run.visits.end = now + 1,
            None => {
                let decided = clause.is_none_or(|clause| is_decided(&clauses[clause].rule.0, now, names));
                runs.push(Run { visits: now..now + 1, clause, decided });
            }
        }
    }
    runs
}

/// Returns the order in which n8n visits the parameters of a level. A parameter that depends on another is visited at once and again later,
/// so an index may occur several times.
pub(super) fn order(parameters: &[Shared]) -> Result<Vec<usize>, Misshapen> {
    let mut needs: HashMap<&str, Vec<&str>> = HashMap::with_capacity(parameters.len());
    for parameter in parameters {
        let own = needs.entry(&parameter.name).or_default();
        for Rule(key, _) in parameter.display.show.iter().chain(&parameter.display.hide) {
            if !key.starts_with('@') && !own.contains(&key.as_str()) {
                own.push(key);
            }
        }
    }
    let mut waiting: VecDeque<usize> = (0..parameters.len()).collect();
    let mut done: HashSet<&str> = HashSet::new();
    let mut visits = Vec::with_capacity(parameters.len());
    let (mut rounds, mut last_progress, mut last_length) = (0_usize, None::<usize>, parameters.len());
    while let Some(at) = waiting.pop_front() {
        rounds += 1;
        let name = parameters[at].name.as_str();
        let own = &needs[name];
        for _ in own.iter().filter(|need| needs.contains_key(*need) && !done.contains(*need)) {
            waiting.push_back(at);
        }
        visits.push(at);
        done.insert(name);
        if own.is_empty() {
            continue;
        }
        if waiting.len() < last_length {
            last_progress = Some(rounds);
        }
        if rounds > last_progress.map_or(parameters.len().saturating_sub(1), |progress| progress + parameters.len()) {
            return Err(Misshapen(name.to_owned()));
        }
        last_length = waiting.len();
    }
    Ok(visits)
}

/// Reports whether a value of the parameter, or one inside it, could have an issue while the parameter does not show (true), or only while
/// it shows (false). For most parameters n8n checks nothing.
fn may_have_issues(parameter: &Parameter) -> Option<bool> {
    let any = |fields: &[Shared]| fields.iter().any(|field| may_have_issues(field).is_some());
    let (bounds, kind) = (&parameter.bounds, parameter.kind);
    let hidden = bounds.validate_type.is_some() || kind == Kind::Collection && any(&parameter.fields);
    let limited = bounds.min_fields.is_some() || bounds.max_fields.is_some();
    let shown = parameter.required
        || kind.is_locator()
        || matches!(kind, Kind::ResourceMapper | Kind::Filter)
        || kind == Kind::FixedCollection && (limited || parameter.groups.iter().any(|group| any(&group.fields)));
    (hidden || shown).then_some(hidden)
}
