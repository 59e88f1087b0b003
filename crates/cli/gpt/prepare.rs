//! `m2g gpt prepare`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use m2g_core::Error;
use m2g_core::train::run_folder::LAST;
use m2g_gpt::training::Training;
use m2g_text::prepare::{Prepare, TokenizerChoice, prepare};
use m2g_text::source::DocumentSeparator;
use m2g_text::token_file::Meta;
use m2g_text::{Documents, TextError, Tokenizer, TokenizerKind};

use crate::errors::with_dashes;
use crate::flags::{check_read_once, quoted, run_path};
use crate::interrupt::{self, Work};
use crate::output;
use crate::output_file::followed_folder;
use crate::progress::Bar;
use crate::terminal::lines::{note, wrap};
use crate::terminal::notes;
use crate::terminal::width::columns;

/// Tokenize text into a folder to train on.
///
/// The folder holds train.bin and val.bin, tokenizer.json and meta.json. A token is 2 bytes, as in nanoGPT's
/// files, or 4 with more than 65,536 tokens.
#[derive(Args)]
pub struct PrepareText {
    /// Text files of any size, plain or gzip; folders of text files; names of datasets; tales; or - for
    /// standard input. All texts are concatenated. A text without white space needs memory for 36 times its size,
    /// unless the tokenizer is char or byte.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The tokenizer: char, word, byte, gpt2, bpe:N for N tokens learned from the text, or a run for the
    /// tokenizer of that run.
    #[arg(long, value_name = "char|word|byte|gpt2|bpe:N|RUN", default_value = "char")]
    tokenizer: String,
    /// Where documents end: files (at the end of each file), none, or a text such as \n\n that also
    /// separates documents within a file. An end-of-text token stands between two documents. auto means
    /// files for gpt2 and bpe:N, none for char, word and byte.
    #[arg(long, value_name = "TEXT", default_value = "auto")]
    document_separator: DocumentSeparator,
    /// Read <|endoftext|> in the text as the end-of-text token, not as plain text.
    #[arg(long)]
    special_tokens: bool,
    /// The folder to create.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the folder if prepare created it.
    #[arg(long)]
    overwrite: bool,
    /// The fraction of the text to keep for validation, taken from its end.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    val_fraction: f64,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl PrepareText {
    /// Prepares the text and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        check_read_once(&self.inputs, "the inputs")?;
        let of_run = tokenizer_of_run(&self.tokenizer)?;
        let what = Prepare {
            inputs: self.inputs,
            documents: Documents { separator: self.document_separator, special_tokens: self.special_tokens },
            tokenizer: match &of_run {
                Some(tokenizer) => TokenizerChoice::Existing(tokenizer),
                None => TokenizerChoice::New(new_tokenizer(&self.tokenizer)?),
            },
            out: followed_folder(&self.out),
            overwrite: self.overwrite,
            val_fraction: self.val_fraction,
        };
        let bar = Bar::new(0, 1);
        let work = Work::stoppable();
        let prepared = prepare(&what, &mut |progress| {
            bar.set(progress.done, progress.total);
            bar.message(progress.doing.into());
            !interrupt::requested()
        });
        bar.finish();
        drop(work);
        let meta = match prepared {
            Err(TextError::Stopped) => {
                notes::line(TextError::Stopped);
                return Ok(ExitCode::from(interrupt::EXIT_CODE));
            }
            Err(TextError::Exists(out)) => bail!(
                "{} exists: choose another folder with --out, or replace it with --overwrite",
                out.display()
            ),
            Err(TextError::Tokenizer(error)) if error.is_of_text() => {
                let names: Vec<String> =
                    what.inputs.iter().map(|input| input.display().to_string()).collect();
                bail!("{}: {error}", names.join(", "))
            }
            prepared => prepared.map_err(m2g_core::Error::from)?,
        };
        for report in &meta.reports {
            note(&with_dashes(report));
        }
        if self.json {
            output::line(json(&meta, &what)?)?;
        } else {
            let Meta { tokenizer, vocab_size, train_tokens, val_tokens, .. } = &meta;
            let out = quoted(&what.out);
            let text = format!(
                "{out}: tokenizer {tokenizer}, {vocab_size} tokens in the vocabulary, {train_tokens} training and \
                 {val_tokens} validation tokens"
            );
            output::line(wrap(&text, columns(), 2))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The tokenizer of a run; `None` if there is no run of this name, or the name is a kind of tokenizer.
fn tokenizer_of_run(name: &str) -> anyhow::Result<Option<Tokenizer>> {
    let run = run_path(name);
    if name.parse::<TokenizerKind>().is_ok() || !run.join(LAST).is_file() {
        return Ok(None);
    }
    match Training::describe(&run)?.tokenizer {
        Some(tokenizer) => Ok(Some(tokenizer)),
        None => bail!("the run {} has no tokenizer: it knows only token ids", run.display()),
    }
}

/// A kind of tokenizer by its name.
fn new_tokenizer(name: &str) -> anyhow::Result<TokenizerKind> {
    name.parse().map_err(|error| match error {
        Error::Setting { value, rule, .. } => anyhow!("--tokenizer is {value}: {rule}; or a run that exists"),
        other => other.into(),
    })
}

/// The content of `meta.json`, and the folder.
fn json(meta: &Meta, what: &Prepare<'_>) -> anyhow::Result<serde_json::Value> {
    let mut json = serde_json::to_value(meta)?;
    let object = json.as_object_mut().context("the description of the data is not a JSON object")?;
    object.insert("event".into(), "prepare".into());
    object.insert("folder".into(), what.out.to_string_lossy().into());
    Ok(json)
}
