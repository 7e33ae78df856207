//! Error messages about ungranted access of a definition.

use crate::api::reason::Reason;
use crate::catalog::Capability;
use crate::domain::access::Use;
use crate::domain::error::ReconcileError;
use crate::domain::reach::{OffList, Reach, Why};
use crate::domain::remote::RemoteCredential;

/// Returns an error about the first ungranted thing that a definition reaches. `known` are the instance's credentials, because a grant may
/// name one by its name.
pub fn ungranted(found: &Reach, known: &[RemoteCredential], granted: impl Fn(Use<'_>) -> bool) -> Option<ReconcileError> {
    let reference = |what: String| Some(ReconcileError::denied(Reason::ReferenceNotGranted, what));
    if let Some(node) = found.anything.iter().find(|_| !granted(Use::Everything)) {
        return reference(format!(
            "node {node:?} runs a workflow that is loaded at run time, or contains something that cannot be resolved (a credential without an id, a type that is not `package.name`, a key `__proto__`); make that workflow a Workflow object and map it in spec.references, or have the instance's owner grant \"*\" under spec.grants[].workflows, credentials, dataTables and nodeTypes"
        ));
    }
    if let Some(off) = found.types.iter().find(|off| !type_granted(off, &granted)) {
        return Some(ReconcileError::denied(Reason::NodeTypeNotGranted, off_list(off)));
    }
    if let Some(id) = found.workflows.iter().find(|id| !granted(Use::Workflow(id))) {
        return reference(format!(
            "the definition calls workflow {id} by its n8n id; map it to a Workflow in spec.references, or have the instance's owner grant it under spec.grants[].workflows"
        ));
    }
    if let Some(node) = found.any_workflow.iter().find(|_| !granted(Use::ANY_WORKFLOW)) {
        return reference(format!(
            "node {node:?} computes the id of the workflow that it calls, so it can call any; write a fixed id and map it in spec.references, or have the instance's owner grant \"*\" under spec.grants[].workflows"
        ));
    }
    let table = |what: String| Some(ReconcileError::denied(Reason::DataTableNotGranted, what));
    if let Some(node) = found.any_table.iter().find(|_| !granted(Use::ANY_TABLE)) {
        return table(format!(
            "node {node:?} lists or creates data tables, or selects one by a name or a computed id, so it can reach any; select the table by a fixed id, or have the instance's owner grant \"*\" under spec.grants[].dataTables"
        ));
    }
    if let Some((id, node)) = found.tables.iter().find(|(id, _)| !granted(Use::DataTable(id))) {
        return table(format!("node {node:?} uses data table {id}; have the instance's owner grant it under spec.grants[].dataTables"));
    }
    let covered = |id: &str| {
        let name = known.iter().find(|one| one.id == id).map_or(id, |one| &one.name);
        granted(Use::Credential { id, name })
    };
    let (id, node) = found.credentials.iter().find(|(id, _)| !covered(id))?;
    reference(format!(
        "the workflow inside node {node:?} uses credential {id} by its n8n id; make that workflow a Workflow object with spec.credentials, or have the instance's owner grant the credential under spec.grants[].credentials"
    ))
}

/// Reports whether a node type is granted, by its name or by other grants: all workflows and all credentials together cover a type that
/// reaches nothing else; data tables, agents, memory and files are not among them.
fn type_granted(off: &OffList, granted: impl Fn(Use<'_>) -> bool) -> bool {
    let covered = match &off.why {
        Why::Reaches(reached) => reached.iter().all(|one| matches!(one, Capability::Workflows | Capability::Code)),
        _ => false,
    };
    granted(Use::NodeType { kind: &off.kind, base: &off.base }) || (covered && granted(Use::ANY_WORKFLOW) && granted(Use::ANY_CREDENTIAL))
}

fn off_list(off: &OffList) -> String {
    let OffList { node, inside, kind, base, why } = off;
    let node = if *inside { format!("a node of the workflow inside node {node:?}") } else { format!("node {node:?}") };
    let why = match why {
        Why::UnknownType => "which the instance's catalogue of node types does not know".to_owned(),
        Why::UnknownVersion => "of a version that the instance's catalogue of node types does not know".to_owned(),
        Why::NotLookedAt => {
            "and the instance's catalogue does not record what that type reaches; the instance's owner can rebuild it with `weirkeeper catalog build`"
                .to_owned()
        }
        Why::Reaches(reached) => {
            format!("which can reach {}", reached.iter().map(|one| one.words()).collect::<Vec<_>>().join(", "))
        }
    };
    format!("{node} is of type {kind}, {why}; use another node, or have the instance's owner grant {base} under spec.grants[].nodeTypes")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn off(kind: &str, why: Why) -> Reach {
        let off = OffList { node: "Run".into(), inside: false, kind: kind.into(), base: kind.into(), why };
        Reach { types: BTreeSet::from([off]), ..Reach::default() }
    }

    #[test]
    fn the_message_names_node_type_capabilities_and_grant() {
        let found = off("p.code", Why::Reaches(vec![Capability::Workflows, Capability::Code]));
        let message = ungranted(&found, &[], |_| false).unwrap();
        assert_eq!(message.reason, Reason::NodeTypeNotGranted);
        assert_eq!(
            message.message,
            "node \"Run\" is of type p.code, which can reach other workflows, n8n's own process; use another node, or have the instance's owner grant p.code under spec.grants[].nodeTypes"
        );
    }

    #[test]
    fn grants_of_all_workflows_and_credentials_cover_types_that_reach_nothing_else() {
        let stars = |wanted: Use<'_>| wanted == Use::ANY_WORKFLOW || wanted == Use::ANY_CREDENTIAL;
        let refused = |why: Why| ungranted(&off("p.x", why), &[], stars).is_some();
        assert!(!refused(Why::Reaches(vec![Capability::Workflows, Capability::Code])));
        for one in [Capability::Agents, Capability::DataTables, Capability::Memory, Capability::Files, Capability::Unreviewed] {
            assert!(refused(Why::Reaches(vec![Capability::Workflows, one])), "{one:?}");
        }
        assert!(refused(Why::UnknownType) && refused(Why::UnknownVersion) && refused(Why::NotLookedAt));
        let by_name = |wanted: Use<'_>| matches!(wanted, Use::NodeType { base: "p.x", .. });
        assert!(ungranted(&off("p.x", Why::UnknownType), &[], by_name).is_none());
    }

    #[test]
    fn each_kind_of_reach_needs_its_own_grant() {
        let one = |text: &str| BTreeSet::from([text.to_owned()]);
        let pair = || BTreeSet::from([("X".to_owned(), "Run".to_owned())]);
        for (found, reason) in [
            (Reach { anything: one("Run"), ..Reach::default() }, Reason::ReferenceNotGranted),
            (Reach { workflows: one("X"), ..Reach::default() }, Reason::ReferenceNotGranted),
            (Reach { any_workflow: one("Run"), ..Reach::default() }, Reason::ReferenceNotGranted),
            (Reach { credentials: pair(), ..Reach::default() }, Reason::ReferenceNotGranted),
            (Reach { tables: pair(), ..Reach::default() }, Reason::DataTableNotGranted),
            (Reach { any_table: one("Run"), ..Reach::default() }, Reason::DataTableNotGranted),
        ] {
            assert_eq!(ungranted(&found, &[], |_| false).map(|reconcile_error| reconcile_error.reason), Some(reason), "{found:?}");
            assert!(ungranted(&found, &[], |_| true).is_none());
        }
        assert!(ungranted(&Reach::default(), &[], |_| false).is_none());
    }
}
