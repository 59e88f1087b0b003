//! The settings of a training run: the default or a named configuration, then flags.

use std::path::Path;

use anyhow::bail;
use clap::Args;
use m2g_text::{Tokenizer, TokenizerKind};
use m2g_translate::Config;
use m2g_translate::data::{is_built_in, is_prepared, name_of};
use m2g_translate::presets::{PRESETS, preset};

use crate::config_file::{Source, find, with_keys};
use crate::flags::full_path;
use crate::setting_flags::SettingFlags;
use crate::train::TrainSettings;

/// The sources of the settings.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// A TOML file with settings, or the name of a built-in configuration: tiny, small, quick, multi30k, base.
    #[arg(long, value_name = "FILE.toml|NAME")]
    config: Option<String>,
    #[command(flatten)]
    flags: SettingFlags<Config>,
}

impl Settings {
    /// The complete configuration.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        let mut config = Config::default();
        if let Some(name) = &self.config {
            let text = match find(name, &PRESETS.map(|(name, _)| name))? {
                Source::File(text) => text,
                Source::BuiltIn => preset(name).unwrap_or_default().into(),
            };
            config = with_keys(&config, name, &text)?;
        }
        self.resume(&mut config)?;
        config.validate()?;
        Ok(config)
    }

    /// Takes the tokenizer that prepared data brings, and refuses another that was given for it.
    pub fn take_tokenizer(&self, config: &mut Config, used: &Tokenizer) -> anyhow::Result<()> {
        if is_built_in(&config.data) || !is_prepared(Path::new(&config.data)) {
            return Ok(());
        }
        let name = name_of(used);
        let is_same = |given: &str| {
            given == "auto" || given.parse::<TokenizerKind>().is_ok_and(|kind| kind.to_string() == name)
        };
        if let Some(given) = self.flags.text("tokenizer").filter(|given| !is_same(given)) {
            bail!(
                "--tokenizer is {given}, but {} has the tokenizer {name}: leave --tokenizer out",
                config.data
            );
        }
        config.tokenizer = name;
        Ok(())
    }

    /// Applies the flags to the configuration of a resumed run. The path of the data becomes absolute, so that
    /// --resume finds it from any folder.
    pub fn resume(&self, config: &mut Config) -> anyhow::Result<()> {
        self.flags.apply(config);
        let path = Path::new(&config.data);
        if !is_built_in(&config.data) && path.exists() {
            config.data = full_path(path)?;
        }
        Ok(())
    }
}

impl TrainSettings for Settings {
    fn on_top_of(&self, config: &Path) -> Self {
        Self { config: Some(config.display().to_string()), ..self.clone() }
    }

    fn first_fixed(&self) -> Option<String> {
        self.config.is_some().then(|| "--config".into()).or_else(|| self.flags.first_fixed())
    }
}
