//! Settings from TOML files.

use std::path::Path;

use anyhow::{anyhow, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::flags::nearest;

/// The text of a file with settings.
pub fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).map_err(|e| anyhow!("cannot read {}: {e}", file.display()))
}

/// Old names of settings and their names today.
const RENAMED: [(&str, &str); 1] = [("attention", "fused")];

/// Settings as TOML; `name` is for the message.
pub fn parse(name: &str, text: &str) -> anyhow::Result<toml::Table> {
    toml::from_str(text).map_err(|e| anyhow!("{name} is not valid TOML: {}", one_line(&e.to_string())))
}

/// `config` with the keys of a TOML text in place of its own. `optional` are those that
/// it may lack.
pub fn with_keys<C: Serialize + DeserializeOwned>(
    config: &C,
    optional: &[&str],
    name: &str,
    text: &str,
) -> anyhow::Result<C> {
    with_table(config, optional, name, parse(name, text)?)
}

/// The same with keys that are read already; `name` says whose they are.
pub fn with_table<C: Serialize + DeserializeOwned>(
    config: &C,
    optional: &[&str],
    name: &str,
    keys: toml::Table,
) -> anyhow::Result<C> {
    let mut all = toml::Table::try_from(config)?;
    let known: Vec<String> = all.keys().cloned().chain(optional.iter().map(|key| key.to_string())).collect();
    for (key, value) in keys {
        if let Some((_, new)) = RENAMED.iter().find(|(old, new)| *old == key && all.contains_key(*new)) {
            // The setting itself reads the values that it had under its old name.
            all.insert(new.to_string(), value);
            continue;
        }
        if !known.contains(&key) {
            match nearest(&key, known.iter().map(String::as_str)) {
                Some(near) => bail!("{name}: there is no setting {key}; did you mean {near}?"),
                None => bail!("{name}: there is no setting {key}; there are {}", known.join(", ")),
            }
        }
        // Who writes 1 means 1.0 where a setting is a real number.
        let value = match (all.get(&key), value) {
            (Some(toml::Value::Float(_)), toml::Value::Integer(n)) => toml::Value::Float(n as f64),
            (_, value) => value,
        };
        if let Some(old) = all.get(&key)
            && !old.same_type(&value)
            && !old.is_table()
        {
            bail!("{name}: {key} is {value}: it must be a value like {old}");
        }
        all.insert(key, value);
    }
    toml::Value::Table(all)
        .try_into()
        .map_err(|e: toml::de::Error| anyhow!("{name}: {}", one_line(&e.to_string())))
}

/// A message of several lines in one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
