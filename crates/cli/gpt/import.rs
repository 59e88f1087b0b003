//! `m2g gpt import`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use m2g_core::train::{Model, Save};
use m2g_gpt::training::{Description, create};
use m2g_gpt::{Config, gpt2};

use crate::flags::{quoted, run_path};

/// Create a run from a GPT-2 model in the Hugging Face format.
#[derive(Args)]
pub struct Import {
    /// The folder with config.json and model.safetensors, whole or in shards.
    dir: PathBuf,
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
        let imported = gpt2::import(&self.dir)?;
        let tokenizer = match &imported.tokenizer {
            Ok(tokenizer) => Some(tokenizer.clone()),
            Err(why) => {
                eprintln!("the run has no tokenizer and reads only token ids: {why}");
                None
            }
        };
        let gpt = imported.into_gpt()?;
        let model = gpt.config().clone();
        let mut description =
            Description { config: Config::default(), model, tokenizer, data: String::new() };
        description.config = Config::default().shaped_like(&description);
        create(Save::at(&path, self.overwrite), &description, &gpt)?;
        let model = &description.model;
        eprintln!(
            "{} parameters: {} layers, {} heads, {} wide, a window of {} tokens, a vocabulary of {}",
            gpt.params().count(),
            model.n_layer,
            model.n_head,
            model.n_embd,
            model.block_size,
            model.vocab_size
        );
        eprintln!("saved in {}; train from it with `--init-from {}`", path.display(), quoted(&path));
        Ok(ExitCode::SUCCESS)
    }
}
