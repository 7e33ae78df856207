//! Values of inputs: whether one is what its input asks for.

use fancy_regex::RegexBuilder;
use serde_json::Value;
use url::Url;

use crate::api::template::{InputType, TemplateInput};
use crate::document::finding::{kind_of, quoted};
use crate::text::similar;
use crate::validator::content::{cron_error, secret_kind};

/// Maximum number of characters of a text, unless the input says otherwise.
const LONGEST_TEXT: usize = 4_096;
/// Maximum number of entries of a list, unless the input says otherwise.
const MOST_ENTRIES: usize = 256;
/// Maximum number of characters of an address, and of the name of a credential.
const LONGEST_URL: usize = 2_048;
const LONGEST_EMAIL: usize = 254;
const LONGEST_NAME: usize = 128;
/// Maximum number of steps of a pattern: its author and the author of the value are different people.
const MOST_STEPS: usize = 100_000;

/// Error in a value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    pub message: String,
    pub got: Option<String>,
    pub want: Option<String>,
    pub suggestion: Option<String>,
}

impl Complaint {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    fn mismatch(got: impl Into<String>, want: impl Into<String>) -> Self {
        Self { got: Some(got.into()), want: Some(want.into()), ..Self::new("the value does not fit the input") }
    }
}

/// Returns what is wrong with a value of an input. Texts are described and not repeated, since they may be confidential.
pub(super) fn complaint(input: &TemplateInput, value: &Value) -> Option<Complaint> {
    match (input.kind, value) {
        (InputType::Number, Value::Number(number)) => number_complaint(input, number.as_f64().unwrap_or(f64::NAN)),
        (InputType::Boolean, Value::Bool(_)) => None,
        (InputType::List, Value::Array(items)) => list_complaint(input, items),
        (InputType::Number | InputType::Boolean | InputType::List, other) => Some(Complaint::mismatch(kind_of(other), wanted(input))),
        (kind, Value::String(text)) => text_complaint(input, kind, text),
        (_, other) => Some(Complaint::mismatch(kind_of(other), wanted(input))),
    }
}

/// Describes what an input takes.
pub(super) fn wanted(input: &TemplateInput) -> String {
    match input.kind {
        InputType::String => "a text".to_owned(),
        InputType::Number => match (input.minimum, input.maximum) {
            (Some(least), Some(most)) => format!("a number from {least} to {most}"),
            (Some(least), None) => format!("a number of at least {least}"),
            (None, Some(most)) => format!("a number of at most {most}"),
            (None, None) => "a number".to_owned(),
        },
        InputType::Boolean => "true or false".to_owned(),
        InputType::Enum => format!("one of {}", input.options.join(", ")),
        InputType::List => "a list".to_owned(),
        InputType::Cron => "a cron expression such as 0 9 * * 1-5".to_owned(),
        InputType::Url => "an address that begins with http:// or https://".to_owned(),
        InputType::Email => "an e-mail address".to_owned(),
        InputType::SecretReference => "the name of a credential".to_owned(),
    }
}

fn number_complaint(input: &TemplateInput, number: f64) -> Option<Complaint> {
    let below = input.minimum.is_some_and(|least| number < least as f64);
    let above = input.maximum.is_some_and(|most| number > most as f64);
    (below || above || !number.is_finite()).then(|| Complaint::mismatch(number.to_string(), wanted(input)))
}

fn list_complaint(input: &TemplateInput, items: &[Value]) -> Option<Complaint> {
    let (least, most) = bounds(input, MOST_ENTRIES);
    if items.len() < least || items.len() > most {
        let want = if least > 0 { format!("{least} to {most} entries") } else { format!("at most {most} entries") };
        return Some(Complaint::mismatch(format!("{} entries", items.len()), want));
    }
    let kind = input.items.unwrap_or_default();
    let kind = if input.options.is_empty() { kind } else { InputType::Enum };
    let entry = TemplateInput { kind, options: input.options.clone(), pattern: input.pattern.clone(), ..TemplateInput::default() };
    let wrong = items.iter().enumerate().find_map(|(at, item)| Some((at, complaint(&entry, item)?)));
    wrong.map(|(at, inner)| Complaint { message: format!("entry {} does not fit: {}", at + 1, inner.message), ..inner })
}

fn text_complaint(input: &TemplateInput, kind: InputType, text: &str) -> Option<Complaint> {
    if let Some(what) = secret_kind(text) {
        let message = format!("the value contains {what}; a template takes no secrets, put it into a credential and rotate it");
        return Some(Complaint::new(message));
    }
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')) {
        return Some(Complaint::new("the value contains a control character; remove it"));
    }
    let length = text.chars().count();
    let (least, most) = bounds(input, LONGEST_TEXT);
    if length < least || length > most {
        let want = if least > 0 { format!("{least} to {most} characters") } else { format!("at most {most} characters") };
        return Some(Complaint::mismatch(format!("{length} characters"), want));
    }
    if input.expression && text.starts_with('=') {
        return None;
    }
    let unfit = || Some(Complaint::mismatch(kind_of(&Value::from(text)), wanted(input)));
    match kind {
        InputType::Enum if !input.options.iter().any(|option| option == text) => {
            let suggestion = similar::nearest(text, input.options.iter().map(String::as_str)).map(str::to_owned);
            return Some(Complaint { suggestion, ..Complaint::mismatch(quoted(text), wanted(input)) });
        }
        InputType::Cron => {
            if let Some(why) = cron_error(text) {
                return Some(Complaint {
                    message: format!("n8n cannot schedule it: {why}"),
                    ..Complaint::mismatch(quoted(text), wanted(input))
                });
            }
        }
        InputType::Url if !is_url(text) => return unfit(),
        InputType::Email if !is_email(text) => return unfit(),
        InputType::SecretReference if text.trim().is_empty() || length > LONGEST_NAME || text.starts_with('=') => return unfit(),
        _ => {}
    }
    match input.pattern.as_deref().map(|pattern| fits(pattern, text)) {
        Some(Ok(false)) => Some(Complaint::mismatch("another text", format!("a text that matches {}", input.pattern.as_deref()?))),
        Some(Err(why)) => Some(Complaint::new(why)),
        _ => None,
    }
}

/// Returns the bounds of a length.
fn bounds(input: &TemplateInput, most: usize) -> (usize, usize) {
    let read = |bound: Option<i64>, otherwise: usize| bound.and_then(|bound| usize::try_from(bound).ok()).unwrap_or(otherwise);
    (read(input.min_length, 0), read(input.max_length, most))
}

/// Reports whether the whole text matches a pattern.
///
/// # Errors
///
/// If the pattern cannot be read, or takes too long.
pub(super) fn fits(pattern: &str, text: &str) -> Result<bool, String> {
    let regex = RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).backtrack_limit(MOST_STEPS).build();
    let regex = regex.map_err(|_| "the pattern of the input is no regular expression; the template's author has to mend it".to_owned())?;
    regex
        .is_match(text)
        .map_err(|_| "the pattern of the input takes too long for this value; the template's author has to mend it".to_owned())
}

fn is_url(text: &str) -> bool {
    let plain = text.len() <= LONGEST_URL && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    let Some(url) = Url::parse(text).ok().filter(|_| plain) else { return false };
    matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none()
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@').filter(|_| text.len() <= LONGEST_EMAIL) else { return false };
    let of_local = |letter: char| letter.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(letter);
    let label = |label: &str| {
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let dots = local.starts_with(['.', '=']) || local.ends_with('.') || local.contains("..");
    !local.is_empty() && !dots && local.chars().all(of_local) && domain.contains('.') && domain.split('.').all(label)
}
