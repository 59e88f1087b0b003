//! The settings of a training run: the default or a named configuration, then flags.

use std::path::Path;

use clap::Args;
use m2g_core::data::catalogue;
use m2g_gpt::Config;
use m2g_gpt::data::is_built_in;
use m2g_gpt::presets::{PRESETS, preset};
use m2g_gpt::training::Training;
use m2g_text::Tokenizer;

use crate::config_file::{Source, find, parse, with_keys};
use crate::flags::run_path;
use crate::setting_flags::SettingFlags;

/// The sources of the settings.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// A TOML file with settings, or the name of a built-in configuration: tales (the
    /// default), own-sources, shakespeare-char-cpu, shakespeare-char-fast, shakespeare-char, gpt2-124m,
    /// finetune-gpt2.
    #[arg(long, value_name = "FILE.toml|NAME")]
    config: Option<String>,
    #[command(flatten)]
    flags: SettingFlags<Config>,
}

impl Settings {
    /// The complete configuration, and the tokenizer of the run that it starts from, if any.
    pub fn resolve(&self) -> anyhow::Result<(Config, Option<Tokenizer>)> {
        let named = self.config.as_deref().map(named).transpose()?;
        let mut config = Config::default();
        let mut tokenizer = None;
        let init_from = match (self.flags.text("init_from"), &named) {
            (Some(run), _) => Some(run.to_string()),
            (None, Some((name, text))) => {
                parse(name, text)?.get("init_from").and_then(|v| v.as_str()).map(String::from)
            }
            (None, None) => None,
        };
        let run = init_from.filter(|run| run != Config::SCRATCH).map(|run| run_path(&run));
        if let Some(run) = &run {
            let description = Training::describe(run)?;
            config = config.shaped_like(&description);
            tokenizer = description.tokenizer;
        }
        if let Some((name, text)) = &named {
            config = with_keys(&config, name, text)?;
        }
        self.apply(&mut config);
        if let Some(run) = &run {
            config.init_from = full_path(run);
        }
        config.validate()?;
        config.tokenizer = config.tokenizer_kind()?.to_string();
        Ok((config, tokenizer))
    }

    /// The same flags on top of the settings in this file.
    pub fn on_top_of(&self, config: &Path) -> Self {
        Self { config: Some(config.display().to_string()), ..self.clone() }
    }

    /// Applies the flags to the configuration of a resumed run.
    pub fn resume(&self, config: &mut Config) {
        self.apply(config);
    }

    /// The first flag given that cannot change when a run is resumed.
    pub fn first_fixed(&self) -> Option<String> {
        self.config.is_some().then(|| "--config".into()).or_else(|| self.flags.first_fixed())
    }

    fn apply(&self, config: &mut Config) {
        let data = self.data(&config.data);
        self.flags.apply(config);
        config.data = data;
    }

    /// The name of the data, from the flag or else from the configuration. Paths become absolute, so
    /// that --resume finds the data from any folder.
    fn data(&self, configured: &str) -> String {
        let name = match self.flags.text("data") {
            // In a folder of datasets, such as $M2G_DATA, use the dataset that the configuration names.
            Some(dir) if catalogue::named(configured).is_ok() && Path::new(dir).join(configured).is_dir() => {
                return full_path(&Path::new(dir).join(configured));
            }
            Some(name) => name,
            None => configured,
        };
        let path = Path::new(name);
        if !is_built_in(name) && path.exists() { full_path(path) } else { name.into() }
    }
}

/// The TOML of a file, or of a built-in configuration, with its name.
fn named(name: &str) -> anyhow::Result<(String, String)> {
    // The name that it had before.
    let name = if name == "own-text" { "own-sources" } else { name };
    let text = match find(name, &PRESETS.map(|(name, _)| name))? {
        Source::File(text) => text,
        Source::BuiltIn => preset(name).unwrap_or_default().into(),
    };
    Ok((name.into(), text))
}

fn full_path(path: &Path) -> String {
    std::path::absolute(path).unwrap_or(path.to_path_buf()).display().to_string()
}
