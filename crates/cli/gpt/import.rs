//! `m2g gpt import`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::train::{Model, Save};
use m2g_gpt::gpt2::Imported;
use m2g_gpt::training::{Description, create};
use m2g_gpt::{Config, gguf, gpt2, nanogpt};

use super::export::names_gguf;
use crate::flags::{quoted, run_path};
use crate::output_file::followed_folder;
use crate::terminal::lines::{counted, note};

/// Create a run from a GPT-2 model in the Hugging Face format, from a checkpoint of nanoGPT, or from a GGUF
/// file of llama.cpp.
#[derive(Args)]
pub struct Import {
    /// A folder with config.json and model.safetensors, whole or in shards; or nanoGPT's ckpt.pt, or
    /// its folder out; or a GGUF file of the architecture gpt2, mpt or gptneox, quantised or not.
    #[arg(value_name = "DIR|ckpt.pt|FILE.gguf")]
    path: PathBuf,
    /// The meta.pkl of nanoGPT's data, which holds the characters of the model. Without it, a
    /// vocabulary of GPT-2's size is GPT-2's.
    #[arg(long, value_name = "meta.pkl")]
    meta: Option<PathBuf>,
    /// Where to save: a name under runs/, or a path.
    #[arg(long, value_name = "NAME")]
    run: String,
    /// Replace the run if it exists.
    #[arg(long)]
    overwrite: bool,
}

impl Import {
    /// Imports the model.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = run_path(&self.run);
        let imported = self.read()?;
        imported.notes.iter().for_each(|text| note(&format!("note: {text}")));
        let tokenizer = match &imported.tokenizer {
            Ok(tokenizer) => Some(tokenizer.clone()),
            Err(why) => {
                note(&format!("the run has no tokenizer and reads only token ids: {why}"));
                None
            }
        };
        let gpt = imported.into_gpt()?;
        let model = gpt.config().clone();
        let mut description =
            Description { config: Config::default(), model, tokenizer, data: String::new() };
        description.config = Config::default().shaped_like(&description);
        create(Save::at(&followed_folder(&path), self.overwrite), &description, &gpt)?;
        let model = &description.model;
        note(&format!(
            "{} parameters: {}, {}, {} wide, a window of {}, a vocabulary of {}",
            gpt.params().count(),
            counted(model.n_layer, "layer"),
            counted(model.n_head, "head"),
            model.n_embd,
            counted(model.block_size, "token"),
            model.vocab_size
        ));
        if let Some(tokenizer) = &description.tokenizer {
            note(&format!("tokenizer {} with {} tokens", tokenizer.kind(), tokenizer.vocab_size()));
        }
        note(&format!("saved in {}; train from it with `--init-from {}`", path.display(), quoted(&path)));
        Ok(ExitCode::SUCCESS)
    }

    /// Reads the folder, the checkpoint or the file.
    fn read(&self) -> anyhow::Result<Imported> {
        let inside = self.path.join("ckpt.pt");
        let checkpoint = match self.path.is_dir() {
            true if inside.is_file() && !self.path.join("config.json").is_file() => Some(inside),
            true => None,
            false => self.path.is_file().then(|| self.path.clone()),
        };
        match checkpoint {
            Some(file) if self.meta.is_none() && (names_gguf(&file) || gguf::is_gguf(&file)) => {
                Ok(gguf::import(&file)?)
            }
            Some(checkpoint) => Ok(nanogpt::import(&checkpoint, self.meta.as_deref())?),
            None if self.meta.is_some() => {
                bail!("--meta belongs to a checkpoint of nanoGPT, but {} is none", self.path.display())
            }
            None => Ok(gpt2::import(&self.path)?),
        }
    }
}
