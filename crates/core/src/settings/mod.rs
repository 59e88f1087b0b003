//! Settings, each declared once.
//!
//! [`settings!`](crate::settings!) takes a struct in which every field is a setting, with its doc
//! comment, name, type, default and options. It generates
//!
//! - the struct, and its serde, which reads and writes configuration files and checkpoints: unknown
//!   keys are refused, missing keys get their default, old names are accepted;
//! - `Default`;
//! - the table [`Settings::SETTINGS`], from which a command line builds its flags and their help,
//!   validation names the invalid setting, and a resumed or fine-tuned run knows which settings it
//!   must keep.
//!
//! ```
//! use m2g_core::settings::{Settings, rules::positive};
//! use m2g_core::within;
//!
//! m2g_core::settings! {
//!     /// The settings of a training run.
//!     pub struct Config {
//!         /// The settings of the model.
//!         "Model" as ModelConfig(
//!             /// The number of classes, which depends on the data.
//!             classes: usize
//!         ) {
//!             /// Neurons in the hidden layer.
//!             #[setting(shape, check(within!(1..=1000)))]
//!             hidden: usize = 30,
//!         }
//!         "Training" {
//!             /// The learning rate.
//!             #[alias = "lr"]
//!             #[setting(check(positive))]
//!             learning_rate: f64 = 0.5,
//!         }
//!     }
//! }
//!
//! let config: Config = serde_json::from_str(r#"{"lr": -1}"#)?;
//! assert_eq!(config.check_each().unwrap_err().to_string(), "learning_rate is -1: it must be a number above 0");
//! assert_eq!(config.model(10), ModelConfig { classes: 10, hidden: 30 });
//! # Ok::<(), serde_json::Error>(())
//! ```

mod declare;
pub mod file;
pub mod rules;
pub mod value;
pub mod words;

pub use value::{Kind, SettingValue};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// A type whose fields are settings, declared with [`settings!`](crate::settings!).
pub trait Settings: Sized + 'static {
    /// All settings, in the order of their declaration.
    const SETTINGS: &'static [Setting<Self>];

    /// The name of the value beside the settings that depends on the data, if there is one.
    const FROM_DATA: Option<(&'static str, Stored<Self>)> = None;

    /// The setting with this name or alias.
    fn setting(name: &str) -> Option<&'static Setting<Self>> {
        Self::SETTINGS.iter().find(|s| s.name == name || s.aliases.contains(&name))
    }

    /// Checks each setting by its own rule.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that breaks its rule.
    fn check_each(&self) -> Result<(), Error> {
        let broken = |s: &Setting<Self>| (s.check)(self).err().map(|rule| s.error(self, rule));
        Self::SETTINGS.iter().find_map(broken).map_or(Ok(()), Err)
    }

    /// Replaces the settings that a run inherits from the trained model that it starts from.
    fn inherit(&mut self, trained: &Self) {
        let inherited = |role| matches!(role, Role::Shape | Role::Inherited);
        Self::SETTINGS.iter().filter(|s| inherited(s.role)).for_each(|s| (s.copy)(trained, self));
    }

    /// Checks that the parameters of a trained model fit these settings.
    ///
    /// # Errors
    /// [`Error::Setting`] with this `rule` for the first setting that needs other parameters.
    fn fits(&self, trained: &Self, rule: &'static str) -> Result<(), Error> {
        match Self::SETTINGS.iter().find(|s| !(s.fits)(self, trained)) {
            Some(setting) => Err(setting.error(self, rule)),
            None => Ok(()),
        }
    }
}

/// One setting of the configuration `C`.
#[derive(Debug)]
pub struct Setting<C: 'static> {
    /// Its name: the key in files and checkpoints and, with dashes, the flag.
    pub name: &'static str,
    /// Other names that files, checkpoints and flags may use.
    pub aliases: &'static [&'static str],
    /// How files hold it.
    pub stored: Stored<C>,
    /// Its doc comment.
    pub doc: &'static str,
    /// The heading under which help lists it.
    pub group: &'static str,
    /// The placeholder for its value in help: `N`.
    pub value_name: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// The possible values, if its kind is [`Kind::Name`].
    pub names: fn() -> &'static [&'static str],
    /// When its value may change.
    pub role: Role,
    /// Whether there is a flag for it.
    pub has_flag: bool,
    /// Its value as the text of a flag.
    pub get: fn(&C) -> String,
    /// Sets it from the text of a flag; the error is the rule that the text breaks.
    pub set: fn(&mut C, &str) -> Result<(), String>,
    /// Copies it from the first configuration to the second.
    pub copy: fn(&C, &mut C),
    /// Checks its value; the error is the rule that the value breaks.
    pub check: fn(&C) -> Result<(), &'static str>,
    /// Whether the parameters of a model trained with the second configuration fit the first.
    pub fits: fn(&C, &C) -> bool,
}

/// How files and checkpoints hold a value of the configuration `C`.
#[derive(Debug)]
pub struct Stored<C: 'static> {
    /// Reads it; the error says what is wrong with the value.
    pub read: fn(&mut C, Value) -> Result<(), String>,
    /// Writes it; null leaves it out.
    pub write: fn(&C) -> Result<Value, String>,
    /// Sets it in a file without this key, if that means something else than the default.
    pub set_absent: fn(&mut C),
}

impl<C> Setting<C> {
    /// The error of a value that breaks a rule.
    pub fn error(&self, config: &C, rule: &'static str) -> Error {
        Error::Setting { name: self.name, value: (self.get)(config), rule }
    }
}

/// When the value of a setting may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Never: the shapes or the meaning of the parameters depend on it. A run that starts from a
    /// trained model inherits it.
    Shape,
    /// In a new run. A run that starts from a trained model inherits it as its default.
    Inherited,
    /// In a new run.
    Run,
    /// In a new run, and whenever a run is resumed.
    Resumable,
}

/// The options of a setting of type `T`; the methods are what `#[setting(...)]` accepts.
#[derive(Debug)]
pub struct Options<T> {
    /// See [`Setting::role`].
    pub role: Role,
    /// See [`Setting::value_name`].
    pub value_name: &'static str,
    /// See [`Setting::has_flag`].
    pub has_flag: bool,
    /// See [`Setting::check`].
    pub check: fn(&T) -> Result<(), &'static str>,
    /// See [`Setting::fits`].
    pub fits: fn(&T, &T) -> bool,
    /// Reads the text of a flag.
    pub from_text: fn(&str) -> Result<T, String>,
    /// The value in a file without this key, instead of the default.
    pub absent: Option<fn() -> T>,
}

impl<T: SettingValue> Options<T> {
    /// A setting that is fixed for a run and allows every value of its type.
    #[expect(clippy::new_without_default, reason = "Default cannot be const")]
    pub const fn new() -> Self {
        Self {
            role: Role::Run,
            value_name: T::VALUE_NAME,
            has_flag: true,
            check: |_| Ok(()),
            fits: |_, _| true,
            from_text: T::from_text,
            absent: None,
        }
    }

    /// The parameters depend on it: [`Role::Shape`].
    pub const fn shape(mut self) -> Self
    where
        T: PartialEq,
    {
        self.role = Role::Shape;
        self.fits = |new, trained| new == trained;
        self
    }

    /// As [`Options::shape`], but parameters for a larger value also fit a smaller one.
    pub const fn shape_at_most(mut self) -> Self
    where
        T: PartialOrd,
    {
        self.role = Role::Shape;
        self.fits = |new, trained| new <= trained;
        self
    }

    /// A run that starts from a trained model inherits it as its default: [`Role::Inherited`].
    pub const fn inherited(mut self) -> Self {
        self.role = Role::Inherited;
        self
    }

    /// It may change when the run is resumed: [`Role::Resumable`].
    pub const fn resumable(mut self) -> Self {
        self.role = Role::Resumable;
        self
    }

    /// The rule for its value; see [`rules`].
    pub const fn check(mut self, rule: fn(&T) -> Result<(), &'static str>) -> Self {
        self.check = rule;
        self
    }

    /// The placeholder for its value in help, instead of that of its type.
    pub const fn value_name(mut self, name: &'static str) -> Self {
        self.value_name = name;
        self
    }

    /// Reads the text of a flag with `read` instead of the method of its type.
    pub const fn from_text(mut self, read: fn(&str) -> Result<T, String>) -> Self {
        self.from_text = read;
        self
    }

    /// What a file without this key means, if it is not the default: a setting that came later.
    pub const fn absent(mut self, value: fn() -> T) -> Self {
        self.absent = Some(value);
        self
    }

    /// Reads the value from a file. A switch may also be written as the text of its flag.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_value(&self, given: Value) -> Result<T, String>
    where
        T: DeserializeOwned,
    {
        match &given {
            Value::String(text) if T::KIND == Kind::Switch => (self.from_text)(text),
            _ => value::from_value(given),
        }
    }

    /// It has no flag: only files and checkpoints contain it.
    pub const fn without_flag(mut self) -> Self {
        self.has_flag = false;
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::rules::positive;
    use super::{Kind, Role, Settings};
    use crate::within;

    crate::settings! {
        /// A configuration.
        pub struct Config {
            /// The model.
            "Model" as ModelConfig(
                /// The number of classes.
                classes: usize
            ) {
                /// Neurons in the hidden layer.
                #[setting(shape, check(within!(1..=1000)))]
                hidden: usize = 30,
                /// The longest input.
                #[setting(shape_at_most)]
                length: usize = 8,
                /// The share of neurons
                /// that a step drops.
                #[setting(inherited, value_name("P"))]
                dropout: f64 = 0.0,
            }
            "Training" {
                /// The learning rate.
                #[alias = "lr"]
                #[alias = "eta"]
                #[setting(check(positive))]
                learning_rate: f64 = 0.5,
                /// Steps in all.
                #[setting(resumable)]
                steps: u64 = 100,
            }
        }
    }

    #[test]
    fn files_and_checkpoints_are_read() {
        let read = |text: &str| serde_json::from_str::<Config>(text).map_err(|e| e.to_string());
        assert_eq!(read("{}").unwrap(), Config::default());
        for text in [r#"{"learning_rate": 2.0}"#, r#"{"lr": 2.0}"#, r#"{"eta": 2.0}"#] {
            assert_eq!(read(text).unwrap(), Config { learning_rate: 2.0, ..Config::default() });
        }
        assert!(read(r#"{"hiden": 3}"#).unwrap_err().contains("unknown field `hiden`"));
        let json = serde_json::to_value(Config::default()).unwrap();
        let names: Vec<&str> = Config::SETTINGS.iter().map(|s| s.name).collect();
        assert!(json.as_object().unwrap().keys().all(|key| names.contains(&key.as_str())));
        assert_eq!(json["learning_rate"], 0.5);
    }

    #[test]
    fn the_table_describes_each_setting() {
        let hidden = Config::setting("hidden").unwrap();
        assert_eq!((hidden.group, hidden.value_name, hidden.kind), ("Model", "N", Kind::Number));
        assert_eq!((hidden.role, Config::setting("steps").unwrap().role), (Role::Shape, Role::Resumable));
        assert_eq!(Config::setting("lr").unwrap().name, "learning_rate");
        assert_eq!(Config::setting("dropout").unwrap().doc, " The share of neurons\n that a step drops.\n");
        let mut config = Config::default();
        (hidden.set)(&mut config, "12").unwrap();
        assert_eq!((config.hidden, (hidden.get)(&config)), (12, "12".into()));
        assert_eq!((hidden.set)(&mut config, "x").unwrap_err(), "it must be a whole number, 0 or above");
    }

    #[test]
    fn rules_name_the_setting() {
        let error = |config: Config| config.check_each().unwrap_err().to_string();
        let base = Config::default;
        assert!(base().check_each().is_ok());
        assert_eq!(error(Config { hidden: 0, ..base() }), "hidden is 0: it must be from 1 to 1000");
        let nan = Config { learning_rate: f64::NAN, ..base() };
        assert_eq!(error(nan), "learning_rate is NaN: it must be a number above 0");
    }

    #[test]
    fn a_run_inherits_the_shape_of_a_trained_model() {
        let trained = Config { hidden: 7, dropout: 0.3, steps: 5, ..Config::default() };
        let mut config = Config::default();
        config.inherit(&trained);
        assert_eq!(config, Config { hidden: 7, dropout: 0.3, ..Config::default() });

        let model = ModelConfig { classes: 10, hidden: 7, length: 8, dropout: 0.3 };
        assert_eq!(config.model(10), model);
        assert_eq!(Config::default().with_model(&model), config);
        let smaller = ModelConfig { length: 4, dropout: 0.0, ..model.clone() };
        assert!(smaller.fits(&model, "?").is_ok());
        assert_eq!(model.fits(&smaller, "too long").unwrap_err().to_string(), "length is 8: too long");
        let wider = ModelConfig { hidden: 9, ..model.clone() };
        assert_eq!(wider.fits(&model, "no").unwrap_err().to_string(), "hidden is 9: no");
    }
}
