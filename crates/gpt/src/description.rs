//! The description of a GPT in its checkpoints.

use m2g_text::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::{Config, GptConfig};

/// What a checkpoint stores to rebuild a GPT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The settings of its training run.
    pub config: Config,
    /// The settings of the model.
    pub model: GptConfig,
    /// How text becomes tokens; `None` for a model that knows only token ids. The model may have
    /// more tokens than the tokenizer.
    pub tokenizer: Option<Tokenizer>,
    /// The fingerprint of its training data; empty for an imported model.
    pub data: String,
}
