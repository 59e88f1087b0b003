//! Any configuration survives being written and read: as TOML, as JSON and as flags.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use clap::{Command, FromArgMatches};
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

/// A text that a setting may accept: each setting keeps those that it does.
fn texts() -> impl Strategy<Value = String> {
    let words =
        ["true", "false", "auto", "yes", "0", "1", "30,100", "none", "window:7", "causal", "files", "\\n\\n"];
    let names =
        ["cosine", "halve-on-plateau", "elastic", "affine", "gpt2", "bpe:300", "own-text", "f32", "bf16"];
    prop_oneof![
        select([&words[..], &names].concat()).prop_map(String::from),
        any::<f64>().prop_filter("a number", |x| x.is_finite()).prop_map(|x| x.to_string()),
        (-4.0..4.0_f64).prop_map(|x| 10_f64.powf(x).to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (0..2000_u32).prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        "\\PC{1,20}",
        "[-=,'\"\\\\ #.\\n\\ta\u{e9}]{1,10}",
    ]
}

/// Sets each setting to the first of its texts that it accepts, and checks that the whole is valid.
fn configured<C: Settings + Default>(texts: &[Vec<String>]) -> C {
    let mut config = C::default();
    for (setting, texts) in C::SETTINGS.iter().zip(texts.iter().cycle()) {
        let names = (setting.names)();
        let name = names.get(texts[0].len() % names.len().max(1)).map(ToString::to_string);
        for text in name.iter().chain(texts) {
            let mut changed = C::default();
            if (setting.set)(&mut changed, text).is_ok() && (setting.check)(&changed).is_ok() {
                (setting.copy)(&changed, &mut config);
                break;
            }
        }
    }
    config
}

fn assert_round_trips<C>(config: &C)
where
    C: Settings + Default + Debug + PartialEq + Clone + Send + Sync + Serialize + DeserializeOwned,
{
    let toml = toml::to_string(config).unwrap();
    assert_eq!(toml::from_str::<C>(&toml).unwrap(), *config, "{toml}");
    let json = serde_json::to_string(config).unwrap();
    assert_eq!(serde_json::from_str::<C>(&json).unwrap(), *config, "{json}");
    let flags = C::SETTINGS.iter().filter(|setting| setting.has_flag && !(setting.get)(config).is_empty());
    let flags: Vec<String> = flags.map(|s| format!("{}={}", flag(s.name), (s.get)(config))).collect();
    let command = SettingFlags::<C>::augment_args(Command::new("train"));
    let given = command.try_get_matches_from([&["train".to_string()], &flags[..]].concat()).unwrap();
    let mut read = C::default();
    SettingFlags::<C>::from_arg_matches(&given).unwrap().apply(&mut read);
    for setting in C::SETTINGS.iter().filter(|setting| !setting.has_flag) {
        (setting.copy)(config, &mut read);
    }
    assert_eq!(read, *config, "{flags:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 4).max(1)))]

    #[test]
    fn any_configuration_is_read_as_it_was_written(
        texts in prop::collection::vec(prop::collection::vec(texts(), 12), 30),
    ) {
        assert_round_trips(&configured::<m2g_digits::Config>(&texts));
        assert_round_trips(&configured::<m2g_gpt::Config>(&texts));
    }
}
