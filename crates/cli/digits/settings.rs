//! The settings of a training run: a preset, then a file, then flags.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use m2g_digits::Config;
use m2g_digits::config::PRESETS;
use m2g_digits::images::is_dataset;

use crate::config_file::{Source, find, with_keys};
use crate::flags::full_path;
use crate::setting_flags::SettingFlags;
use crate::train::TrainSettings;

/// The sources of the settings.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// A TOML file with settings, or the name of a built-in configuration: default, book-ch1 and
    /// book-ch3 for the book's networks, best for the most accurate network that trains in some minutes,
    /// record for the most accurate that trains in an hour. --preset NAME is the older
    /// spelling for a built-in configuration.
    #[arg(long, value_name = "FILE.toml|NAME")]
    config: Option<String>,
    /// The built-in configuration that a file given with --config builds on.
    #[arg(long, value_name = "NAME", hide = true, value_parser = PossibleValuesParser::new(PRESETS))]
    preset: Option<String>,
    #[command(flatten)]
    flags: SettingFlags<Config>,
}

impl Settings {
    /// The complete configuration.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        let (preset, file) = match &self.config {
            None => (self.preset.as_deref(), None),
            Some(name) => match (find(name, &PRESETS)?, &self.preset) {
                (Source::File(text), preset) => (preset.as_deref(), Some((name, text))),
                (Source::BuiltIn, None) => (Some(name.as_str()), None),
                (Source::BuiltIn, Some(preset)) => {
                    bail!("--config is {name} and --preset is {preset}: give only one of them")
                }
            },
        };
        let preset = preset.unwrap_or(PRESETS[0]);
        let mut config = Config::preset(preset).ok_or_else(|| anyhow!("unknown preset {preset}"))?;
        if let Some((name, text)) = file {
            let keys = with_keys(&config, name, &text)?;
            // The file may name what it builds on. The flag takes precedence.
            config = match (Config::preset(&keys.preset), &self.preset) {
                (_, Some(preset)) => Config { preset: preset.clone(), ..keys },
                (Some(base), None) => with_keys(&base, name, &text)?,
                (None, None) => {
                    bail!("{name}: preset is {}: it must be one of {}", keys.preset, PRESETS.join(", "))
                }
            };
        }
        self.flags.apply(&mut config);
        if let Some(dir) = self.flags.text("data").map(PathBuf::from) {
            // An absolute path, so that --resume finds the data from any folder.
            config.data = Some(if is_dataset(&dir) { dir } else { full_path(&dir)?.into() });
        }
        config.validate()?;
        Ok(config)
    }

    /// Applies the flags to the configuration of a resumed run.
    pub fn resume(&self, config: &mut Config) {
        self.flags.apply(config);
    }
}

impl TrainSettings for Settings {
    fn on_top_of(&self, config: &Path) -> Self {
        Self { config: Some(config.display().to_string()), ..self.clone() }
    }

    fn first_fixed(&self) -> Option<String> {
        let sources = [(&self.config, "--config"), (&self.preset, "--preset")];
        let source = sources.into_iter().find(|(given, _)| given.is_some());
        source.map(|(_, flag)| flag.into()).or_else(|| self.flags.first_fixed())
    }
}
