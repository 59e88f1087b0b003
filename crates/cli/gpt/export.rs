//! `m2g gpt export`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use m2g_core::train::Model;
use m2g_core::train::run_folder::{BEST, LAST};
use m2g_gpt::{Gpt, gpt2};

use crate::flags::run_path;
use crate::models::run::load;
use crate::output_file::followed_folder;
use crate::terminal::lines;

/// Export a run in the Hugging Face format, which transformers can load: config.json,
/// model.safetensors and the files of its tokenizer.
#[derive(Args)]
pub struct Export {
    /// The run: a name under runs/, or a path.
    run: String,
    /// The folder to create.
    dir: PathBuf,
    /// Replace the folder if it holds a model of this format.
    #[arg(long)]
    overwrite: bool,
    /// Use the last parameters of the run instead of the best on held-out data.
    #[arg(long)]
    last: bool,
}

impl Export {
    /// Exports the run.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let file = if self.last { LAST } else { BEST };
        let (gpt, description) = load::<Gpt<f32>>(&run_path(&self.run), file)?;
        let tokenizer = description.tokenizer.as_ref();
        let dir = followed_folder(&self.dir);
        let note = gpt2::export(&dir, gpt.config(), gpt.params(), tokenizer, self.overwrite)?;
        let text = match (&note, tokenizer) {
            (None, Some(_)) => ", and AutoTokenizer.from_pretrained its tokenizer",
            _ => "",
        };
        note.iter().for_each(|text| lines::note(text));
        lines::note(&format!(
            "saved in {}; GPT2LMHeadModel.from_pretrained can load it{text}",
            self.dir.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}
