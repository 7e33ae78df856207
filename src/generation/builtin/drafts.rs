//! Texts of messages to people outside: a thank-you, a welcome, a confirmation. The data of the workflow does not belong into them.

use super::clauses::Clause;
use super::reading::Item;

const THANKS: &str =
    "thank thanks dank danke dankesmail dankesnachricht dankeschon merci remerciement remercie gracias agradecimiento agradece";
const WELCOMES: &str = "welcome willkommen willkommensmail bienvenue bienvenida onboarding";
const CONFIRMS: &str =
    "confirmation confirm confirms confirmed bestatigung bestatigungsmail bestatige confirmacion confirmer confirme confirma";
/// How an assumption tells of a draft.
pub(super) const SAID: &str = "The text of the message is a draft; change it as you like";

/// Reports whether a word says which text is drafted.
pub(super) fn is_word(item: &Item) -> bool {
    [THANKS, WELCOMES, CONFIRMS].iter().any(|list| item.among(list))
}

/// Returns subject and text of the message that a clause speaks of, if it is one of those.
pub(super) fn draft(clause: &Clause, noun: &str) -> Option<(String, String)> {
    // Things that people give, and may be thanked for; other data is no word of theirs.
    const GIVEN: &[&str] = &[
        "order",
        "feedback",
        "question",
        "request",
        "payment",
        "comment",
        "review",
        "booking",
        "registration",
        "application",
        "donation",
        "donations",
        "purchase",
        "subscription",
        "ticket",
        "invoice",
        "appointment",
    ];
    let noun = if GIVEN.contains(&noun) { noun } else { "message" };
    let said = |words: &str| clause.items.iter().any(|item| item.among(words));
    if said(THANKS) {
        return Some(("Thank you".to_owned(), format!("Thank you for your {noun}. We will come back to you soon.")));
    }
    if said(WELCOMES) {
        return Some(("Welcome".to_owned(), "Welcome! We are glad to have you with us.".to_owned()));
    }
    if said(CONFIRMS) {
        return Some((format!("Your {noun}"), format!("We have received your {noun}.")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::clauses::clauses;
    use super::super::reading::items;
    use super::super::services::Lexicon;
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_thank_you_is_distinguished_from_other_messages() {
        let lexicon = Lexicon::of(Catalog::embedded());
        let of = |text: &str| draft(&clauses(&items(text, &lexicon))[0], "order").map(|(subject, _)| subject);
        assert_eq!(of("send a thank-you mail").as_deref(), Some("Thank you"));
        assert_eq!(of("send a confirmation by mail").as_deref(), Some("Your order"));
        assert_eq!(of("send the order by mail"), None);
    }
}
