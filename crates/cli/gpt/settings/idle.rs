//! Flags that have no effect beside the other settings: whoever gives one expects that it acts.

use m2g_core::Error;
use m2g_core::nn::{MlpActivation, NormPlace, Positions};
use m2g_gpt::Config;

use crate::setting_flags::SettingFlags;

/// When a setting acts.
struct Acts {
    setting: &'static str,
    with: fn(&Config) -> bool,
    /// What a flag that does not act breaks.
    rule: &'static str,
}

const ONLY_IF_IT_DECAYS: &str =
    "it acts only if the learning rate decays: leave out either it or `decay_lr = false`";

const ALL: [Acts; 8] = [
    Acts {
        setting: "positions_base",
        with: |config| config.positions == Positions::Sinusoidal,
        rule: "it acts only with sinusoidal positions: leave it out, or give `positions` sinusoidal",
    },
    Acts {
        setting: "gelu",
        with: |config| config.activation == MlpActivation::Gelu,
        rule: "it acts only with the activation gelu: leave it out, or give `activation` gelu",
    },
    Acts {
        setting: "norm_kind",
        with: |config| config.norm != NormPlace::None,
        rule: "it acts only where there are norms: leave it out, or give `norm` before or after",
    },
    Acts {
        setting: "value_residual",
        with: |config| !config.value_residual || config.n_layer > 1,
        rule: "it acts only between layers: leave it out, or give `n_layer` above 1",
    },
    Acts { setting: "min_lr", with: |config| config.decay_lr, rule: ONLY_IF_IT_DECAYS },
    Acts { setting: "lr_decay", with: |config| config.decay_lr, rule: ONLY_IF_IT_DECAYS },
    Acts { setting: "lr_decay_iters", with: |config| config.decay_lr, rule: ONLY_IF_IT_DECAYS },
    Acts { setting: "warmup_iters", with: |config| config.decay_lr, rule: ONLY_IF_IT_DECAYS },
];

/// Checks that each flag acts, in the configuration that all of them make.
pub fn check(flags: &SettingFlags<Config>, config: &Config) -> Result<(), Error> {
    for Acts { setting, with, rule } in ALL {
        if let Some(value) = flags.text(setting).filter(|_| !with(config)) {
            return Err(Error::Setting { name: setting, value: value.into(), rule });
        }
    }
    Ok(())
}
