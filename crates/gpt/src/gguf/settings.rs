//! The keys that describe a model, in and out.

use m2g_core::Error;
use m2g_core::nn::{GeluForm, Positions};
use m2g_core::ops::{layer_norm, rotary};

use super::Architecture;
use super::layout::{POSITION_EMBD, TOKEN_EMBD};
use super::reader::GgufFile;
use super::value::{Value, Written};
use crate::gpt2::ImportError;
use crate::{Config, GptConfig};

/// The largest slope of ALiBi is 2^(-8/H).
const MAX_ALIBI_BIAS: f32 = 8.0;

/// The key that says that a model has no biases although the file holds some, all 0.
pub const WITHOUT_BIASES: &str = "m2g.without_biases";
/// The key that says that the model has exact GELU. llama.cpp has only the form by tanh.
pub const EXACT_GELU: &str = "m2g.exact_gelu";

/// The keys of a model, in the order of the file. `vocab_size` is that of the file.
pub fn write(config: &GptConfig, architecture: Architecture) -> Vec<(String, Written<'static>)> {
    let of = |name: &str, value: usize| {
        // Every size is at most 2^24: `GptConfig::validate` says so.
        (format!("{}.{name}", architecture.name()), Written::U32(u32::try_from(value).unwrap_or(u32::MAX)))
    };
    let number = |name: &str, value: f32| (format!("{}.{name}", architecture.name()), Written::F32(value));
    let mut keys = vec![
        of("context_length", config.block_size),
        of("embedding_length", config.n_embd),
        of("feed_forward_length", 4 * config.n_embd),
        of("block_count", config.n_layer),
        of("attention.head_count", config.n_head),
        number("attention.layer_norm_epsilon", layer_norm::EPSILON as f32),
    ];
    if config.positions == Positions::Alibi {
        keys.push(number("attention.max_alibi_bias", MAX_ALIBI_BIAS));
    }
    if architecture == Architecture::GptNeox {
        keys.push((format!("{}.use_parallel_residual", architecture.name()), Written::Flag(false)));
        keys.push(of("rope.dimension_count", config.n_embd / config.n_head));
        keys.push(number("rope.freq_base", rotary::BASE as f32));
    }
    if !config.bias && architecture.needs_biases() {
        keys.push((WITHOUT_BIASES.into(), Written::Flag(true)));
    }
    if config.gelu == GeluForm::Exact {
        keys.push((EXACT_GELU.into(), Written::Flag(true)));
    }
    keys
}

/// The architecture and the settings that a file describes, apart from biases, which follow from its
/// tensors, and from tied weights. V is the number of rows of the token embedding.
///
/// # Errors
/// [`ImportError::Config`] for the first key that this GPT does not support.
pub fn read(file: &GgufFile) -> Result<(Architecture, GptConfig), ImportError> {
    let name = file.text("general.architecture")?.unwrap_or("missing");
    let Some(architecture) = Architecture::ALL.into_iter().find(|known| known.name() == name) else {
        let rule = "but only gpt2, mpt and gptneox can be imported";
        return Err(wrong(file, "general.architecture", &name.escape_debug().to_string(), rule));
    };
    let keys = Keys { file, architecture };
    let n_embd = keys.size("embedding_length")?;
    let n_head = keys.size("attention.head_count")?;
    let alibi = keys.number("attention.max_alibi_bias", 0.0)?;
    let positions = match architecture {
        Architecture::GptNeox => Positions::Rotary,
        Architecture::Mpt if alibi != 0.0 => Positions::Alibi,
        Architecture::Mpt if !file.tensors().contains_key(POSITION_EMBD) => Positions::None,
        Architecture::Gpt2 | Architecture::Mpt => Positions::Learned,
    };
    let embedding = file.tensors().get(TOKEN_EMBD).map(|tensor| tensor.axes(2));
    let Some(&[vocab_size, _]) = embedding else {
        return Err(file.unusable(format!("it has no matrix {TOKEN_EMBD}")));
    };
    let config = GptConfig {
        block_size: keys.size("context_length")?,
        n_layer: keys.size("block_count")?,
        n_head,
        n_embd,
        positions,
        gelu: if file.flag(EXACT_GELU)? == Some(true) { GeluForm::Exact } else { GeluForm::Tanh },
        ..Config::default().model(vocab_size)
    };
    config.validate().map_err(|e| match e {
        Error::Setting { name, value, rule } => {
            wrong(file, &keys.key(their_key(name)), &value, &format!("and {}", rule.replace('`', "")))
        }
        other => other.into(),
    })?;

    keys.check_size(
        "feed_forward_length",
        4 * n_embd,
        "but this GPT's feed-forward layers are 4 times as wide as it is",
    )?;
    keys.check_size(
        "attention.head_count_kv",
        n_head,
        "but this GPT has as many heads of keys as of queries",
    )?;
    let epsilon = "but this GPT's norms use 1e-5";
    keys.check_number("attention.layer_norm_epsilon", layer_norm::EPSILON as f32, epsilon)?;
    match architecture {
        Architecture::Gpt2 => {}
        Architecture::Mpt => {
            if positions == Positions::Alibi {
                keys.check_number("attention.max_alibi_bias", MAX_ALIBI_BIAS, "but ALiBi's is 8")?;
                if !n_head.is_power_of_two() {
                    let rule = "but with ALiBi, this GPT has the same slopes only for a power of two";
                    return Err(wrong(file, &keys.key("attention.head_count"), &n_head.to_string(), rule));
                }
                if file.tensors().contains_key(POSITION_EMBD) {
                    return Err(file.unusable(format!(
                        "it has both ALiBi and {POSITION_EMBD}: this GPT has one kind of positions"
                    )));
                }
            }
            keys.check_number("attention.clamp_kqv", 0.0, "but this GPT does not clamp Q, K and V")?;
        }
        Architecture::GptNeox => {
            let parallel = keys.flag("use_parallel_residual")?;
            if parallel != Some(false) {
                let rule = "but in this GPT, feed-forward layers follow attention: it must be false";
                return Err(wrong(
                    file,
                    &keys.key("use_parallel_residual"),
                    &parallel.map_or("missing".into(), |p| p.to_string()),
                    rule,
                ));
            }
            keys.check_size(
                "rope.dimension_count",
                n_embd / n_head,
                "but this GPT rotates all channels of a head",
            )?;
            keys.check_number("rope.freq_base", rotary::BASE as f32, "but this GPT's base is 10000")?;
            keys.check_unscaled()?;
        }
    }
    Ok((architecture, config))
}

/// The key of a setting in the file.
fn their_key(ours: &str) -> &str {
    match ours {
        "block_size" => "context_length",
        "n_layer" => "block_count",
        "n_head" => "attention.head_count",
        "n_embd" => "embedding_length",
        same => same,
    }
}

fn wrong(file: &GgufFile, key: &str, value: &str, rule: &str) -> ImportError {
    let (path, key) = (file.path().to_path_buf(), key.to_string());
    ImportError::Config { path, key, value: value.into(), rule: rule.into() }
}

/// Typed access to values.
impl GgufFile {
    /// A text.
    ///
    /// # Errors
    /// [`ImportError::Config`] if the value has another type.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ImportError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(self, key, &other.shown(), "but it must be a text")),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// As [`GgufFile::text`].
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ImportError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong(self, key, &other.shown(), "but it must be true or false")),
        }
    }

    /// A number that is not negative.
    ///
    /// # Errors
    /// As [`GgufFile::text`].
    pub fn size(&self, key: &str) -> Result<Option<usize>, ImportError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Integer(n)) if u32::try_from(*n).is_ok() => Ok(Some(*n as usize)),
            Some(other) => Err(wrong(self, key, &other.shown(), "but it must be a whole number below 2^32")),
        }
    }
}

/// The keys of an architecture.
struct Keys<'a> {
    file: &'a GgufFile,
    architecture: Architecture,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name())
    }

    /// A size that must be there.
    fn size(&self, name: &str) -> Result<usize, ImportError> {
        let key = self.key(name);
        self.file.size(&key)?.ok_or_else(|| wrong(self.file, &key, "missing", "but it describes the model"))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, ImportError> {
        self.file.flag(&self.key(name))
    }

    fn number(&self, name: &str, default: f32) -> Result<f32, ImportError> {
        let key = self.key(name);
        match self.file.value(&key) {
            None => Ok(default),
            Some(Value::Float(x)) => Ok(*x as f32),
            Some(other) => {
                Err(wrong(self.file, &key, &other.shown(), "but it must be a number with a fraction"))
            }
        }
    }

    fn check_size(&self, name: &str, expected: usize, rule: &str) -> Result<(), ImportError> {
        let key = self.key(name);
        match self.file.size(&key)? {
            Some(found) if found != expected => {
                Err(wrong(self.file, &key, &found.to_string(), &format!("{rule}: it must be {expected}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks that rotary positions are not scaled. llama.cpp takes a missing type for linear, reads the first of two
    /// names of the factor, and takes a factor of 0 for none.
    fn check_unscaled(&self) -> Result<(), ImportError> {
        let rule = "but this GPT does not scale rotary positions";
        let kind = self.key("rope.scaling.type");
        match self.file.text(&kind)? {
            Some("none") => Ok(()),
            None | Some("linear") => {
                let mut names = ["rope.scaling.factor", "rope.scale_linear"].into_iter();
                match names.find(|name| self.file.value(&self.key(name)).is_some()) {
                    Some(name) if self.number(name, 1.0)? != 0.0 => self.check_number(name, 1.0, rule),
                    _ => Ok(()),
                }
            }
            Some(other) => Err(wrong(self.file, &kind, &other.escape_debug().to_string(), rule)),
        }
    }

    fn check_number(&self, name: &str, expected: f32, rule: &str) -> Result<(), ImportError> {
        let found = self.number(name, expected)?;
        match found == expected {
            true => Ok(()),
            false => Err(wrong(self.file, &self.key(name), &found.to_string(), rule)),
        }
    }
}
