//! Settings by name.

/// The name and the TOML of each preset.
pub const PRESETS: [(&str, &str); 5] = [
    ("tiny", include_str!("../../../configs/translate-tiny.toml")),
    ("small", include_str!("../../../configs/translate-small.toml")),
    ("quick", include_str!("../../../configs/translate-quick.toml")),
    ("multi30k", include_str!("../../../configs/translate-multi30k.toml")),
    ("base", include_str!("../../../configs/translate-base.toml")),
];

/// The TOML of the preset with this name.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::train::Model;

    use super::*;
    use crate::{Config, Transformer};

    /// The parameter counts are those of the papers whose sizes these are: Wu et al. 2021, a small model for
    /// Multi30k, and Vaswani et al. 2017, each with a vocabulary of this size.
    #[test]
    fn presets_are_valid_and_have_the_parameters_of_their_papers() {
        // The norms before the sub-layers of quick and multi30k need two more, of 2 x 256 elements.
        let sizes = [
            (9_712, 2_568_192),
            (8_000, 7_577_600),
            (8_000, 7_578_624),
            (8_000, 7_578_624),
            (10_000, 49_258_496),
        ];
        for ((name, text), (v, parameters)) in PRESETS.into_iter().zip(sizes) {
            let mut all = toml::Table::try_from(Config::default()).unwrap();
            let own: toml::Table = toml::from_str(text).unwrap();
            assert!(own.keys().all(|key| all.contains_key(key)), "{name}");
            assert!(text.lines().filter(|line| line.contains(" = ")).all(|line| line.contains("  # ")));
            all.extend(own);
            let config: Config = all.try_into().unwrap();
            config.validate().unwrap();
            let model = Transformer::<f32>::new(config.model(v), 1).unwrap();
            assert_eq!(model.params().count(), parameters, "{name}");
        }
    }
}
