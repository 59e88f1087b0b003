//! What is known of a run, and what is wrong with it. A damaged run is described as far as possible.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use m2g_core::Error;
use m2g_core::settings::words::in_words;
use m2g_core::train::run_folder::{self, BEST, CONFIG, LAST};
use m2g_core::train::{State, manage};
use serde_json::{Map, Value, json};

use crate::config_file::{self, one_line};
use crate::models::kind::ModelKind;
use crate::models::named;
use crate::output::percent;

/// A run on disk.
pub struct Summary {
    /// The folder.
    pub path: PathBuf,
    /// The name of its folder.
    pub name: String,
    /// The kind of model, if it is known.
    pub kind: Option<&'static dyn ModelKind>,
    /// When it was last saved.
    pub saved: Option<SystemTime>,
    /// The size of all its files in bytes.
    pub bytes: u64,
    /// The progress, if a checkpoint can be read.
    pub state: Option<State>,
    /// All its settings.
    pub settings: Map<String, Value>,
    /// Whether a process trains it now.
    pub training: bool,
    /// What is wrong with it, in a few words.
    pub wrong: Option<String>,
}

impl Summary {
    /// Reads a folder. Never fails: what cannot be read is said in `wrong`.
    pub fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let saved = [LAST, BEST, CONFIG].iter().find_map(|file| modified(&path.join(file)));
        let mut summary = Self {
            path: path.to_path_buf(),
            name,
            kind: None,
            saved: saved.or_else(|| modified(path)),
            bytes: size(path),
            state: None,
            settings: Map::new(),
            training: manage::is_training(path),
            wrong: None,
        };
        summary.wrong = summary.fill().err();
        summary
    }

    /// Reads the checkpoint and the configuration.
    fn fill(&mut self) -> Result<(), String> {
        let Self { path, .. } = self;
        let config = path.join(CONFIG);
        match fs::metadata(&config) {
            Ok(file) if file.is_file() => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err("it cannot be read: permission denied".into());
            }
            _ => return Err(format!("not a run: it has no {CONFIG}")),
        }
        let config = match config_file::read(&config) {
            Ok(text) => toml::from_str::<Value>(&text)
                .map_err(|e| format!("its {CONFIG} is not valid TOML: {}", one_line(e.message()))),
            Err(e) => Err(format!("its {CONFIG} cannot be read: {e}")),
        };
        let file = if path.join(LAST).exists() { LAST } else { BEST };
        if !path.join(file).exists() {
            config?;
            return Err("never saved: it has no checkpoint".into());
        }
        let damaged = |error: Error| match &error {
            Error::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => error.to_string(),
            _ => format!("damaged: {error}"),
        };
        let kind = run_folder::kind(path, file).map_err(damaged)?;
        self.kind = named(&kind);
        let Some(model) = self.kind else { return Err(format!("of unknown kind {kind}")) };
        let metadata = run_folder::metadata(path, file, &kind).map_err(damaged)?;
        self.settings = model.settings(&metadata["config"]["config"]);
        let state: Option<State> = serde_json::from_value(metadata["state"].clone()).ok();
        self.state = state.filter(State::is_possible);
        if let Some(wrong) = model.wrong_setting(&config?) {
            return Err(format!("its {CONFIG} cannot be used: {wrong}"));
        }
        match (&self.state, file) {
            (None, _) => Err(format!("damaged: the state in its {file} cannot be read")),
            (_, BEST) => Err(format!("its {LAST} is missing: it cannot be resumed")),
            _ => Ok(()),
        }
    }

    /// The name of the kind of model.
    pub fn kind_name(&self) -> &'static str {
        self.kind.map_or("?", |kind| kind.name())
    }

    /// The best result on held-out data, as name and value.
    pub fn figure(&self) -> Option<(&'static str, f64)> {
        let metric = self.kind?.validation_metric();
        Some((metric.name, metric.sign * self.state.as_ref()?.best_score?))
    }

    /// The best result as text: `97.12 %`, or `1.8123`.
    pub fn figure_text(&self) -> String {
        match self.figure() {
            Some((name, value)) if name.ends_with("accuracy") => percent(value),
            Some((_, value)) => format!("{value:.4}"),
            None => "-".into(),
        }
    }

    /// The settings that differ from the default, as name and value.
    pub fn changed_settings(&self) -> Vec<(String, String)> {
        let Some(kind) = self.kind else { return Vec::new() };
        let defaults = kind.default_settings(&self.settings);
        let changed = self.settings.iter().filter(|(name, value)| defaults.get(*name) != Some(*value));
        changed.map(|(name, value)| (name.clone(), plain(value))).collect()
    }

    /// Everything as JSON.
    pub fn json(&self) -> Value {
        let state = self.state.as_ref();
        let seconds = self.saved.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let changed = self.changed_settings().into_iter().map(|(name, _)| name);
        json!({
            "event": "run", "name": self.name, "folder": self.path.to_string_lossy(),
            "kind": self.kind.map(|kind| kind.name()),
            "saved": seconds.map(|since| crate::date::utc(since.as_secs())), "bytes": self.bytes,
            "metric": self.figure().map(|(name, _)| name), "best": self.figure().map(|(_, value)| value),
            "steps": state.map(|s| s.step), "seconds": state.map(|s| s.seconds),
            "changed_settings": changed.collect::<Vec<_>>(), "settings": self.settings,
            "training": self.training, "wrong": self.wrong,
        })
    }
}

/// A setting without the quotes of JSON; a path, shortened to its last part.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if Path::new(text).is_absolute() => {
            Path::new(text).file_name().map_or(text.clone(), |name| name.to_string_lossy().into_owned())
        }
        value => in_words(value),
    }
}

/// Bytes as people read them: `1.2 MB`.
pub fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        n if n < 1e6 => format!("{:.0} kB", (n / 1e3).ceil()),
        n if n < 1e9 => format!("{:.1} MB", n / 1e6),
        n => format!("{:.1} GB", n / 1e9),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// The bytes of all files in a folder: a run holds no folders. A link counts as itself.
fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok()).filter(|found| !found.is_dir());
    files.fold(0, |sum, found| sum.saturating_add(found.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_and_settings_are_short() {
        assert_eq!(
            [bytes(1), bytes(12_400), bytes(2_345_678), bytes(3_100_000_000)],
            ["1 kB", "13 kB", "2.3 MB", "3.1 GB"]
        );
        assert_eq!(plain(&json!("/a/b/text.txt")), "text.txt");
        assert_eq!([plain(&json!("own-text")), plain(&json!([30, 10]))], ["own-text", "[30,10]"]);
        let settings = json!({"rotate": 0.15_f32, "scale": [0.1_f32, 0.5], "lr": 0.1, "steps": 3});
        assert_eq!(plain(&settings), r#"{"lr":0.1,"rotate":0.15,"scale":[0.1,0.5],"steps":3}"#);
        assert_eq!(plain(&json!(1e-9_f32)), "1e-9");
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_panics() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a");
        let wrong = || Summary::read(&run).wrong.unwrap();
        assert_eq!(wrong(), "not a run: it has no config.toml");
        fs::create_dir(&run).unwrap();
        fs::create_dir(run.join(CONFIG)).unwrap();
        assert_eq!(wrong(), "not a run: it has no config.toml");
        fs::remove_dir(run.join(CONFIG)).unwrap();
        fs::write(run.join(CONFIG), "").unwrap();
        assert_eq!(wrong(), "never saved: it has no checkpoint");
        fs::write(run.join(CONFIG), "n_layer = \n").unwrap();
        assert!(wrong().starts_with("its config.toml is not valid TOML: "), "{}", wrong());
        fs::write(run.join(LAST), "no tensors").unwrap();
        assert!(wrong().starts_with("damaged: ") && wrong().contains(LAST), "{}", wrong());
        assert_eq!(Summary::read(&run).json()["kind"], Value::Null);
    }

    #[test]
    fn folders_within_a_run_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(dir.path().join(CONFIG), [0; 10]).unwrap();
        fs::write(inner.join(CONFIG), [0; 1000]).unwrap();
        assert_eq!(size(dir.path()), 10);
    }
}
