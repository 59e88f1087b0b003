//! Generates command-line flags from the declarations of settings.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use m2g_core::settings::{Kind, Role, Setting, Settings};

/// The settings of `C` as flags, such as `--learning-rate` for `learning_rate`. Accepts aliases, and
/// holds the text of each flag that was given.
#[derive(Clone, Debug)]
pub struct SettingFlags<C: Settings> {
    given: Vec<Given<C>>,
}

/// A setting that was given as a flag.
#[derive(Clone, Debug)]
struct Given<C: Settings> {
    setting: &'static Setting<C>,
    /// The flag as it was typed: it may be an alias.
    flag: String,
    text: String,
}

impl<C: Settings> SettingFlags<C> {
    /// Applies the flags to a configuration.
    pub fn apply(&self, config: &mut C) {
        for Given { setting, text, .. } in &self.given {
            // The flag's parser has already accepted this text.
            (setting.set)(config, text).unwrap_or_else(|e| panic!("{}: {e}", setting.name));
        }
    }

    /// The text given for a setting.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|given| given.setting.name == name).map(|given| given.text.as_str())
    }

    /// The first flag given that cannot change when a run is resumed.
    pub fn first_fixed(&self) -> Option<String> {
        self.given.iter().find(|given| given.setting.role != Role::Resumable).map(|given| given.flag.clone())
    }
}

impl<C: Settings + Default> Args for SettingFlags<C> {
    fn augment_args(command: Command) -> Command {
        C::SETTINGS.iter().filter(|s| s.has_flag).fold(command, |command, s| command.args(arguments(s)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C: Settings> FromArgMatches for SettingFlags<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let settings = C::SETTINGS.iter().filter(|s| s.has_flag);
        let given = settings.flat_map(|setting| {
            ids(setting).into_iter().filter_map(move |id| {
                let texts: Vec<&str> = matches.get_many::<String>(&id)?.map(String::as_str).collect();
                Some(Given { setting, flag: setting_and_flag(&id).1, text: texts.join(",") })
            })
        });
        Ok(Self { given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flag of a setting.
pub fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// The ids of the arguments of a setting: `fused` and, for the alias, `fused/attention`.
fn ids<C>(setting: &Setting<C>) -> Vec<String> {
    let aliases = setting.aliases.iter().map(|alias| format!("{}/{alias}", setting.name));
    std::iter::once(setting.name.into()).chain(aliases).collect()
}

/// The setting and the flag of an argument's id.
pub fn setting_and_flag(id: &str) -> (&str, String) {
    let (setting, spelling) = id.split_once('/').unwrap_or((id, id));
    (setting, flag(spelling))
}

/// The flag of a setting, and a hidden one for each alias. An alias has an argument of its own, so
/// that errors name the flag that was typed.
fn arguments<C: Settings + Default>(setting: &'static Setting<C>) -> Vec<Arg> {
    let ids = ids(setting);
    let argument = |id: &String| {
        let others = ids.iter().filter(|other| *other != id);
        let arg = Arg::new(id)
            .long(setting_and_flag(id).1.trim_start_matches('-').to_string())
            .value_name(setting.value_name)
            .help_heading(setting.group)
            .help(help(setting))
            .hide(id != setting.name)
            .conflicts_with_all(others);
        match setting.kind {
            Kind::Name => arg.value_parser(PossibleValuesParser::new((setting.names)())),
            kind => {
                let check =
                    move |text: &str| (setting.set)(&mut C::default(), text).map(|()| text.to_string());
                let arg = arg.value_parser(check);
                match kind {
                    Kind::List => arg.action(ArgAction::Append),
                    // An alias alone, such as --attention, does not say what it switches on.
                    Kind::Switch if id == setting.name => arg.num_args(0..=1).default_missing_value("true"),
                    _ => arg,
                }
            }
        }
    };
    ids.iter().map(argument).collect()
}

/// The doc comment of a setting in one line, its default and its aliases. An alias of a switch takes other values.
fn help<C: Settings + Default>(setting: &Setting<C>) -> String {
    let doc = setting.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut help = doc.trim_end_matches('.').to_string();
    let default = (setting.get)(&C::default());
    if !default.is_empty() {
        help += &format!(" [default: {default}]");
    }
    if !setting.aliases.is_empty() && !matches!(setting.kind, Kind::Switch) {
        let aliases: Vec<String> = setting.aliases.iter().map(|alias| flag(alias)).collect();
        help += &format!(" [aliases: {}]", aliases.join(", "));
    }
    help
}

#[cfg(test)]
mod round_trip;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::{CommandFactory, Parser};
    use m2g_core::nn::NormPlace;
    use m2g_core::settings::rules::positive;
    use m2g_core::within;

    use super::*;
    use crate::config_file::with_keys;

    m2g_core::settings! {
        /// A configuration to test everything that is generated from a declaration.
        pub struct Config {
            /// The model.
            "Model" as ModelConfig(
                /// The number of classes.
                classes: usize
            ) {
                /// The width
                /// of the model.
                #[alias = "n_wide"]
                #[setting(shape, check(within!(1..=64)))]
                width_of_model: usize = 8,
                /// The place of the norms.
                norm: NormPlace = NormPlace::Before,
                /// The layers.
                layers: Vec<usize> = vec![30],
            }
            "Training" {
                /// The learning rate.
                #[setting(check(positive))]
                learning_rate: f64 = 0.5,
                /// Whether it decays.
                #[alias = "decline"]
                decay: bool = false,
                /// The total number of steps.
                #[setting(resumable)]
                steps: u64 = 10,
            }
        }
    }

    #[derive(Parser, Debug)]
    #[command(term_width = 0)]
    struct Train {
        #[command(flatten)]
        flags: SettingFlags<Config>,
    }

    fn parse(flags: &[&str]) -> Result<SettingFlags<Config>, String> {
        let train = Train::try_parse_from([&["train"], flags].concat());
        train.map(|train| train.flags).map_err(|error| error.to_string())
    }

    fn config(flags: &[&str]) -> Config {
        let mut config = Config::default();
        parse(flags).unwrap().apply(&mut config);
        config
    }

    /// Each assertion follows from the declaration of `width_of_model` alone.
    #[test]
    fn everything_follows_from_one_declaration() {
        let wide = Config { width_of_model: 16, ..Config::default() };
        // Default.
        assert_eq!(Config::default().width_of_model, 8);
        // Flag and alias.
        assert_eq!(config(&["--width-of-model", "16"]), wide);
        assert_eq!(config(&["--n-wide=16"]), wide);
        // Help: placeholder, doc comment, default, heading.
        let help = Train::command().render_help().to_string();
        let line = help.lines().find(|line| line.contains("--width-of-model <N>")).unwrap();
        assert!(line.contains("The width of the model [default: 8] [aliases: --n-wide]"), "{help}");
        assert!(help.contains("\nModel:\n") && help.contains("\nTraining:\n"), "{help}");
        assert!(help.contains("[possible values: before, after, none]"), "{help}");
        // File key and alias, and mistakes in a file.
        let read = |text: &str| with_keys(&Config::default(), "x.toml", text).map_err(|e| e.to_string());
        assert_eq!(read("width_of_model = 16").unwrap(), wide);
        assert_eq!(read("n_wide = 16").unwrap(), wide);
        assert!(read("width_of_modle = 16").unwrap_err().contains("did you mean width_of_model?"));
        assert!(read("width_of_model = 'x'").unwrap_err().contains("width_of_model is \"x\""));
        assert!(read("width_of_model = 1\nn_wide = 1").unwrap_err().contains("are names of one setting"));
        // Check.
        let error = config(&["--width-of-model", "65"]).check_each().unwrap_err();
        assert_eq!(error.to_string(), "width_of_model is 65: it must be from 1 to 64");
        // Neither resuming nor fine-tuning changes it.
        assert_eq!(parse(&["--steps", "5", "--n-wide", "9"]).unwrap().first_fixed().unwrap(), "--n-wide");
        assert_eq!(parse(&["--steps", "5"]).unwrap().first_fixed(), None);
        let mut fine_tuned = Config::default();
        fine_tuned.inherit(&Config::default().with_model(&wide.model(10)));
        assert_eq!(fine_tuned.width_of_model, 16);
        assert!(Config::default().model(10).fits(&wide.model(10), "no").is_err());
    }

    #[test]
    fn errors_name_the_flag_and_suggest_the_nearest_name() {
        for (flags, parts) in [
            (
                ["--learning-rate", "fast"],
                ["invalid value 'fast' for '--learning-rate <X>'", "must be a number"],
            ),
            (["--steps=5", "--width-of-model=-1"], ["'--width-of-model <N>'", "a whole number"]),
            (["--norm", "befor"], ["--norm <NAME>", "'before'"]),
            (["--decay", "maybe"], ["--decay", "true or false"]),
            (["--decline", "maybe"], ["'--decline <BOOL>'", "true or false"]),
            (["--n-wide=1", "--width-of-model=1"], ["'--n-wide <N>'", "cannot be used with"]),
            (["--steps", "99999999999999999999"], ["--steps", "it is too large"]),
            (["--learning-rat", "1"], ["--learning-rat", "'--learning-rate'"]),
        ] {
            let error = parse(&flags).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
        assert_eq!(config(&["--learning-rate=-3"]).learning_rate, -3.0);
        assert!(config(&["--decay"]).decay && !config(&["--decay=off"]).decay);
        assert!(config(&["--decline=on"]).decay);
        assert!(parse(&["--decline"]).unwrap_err().contains("a value is required for '--decline <BOOL>'"));
    }

    #[test]
    fn a_repeated_list_is_appended() {
        assert_eq!(config(&["--layers", "3", "--layers", "4,5"]).layers, [3, 4, 5]);
        assert!(
            parse(&["--steps", "3", "--steps", "4"]).unwrap_err().contains("cannot be used multiple times")
        );
    }
}
