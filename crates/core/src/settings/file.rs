//! Settings in files: a configuration is a map from the names of its settings to their values.
//!
//! The maps are read and written through the table of settings, one value at a time, rather than by
//! code that is generated for each struct and each file format.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde_json::Value;

use super::{Settings, Stored};

/// Reads a configuration. A missing setting gets its default.
///
/// # Errors
/// An unknown or repeated name, or a value of the wrong type.
pub fn deserialize<'de, C: Settings + Default, D: Deserializer<'de>>(file: D) -> Result<C, D::Error> {
    let mut config = C::default();
    let mut read: Vec<&str> = Vec::new();
    file.deserialize_map(Entries(&mut |key, value| {
        let Some((name, _, stored)) =
            stored::<C>().find(|(name, aliases, _)| *name == key || aliases.contains(&key))
        else {
            let names: Vec<String> = stored::<C>().map(|(name, ..)| format!("`{name}`")).collect();
            return Err(format!("unknown field `{key}`, expected one of {}", names.join(", ")));
        };
        if read.contains(&name) {
            return Err(format!("duplicate field `{name}`"));
        }
        read.push(name);
        (stored.read)(&mut config, value).map_err(|why| format!("{key}: {why}"))
    }))?;
    for (_, _, stored) in stored::<C>().filter(|(name, ..)| !read.contains(name)) {
        (stored.set_absent)(&mut config);
    }
    Ok(config)
}

/// Writes a configuration. A setting without a value, such as an optional path, is left out.
///
/// # Errors
/// Those of the file's format.
pub fn serialize<C: Settings, S: Serializer>(config: &C, file: S) -> Result<S::Ok, S::Error> {
    let values: Result<Vec<_>, String> =
        stored::<C>().map(|(name, _, stored)| Ok((name, (stored.write)(config)?))).collect();
    let mut values = values.map_err(S::Error::custom)?;
    values.retain(|(_, value)| !value.is_null());
    let mut map = file.serialize_map(Some(values.len()))?;
    for (name, value) in &values {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// Everything that a file holds, with its name and its other names: the value that depends on the data,
/// if there is one, and the settings.
fn stored<C: Settings>() -> impl Iterator<Item = (&'static str, &'static [&'static str], &'static Stored<C>)>
{
    let from_data = const { &C::FROM_DATA }.iter().map(|(name, stored)| (*name, &[][..], stored));
    from_data.chain(C::SETTINGS.iter().map(|setting| (setting.name, setting.aliases, &setting.stored)))
}

/// Takes the entries of a map, one by one.
struct Entries<'a>(&'a mut dyn FnMut(&str, Value) -> Result<(), String>);

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            // Errors arise while the value is read, so that the file's format can add its place.
            map.next_value_seed(Entry { name: &name, take: self.0 })?;
        }
        Ok(())
    }
}

/// Reads the value of one entry and takes it.
struct Entry<'a> {
    name: &'a str,
    take: &'a mut dyn FnMut(&str, Value) -> Result<(), String>,
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        (self.take)(self.name, Value::deserialize(value)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    crate::settings! {
        /// A configuration.
        pub struct Config {
            "Model" as Model(
                /// Depends on the data.
                classes: usize
            ) {
                /// The width.
                #[alias = "hidden"]
                width: usize = 30,
                /// A switch that files did not have at first.
                #[setting(absent(|| false))]
                bias: bool = true,
                /// A path.
                path: Option<PathBuf> = None,
            }
            "Training" {
                /// The seed.
                seed: u64 = 1,
            }
        }
    }

    fn error(text: &str) -> String {
        serde_json::from_str::<Config>(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_again() {
        for path in [None, Some(PathBuf::from("a/b"))] {
            let config = Config { width: 7, path, ..Config::default() };
            let (toml, json) = (toml::to_string(&config).unwrap(), serde_json::to_string(&config).unwrap());
            assert_eq!(toml::from_str::<Config>(&toml).unwrap(), config);
            assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
        }
        let model = Config::default().model(10);
        let json = serde_json::to_value(&model).unwrap();
        assert_eq!(json, serde_json::json!({"classes": 10, "width": 30, "bias": true}));
        assert_eq!(serde_json::from_value::<Model>(json).unwrap(), model);
        assert_eq!(Config::default().with_model(&model), Config::default());
    }

    #[test]
    fn an_absent_setting_means_what_it_did_before_it_came() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config, Config { bias: false, ..Config::default() });
        assert!(serde_json::from_str::<Config>(r#"{"bias": "yes"}"#).unwrap().bias);
    }

    #[test]
    fn faults_name_the_setting() {
        assert!(
            error(r#"{"widht": 3}"#).starts_with("unknown field `widht`, expected one of `width`, `bias`")
        );
        assert!(error(r#"{"width": 3, "hidden": 4}"#).starts_with("duplicate field `width`"));
        assert!(error(r#"{"width": -1}"#).starts_with("width: invalid value: integer `-1`"));
        assert!(error(r#"{"bias": "maybe"}"#).starts_with("bias: it must be true or false"));
        assert!(error("[1]").contains("expected a map of settings"));
        let toml = toml::from_str::<Config>("bias = true\nwidth = 'wide'").unwrap_err().to_string();
        assert!(toml.contains("line 2"), "{toml}");
    }
}
