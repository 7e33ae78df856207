//! The status of an object as one reconciliation knows it to be stored: writes are based on it, and on nothing that another writer changed.

use k8s_openapi::NamespaceResourceScope;
use kube::core::object::HasStatus;
use kube::{Client, Resource, ResourceExt};
use prometheus::IntCounterVec;
use serde::Serialize;

use super::status;
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;
use crate::kubernetes::decoded::{Decode, Decoded};
use crate::kubernetes::objects;

/// Status as stored in Kubernetes.
pub struct SavedStatus<S> {
    status: S,
    resource_version: Option<String>,
    /// Set if the object has a status: it was read with one, or this reconciliation wrote it.
    exists: bool,
    /// Set if the object changed in a way that this reconciliation did not read: it ends and reports nothing.
    superseded: bool,
}

impl<S: Serialize + PartialEq + Clone + Default> SavedStatus<S> {
    /// Returns the status of an object as it was read.
    pub fn of<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + HasStatus<Status = S>,
    {
        let status = object.status().cloned();
        let resource_version = object.meta().resource_version.clone();
        Self { exists: status.is_some(), status: status.unwrap_or_default(), resource_version, superseded: false }
    }

    /// Returns the stored status.
    pub fn status(&self) -> &S {
        &self.status
    }

    /// Records the object's resource version after a write of this reconciliation.
    pub fn moved_to(&mut self, resource_version: Option<String>) {
        self.resource_version = resource_version;
    }

    /// Reports whether this reconciliation rests on stale state.
    pub fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Writes a status, if it differs, unless the object changed since. Returns whether something was written.
    pub async fn write<K>(&mut self, client: &Client, writes: &IntCounterVec, object: &K, new: &S) -> Result<bool, kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let written = status::write(client, writes, object, self.resource_version.as_deref(), (&self.status, new)).await?;
        let Some(version) = written else { return Ok(false) };
        (self.status, self.resource_version, self.exists) = (new.clone(), version, true);
        Ok(true)
    }

    /// Reports whether a failed write is to be tried again: after a conflict, if only something else than the status changed. If another
    /// writer changed the status, or the object is gone, it is not: then this reconciliation rests on stale state.
    pub async fn try_again<K>(&mut self, client: &Client, object: &K, error: kube::Error) -> Result<bool, kube::Error>
    where
        K: Decode + Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus<Status = S>,
    {
        if objects::is_gone(&error) {
            return Ok(false);
        }
        if !objects::is_conflict(&error) {
            return Err(error);
        }
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        match objects::read_as::<K>(client, Some(&namespace), &name).await? {
            Some(Decoded(Ok(now))) if now.uid() == object.uid() && now.status() == self.exists.then_some(&self.status) => {
                self.resource_version = now.meta().resource_version.clone();
            }
            _ => self.superseded = true,
        }
        Ok(!self.superseded)
    }

    /// Returns the error of a write that must not follow another one's, so that two writers can never both believe that they announced
    /// something.
    pub fn unless_superseded(&mut self, written: Result<(), kube::Error>) -> Result<(), ReconcileError> {
        match written {
            Err(error) if objects::is_conflict(&error) => Err(self.supersede()),
            other => other.map_err(|error| objects::reconcile_error("write the status", &error)),
        }
    }

    /// Returns the error of a write that was tried again until it succeeded or this reconciliation rested on stale state.
    pub fn recorded(&mut self, written: Result<bool, kube::Error>) -> Result<(), ReconcileError> {
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.supersede()),
            Err(error) => Err(objects::reconcile_error("write the status", &error)),
        }
    }

    fn supersede(&mut self) -> ReconcileError {
        self.superseded = true;
        ReconcileError::transient(Reason::Progressing, "the object changed during the reconciliation; reconciling again")
    }
}
