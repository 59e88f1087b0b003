//! The settings of a training run: the default or a named configuration, then flags.

use std::path::Path;

use clap::Args;
use m2g_translate::Config;
use m2g_translate::data::is_built_in;
use m2g_translate::presets::{PRESETS, preset};

use crate::config_file::{Source, find, with_keys};
use crate::setting_flags::SettingFlags;

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
        self.resume(&mut config);
        config.validate()?;
        Ok(config)
    }

    /// The same flags on top of the settings in this file.
    pub fn on_top_of(&self, config: &Path) -> Self {
        Self { config: Some(config.display().to_string()), ..self.clone() }
    }

    /// Applies the flags to the configuration of a resumed run. The path of the data becomes absolute, so that
    /// --resume finds it from any folder.
    pub fn resume(&self, config: &mut Config) {
        self.flags.apply(config);
        let path = Path::new(&config.data);
        if !is_built_in(&config.data) && path.exists() {
            config.data = std::path::absolute(path).unwrap_or(path.to_path_buf()).display().to_string();
        }
    }

    /// The first flag given that cannot change when a run is resumed.
    pub fn first_fixed(&self) -> Option<String> {
        self.config.is_some().then(|| "--config".into()).or_else(|| self.flags.first_fixed())
    }
}
