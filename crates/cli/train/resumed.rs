//! The settings of a run that is resumed: those in its checkpoints, whatever its `config.toml` says.

use std::path::Path;

use m2g_core::Error;
use m2g_core::train::run_folder::CONFIG;
use m2g_core::train::{Session, SessionModel};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config_file::{as_map, read};
use crate::terminal::lines::note;

/// Tells the user of changes in `config.toml`, which have no effect.
pub fn tell_of_other_settings<M: SessionModel>(run: &Path) -> Result<(), Error>
where
    M::Config: DeserializeOwned,
{
    let description = Session::<M>::describe(run)?;
    // A file that cannot be read is written again.
    if let Ok(text) = read(&run.join(CONFIG))
        && let Ok(written) = toml::from_str::<M::Config>(&text)
        && let Some(names) = different(&as_map(&written), &as_map(M::config(&description)))
    {
        note(&format!(
            "{} was changed, which has no effect, since the checkpoints of a run hold its settings: {names}; to change \
             them, start a new run with --config {0} --run NAME",
            run.join(CONFIG).display()
        ));
    }
    Ok(())
}

/// The settings that differ, with both values.
fn different(written: &Map<String, Value>, saved: &Map<String, Value>) -> Option<String> {
    let names = written.keys().chain(saved.keys().filter(|name| !written.contains_key(*name)));
    let value = |settings: &Map<String, Value>, name: &String| {
        settings.get(name).map_or("none".to_string(), Value::to_string)
    };
    let changed = names.filter(|name| written.get(*name) != saved.get(*name));
    let named: Vec<String> = changed
        .map(|name| format!("{name} is {} there, and stays {}", value(written, name), value(saved, name)))
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_of_the_file_are_named() {
        let settings = |json: Value| json.as_object().cloned().unwrap_or_default();
        let saved = settings(json!({"seed": 1, "mask": "causal", "data": "a"}));
        assert_eq!(different(&saved, &saved), None);
        let written = settings(json!({"seed": 2, "mask": "causal"}));
        let expected = "seed is 2 there, and stays 1, data is none there, and stays \"a\"";
        assert_eq!(different(&written, &saved).as_deref(), Some(expected));
    }
}
