//! The order in which the parameters of a level are filled in, kept beside them.

use std::sync::OnceLock;

/// Values that n8n could not load: it throws where the workflow is opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {0:?} holds what n8n cannot load")]
pub struct Misshapen(pub String);

/// The order in which the parameters of a level are visited; it takes as long to find as to fill them in.
#[derive(Clone, Debug, Default)]
pub struct Visits(pub(super) OnceLock<Box<Result<Order, Misshapen>>>);

impl PartialEq for Visits {
    /// It follows from the parameters, known or not.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Places of parameters; one may come several times.
    pub(super) visits: Vec<usize>,
    /// By place, whether other parameters of the level have its name.
    pub(super) repeated: Vec<bool>,
}
