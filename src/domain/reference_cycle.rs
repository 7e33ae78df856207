//! Search for a cycle of references between Workflows, in which none can be published first.

use std::collections::BTreeSet;

/// Maximum length of a chain of references that is followed.
const DEEPEST_CHAIN: usize = 64;

/// A search that starts at one Workflow. The caller looks up what others refer to, from memory or from Kubernetes.
#[derive(Debug)]
pub struct CycleSearch<'a> {
    own: &'a str,
    open: Vec<Vec<String>>,
    seen: BTreeSet<String>,
    chain: Vec<String>,
}

impl<'a> CycleSearch<'a> {
    /// Starts at the Workflow `own`, which refers to these. A Workflow without a name yet is in no cycle.
    pub fn new(own: &'a str, references: impl IntoIterator<Item = String>) -> Self {
        Self { own, open: references.into_iter().map(|name| vec![name]).collect(), seen: BTreeSet::new(), chain: Vec::new() }
    }

    /// Returns the next Workflow whose references [`CycleSearch::follow`] needs; None if there are no others, and no cycle.
    ///
    /// # Errors
    ///
    /// With a message for people if there is a cycle.
    pub fn advance(&mut self) -> Result<Option<&str>, String> {
        while let Some(chain) = self.open.pop() {
            let Some(last) = chain.last() else { continue };
            if !self.own.is_empty() && last == self.own {
                return Err(format!(
                    "reference cycle between Workflows: {} -> {}; remove one of the references",
                    self.own,
                    chain.join(" -> ")
                ));
            }
            if chain.len() <= DEEPEST_CHAIN && self.seen.insert(last.clone()) {
                self.chain = chain;
                return Ok(self.chain.last().map(String::as_str));
            }
        }
        Ok(None)
    }

    /// Adds what the Workflow refers to that [`CycleSearch::advance`] returned last.
    pub fn follow(&mut self, references: impl IntoIterator<Item = String>) {
        self.open.extend(references.into_iter().map(|name| self.chain.iter().cloned().chain([name]).collect()));
    }
}

/// Returns the message that a Workflow, which `spec.references` names, does not exist.
pub fn missing(name: &str) -> String {
    format!("Workflow {name}, which spec.references names, does not exist in this namespace")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(own: &str, references: &[&str]) -> Result<Vec<String>, String> {
        let of = |name: &str| -> Vec<String> {
            let names: &[&str] = match name {
                "b" => &["c"],
                "c" => &["a", "d"],
                "d" => &["d"],
                _ => &[],
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let mut search = CycleSearch::new(own, references.iter().map(|name| (*name).to_owned()));
        let mut looked_up = Vec::new();
        while let Some(name) = search.advance()?.map(str::to_owned) {
            search.follow(of(&name));
            looked_up.push(name);
        }
        Ok(looked_up)
    }

    #[test]
    fn a_cycle_is_found_at_the_workflow_that_it_leads_back_to() {
        let message = |path: &str| Err(format!("reference cycle between Workflows: {path}; remove one of the references"));
        assert_eq!(search("a", &["b"]), message("a -> b -> c -> a"));
        assert_eq!(search("a", &["a"]), message("a -> a"));
    }

    #[test]
    fn each_workflow_is_looked_up_once_and_a_cycle_of_others_ends_the_search() {
        assert_eq!(search("e", &["b", "d"]), Ok(["d", "b", "c", "a"].map(str::to_owned).to_vec()));
        assert_eq!(search("", &["b"]), Ok(["b", "c", "d", "a"].map(str::to_owned).to_vec()), "a generated name is new");
    }
}
