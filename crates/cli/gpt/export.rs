//! `m2g gpt export`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use m2g_core::train::Model;
use m2g_gpt::gguf::{self, Quantisation};
use m2g_gpt::{Gpt, gpt2};
use m2g_text::Tokenizer;

use crate::flags::{Checkpoint, quoted, run_path};
use crate::models::run::load;
use crate::output_file::{self, followed_folder};
use crate::terminal::lines;

/// Export a run and its tokenizer: as a folder that transformers can load, or as a file NAME.gguf
/// that llama.cpp can run.
#[derive(Args)]
pub struct Export {
    /// The run: a name under runs/, or a path.
    run: String,
    /// The folder to create, or a file that ends in .gguf.
    #[arg(value_name = "DIR|FILE.gguf")]
    target: PathBuf,
    /// How a GGUF file stores the matrices. q8_0 and q4_0 round them to 8 and 4 bits, with a scale for
    /// every 32 weights; q4_0 keeps 8 bits for the embedding and the head [default: f32].
    #[arg(long, alias = "quantize", value_name = "FORMAT", value_parser = quantisation())]
    quantise: Option<Quantisation>,
    /// Replace the folder if it holds a model of this format, or the file if it is a GGUF file.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    checkpoint: Checkpoint,
}

/// The formats of a GGUF file.
fn quantisation() -> impl TypedValueParser<Value = Quantisation> {
    let names = ["f32", "f16", "q8_0", "q4_0"].map(PossibleValue::new);
    PossibleValuesParser::new(names).map(|name| match name.as_str() {
        "f16" => Quantisation::F16,
        "q8_0" => Quantisation::Q8_0,
        "q4_0" => Quantisation::Q4_0,
        _ => Quantisation::F32,
    })
}

/// Whether a path names a GGUF file.
pub fn names_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"))
}

impl Export {
    /// Exports the run.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let as_gguf = names_gguf(&self.target) && !self.target.is_dir();
        if as_gguf {
            self.check_file()?;
        } else if self.quantise.is_some() {
            bail!(
                "--quantise belongs to a GGUF file, but {} does not end in .gguf: give such a name",
                self.target.display()
            );
        }
        let (gpt, description) = load::<Gpt<f32>>(&run_path(&self.run), self.checkpoint.file())?;
        let tokenizer = description.tokenizer.as_ref();
        if as_gguf {
            self.write_gguf(&gpt, tokenizer)?;
        } else {
            self.write_folder(&gpt, tokenizer)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn write_folder(&self, gpt: &Gpt<f32>, tokenizer: Option<&Tokenizer>) -> anyhow::Result<()> {
        let dir = followed_folder(&self.target);
        let note = gpt2::export(&dir, gpt.config(), gpt.params(), tokenizer, self.overwrite)?;
        let text = match (&note, tokenizer) {
            (None, Some(_)) => ", and AutoTokenizer.from_pretrained its tokenizer",
            _ => "",
        };
        note.iter().for_each(|text| lines::note(text));
        lines::note(&format!(
            "saved in {}; GPT2LMHeadModel.from_pretrained can load it{text}",
            self.target.display()
        ));
        Ok(())
    }

    /// Checks that the file may be written, before anything is computed.
    fn check_file(&self) -> anyhow::Result<()> {
        output_file::check("FILE.gguf", &self.target)?;
        if output_file::is_stream(&self.target) || !self.target.exists() {
            return Ok(());
        }
        let path = self.target.display();
        match gguf::is_gguf(&self.target) {
            true if self.overwrite => Ok(()),
            true => bail!("{path} exists: choose another name, or replace it with --overwrite"),
            false => {
                bail!("{path} exists and is not a GGUF file, so it is not replaced: choose another name")
            }
        }
    }

    fn write_gguf(&self, gpt: &Gpt<f32>, tokenizer: Option<&Tokenizer>) -> anyhow::Result<()> {
        let quantisation = self.quantise.unwrap_or(Quantisation::F32);
        let name = run_path(&self.run);
        let name = name.file_name().map_or(self.run.clone(), |name| name.to_string_lossy().into_owned());
        let mut notes = Vec::new();
        output_file::write(&self.target, |out| {
            let (config, params) = (gpt.config(), gpt.params());
            let model = gguf::Export { name: &name, config, params, tokenizer, quantisation };
            notes = gguf::export(out, &self.target, model)?;
            Ok(())
        })?;
        notes.iter().for_each(|text| lines::note(&format!("note: {text}")));
        lines::note(&format!(
            "saved in {}; llama.cpp can run it, and `m2g gpt sample {}`",
            self.target.display(),
            quoted(&self.target)
        ));
        Ok(())
    }
}
