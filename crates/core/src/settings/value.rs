//! The types of settings, and their conversion to and from text.

use std::any::Any;
use std::fmt::{self, Display};
use std::num::{IntErrorKind, ParseIntError};
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_json::{Value, json};

use crate::nn::{Activation, GeluForm, MlpActivation, NormKind, NormPlace, Positions, Score};
use crate::optim::{Decay, Schedule};
use crate::{Mask, Precision};

/// How the value of a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a number, which may be negative.
    Number,
    /// As numbers separated by commas.
    List,
    /// As true or false; a flag alone means true.
    Switch,
    /// As one of several names.
    Name,
    /// As any text.
    Text,
}

/// A type that settings can have. Flags take its text, and errors and help show it.
pub trait SettingValue: Sized {
    /// The placeholder for a value in help.
    const VALUE_NAME: &'static str;

    /// How a value is written.
    const KIND: Kind;

    /// The possible values, if they are names.
    fn names() -> &'static [&'static str] {
        &[]
    }

    /// Reads a value.
    ///
    /// # Errors
    /// The rule that the text breaks.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Writes a value so that it can be read again.
    fn to_text(&self) -> String;
}

/// Implements [`SettingValue`] for types with `FromStr` and `Display`.
macro_rules! parsed {
    ($($type:ty: $kind:ident $value_name:literal $rule:literal;)*) => { $(
        impl SettingValue for $type {
            const VALUE_NAME: &'static str = $value_name;
            const KIND: Kind = Kind::$kind;

            fn from_text(text: &str) -> Result<Self, String> {
                parse(text, $rule)
            }

            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )* };
}

parsed! {
    usize: Number "N" "it must be a whole number, 0 or above";
    u64: Number "N" "it must be a whole number, 0 or above";
    u32: Number "N" "it must be a whole number, 0 or above";
    f64: Number "X" "it must be a number";
    String: Text "TEXT" "it must be text";
    Mask: Text "NAME" "it must be causal, reversed, none, finite, or window:N with N above 0";
}

/// Parses a text. The error is `rule`, unless the text is too large a whole number.
fn parse<T: FromStr<Err: 'static>>(text: &str, rule: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| {
        let error = (&error as &dyn Any).downcast_ref().map(ParseIntError::kind);
        if error == Some(&IntErrorKind::PosOverflow) { "it is too large" } else { rule }.into()
    })
}

/// Implements [`SettingValue`] for enums whose variants have a name in serde.
#[macro_export]
macro_rules! named_setting_values {
    ($($type:ty),* $(,)?) => { $(
        impl $crate::settings::value::SettingValue for $type {
            const VALUE_NAME: &'static str = "NAME";
            const KIND: $crate::settings::value::Kind = $crate::settings::value::Kind::Name;

            fn names() -> &'static [&'static str] {
                $crate::settings::value::variants::<Self>()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                let name = ::serde::de::value::StrDeserializer::<::serde::de::value::Error>::new(text);
                ::serde::Deserialize::deserialize(name)
                    .map_err(|_| format!("it must be one of {}", Self::names().join(", ")))
            }

            fn to_text(&self) -> String {
                let name = ::serde_json::to_value(self).ok();
                name.as_ref().and_then(::serde_json::Value::as_str).unwrap_or_default().into()
            }
        }
    )* };
}

named_setting_values!(
    Activation,
    Decay,
    GeluForm,
    MlpActivation,
    NormKind,
    NormPlace,
    Positions,
    Precision,
    Score,
);

impl SettingValue for bool {
    const VALUE_NAME: &'static str = "BOOL";
    const KIND: Kind = Kind::Switch;

    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => Err("it must be true or false".into()),
        }
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// Values separated by commas.
impl<T: FromStr<Err: 'static> + Display> SettingValue for Vec<T> {
    const VALUE_NAME: &'static str = "N,..";
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Self, String> {
        let rule = "it must be a whole number, or several separated by commas";
        text.split(',').map(|item| parse(item, rule)).collect()
    }

    fn to_text(&self) -> String {
        self.iter().map(T::to_string).collect::<Vec<_>>().join(",")
    }
}

/// An optional path.
impl SettingValue for Option<PathBuf> {
    const VALUE_NAME: &'static str = "PATH";
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Some(text.into()))
    }

    fn to_text(&self) -> String {
        self.as_ref().map_or(String::new(), |path| path.display().to_string())
    }
}

/// A schedule by name, with the usual parameters. Other parameters need a table in a file.
impl SettingValue for Schedule {
    const VALUE_NAME: &'static str = "NAME";
    const KIND: Kind = Kind::Name;

    fn names() -> &'static [&'static str] {
        &["constant", "cosine", "halve-on-plateau"]
    }

    fn from_text(text: &str) -> Result<Self, String> {
        // The kinds that are not named here have parameters without a default.
        from_value(json!({ "kind": text }))
            .map_err(|_| format!("it must be one of {}", Self::names().join(", ")))
    }

    fn to_text(&self) -> String {
        let value = to_value(self).unwrap_or_default();
        value["kind"].as_str().unwrap_or_default().into()
    }
}

/// Converts a value that was read from a file.
///
/// # Errors
/// What is wrong with it.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Converts a value so that a file can hold it.
///
/// # Errors
/// Why it cannot be converted.
pub fn to_value<T: Serialize>(value: &T) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

/// The names of an enum's variants in serde.
pub fn variants<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    T::deserialize(VariantNames).err().map_or(&[], |names: Names| names.0)
}

/// A deserializer without a value, which always fails: its error is the names of the variants.
struct VariantNames;

#[derive(Debug)]
struct Names(&'static [&'static str]);

impl<'de> Deserializer<'de> for VariantNames {
    type Error = Names;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Names> {
        Err(Names(variants))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Names> {
        Err(Names(&[]))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl serde::de::Error for Names {
    fn custom<M: Display>(_: M) -> Self {
        Self(&[])
    }
}

impl std::error::Error for Names {}

impl Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Reads the first text of each pair and expects it to be written as the second.
    fn round_trip<T: SettingValue>(texts: &[(&str, &str)]) {
        for (text, written) in texts {
            assert_eq!(T::from_text(text).unwrap().to_text(), *written, "{text}");
        }
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        round_trip::<usize>(&[("12", "12")]);
        round_trip::<f64>(&[("1e-3", "0.001"), ("-2", "-2"), ("inf", "inf"), ("nan", "NaN")]);
        round_trip::<bool>(&[("true", "true"), ("off", "false"), ("Yes", "true")]);
        round_trip::<Vec<usize>>(&[("30", "30"), ("100,60", "100,60")]);
        round_trip::<Option<PathBuf>>(&[("a/b", "a/b")]);
        round_trip::<Mask>(&[("window:4", "window:4"), ("causal", "causal")]);
        for name in Schedule::names() {
            round_trip::<Schedule>(&[(name, name)]);
        }
        assert_eq!(Schedule::from_text("cosine"), Ok(Schedule::Cosine { warmup: 0.02, floor: 0.0 }));
        assert_eq!(Schedule::from_text("halve-on-plateau"), Ok(Schedule::HalveOnPlateau { patience: 10 }));
        assert_eq!(Schedule::InverseSquareRoot { warmup: 3 }.to_text(), "inverse-square-root");
        for text in ["warmup", "inverse-square-root", "cosin"] {
            let error = Schedule::from_text(text).unwrap_err();
            assert_eq!(error, "it must be one of constant, cosine, halve-on-plateau");
        }
    }

    #[test]
    fn names_are_those_of_serde() {
        assert_eq!(NormPlace::names(), ["before", "after", "none"]);
        assert_eq!(Score::names().len(), Score::ALL.len());
        assert_eq!(Score::names()[..2], ["scaled-dot", "dot"]);
        assert_eq!(Precision::names(), ["f32", "bf16"]);
        for name in Score::names() {
            round_trip::<Score>(&[(name, name)]);
        }
        assert!(Positions::from_text("sinusoid").unwrap_err().contains("sinusoidal"));
        assert_eq!(NormPlace::from_text("befor").unwrap_err(), "it must be one of before, after, none");
    }

    #[test]
    fn bad_text_breaks_a_rule() {
        assert_eq!(usize::from_text("-2").unwrap_err(), "it must be a whole number, 0 or above");
        for text in ["99999999999999999999", "4294967296"] {
            assert_eq!(u32::from_text(text).unwrap_err(), "it is too large");
        }
        assert_eq!(Vec::<usize>::from_text("3,99999999999999999999").unwrap_err(), "it is too large");
        assert_eq!(f64::from_text("fast").unwrap_err(), "it must be a number");
        assert_eq!(bool::from_text("2").unwrap_err(), "it must be true or false");
        assert!(Vec::<usize>::from_text("30,,10").is_err());
    }
}
