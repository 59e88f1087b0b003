//! Settings from TOML files.

use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_core::bounded;
use m2g_core::error::{excerpt, hint, in_plain_words, shown};
use m2g_core::settings::{Kind, Setting, Settings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The target of `--config`.
#[derive(Debug, PartialEq)]
pub enum Source {
    /// A file with this TOML.
    File(String),
    /// A built-in configuration.
    BuiltIn,
}

/// Finds the file or the built-in configuration called `name`. A file takes precedence.
pub fn find(name: &str, built_in: &[&str]) -> anyhow::Result<Source> {
    let path = Path::new(name);
    if is_readable(path) {
        return Ok(Source::File(read(path)?));
    }
    if built_in.contains(&name) {
        return Ok(Source::BuiltIn);
    }
    if path.is_dir() {
        bail!("--config is {name}, which is a directory: give a TOML file");
    }
    let hint = hint(name.trim_end_matches(".toml"), "the built-in configurations", built_in);
    bail!("--config is {}: no such file or built-in configuration; {hint}", shown(name))
}

/// Whether there is a file at this path, or a pipe, which can be read as one.
pub fn is_readable(path: &Path) -> bool {
    path.exists() && !path.is_dir()
}

/// The largest file with settings in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// The text of a file with settings.
pub fn read(file: &Path) -> anyhow::Result<String> {
    Ok(bounded::read_text(file, MAX_CONFIG_BYTES, "a configuration")?)
}

/// Parses settings in TOML. Errors refer to the text as `name`.
pub fn parse(name: &str, text: &str) -> anyhow::Result<toml::Table> {
    toml::from_str(text).map_err(|e| anyhow!("{name} is not valid TOML: {}", reason(text, &e)))
}

/// Why a TOML text cannot be parsed, and in which line.
pub fn reason(text: &str, error: &toml::de::Error) -> String {
    let message = one_line(error.message());
    // The parser's words are about types of Rust. A number that fits into none of them is called an i128.
    let typed = message.split_once(", expected ").filter(|(found, _)| !found.contains("i128"));
    let message = match typed.map(|(_, expected)| expected) {
        Some("u64") => "it must be a whole number, 0 or above".into(),
        Some("f64") => "it must be a number".into(),
        Some("struct Arm") => "it must be a table, such as [[arms]]".into(),
        Some("a map") => "it must be a table, such as [base]".into(),
        Some("a string") => "it must be a text in quotes".into(),
        Some("a sequence") => "it must be a list: [1, 2] of values, [[arms]] of tables".into(),
        _ if ["i128", "i64", "u64"].iter().any(|name| message.contains(name)) => {
            "a whole number there is too large".into()
        }
        _ => in_plain_words(&message),
    };
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

/// Overrides settings of `config` with those in a TOML text. Errors refer to the text as `name`.
pub fn with_keys<C: Settings + Default + Serialize + DeserializeOwned>(
    config: &C,
    name: &str,
    text: &str,
) -> anyhow::Result<C> {
    with_table(config, name, parse(name, text)?)
}

/// Overrides settings of `config` with those in a TOML table. Errors refer to the table as `name`.
pub fn with_table<C: Settings + Default + Serialize + DeserializeOwned>(
    config: &C,
    name: &str,
    keys: toml::Table,
) -> anyhow::Result<C> {
    let mut all = toml::Table::try_from(config)?;
    let mut seen: Vec<(&str, String)> = Vec::new();
    for (key, value) in keys {
        let Some(setting) = C::setting(&key) else {
            let known: Vec<&str> = C::SETTINGS.iter().map(|setting| setting.name).collect();
            bail!("{name}: unknown setting {}; {}", excerpt(&key), hint(&key, "the settings", &known));
        };
        if let Some((_, other)) = seen.iter().find(|(other, _)| *other == setting.name) {
            bail!("{name}: {other} and {key} are names of one setting: give only one of them");
        }
        // Accept 1 for 1.0.
        let value = match (all.get(setting.name), value) {
            (Some(toml::Value::Float(_)), toml::Value::Integer(n)) => toml::Value::Float(n as f64),
            (_, value) => value,
        };
        // A name as with the flag, for what is stored as a table: schedule = "cosine".
        let value = match (all.get(setting.name), value) {
            (Some(toml::Value::Table(_)), toml::Value::String(word)) => {
                let mut named = C::default();
                (setting.set)(&mut named, &word)
                    .map_err(|rule| anyhow!("{name}: {key} is {}: {rule}", excerpt(&word)))?;
                toml::Value::try_from(
                    (setting.stored.write)(&named).map_err(|e| anyhow!("{name}: {key}: {e}"))?,
                )?
            }
            (_, value) => value,
        };
        if let Some((at, number)) = not_finite(&key, &value) {
            bail!("{name}: {at} is {number}: it must be a finite number");
        }
        if let Some(old) = all.get(setting.name)
            && !old.same_type(&value)
            && !old.is_table()
        {
            // The former name of a switch takes words: attention = "primitive".
            let rule = if key != setting.name && setting.kind == Kind::Switch {
                (setting.set)(&mut C::default(), value.as_str().unwrap_or_default()).err()
            } else {
                Some(format!("it must be a value like {old}"))
            };
            if let Some(rule) = rule {
                bail!("{name}: {key} is {}: {rule}", excerpt(&value.to_string()));
            }
        }
        if let Some((part, rule)) = broken_part(setting, &value) {
            let found = value.get(part.as_str()).map(toml::Value::to_string).unwrap_or_default();
            bail!("{name}: {key}: {part} is {}: {rule}", excerpt(&found));
        }
        if let Some(rule) = broken_rule(setting, &value) {
            bail!("{name}: {key} is {}: {rule}", excerpt(&value.to_string()));
        }
        all.insert(setting.name.into(), value);
        seen.push((setting.name, key));
    }
    toml::Value::Table(all)
        .try_into()
        .map_err(|e: toml::de::Error| anyhow!("{name}: {}", in_plain_words(&one_line(&e.to_string()))))
}

/// A number in a value that is none, or infinite, with its place: `distort.rotate`.
fn not_finite(place: &str, value: &toml::Value) -> Option<(String, String)> {
    match value {
        toml::Value::Float(x) => (!x.is_finite()).then(|| (place.into(), value.to_string())),
        toml::Value::Table(table) => {
            table.iter().find_map(|(key, value)| not_finite(&format!("{place}.{key}"), value))
        }
        _ => None,
    }
}

/// The key of a table whose value is of a wrong type, and the rule that it breaks: without it, the table can be read.
fn broken_part<C: Settings + Default>(setting: &Setting<C>, value: &toml::Value) -> Option<(String, String)> {
    let table = value.as_table()?;
    let why = |table: &toml::Table| -> Result<(), String> {
        let json = serde_json::to_value(table).map_err(|e| e.to_string())?;
        (setting.stored.read)(&mut C::default(), json)
    };
    let why_all = why(table).err()?;
    let rule = in_plain_words(&one_line(&why_all));
    // Of a key that is unknown, the parser says which are known.
    if rule == one_line(&why_all) {
        return None;
    }
    let without = |key: &str| {
        let mut rest = table.clone();
        rest.remove(key);
        rest
    };
    table.keys().find(|key| why(&without(key)).is_ok()).map(|key| (key.clone(), rule))
}

/// The rule that a value breaks, in the words of the flag: those of serde are about types of Rust.
fn broken_rule<C: Settings + Default>(setting: &Setting<C>, value: &toml::Value) -> Option<String> {
    let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let text = match value {
        toml::Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        value => text(value),
    };
    let json = serde_json::to_value(value).ok()?;
    let mut read = C::default();
    let broken = (setting.stored.read)(&mut read, json).err();
    if let Some(table) = value.as_table() {
        return broken
            .map(|why| in_plain_words(&one_line(&why)))
            .or_else(|| unknown_key(setting, &read, table));
    }
    let why = broken?;
    Some((setting.set)(&mut C::default(), &text).err().unwrap_or_else(|| in_plain_words(&one_line(&why))))
}

/// What is wrong with a table that has keys which its setting did not keep: of a variant without parameters, such as
/// a constant schedule, serde reads over them.
fn unknown_key<C: Settings>(setting: &Setting<C>, read: &C, table: &toml::Table) -> Option<String> {
    let kept = (setting.stored.write)(read).ok()?;
    let kept = kept.as_object()?;
    let unknown = table.keys().find(|key| !kept.contains_key(*key))?;
    let names: Vec<String> = kept.keys().map(|name| format!("`{name}`")).collect();
    Some(format!("unknown field `{}`, expected {}", excerpt(unknown), names.join(", ")))
}

/// The settings in a checkpoint under their current names; unchanged if they cannot be parsed.
pub fn with_current_names<C: Serialize + DeserializeOwned>(settings: &Value) -> Map<String, Value> {
    let read: Option<C> = serde_json::from_value(settings.clone()).ok();
    let present = read.and_then(|config| serde_json::to_value(config).ok());
    present.as_ref().unwrap_or(settings).as_object().cloned().unwrap_or_default()
}

/// A configuration as a map.
pub fn as_map<C: Serialize>(config: &C) -> Map<String, Value> {
    let value = serde_json::to_value(config).ok();
    value.as_ref().and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Joins the lines of a message.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_of_old_runs_get_current_names() {
        let digits =
            with_current_names::<m2g_digits::Config>(&json!({"lr": 0.5, "mini_batch": 7, "clip": 1.0}));
        assert_eq!(
            json!([0.5, 7, 1.0]),
            json!([digits["learning_rate"], digits["batch_size"], digits["grad_clip"]])
        );
        let gpt = with_current_names::<m2g_gpt::Config>(&json!({"attention": "primitive"}));
        assert_eq!(gpt["fused"], false);
        let strange = with_current_names::<m2g_gpt::Config>(&json!({"unknown": 1}));
        assert_eq!(Value::Object(strange), json!({"unknown": 1}));
    }

    #[test]
    fn a_table_may_be_given_by_its_name_or_in_part() {
        let read =
            |text: &str| with_keys(&m2g_digits::Config::default(), "x.toml", text).map_err(|e| e.to_string());
        let cosine = read("schedule = { kind = 'cosine', warmup = 0.02, floor = 0.0 }");
        assert_eq!(read("schedule = 'cosine'"), cosine);
        assert_eq!(read("schedule = { kind = 'cosine' }"), cosine);
        let named = |name| read(&format!("schedule = '{name}'"));
        assert_eq!(read("schedule = { kind = 'halve-on-plateau' }"), named("halve-on-plateau"));
        assert_eq!(read("distort = 'affine'"), read("distort = { kind = 'affine' }"));
        assert!(named("cosin").unwrap_err().contains("schedule is cosin: it must be one of"));
        let why = read("distort = { kind = 'affin' }").unwrap_err();
        assert!(why.contains("unknown variant `affin`, expected one of"), "{why}");
        for (table, unknown) in [
            (
                "schedule = { kind = 'cosine', warmpu = 0.5 }",
                "unknown field `warmpu`, expected `warmup` or `floor`",
            ),
            ("schedule = { kind = 'constant', floor = 0.5 }", "unknown field `floor`, expected `kind`"),
            ("distort = { kind = 'none', affine = { rotate = 9.0 } }", "unknown field `affine`"),
            ("distort = { kind = 'affine', rotat = 9.0 }", "unknown field `rotat`, expected one of"),
        ] {
            let why = read(table).unwrap_err();
            assert!(why.starts_with("x.toml: ") && why.contains(unknown), "{why}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_table_is_named() {
        for (table, wrong) in [
            (
                "distort = { kind = 'affine', rotate = 9.0, shift = [] }",
                "distort: shift is []: it must be a number",
            ),
            (
                "distort = { kind = 'affine', rotate = nan }",
                "distort.rotate is nan: it must be a finite number",
            ),
            (
                "distort = { kind = 'elastic', elastic = { alpha = -inf } }",
                "distort.elastic.alpha is -inf: it must be a finite number",
            ),
            (
                "distort = { kind = 'elastic', elastic = 3 }",
                "distort: elastic is 3: it must be a table of names and values",
            ),
            (
                "schedule = { kind = 'halve-on-plateau', patience = [1, 2] }",
                "schedule: patience is [1, 2]: it must be a whole number, 0 or above",
            ),
        ] {
            let error = with_keys(&m2g_digits::Config::default(), "x.toml", table).unwrap_err().to_string();
            assert_eq!(error, format!("x.toml: {wrong}"));
        }
    }

    #[test]
    fn former_names_are_checked_like_the_current_ones() {
        fn error<C: Settings + Default + Serialize + DeserializeOwned>(text: &str) -> String {
            with_keys(&C::default(), "x.toml", text).err().unwrap().to_string()
        }
        let words = "it must be true or false (or \"fused\", \"primitive\")";
        for (text, expected) in [
            ("lr = 'fast'", "lr is \"fast\": it must be a value like 3.0"),
            ("clip = true", "clip is true: it must be a value like 0.0"),
            ("mini_batch = 1.5", "mini_batch is 1.5: it must be a value like 10"),
            ("lr = inf", "lr is inf: it must be a finite number"),
        ] {
            assert_eq!(error::<m2g_digits::Config>(text), format!("x.toml: {expected}"));
        }
        for (text, expected) in [
            ("n_layer = -1", "n_layer is -1: it must be a whole number, 0 or above"),
            ("positions = 'rotery'", "positions is \"rotery\": it must be one of "),
            ("mask = 'causel'", "mask is \"causel\": it must be causal, reversed, none, finite, or window:N"),
            ("patience = 4294967296", "patience is 4294967296: it is too large"),
        ] {
            let found = error::<m2g_gpt::Config>(text);
            assert!(found.starts_with(&format!("x.toml: {expected}")), "{found}");
        }
        let found = error::<m2g_digits::Config>("hidden = [30, -1]");
        assert!(found.starts_with("x.toml: hidden is [30, -1]: it must be a whole number"), "{found}");
        let found = error::<m2g_gpt::Config>("seed = 1\nmax_iters = 99999999999999999999");
        assert_eq!(found, "x.toml is not valid TOML: line 2: a whole number there is too large");
        for value in ["3", "\"fuse\""] {
            let found = error::<m2g_gpt::Config>(&format!("attention = {value}"));
            assert_eq!(found, format!("x.toml: attention is {value}: {words}"));
        }
        let read = |text: &str| with_keys(&m2g_gpt::Config::default(), "x.toml", text).unwrap();
        assert!(!read("attention = 'primitive'").fused && !read("attention = false").fused);
        assert_eq!(read("lr = 1").learning_rate, 1.0);
    }

    #[test]
    fn a_directory_is_not_a_configuration() {
        assert!(find(".", &["best"]).unwrap_err().to_string().contains("is a directory"));
    }
}
