//! `m2g gpt import`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::train::{Model, Save};
use m2g_gpt::gpt2::Imported;
use m2g_gpt::training::{Description, create};
use m2g_gpt::{Config, gguf, gpt2, nanogpt};

use super::export::names_gguf;
use crate::flags::quoted;
use crate::output_file::followed_folder;
use crate::runs::name::new_run;
use crate::terminal::lines::{counted, note};

/// Create a run from a GPT-2 model in the Hugging Face format, from a checkpoint of nanoGPT, or from a
/// GGUF file of llama.cpp.
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
        let path = new_run(&self.run)?;
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
            note(&format!("tokenizer {} with {} tokens", tokenizer.name(), tokenizer.vocab_size()));
        }
        note(&format!("saved in {}; train from it with `--init-from {}`", path.display(), quoted(&path)));
        Ok(ExitCode::SUCCESS)
    }

    /// Reads the folder, the checkpoint or the file.
    fn read(&self) -> anyhow::Result<Imported> {
        if self.path.exists() && !self.path.is_file() && !self.path.is_dir() {
            bail!(
                "{} is a pipe or a device, not a file: save the model to a file, and import that",
                self.path.display()
            );
        }
        let source = Source::of(&self.path);
        if self.meta.is_some() && !matches!(source, Source::Checkpoint(_)) {
            bail!(
                "--meta belongs to a checkpoint of nanoGPT, but {} is none: leave it out",
                self.path.display()
            );
        }
        Ok(match source {
            Source::Checkpoint(file) => nanogpt::import(&file, self.meta.as_deref())?,
            Source::Gguf => gguf::import(&self.path)?,
            Source::HuggingFace => gpt2::import(&self.path)?,
        })
    }
}

/// What a path is, or is meant to be.
enum Source {
    /// A folder in the Hugging Face format.
    HuggingFace,
    /// A checkpoint of nanoGPT, which may be in a folder of that path.
    Checkpoint(PathBuf),
    /// A GGUF file.
    Gguf,
}

impl Source {
    fn of(path: &Path) -> Self {
        let inside = path.join("ckpt.pt");
        if path.is_dir() {
            let is_nanogpt = inside.is_file() && !path.join("config.json").is_file();
            return if is_nanogpt { Self::Checkpoint(inside) } else { Self::HuggingFace };
        }
        if names_gguf(path) || gguf::is_gguf(path) {
            return Self::Gguf;
        }
        // A missing file is reported as one, and a file of a folder as one that needs its folder.
        let is_meant_as_file = path.is_file() || (!path.exists() && path.extension().is_some());
        match is_meant_as_file && !(path.is_file() && is_of_folder(path)) {
            true => Self::Checkpoint(path.to_path_buf()),
            false => Self::HuggingFace,
        }
    }
}

/// Whether a file is one of a folder in the Hugging Face format, by its name.
fn is_of_folder(path: &Path) -> bool {
    let has = |ending| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    ["safetensors", "json", "h5"].into_iter().any(has) || name.starts_with("pytorch_model")
}
