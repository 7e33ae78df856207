//! Texts of messages to people outside: a thank-you, a welcome, a confirmation. The data of the workflow does not belong into them.

use super::clauses::Clause;

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
    if said("thank thanks dank danke dankesmail dankesnachricht dankeschon merci remerciement remercie gracias agradecimiento agradece") {
        return Some(("Thank you".to_owned(), format!("Thank you for your {noun}. We will come back to you soon.")));
    }
    if said("welcome willkommen willkommensmail bienvenue bienvenida onboarding") {
        return Some(("Welcome".to_owned(), "Welcome! We are glad to have you with us.".to_owned()));
    }
    if said("confirmation confirm confirms confirmed bestatigung bestatigungsmail bestatige confirmacion confirmer confirme confirma") {
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
