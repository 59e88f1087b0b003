//! `m2g translate prepare`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::Args;
use m2g_core::train::run_folder::LAST;
use m2g_text::TextError;
use m2g_translate::data::{HeldOut, Prepare, TextPair, hold_out, prepare, read_tsv, read_two_files};
use m2g_translate::training::Training;
use serde_json::json;

use crate::flags::{quoted, run_path};
use crate::output;
use crate::output_file::followed_folder;
use crate::terminal::lines::{counted, note};

/// Tokenize parallel text into a folder to train on.
///
/// Learns one vocabulary of byte pairs for both languages, so no character is unknown. Drops and counts pairs
/// that are empty or too long.
#[derive(Args)]
pub struct PreparePairs {
    /// Two files, where line n of the second translates line n of the first, or one file with sentence, tab,
    /// translation on each line. Plain or gzip.
    #[arg(required = true, num_args = 1..=2, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The validation pairs, given like the input [default: a tenth of the input, at most 1000 pairs].
    #[arg(long, num_args = 1..=2, value_name = "INPUT")]
    val: Vec<PathBuf>,
    /// The tokenizer: char, word, byte, bpe:N for N tokens learned from both languages, or a run for the
    /// tokenizer of that run.
    #[arg(long, value_name = "char|word|byte|bpe:N|RUN", default_value = "bpe:8000")]
    tokenizer: String,
    /// Drop pairs with more tokens than this on a side.
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_length: usize,
    /// The folder to create.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the folder if prepare created it.
    #[arg(long)]
    overwrite: bool,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl PreparePairs {
    /// Prepares the pairs and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(self.max_length >= 2, "--max-length is {}: it must be at least 2", self.max_length);
        let (pairs, mut reports) = read(&self.inputs)?;
        let (train, val) = match &self.val[..] {
            [] => {
                let HeldOut { train, val, report } = hold_out(pairs);
                reports.extend(report);
                (train, val)
            }
            inputs => {
                let (val, more) = read(inputs)?;
                reports.extend(more);
                (pairs, val)
            }
        };
        let run = run_path(&self.tokenizer);
        let of_run = match run.join(LAST).is_file() {
            true => Some(Training::describe(&run)?.tokenizer),
            false => None,
        };
        let what = Prepare {
            train: &train,
            val: &val,
            sources: self.inputs.iter().chain(&self.val).map(|path| path.display().to_string()).collect(),
            reports,
            tokenizer: of_run.as_ref().ok_or(&self.tokenizer[..]),
            max_length: self.max_length,
            out: followed_folder(&self.out),
            overwrite: self.overwrite,
        };
        let meta = match prepare(&what) {
            Err(TextError::Exists(out)) => bail!(
                "{} exists: choose another folder with --out, or replace it with --overwrite",
                out.display()
            ),
            Err(TextError::Tokenizer(error)) if error.is_of_text() => {
                bail!("{}: {error}", what.sources.join(", "))
            }
            Err(error @ TextError::Text { .. }) => {
                bail!("{}", error.to_string().replace("or give validation pairs", "or give --val pairs"))
            }
            prepared => prepared.map_err(m2g_core::Error::from)?,
        };
        meta.reports.iter().for_each(|report| note(&report.replace("(max_length)", "(--max-length)")));
        if self.json {
            let mut json = serde_json::to_value(&meta)?;
            json["event"] = json!("prepare");
            json["folder"] = json!(what.out.to_string_lossy());
            output::line(json)?;
        } else {
            output::line(format!(
                "{}: {} tokens in the vocabulary, {} training and {}",
                quoted(&what.out),
                meta.vocab_size,
                meta.train_pairs,
                counted(meta.val_pairs as u64, "validation pair")
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The pairs in one file or two, and what was cleaned.
fn read(inputs: &[PathBuf]) -> anyhow::Result<(Vec<TextPair>, Vec<String>)> {
    let paths: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    let read = match paths[..] {
        [tsv] => read_tsv(tsv),
        [source, target] => read_two_files(source, target),
        _ => bail!("give one file with tabs, or two parallel files"),
    };
    Ok(read.map_err(m2g_core::Error::from)?)
}
