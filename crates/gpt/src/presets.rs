//! The configurations in `configs/`, by name.

/// The name and the TOML of each preset.
pub const PRESETS: [(&str, &str); 7] = [
    ("tales", include_str!("../../../configs/tales.toml")),
    ("own-sources", include_str!("../../../configs/own-sources.toml")),
    ("shakespeare-char-cpu", include_str!("../../../configs/shakespeare-char-cpu.toml")),
    ("shakespeare-char-fast", include_str!("../../../configs/shakespeare-char-fast.toml")),
    ("shakespeare-char", include_str!("../../../configs/shakespeare-char.toml")),
    ("gpt2-124m", include_str!("../../../configs/gpt2-124m.toml")),
    ("finetune-gpt2", include_str!("../../../configs/finetune-gpt2.toml")),
];

/// The TOML of the preset with this name.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Config;

    #[test]
    fn presets_list_the_same_settings_and_are_valid_and_the_first_is_the_default() {
        // A setting that no preset lists has its default in all of them.
        let listed: toml::Table = toml::from_str(PRESETS[0].1).unwrap();
        for (name, text) in PRESETS {
            let mut all = toml::Table::try_from(Config::default()).unwrap();
            let own: toml::Table = toml::from_str(text).unwrap();
            if name == "finetune-gpt2" {
                assert!(!own.contains_key("n_layer"), "the run decides the shape");
            } else {
                // What only the fast recipe sets is in its file alone.
                let listed_here = own.keys().filter(|key| listed.contains_key(*key));
                assert!(listed.keys().eq(listed_here), "{name}");
                assert!(name == "shakespeare-char-fast" || own.len() == listed.len(), "{name}");
                assert!(own.keys().all(|key| all.contains_key(key)), "{name}");
            }
            all.extend(own);
            let config: Config = all.try_into().unwrap();
            config.validate().unwrap();
            assert_eq!(name == "tales", config == Config::default());
            for line in text.lines().filter(|line| line.contains(" = ")) {
                assert!(line.contains("  # "), "{name}: {line}");
            }
        }
    }
}
