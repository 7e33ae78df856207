//! The catalogue of node types that each N8nInstance's Workflows are validated against: the built-in one, or the one in the ConfigMap that
//! `spec.catalogRef` names. It is read once for each version of the ConfigMap, and kept once for each content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, ResourceExt};

use super::keyed_mutex::KeyedMutex;
use super::objects;
use crate::api::instance::{CatalogRef, N8nInstance};
use crate::api::reason::{Class, Reason};
use crate::catalog::Catalog;
use crate::domain::error::ReconcileError;
use crate::text::sha256::sha256_hex;

/// Maximum number of catalogues in memory beside the built-in one; the least recently used one is dropped and read again when it is
/// needed.
const MOST: usize = 8;

/// A catalogue in use.
#[derive(Clone, Debug)]
pub struct LoadedCatalog {
    catalog: Source,
    /// Identity of its content.
    pub id: String,
    /// Reason why it is not the requested one.
    pub error: Option<ReconcileError>,
}

#[derive(Clone, Debug)]
enum Source {
    BuiltIn,
    Given(Arc<Catalog>),
}

impl LoadedCatalog {
    fn built_in(error: Option<ReconcileError>) -> Self {
        Self { catalog: Source::BuiltIn, id: "built in".to_owned(), error }
    }

    /// Returns the catalogue.
    pub fn catalog(&self) -> &Catalog {
        match &self.catalog {
            Source::BuiltIn => Catalog::embedded(),
            Source::Given(catalog) => catalog,
        }
    }
}

/// Catalogues of ConfigMaps, by instance.
pub struct Catalogs {
    client: Client,
    cache: Cache,
}

#[derive(Debug, Default)]
struct Cache {
    entries: Mutex<HashMap<String, Entry>>,
    /// Locks so that each instance's catalogue is read once at a time: all its Workflows want it at the same moment, and no other instance
    /// waits for that.
    reading: KeyedMutex,
}

#[derive(Debug)]
struct Entry {
    asked: CatalogRef,
    /// Version of the ConfigMap; None without a ConfigMap.
    version: Option<String>,
    loaded: LoadedCatalog,
    used: Instant,
}

impl Catalogs {
    /// Returns an empty cache over a cluster.
    pub fn new(client: Client) -> Self {
        Self { client, cache: Cache::default() }
    }

    /// Returns the catalogue of an instance, as it was last read.
    pub async fn of(&self, instance: &N8nInstance) -> Result<LoadedCatalog, ReconcileError> {
        let Some(asked) = &instance.spec.catalog_ref else { return Ok(LoadedCatalog::built_in(None)) };
        let key = key(instance);
        if let Some((_, loaded)) = self.cache.known(&key, asked) {
            return Ok(loaded);
        }
        let _alone = self.cache.reading.lock(&key).await;
        match self.cache.known(&key, asked) {
            Some((_, loaded)) => Ok(loaded),
            // A forbidden ConfigMap is no worse than a missing one.
            None => match self.read(instance, asked).await {
                Err(error) if error.class == Class::Denied => Ok(LoadedCatalog::built_in(Some(error))),
                read => read,
            },
        }
    }

    /// Returns the catalogue of an instance if it is in memory; the built-in one always is.
    pub fn known(&self, instance: &N8nInstance) -> Option<LoadedCatalog> {
        match &instance.spec.catalog_ref {
            None => Some(LoadedCatalog::built_in(None)),
            Some(asked) => self.cache.known(&key(instance), asked).map(|(_, loaded)| loaded),
        }
    }

    /// Reads the ConfigMap of an instance again if it changed. Returns whether its Workflows must be reconciled.
    pub async fn refresh(&self, instance: &N8nInstance) -> Result<(LoadedCatalog, bool), ReconcileError> {
        let Some(asked) = &instance.spec.catalog_ref else {
            self.cache.forget(&key(instance));
            return Ok((LoadedCatalog::built_in(None), false));
        };
        let _alone = self.cache.reading.lock(&key(instance)).await;
        let known = self.cache.known(&key(instance), asked);
        if let Some((version, loaded)) = &known {
            let namespace = instance.namespace().unwrap_or_default();
            let found = objects::metadata::<ConfigMap>(&self.client, &namespace, &asked.name).await.map_err(|error| failed(&error))?;
            if found.and_then(|found| found.resource_version) == *version {
                return Ok((loaded.clone(), false));
            }
        }
        let loaded = self.read(instance, asked).await?;
        let changed = known.is_some_and(|(_, before)| (before.id, before.error) != (loaded.id.clone(), loaded.error.clone()));
        Ok((loaded, changed))
    }

    async fn read(&self, instance: &N8nInstance, asked: &CatalogRef) -> Result<LoadedCatalog, ReconcileError> {
        let namespace = instance.namespace();
        let found = objects::get::<ConfigMap>(&self.client, namespace.as_deref(), &asked.name).await.map_err(|error| failed(&error))?;
        let version = found.as_ref().and_then(|found| found.metadata.resource_version.clone());
        let CatalogRef { name, key: at } = asked;
        let loaded = match found.map(|found| found.binary_data.unwrap_or_default().remove(at)) {
            Some(Some(bytes)) => {
                let id = sha256_hex(&bytes.0);
                let read = match self.cache.of_content(&id) {
                    Some(catalog) => Ok(catalog),
                    // It takes tens of milliseconds, which must not block the thread of other reconciliations.
                    None => tokio::task::spawn_blocking(|| Catalog::from_bytes(bytes.0).map(Arc::new))
                        .await
                        .map_err(|_| ReconcileError::transient(Reason::RequestFailed, "reading the catalogue was interrupted"))?,
                };
                match read {
                    Ok(catalog) => LoadedCatalog { catalog: Source::Given(catalog), id, error: None },
                    Err(error) => LoadedCatalog::built_in(Some(ReconcileError::invalid(
                        Reason::CatalogUnreadable,
                        format!("key {at} of ConfigMap {name}, which spec.catalogRef names, is no catalogue: {error}"),
                    ))),
                }
            }
            Some(None) => LoadedCatalog::built_in(Some(ReconcileError::waiting(
                Reason::CatalogNotFound,
                format!(
                    "ConfigMap {name}, which spec.catalogRef names, has no binaryData {at}; create it with `weirkeeper catalog build --config-map {name}`"
                ),
            ))),
            None => LoadedCatalog::built_in(Some(ReconcileError::waiting(
                Reason::CatalogNotFound,
                format!(
                    "ConfigMap {name}, which spec.catalogRef names, does not exist; create it with `weirkeeper catalog build --config-map {name}`"
                ),
            ))),
        };
        self.cache.keep(key(instance), Entry { asked: asked.clone(), version, loaded: loaded.clone(), used: Instant::now() });
        Ok(loaded)
    }

    /// Forgets the catalogue of an instance that is gone.
    pub fn forget(&self, key: &str) {
        self.cache.forget(key);
    }
}

impl Cache {
    /// Returns the cached catalogue of an instance, if it is the one that its spec names.
    fn known(&self, key: &str, asked: &CatalogRef) -> Option<(Option<String>, LoadedCatalog)> {
        let mut all = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.get_mut(key).filter(|entry| entry.asked == *asked)?;
        entry.used = Instant::now();
        Some((entry.version.clone(), entry.loaded.clone()))
    }

    fn keep(&self, key: String, entry: Entry) {
        let mut all = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key, entry);
        while all.values().filter(|entry| matches!(entry.loaded.catalog, Source::Given(_))).count() > MOST {
            let given = all.iter().filter(|(_, entry)| matches!(entry.loaded.catalog, Source::Given(_)));
            let Some(oldest) = given.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone()) else { return };
            all.remove(&oldest);
        }
    }

    fn of_content(&self, id: &str) -> Option<Arc<Catalog>> {
        let all = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().find_map(|entry| match &entry.loaded.catalog {
            Source::Given(catalog) if entry.loaded.id == id => Some(catalog.clone()),
            _ => None,
        })
    }

    fn forget(&self, key: &str) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

fn key(instance: &N8nInstance) -> String {
    objects::key(&instance.namespace().unwrap_or_default(), &instance.name_any())
}

fn failed(error: &kube::Error) -> ReconcileError {
    objects::reconcile_error_elsewhere("read the N8nInstance's catalogue", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Distilled;
    use crate::catalog::pack::pack;

    fn entry(content: &str, minute: u64) -> Entry {
        let bytes = pack(&Distilled::default(), Some(content.to_owned()), Vec::new()).unwrap();
        let catalog = Source::Given(Arc::new(Catalog::from_bytes(bytes).unwrap()));
        let asked = CatalogRef { name: "nodes".to_owned(), key: "n8n.catalog".to_owned() };
        let used = Instant::now() + std::time::Duration::from_secs(60 * minute);
        Entry { asked, version: None, loaded: LoadedCatalog { catalog, id: content.to_owned(), error: None }, used }
    }

    #[test]
    fn contents_are_shared_and_the_least_recently_used_is_dropped() {
        let catalogs = Cache::default();
        for number in 0..=MOST {
            catalogs.keep(format!("n/{number}"), entry(&format!("c{number}"), number as u64));
        }
        assert!(catalogs.of_content("c0").is_none() && catalogs.of_content("c1").is_some());
        assert_eq!(catalogs.entries.lock().unwrap().len(), MOST);
        let other = CatalogRef { name: "others".to_owned(), key: "n8n.catalog".to_owned() };
        assert!(catalogs.known("n/1", &other).is_none(), "another ConfigMap is asked for now");
        assert_eq!(catalogs.known("n/1", &entry("c1", 0).asked).map(|(_, loaded)| loaded.id), Some("c1".to_owned()));
        catalogs.forget("n/1");
        assert!(catalogs.of_content("c1").is_none());
    }
}
