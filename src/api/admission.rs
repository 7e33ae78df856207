//! The admission policies that are installed with the CRDs, as manifests with a file name each.
//!
//! They are part of the API: they decide which objects the API server stores, whether or not an operator runs.

/// File name and manifest of every policy and its binding, in the order in which they are printed.
pub const MANIFESTS: [(&str, &str); 12] = [
    ("weirkeeper.dev_decisions.policy.yaml", include_str!("admission/decisions.policy.yaml")),
    ("weirkeeper.dev_decisions.binding.yaml", include_str!("admission/decisions.binding.yaml")),
    ("weirkeeper.dev_modelprovider-secrets.policy.yaml", include_str!("admission/modelprovider-secrets.policy.yaml")),
    ("weirkeeper.dev_modelprovider-secrets.binding.yaml", include_str!("admission/modelprovider-secrets.binding.yaml")),
    ("weirkeeper.dev_n8ncredential-secrets.policy.yaml", include_str!("admission/n8ncredential-secrets.policy.yaml")),
    ("weirkeeper.dev_n8ncredential-secrets.binding.yaml", include_str!("admission/n8ncredential-secrets.binding.yaml")),
    ("weirkeeper.dev_n8ninstance-secrets.policy.yaml", include_str!("admission/n8ninstance-secrets.policy.yaml")),
    ("weirkeeper.dev_n8ninstance-secrets.binding.yaml", include_str!("admission/n8ninstance-secrets.binding.yaml")),
    ("weirkeeper.dev_workflow-secrets.policy.yaml", include_str!("admission/workflow-secrets.policy.yaml")),
    ("weirkeeper.dev_workflow-secrets.binding.yaml", include_str!("admission/workflow-secrets.binding.yaml")),
    ("weirkeeper.dev_workflowprompt-secrets.policy.yaml", include_str!("admission/workflowprompt-secrets.policy.yaml")),
    ("weirkeeper.dev_workflowprompt-secrets.binding.yaml", include_str!("admission/workflowprompt-secrets.binding.yaml")),
];
