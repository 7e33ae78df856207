//! The custom resources of `weirkeeper.dev/v1alpha1`.
