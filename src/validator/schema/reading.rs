//! How n8n reads a text inside a node's parameters: the parameter that it belongs to, and whether it is read at all.

use serde_json::Value;

use super::node::Known;
use super::resolved::Resolved;
use crate::catalog::is_from_ai_only;
use crate::catalog::js::Values;
use crate::catalog::{Kind, Parameter, Shared, shown};
use crate::document::json_path::Step;

/// How n8n reads a text.
pub(crate) enum Reading<'k> {
    /// The node is not known, or n8n cannot load it.
    Unknown,
    /// n8n drops the value when it loads the node: the node has no such parameter, or it does not show.
    Dropped,
    /// As the value of this parameter, or as a part of it.
    As(&'k Parameter<Shared>, Part),
}

/// Part of a parameter's value that a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole value.
    Whole,
    /// A text inside the value that n8n evaluates.
    Inside,
    /// A note of n8n's editor, such as the name of a selected resource.
    Note,
}

impl Reading<'_> {
    /// Reports whether n8n takes the text literally, without a leading `=` if it has one.
    pub(crate) fn is_plain(&self, text: &str) -> bool {
        matches!(self, Self::As(parameter, Part::Whole) if parameter.no_data_expression) && !is_from_ai_only(text)
    }

    /// Reports whether a text would be evaluated if it were an expression, and is unlikely to be meant as anything else: it is neither code
    /// nor a page that has its own editor.
    pub(crate) fn takes_expressions(&self) -> bool {
        match self {
            Self::As(parameter, part) => {
                let plain = *part == Part::Whole && parameter.no_data_expression;
                *part != Part::Note && !plain && parameter.bounds.editor.is_none()
            }
            Self::Unknown | Self::Dropped => false,
        }
    }

    /// Reports whether the node itself evaluates the text between `{{` and `}}` (queries and pages).
    pub(crate) fn is_template(&self) -> bool {
        let is_page = |editor: &str| matches!(editor, "sqlEditor" | "htmlEditor");
        matches!(self, Self::As(parameter, Part::Whole) if parameter.no_data_expression && parameter.bounds.editor.as_deref().is_some_and(is_page))
    }
}

impl Resolved<'_> {
    /// Returns how n8n reads the text to which these steps lead from the parameters of the node at `index`.
    pub(crate) fn reading<'s>(&self, index: usize, steps: impl Iterator<Item = Step<'s>>) -> Reading<'_> {
        match self.nodes.get(index).and_then(Option::as_ref) {
            Some(known) => of(known, steps),
            None => Reading::Unknown,
        }
    }
}

fn of<'k, 's>(known: &'k Known<'_>, mut steps: impl Iterator<Item = Step<'s>>) -> Reading<'k> {
    let Ok(values) = &known.values else { return Reading::Unknown };
    let around = known.around(values);
    let (mut level, mut loaded): (_, &dyn Values) = (known.facts().level(), values);
    while let Some(Step::Key(key)) = steps.next() {
        let mut showing = level.named(key).filter(|parameter| shown(&parameter.display, loaded, around));
        let Some(parameter) = showing.next() else { return Reading::Dropped };
        let value = loaded.named(key);
        let next = match parameter.kind {
            Kind::Collection if parameter.bounds.multiple != Some(true) => {
                value.and_then(Value::as_object).map(|inner| (parameter.level(), inner))
            }
            Kind::FixedCollection => {
                let Some(Step::Key(name)) = steps.next() else { return Reading::As(parameter, Part::Inside) };
                let Some(group) = parameter.groups.iter().find(|group| group.name == name) else { return Reading::Dropped };
                let entry = match value.and_then(|value| value.get(name)) {
                    Some(Value::Array(items)) => match steps.next() {
                        Some(Step::Index(at)) => items.get(at),
                        _ => None,
                    },
                    other => other,
                };
                entry.and_then(Value::as_object).map(|inner| (group.level(), inner))
            }
            kind => return Reading::As(parameter, part(kind, &mut steps)),
        };
        let Some(inner) = next else { return Reading::Dropped };
        (level, loaded) = inner;
    }
    Reading::Unknown
}

/// Returns the part of a value that the remaining steps lead to.
fn part<'s>(kind: Kind, steps: &mut impl Iterator<Item = Step<'s>>) -> Part {
    let mut keys = steps.filter_map(|step| if let Step::Key(key) = step { Some(key) } else { None }).peekable();
    let Some(first) = keys.next() else { return Part::Whole };
    let last = keys.last().unwrap_or(first);
    let evaluated = match kind {
        Kind::ResourceLocator | Kind::WorkflowSelector | Kind::AgentSelector => first == "value",
        Kind::ResourceMapper => first == "value",
        Kind::Filter => matches!(last, "leftValue" | "rightValue"),
        Kind::AssignmentCollection => matches!(last, "name" | "value"),
        _ => true,
    };
    if evaluated { Part::Inside } else { Part::Note }
}
