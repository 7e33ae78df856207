//! The objects that an operator manages: those of the whole cluster, of some namespaces, or with some labels.

use kube::core::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};

/// Restriction of the watches.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Label selector of the objects; None selects all.
    pub selector: Option<String>,
    /// Namespaces, each with a watch of its own, so that a Role in each suffices. Empty for the whole cluster.
    pub namespaces: Vec<String>,
}

impl Scope {
    /// Reports whether objects of a namespace are watched.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|one| one == namespace)
    }

    /// Returns the APIs that are watched for a kind.
    pub fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self.namespaces.is_empty() {
            true => vec![Api::all(client.clone())],
            false => self.namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect(),
        }
    }

    /// Returns the paths of these watches.
    pub fn paths<K: Resource<DynamicType = ()>>(&self) -> Vec<String> {
        match self.namespaces.is_empty() {
            true => vec![K::url_path(&(), None)],
            false => self.namespaces.iter().map(|namespace| K::url_path(&(), Some(namespace))).collect(),
        }
    }

    /// Returns the configurations of the watches of namespaces themselves.
    pub(super) fn of_namespaces(&self, config: &watcher::Config) -> Vec<watcher::Config> {
        match self.namespaces.is_empty() {
            true => vec![config.clone()],
            false => self.namespaces.iter().map(|name| config.clone().fields(&format!("metadata.name={name}"))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workflow::Workflow;

    #[test]
    fn each_namespace_has_its_own_path_and_the_whole_cluster_has_one() {
        let all = Scope::default();
        assert_eq!(all.paths::<Workflow>(), ["/apis/weirkeeper.dev/v1alpha1/workflows"]);
        assert!(all.covers("anything"));
        let some = Scope { namespaces: vec!["a".to_owned(), "b".to_owned()], ..Scope::default() };
        let paths = ["a", "b"].map(|namespace| format!("/apis/weirkeeper.dev/v1alpha1/namespaces/{namespace}/workflows"));
        assert_eq!(some.paths::<Workflow>(), paths);
        assert!(some.covers("b") && !some.covers("c"));
        let fields = some.of_namespaces(&watcher::Config::default()).into_iter().map(|config| config.field_selector);
        assert_eq!(fields.collect::<Vec<_>>(), ["a", "b"].map(|name| Some(format!("metadata.name={name}"))));
    }
}
