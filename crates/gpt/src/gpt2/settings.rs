//! Reads and writes `config.json`.

use std::path::Path;

use m2g_core::nn::{GeluForm, MlpActivation, NormKind, NormPlace, Positions, Score};
use m2g_core::ops::layer_norm;
use m2g_core::settings::SettingValue;
use m2g_core::{Error, Mask, bounded};
use serde_json::{Map, Value, json};

use super::{ExportError, ImportError, git_lfs};
use crate::{Config, GptConfig};

/// The largest `config.json` in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Reads the settings of a GPT-2. Missing keys have the defaults of `transformers`; keys that do
/// not change the model are ignored. Differences that matter only in training are added to `notes`.
///
/// # Errors
/// [`Error::Io`]; [`ImportError::File`] if it is not JSON; [`ImportError::Config`] for the first
/// key whose value this GPT does not support.
pub fn read(path: &Path, notes: &mut Vec<String>) -> Result<GptConfig, ImportError> {
    git_lfs::check(path)?;
    let text = bounded::read(path, MAX_CONFIG_BYTES, "a configuration")?;
    let unusable = |why: String| ImportError::File { path: path.to_path_buf(), why };
    let map: Map<String, Value> =
        serde_json::from_slice(&text).map_err(|e| unusable(format!("it is not a JSON object ({e})")))?;
    let keys = Keys { path, map };
    keys.check("model_type", Value::Null, "but only gpt2 can be imported", |v| v == "gpt2")?;

    let n_embd = keys.size(&["n_embd", "hidden_size"], 768)?;
    let dropout = keys.number("resid_pdrop", 0.1)?;
    let config = GptConfig {
        // Old versions also had the length of the causal mask, n_ctx.
        block_size: keys.size(&["n_positions", "max_position_embeddings"], keys.size(&["n_ctx"], 1024)?)?,
        n_layer: keys.size(&["n_layer", "num_hidden_layers"], 12)?,
        n_head: keys.size(&["n_head", "num_attention_heads"], 12)?,
        n_embd,
        dropout,
        bias: true,
        tie_weights: keys.flag("tie_word_embeddings", true)?,
        gelu: keys.map.get("activation_function").and_then(gelu_form).unwrap_or_default(),
        ..Config::default().model(keys.size(&["vocab_size"], 50257)?)
    };
    config.validate().map_err(|e| match e {
        Error::Setting { name, value, rule } => {
            keys.wrong(their_key(name), value, format!("and {}", rule.replace('`', "")))
        }
        other => other.into(),
    })?;

    for key in ["attn_pdrop", "embd_pdrop"] {
        let other = keys.number(key, 0.1)?;
        if other != dropout {
            notes.push(format!(
                "{key} is {other} and resid_pdrop {dropout}: this GPT has one dropout, and takes {dropout}; it \
                 matters only in training"
            ));
        }
    }
    let gelu = "but this GPT has only GELU: gelu, or its form by tanh, gelu_new or gelu_pytorch_tanh";
    keys.check("activation_function", json!("gelu_new"), gelu, |v| gelu_form(v).is_some())?;
    let epsilon = "but this GPT's norms use 1e-5";
    keys.check("layer_norm_epsilon", json!(layer_norm::EPSILON), epsilon, |v| {
        v.as_f64().is_some_and(|x| (x - layer_norm::EPSILON).abs() < 1e-12)
    })?;
    let wide =
        format!("but this GPT's feed-forward layers are 4 n_embd wide: it must be {} or null", 4 * n_embd);
    keys.check("n_inner", Value::Null, &wide, |v| v.is_null() || v.as_u64() == Some(4 * n_embd as u64))?;
    let scores = "but this GPT divides the scores by sqrt(n_embd / n_head) in every layer";
    keys.check("scale_attn_weights", json!(true), scores, |v| v == true)?;
    keys.check("scale_attn_by_inverse_layer_idx", json!(false), scores, |v| v == false)?;
    keys.check("add_cross_attention", json!(false), "but this GPT has no cross-attention", |v| v == false)?;
    keys.check("quantization_config", Value::Null, "but only unquantised tensors are read", Value::is_null)?;
    Ok(config)
}

/// The form of GELU that an `activation_function` names.
fn gelu_form(name: &Value) -> Option<GeluForm> {
    match name.as_str()? {
        "gelu" => Some(GeluForm::Exact),
        "gelu_new" | "gelu_pytorch_tanh" => Some(GeluForm::Tanh),
        _ => None,
    }
}

/// The key of a setting in `config.json`.
fn their_key(ours: &str) -> &str {
    match ours {
        "block_size" => "n_positions",
        "dropout" => "resid_pdrop",
        same => same,
    }
}

/// The keys and values of a file.
struct Keys<'a> {
    path: &'a Path,
    map: Map<String, Value>,
}

impl Keys<'_> {
    fn wrong(&self, key: &str, value: impl ToString, rule: impl Into<String>) -> ImportError {
        let (path, key) = (self.path.to_path_buf(), key.to_string());
        ImportError::Config { path, key, value: value.to_string(), rule: rule.into() }
    }

    /// The first of these keys that is present and not null. They are names of one setting, so others that
    /// are present must have the same value.
    fn first<'k>(&self, names: &[&'k str]) -> Result<Option<(&'k str, &Value)>, ImportError> {
        let mut present =
            names.iter().filter_map(|k| self.map.get(*k).filter(|v| !v.is_null()).map(|v| (*k, v)));
        let first = present.next();
        if let Some((key, value)) = first
            && let Some((other, differs)) = present.find(|(_, other)| *other != value)
        {
            let rule = format!("but {other}, another name of it, is {differs}: remove the wrong one");
            return Err(self.wrong(key, value, rule));
        }
        Ok(first)
    }

    fn size(&self, names: &[&str], default: usize) -> Result<usize, ImportError> {
        let Some((key, value)) = self.first(names)? else { return Ok(default) };
        let size = value.as_u64().and_then(|n| usize::try_from(n).ok());
        size.ok_or_else(|| self.wrong(key, value, "but it must be a whole number"))
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, ImportError> {
        let Some((_, value)) = self.first(&[key])? else { return Ok(default) };
        value.as_f64().ok_or_else(|| self.wrong(key, value, "but it must be a number"))
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, ImportError> {
        let Some((_, value)) = self.first(&[key])? else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(key, value, "but it must be true or false"))
    }

    fn check(
        &self,
        key: &str,
        default: Value,
        rule: &str,
        good: impl FnOnce(&Value) -> bool,
    ) -> Result<(), ImportError> {
        let value = self.map.get(key).filter(|v| !v.is_null()).unwrap_or(&default);
        if good(value) { Ok(()) } else { Err(self.wrong(key, value, rule)) }
    }
}

/// The contents of `config.json` for a model. `end_of_text` is the token that separates texts, if
/// there is one.
///
/// # Errors
/// [`ExportError::Inexpressible`] if GPT-2 lacks a setting of the model.
pub fn write(config: &GptConfig, end_of_text: Option<u32>) -> Result<Value, ExportError> {
    if config.positions != Positions::Learned {
        let what = format!("positions = {}", config.positions.to_text());
        let why = "it has only learned ones: export to a file NAME.gguf, which can have others";
        return Err(ExportError::Inexpressible { what, why });
    }
    let standard = [
        ("score", config.score == Score::ScaledDot),
        ("mask", config.mask == Mask::Causal),
        ("norm", config.norm == NormPlace::Before),
        ("norm_kind", config.norm_kind == NormKind::Layer),
        ("qk_norm", !config.qk_norm),
        ("value_residual", !config.value_residual),
        ("activation", config.activation == MlpActivation::Gelu),
        ("logit_cap", config.logit_cap == 0.0),
        ("residual", config.residual),
    ];
    if let Some((key, _)) = standard.into_iter().find(|(_, standard)| !standard) {
        let what = format!("this model's {key}");
        let why = "it has only the standard one, the default of `m2g gpt train`";
        return Err(ExportError::Inexpressible { what, why });
    }
    Ok(json!({
        "activation_function": if config.gelu == GeluForm::Exact { "gelu" } else { "gelu_new" },
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": config.dropout,
        "bos_token_id": end_of_text,
        "dtype": "float32",
        "embd_pdrop": config.dropout,
        "eos_token_id": end_of_text,
        "layer_norm_epsilon": layer_norm::EPSILON,
        "model_type": "gpt2",
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_inner": null,
        "n_layer": config.n_layer,
        "n_positions": config.block_size,
        "reorder_and_upcast_attn": false,
        "resid_pdrop": config.dropout,
        "scale_attn_by_inverse_layer_idx": false,
        "scale_attn_weights": true,
        "tie_word_embeddings": config.tie_weights,
        "use_cache": true,
        "vocab_size": config.vocab_size,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read_json(value: &Value) -> Result<GptConfig, ImportError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, value.to_string()).unwrap();
        read(&path, &mut Vec::new())
    }

    #[test]
    fn published_config_is_read() {
        // The relevant keys of the published model, and some irrelevant ones.
        let gpt2 = json!({
            "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
            "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02,
            "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12,
            "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1, "summary_first_dropout": 0.1,
            "task_specific_params": {"text-generation": {"do_sample": true}}, "vocab_size": 50257
        });
        let config = read_json(&gpt2).unwrap();
        assert_eq!((config.vocab_size, config.block_size, config.n_layer), (50257, 1024, 12));
        assert!(config.bias && config.tie_weights && config.dropout == 0.1);
        assert_eq!(read_json(&json!({"model_type": "gpt2"})).unwrap(), config, "the defaults are GPT-2's");
    }

    #[test]
    fn settings_round_trip() {
        let mut config =
            read_json(&json!({"model_type": "gpt2", "n_layer": 2, "n_head": 3, "n_embd": 12})).unwrap();
        (config.tie_weights, config.dropout, config.block_size) = (false, 0.25, 17);
        for gelu in [GeluForm::Tanh, GeluForm::Exact] {
            config.gelu = gelu;
            assert_eq!(read_json(&write(&config, None).unwrap()).unwrap(), config);
        }
    }

    #[test]
    fn unsupported_settings_are_rejected_by_key() {
        let cases = [
            ("model_type", json!("llama")),
            ("activation_function", json!("relu")),
            ("layer_norm_epsilon", json!(1e-6)),
            ("n_inner", json!(100)),
            ("scale_attn_weights", json!(false)),
            ("scale_attn_by_inverse_layer_idx", json!(true)),
            ("add_cross_attention", json!(true)),
            ("attn_pdrop", json!("much")),
            ("n_layer", json!("twelve")),
            ("n_layer", json!(-1)),
            ("n_head", json!(0)),
            ("n_positions", json!(0)),
            ("tie_word_embeddings", json!("yes")),
            ("quantization_config", json!({"bits": 4})),
        ];
        for (key, value) in cases {
            let mut config = json!({"model_type": "gpt2", "n_embd": 768});
            config[key] = value;
            let error = read_json(&config).unwrap_err().to_string();
            assert!(error.contains(&format!("config.json: {key} is ")), "{error}");
        }
        let error =
            read_json(&json!({"model_type": "gpt2", "n_embd": 10, "n_head": 3})).unwrap_err().to_string();
        assert!(error.contains("multiple of n_head"), "{error}");
        let error = read_json(&json!({"n_embd": 10})).unwrap_err().to_string();
        assert!(error.contains("model_type is null, but only gpt2"), "{error}");
    }

    #[test]
    fn two_names_of_a_setting_must_agree() {
        let config = json!({"model_type": "gpt2", "n_head": 2, "num_attention_heads": 2, "n_embd": 768});
        assert_eq!(read_json(&config).unwrap().n_head, 2);
        for (key, other) in [
            ("n_head", "num_attention_heads"),
            ("n_layer", "num_hidden_layers"),
            ("n_embd", "hidden_size"),
            ("n_positions", "max_position_embeddings"),
        ] {
            let error =
                read_json(&json!({"model_type": "gpt2", key: 24, other: 12})).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{key} is 24, but {other}, another name of it, is 12")),
                "{error}"
            );
        }
        // The length of the causal mask of old versions is another setting.
        let config = json!({"model_type": "gpt2", "n_positions": 1024, "n_ctx": 512});
        assert_eq!(read_json(&config).unwrap().block_size, 1024);
    }

    #[test]
    fn another_dropout_of_attention_is_noted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, r#"{"model_type": "gpt2", "attn_pdrop": 0, "resid_pdrop": 0.2}"#).unwrap();
        let mut notes = Vec::new();
        assert_eq!(read(&path, &mut notes).unwrap().dropout, 0.2);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].starts_with("attn_pdrop is 0 and resid_pdrop 0.2: "), "{notes:?}");
    }

    #[test]
    fn models_that_gpt2_cannot_express_are_rejected() {
        let mut config = read_json(&json!({"model_type": "gpt2"})).unwrap();
        config.positions = Positions::Rotary;
        let error = write(&config, None).unwrap_err().to_string();
        assert!(error.starts_with("GPT-2's format cannot express positions = rotary: "), "{error}");
        assert!(error.contains(".gguf"), "{error}");
        let config = GptConfig { mask: Mask::None, ..read_json(&json!({"model_type": "gpt2"})).unwrap() };
        let error = write(&config, None).unwrap_err().to_string();
        assert!(error.contains("cannot express this model's mask: it has only the standard one"), "{error}");
        let mixed = GptConfig { value_residual: true, ..read_json(&json!({"model_type": "gpt2"})).unwrap() };
        let error = write(&mixed, None).unwrap_err().to_string();
        assert!(error.contains("this model's value_residual"), "{error}");
    }
}
