//! Tests with real workflows, with workflows that have labelled defects, and with the responses of a real n8n to both. These corpora belong
//! to others: they are stored beside the repository and are never part of it. Where they are missing, the tests are ignored; with `CI` set,
//! they fail.
//!
//! The standard harness cannot ignore a test at run time, so that this target has another one.
#![allow(clippy::unwrap_used)] // Clippy does not count helpers of tests as tests.

mod agreement;
mod compact;
mod content;
mod document;
mod folder;
mod generation;
mod prompts;
mod unchanged;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let ignored = folder::is_ignored();
    macro_rules! tests {
        ($($module:ident::$name:ident,)*) => {
            vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($name)), || {
                $module::$name();
                Ok(())
            })),*]
        };
    }
    let tests: Vec<Trial> = tests![
        agreement::at_least_98_percent_of_labelled_defects_are_found_at_their_node_and_no_trap,
        agreement::at_least_99_percent_of_refusals_are_found_and_at_most_1_percent_of_accepted_nodes_are_flagged,
        agreement::parameters_that_n8n_found_missing_at_publication_are_found,
        compact::a_change_of_a_compact_workflow_is_no_harmless_difference,
        compact::real_workflows_come_back_the_same,
        compact::the_compact_form_takes_few_tokens,
        content::errors_in_real_workflows_are_those_that_were_reviewed,
        content::inputs_from_reports_on_other_tools_have_the_listed_findings,
        content::labelled_defects_are_found_at_their_node_with_their_severity,
        content::no_trap_is_reported,
        content::only_errors_that_depend_on_the_catalogue_are_warnings_on_another_n8n,
        document::a_document_is_parsed_alike_from_json_and_yaml,
        document::every_repaired_document_is_one_that_n8n_accepts,
        document::parsing_is_idempotent_and_stable_under_a_round_trip,
        document::workflows_that_n8n_creates_have_no_error_and_those_that_it_refuses_have_one,
        generation::recorded_answers_reach_the_targets,
        prompts::nearly_all_that_is_built_has_the_expected_start_and_nodes_and_half_of_the_simple_prompts_are_built,
        prompts::vague_prompts_are_asked_about_and_others_refused,
    ];
    let tests = tests.into_iter().map(|test| match ignored {
        true => test.with_ignored_flag(true).with_kind("no corpora in ../shared/corpora"),
        false => test,
    });
    let unchanged = Trial::test("unchanged::every_finding_is_that_of_the_other_build", || {
        unchanged::every_finding_is_that_of_the_other_build();
        Ok(())
    });
    let unchanged = unchanged.with_ignored_flag(ignored || unchanged::is_ignored()).with_kind("only with WEIRKEEPER_FINDINGS");
    libtest_mimic::run(&Arguments::from_args(), tests.chain([unchanged]).collect()).exit_code()
}
