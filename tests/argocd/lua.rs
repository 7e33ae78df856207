//! Argo CD's use of Lua: the scripts of the ConfigMap in an interpreter of Lua 5.1 with the libraries that Argo CD opens (base, table,
//! package, and a safe part of os: no string library and no io), on objects converted as Argo CD converts them.

use std::collections::BTreeMap;
use std::path::Path;

use mlua::{Lua, LuaOptions, StdLib, Table, Value as LuaValue};
use serde_json::{Map, Value};
use weirkeeper::domain::merge_patch::merge_patch;

/// The states that Argo CD knows; any other becomes Unknown.
const STATES: &[&str] = &["Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing"];

/// Health of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    pub status: String,
    pub message: String,
}

/// The customizations of `config/argocd/argocd-cm.yaml`.
pub struct Customizations(Value);

impl Customizations {
    pub fn installed() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/argocd/argocd-cm.yaml");
        let text = std::fs::read_to_string(file).expect("the ConfigMap");
        let map: Value = serde_saphyr::from_str(&text).expect("the ConfigMap is YAML");
        Self(map["data"].clone())
    }

    /// Returns the keys of the ConfigMap.
    #[allow(dead_code, reason = "the scenarios, which share this file, do not ask for it")]
    pub fn keys(&self) -> Vec<String> {
        self.0.as_object().expect("data").keys().cloned().collect()
    }

    fn script(&self, what: &str, object: &Value) -> Option<String> {
        let kind = object["kind"].as_str().expect("a kind");
        self.0[format!("resource.customizations.{what}.weirkeeper.dev_{kind}")].as_str().map(str::to_owned)
    }

    pub fn health(&self, object: &Value) -> Health {
        let script = self.script("health", object).expect("a health check");
        let answer = run(&script, object, &[]).unwrap_or_else(|error| panic!("{error}\n{object:#}"));
        let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("no {key} in {answer} of {object:#}")).to_owned();
        let health = Health { status: text("status"), message: text("message") };
        assert!(STATES.contains(&&*health.status), "{health:?}");
        health
    }

    fn definitions(&self, object: &Value) -> Option<Value> {
        Some(serde_saphyr::from_str(&self.script("actions", object)?).expect("the actions are YAML"))
    }

    /// Returns the actions on an object, and for each whether it is enabled.
    #[allow(dead_code, reason = "the scenarios, which share this file, do not ask for it")]
    pub fn actions(&self, object: &Value) -> BTreeMap<String, bool> {
        let Some(definitions) = self.definitions(object) else { return BTreeMap::new() };
        let found = run(definitions["discovery.lua"].as_str().expect("a script"), object, &[]).expect("actions are discovered");
        let defined: Vec<&str> =
            definitions["definitions"].as_array().expect("definitions").iter().filter_map(|one| one["name"].as_str()).collect();
        let found = found.as_object().expect("a table of actions");
        assert!(defined.len() == found.len() && defined.iter().all(|name| found.contains_key(*name)), "{defined:?} {found:?}");
        found.iter().map(|(name, action)| (name.clone(), action["disabled"] != true)).collect()
    }

    /// Runs an action and returns the merge patch that Argo CD sends, if there is a difference.
    pub fn act(&self, object: &Value, action: &str, parameters: &[(&str, &str)]) -> Result<Option<Value>, String> {
        let definitions = self.definitions(object).expect("the kind has actions");
        let all = definitions["definitions"].as_array().expect("definitions");
        let script = all.iter().find(|one| one["name"] == action).and_then(|one| one["action.lua"].as_str()).expect("such an action");
        let mut changed = run(script, object, parameters)?;
        restore_empty(&mut changed, object);
        Ok(merge_patch(object, &changed))
    }
}

fn run(script: &str, object: &Value, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let lua = Lua::new_with(StdLib::TABLE | StdLib::PACKAGE, LuaOptions::default()).expect("an interpreter");
    let prepare = || -> mlua::Result<()> {
        let os = lua.create_table()?;
        os.set(
            "date",
            lua.create_function(|_, format: String| {
                Ok(jiff::Timestamp::now().strftime(format.strip_prefix('!').expect("only UTC is used")).to_string())
            })?,
        )?;
        lua.globals().get::<Table>("package")?.get::<Table>("loaded")?.set("os", &os)?;
        lua.globals().set("os", os)?;
        lua.globals().set("obj", to_lua(&lua, object)?)?;
        let given = lua.create_table()?;
        for (name, value) in parameters {
            given.set(*name, *value)?;
        }
        lua.globals().set("actionParams", given)
    };
    prepare().expect("the globals are set");
    assert!(lua.globals().get::<LuaValue>("string").expect("globals").is_nil(), "Argo CD opens no string library");
    lua.load(script).eval::<LuaValue>().map(|answer| to_json(&answer)).map_err(|error| error.to_string())
}

/// Converts a value as Argo CD does: a null is nil, which a table does not keep.
fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(flag) => LuaValue::Boolean(*flag),
        Value::Number(number) => LuaValue::Number(number.as_f64().expect("a number")),
        Value::String(text) => LuaValue::String(lua.create_string(text)?),
        Value::Array(items) => {
            let table = lua.create_table()?;
            for item in items.iter().filter(|item| !item.is_null()) {
                table.push(to_lua(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
        Value::Object(fields) => {
            let table = lua.create_table()?;
            for (key, item) in fields {
                table.set(key.as_str(), to_lua(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
    })
}

/// Converts a value back: an empty table is an empty list.
fn to_json(value: &LuaValue) -> Value {
    match value {
        LuaValue::Boolean(flag) => Value::Bool(*flag),
        LuaValue::Integer(number) => Value::from(*number),
        LuaValue::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Value::from(*number as i64),
        LuaValue::Number(number) => Value::from(*number),
        LuaValue::String(text) => Value::String(text.to_string_lossy()),
        LuaValue::Table(table) => {
            let pairs: Vec<(LuaValue, LuaValue)> = table.pairs().collect::<mlua::Result<_>>().expect("a table");
            let named = |pair: &(LuaValue, LuaValue)| matches!(pair.0, LuaValue::String(_));
            if pairs.iter().any(named) {
                let key = |key: &LuaValue| key.as_string().expect("a table is a list or a map").to_string_lossy();
                Value::Object(pairs.iter().map(|(name, item)| (key(name), to_json(item))).collect::<Map<_, _>>())
            } else {
                Value::Array(table.sequence_values::<LuaValue>().map(|item| to_json(&item.expect("an item"))).collect())
            }
        }
        _ => Value::Null,
    }
}

/// Puts empty objects back where the conversion made empty lists of them, as Argo CD does.
fn restore_empty(changed: &mut Value, before: &Value) {
    match (changed, before) {
        (Value::Object(changed), Value::Object(before)) => {
            for (key, item) in changed.iter_mut() {
                if let Some(before) = before.get(key) {
                    restore_empty(item, before);
                }
            }
        }
        (Value::Array(changed), Value::Array(before)) => {
            changed.iter_mut().zip(before).for_each(|(item, before)| restore_empty(item, before));
        }
        (changed @ Value::Array(_), Value::Object(_)) if changed.as_array().is_some_and(Vec::is_empty) => {
            *changed = Value::Object(Map::new());
        }
        _ => {}
    }
}
