//! The text that a model continues: from a flag, a file, or a pipe.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use m2g_text::Source;
use m2g_text::source::PIPED;

use crate::terminal::lines::note;
use crate::terminal::notes;

/// The text that a model continues.
#[derive(Args, Clone, Debug)]
pub struct PromptFlags {
    /// The text to continue [default: what is piped in, if anything].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, group = "start")]
    prompt: Option<String>,
    /// A file with the text to continue, plain or gzip; - is standard input, without its last line end.
    #[arg(long, value_name = "FILE", group = "start")]
    prompt_file: Option<PathBuf>,
    /// The token ids to continue.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', group = "start")]
    prompt_tokens: Option<Vec<u32>>,
}

/// What a model continues.
pub enum Prompt {
    /// This text, which may be empty.
    Text(String),
    /// These tokens.
    Tokens(Vec<u32>),
}

/// The longest prompt in bytes.
const MAX_PROMPT_BYTES: u64 = 16 << 20;

/// How long a command waits for a pipe before it says so.
const PATIENCE: Duration = Duration::from_secs(2);

impl PromptFlags {
    /// The prompt. Without a flag, it is what is piped in.
    pub fn read(&self) -> anyhow::Result<Prompt> {
        Ok(match self {
            Self { prompt_tokens: Some(ids), .. } => Prompt::Tokens(ids.clone()),
            Self { prompt: Some(text), .. } => Prompt::Text(text.clone()),
            Self { prompt_file: Some(file), .. } if file.as_os_str() != PIPED => {
                Prompt::Text(from_file(file)?)
            }
            Self { prompt_file: None, .. } if io::stdin().is_terminal() => Prompt::Text(String::new()),
            _ => Prompt::Text(piped()?),
        })
    }
}

fn from_file(file: &Path) -> anyhow::Result<String> {
    if file.is_dir() {
        bail!("--prompt-file is {}, which is a folder: give one text file", file.display());
    }
    text(&Source::files(&[file.to_path_buf()])?)
}

/// What is piped in, without its last line end: `echo` and most programs add one.
fn piped() -> anyhow::Result<String> {
    let arrived = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&arrived);
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        if !seen.load(Ordering::Relaxed) {
            notes::line("waiting for the prompt on standard input; --prompt TEXT starts without it");
        }
    });
    let source = Source::standard_input(MAX_PROMPT_BYTES);
    arrived.store(true, Ordering::Relaxed);
    let mut all = text(&source?)?;
    if all.ends_with('\n') {
        all.pop();
    }
    Ok(all)
}

/// The text, cleaned as training text is. Here, every byte has to be right.
fn text(source: &Source) -> anyhow::Result<String> {
    let (text, cleaned) = source.read_to_string(MAX_PROMPT_BYTES)?;
    if cleaned.invalid > 0 {
        bail!(
            "{}: it is not UTF-8 text: {} of its {} bytes are invalid; convert it to UTF-8 first",
            source.name,
            cleaned.invalid,
            cleaned.bytes
        );
    }
    for report in source.reports(&cleaned) {
        note(&report);
    }
    Ok(text)
}
