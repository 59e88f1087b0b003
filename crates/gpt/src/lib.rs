//! The GPT of nanoGPT, on the core that also runs the digit network.
//!
//! | file | holds |
//! | --- | --- |
//! | [`config`] | [`GptConfig`]: the model; [`Config`]: every setting of a training run |
//! | [`presets`] | the settings in `configs/`, by name |
//! | [`model`] | [`Gpt`]: embeddings, blocks, head; it reads like nanoGPT's `model.py` |
//! | [`data`] | the training text, by name, and batches of it |
//! | [`training`] | a training run in its folder: [`Training`](training::Training) |
//! | `description` | what a checkpoint stores to rebuild a model |
//! | `fine_tuning` | starts a training run from the model of another run |
//! | [`evaluation`] | the loss on text that the model was not trained on |
//! | [`token_rows`] | the loss and the logits of rows of token ids from a file |
//! | [`gpt2`] | GPT-2 in the format of Hugging Face, in and out |
//! | [`gguf`] | the files of llama.cpp, in and out, and quantised |
//! | [`nanogpt`] | checkpoints of nanoGPT, in |
//! | [`generate`] | [`Generator`]: one token at a time, with a cache and a sliding window |
//! | [`continuation`] | a generated text up to where it ends: its length, its end, a stop text |
//! | [`inspect`] | one step with every value under its name, and what each layer would predict |
//! | `footprint` | the number of parameters, and the memory that training needs, from the settings and the data |
//! | [`ask`] | questions to a trained model: attention by words, causal tests |
//! | [`writing`] | how much of what a model writes is words and sentences of the tales |
//! | [`ladder`] | the lecture "Let's build GPT", rung by rung |

pub mod ask;
pub mod config;
pub mod continuation;
pub mod data;
mod description;
pub mod evaluation;
mod fine_tuning;
mod footprint;
pub mod generate;
pub mod gguf;
pub mod gpt2;
pub mod inspect;
pub mod ladder;
pub mod model;
pub mod nanogpt;
pub mod presets;
pub mod token_rows;
pub mod training;
pub mod writing;

pub use config::{Config, GptConfig};
pub use generate::{GenerateOptions, Generator};
pub use model::{Gpt, TokenBatch};
