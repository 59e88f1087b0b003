//! The settings of a training run: the default or a named configuration, then flags.

mod idle;

use std::path::Path;

use anyhow::bail;
use clap::Args;
use m2g_core::Error;
use m2g_core::data::catalogue;
use m2g_gpt::Config;
use m2g_gpt::data::is_built_in;
use m2g_gpt::presets::{PRESETS, preset};
use m2g_gpt::training::Training;
use m2g_text::Tokenizer;
use m2g_text::token_file::{is_nanogpt, is_prepared};

use crate::config_file::{Source, find, parse, with_table};
use crate::flags::{full_path, run_path};
use crate::setting_flags::SettingFlags;
use crate::train::TrainSettings;

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
        let in_named = || named.as_ref()?.keys.get("init_from")?.as_str();
        let init_from = self.flags.text("init_from").or_else(in_named);
        let run = init_from.filter(|run| *run != Config::SCRATCH).map(run_path);
        let mut config = Config::default();
        let mut tokenizer = None;
        if let Some(run) = &run {
            let description = Training::describe(run)?;
            config = config.shaped_like(&description);
            tokenizer = description.tokenizer;
        }
        if let Some(Named { name, keys, .. }) = &named {
            config = with_table(&config, name, keys.clone())?;
        }
        self.apply(&mut config)?;
        if let Some(run) = &run {
            config.init_from = full_path(run)?;
        }
        config.validate()?;
        idle::check(&self.flags, &config)?;
        let min_lr_in_file = named.is_some_and(|named| named.is_file && named.keys.contains_key("min_lr"));
        self.bound_min_lr(&mut config, min_lr_in_file)?;
        config.tokenizer = config.tokenizer_kind()?.to_string();
        Ok((config, tokenizer))
    }

    /// Lowers a default `min_lr` to a smaller `learning_rate`, so that the rate does not grow. One that was given is
    /// refused.
    fn bound_min_lr(&self, config: &mut Config, is_in_file: bool) -> Result<(), Error> {
        if !config.decay_lr || config.min_lr <= config.learning_rate {
            return Ok(());
        }
        if is_in_file || self.flags.text("min_lr").is_some() {
            let rule = "the learning rate decays to it, so it must be at most `learning_rate`";
            return Err(Error::Setting { name: "min_lr", value: config.min_lr.to_string(), rule });
        }
        config.min_lr = config.learning_rate;
        Ok(())
    }

    /// Refuses a tokenizer that was given for data, or for a run to start from, with another one.
    pub fn check_tokenizer(&self, config: &Config, used: Option<&Tokenizer>) -> anyhow::Result<()> {
        let Some(given) = self.flags.text("tokenizer").filter(|given| *given != Config::AUTO) else {
            return Ok(());
        };
        let data = Path::new(&config.data);
        let owner = match &*config.init_from {
            Config::SCRATCH if is_prepared(data) || is_nanogpt(data) => &config.data,
            Config::SCRATCH => return Ok(()),
            run => run,
        };
        match used.map(Tokenizer::name) {
            Some(name) if name == config.tokenizer => Ok(()),
            Some(name) => {
                bail!("--tokenizer is {given}, but {owner} has the tokenizer {name}: leave --tokenizer out")
            }
            None => bail!("--tokenizer is {given}, but {owner} has token ids alone: leave --tokenizer out"),
        }
    }

    /// Applies the flags to the configuration of a resumed run.
    pub fn resume(&self, config: &mut Config) -> anyhow::Result<()> {
        self.apply(config)
    }

    /// The built-in configuration that names the data, if no flag does.
    pub fn preset_of_data(&self) -> Option<&str> {
        let name = self.config.as_deref()?;
        (self.flags.text("data").is_none() && preset(name).is_some()).then_some(name)
    }

    fn apply(&self, config: &mut Config) -> anyhow::Result<()> {
        let data = self.data(&config.data)?;
        self.flags.apply(config);
        config.data = data;
        Ok(())
    }

    /// The name of the data, from the flag or else from the configuration. Paths become absolute, so
    /// that --resume finds the data from any folder.
    fn data(&self, configured: &str) -> anyhow::Result<String> {
        let name = match self.flags.text("data") {
            // In a folder of datasets, such as $M2G_DATA, use the dataset that the configuration names.
            Some(dir) if catalogue::named(configured).is_ok() && Path::new(dir).join(configured).is_dir() => {
                return full_path(&Path::new(dir).join(configured));
            }
            Some(name) => name,
            None => configured,
        };
        let path = Path::new(name);
        if !is_built_in(name) && path.exists() { full_path(path) } else { Ok(name.into()) }
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

/// The settings that `--config` names.
struct Named {
    name: String,
    keys: toml::Table,
    /// Whether they are those of a file, and not built in.
    is_file: bool,
}

fn named(name: &str) -> anyhow::Result<Named> {
    // The name that it had before.
    let name = if name == "own-text" { "own-sources" } else { name };
    let (text, is_file) = match find(name, &PRESETS.map(|(name, _)| name))? {
        Source::File(text) => (text, true),
        Source::BuiltIn => (preset(name).unwrap_or_default().into(), false),
    };
    Ok(Named { name: name.into(), keys: parse(name, &text)?, is_file })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Train {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(flags: &str) -> Settings {
        Train::try_parse_from(["train"].into_iter().chain(flags.split_whitespace())).unwrap().settings
    }

    fn resolved(flags: &str) -> Result<Config, String> {
        settings(flags).resolve().map(|(config, _)| config).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_that_do_not_act_are_refused() {
        for (flags, start) in [
            ("--positions-base 50", "positions_base is 50: it acts only with sinusoidal positions"),
            ("--gelu exact --activation relu", "gelu is exact: it acts only with the activation gelu"),
            ("--norm none --norm-kind rms", "norm_kind is rms: it acts only where there are norms"),
            ("--value-residual --n-layer 1", "value_residual is true: it acts only between layers"),
            ("--decay-lr=false --min-lr 1e-5", "min_lr is 1e-5: it acts only if the learning rate decays"),
            ("--decay-lr=false --lr-decay linear", "lr_decay is linear: it acts only if"),
            ("--decay-lr=false --lr-decay-iters 5", "lr_decay_iters is 5: it acts only if"),
            ("--decay-lr=false --warmup-iters 5", "warmup_iters is 5: it acts only if"),
        ] {
            let error = resolved(flags).unwrap_err();
            assert!(error.starts_with(start), "{flags}: {error}");
        }
        for flags in [
            "--positions sinusoidal --positions-base 50",
            "--gelu exact",
            "--norm after --norm-kind rms",
            "--value-residual=false --n-layer 1",
            "--decay-lr=false",
            "--min-lr 1e-5 --lr-decay linear --lr-decay-iters 5 --warmup-iters 5",
        ] {
            assert!(resolved(flags).is_ok(), "{flags}");
        }
    }

    #[test]
    fn the_smallest_learning_rate_is_not_above_the_largest() {
        let error = resolved("--learning-rate 1e-5 --min-lr 1e-4").unwrap_err();
        assert!(
            error.starts_with("min_lr is 0.0001: the learning rate decays to it, so it must be at most"),
            "{error}"
        );
        for flags in ["--learning-rate 1e-5", "--config shakespeare-char-cpu --learning-rate 1e-5"] {
            assert_eq!(resolved(flags).unwrap().min_lr, 1e-5, "{flags}");
        }
        assert_eq!(
            resolved("--learning-rate 1e-5 --decay-lr=false").unwrap().min_lr,
            Config::default().min_lr
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "min_lr = 1e-4\n").unwrap();
        let flags = format!("--config {}", file.path().display());
        assert!(resolved(&flags).is_ok());
        assert!(
            resolved(&format!("{flags} --learning-rate 1e-5")).unwrap_err().starts_with("min_lr is 0.0001: ")
        );
    }

    #[test]
    fn a_tokenizer_beside_that_of_a_run_is_refused() {
        let byte = Tokenizer::byte();
        let check = |flags: &str, init_from: &str, used| {
            let settings = settings(flags);
            let (config, _) = settings.resolve().unwrap();
            let config = Config { init_from: init_from.into(), ..config };
            settings.check_tokenizer(&config, used).map_err(|error| error.to_string())
        };
        let error = check("--tokenizer gpt2", "runs/a", Some(&byte)).unwrap_err();
        assert_eq!(error, "--tokenizer is gpt2, but runs/a has the tokenizer byte: leave --tokenizer out");
        assert!(check("--tokenizer gpt2", "runs/a", None).unwrap_err().contains("token ids alone"));
        for flags in ["--tokenizer byte", "--tokenizer auto", ""] {
            check(flags, "runs/a", Some(&byte)).unwrap();
        }
        check("--tokenizer gpt2", Config::SCRATCH, Some(&byte)).unwrap();
    }
}
