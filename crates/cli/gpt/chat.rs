//! `m2g gpt chat`.

mod commands;
mod conversation;

use std::io::{self, BufRead, IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use m2g_core::threads::with_threads;
use m2g_gpt::Generator;

use self::conversation::{Conversation, Next};
use super::generation_flags::{GenerationFlags, at_least_one};
use crate::errors;
use crate::terminal::notes;
use crate::{interrupt, output};

/// Type a line, and see a trained model continue it.
///
/// Ctrl-C stops an answer, Ctrl-D leaves, /help lists the commands. The model continues all that was
/// said before, as far as its window reaches. With lines piped in, it works as a script.
#[derive(Args)]
pub struct Chat {
    /// The run: a name under runs/, or a path; or a GGUF file.
    #[arg(value_name = "RUN|FILE.gguf")]
    run: String,
    /// The largest number of tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = at_least_one)]
    tokens: usize,
    #[command(flatten)]
    generation: GenerationFlags,
}

const PROMPT: &str = "> ";

impl Chat {
    /// Answers line after line, to the end of the input.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let terminal = io::stdin().is_terminal();
        with_threads(self.generation.threads(), || self.talk(terminal))?
    }

    fn talk(&self, terminal: bool) -> anyhow::Result<ExitCode> {
        let (gpt, tokenizer) = self.generation.load(&self.run)?;
        let Some(tokenizer) = tokenizer else {
            bail!("{} has no tokenizer, so it cannot read a line: use `m2g gpt sample`", self.run)
        };
        let seed = self.generation.seed();
        let options = self.generation.options(seed);
        // Fails for an invalid flag before the first line is typed.
        Generator::new(&gpt, &options, &tokenizer.start_of_text(), 0)?;
        if let Some(seed) = self.generation.unknown_seed(seed) {
            notes::line(format_args!("--seed {seed} repeats this conversation"));
        }
        if terminal {
            notes::line("type a line to see it continued; /help lists the commands, Ctrl-D leaves");
        }
        let until = self.generation.until(self.tokens);
        let mut conversation = Conversation::new(&gpt, &tokenizer, &self.generation, options, until);
        let mut input = io::stdin().lock();
        let mut failed = false;
        loop {
            if terminal {
                interrupt::wait_for_line(|| {
                    notes::part(format_args!("\nCtrl-D leaves, or Ctrl-C again\n{PROMPT}"))
                });
                notes::part(PROMPT);
            }
            // Without input, as when its terminal was closed, the conversation is over.
            let Some(line) = read_line(&mut input)? else { break };
            match line.and_then(|line| conversation.take(&line, !terminal)) {
                Ok(Next::Line) => {}
                Ok(Next::Leave) => break,
                // A script ends; a person goes on.
                Ok(Next::Interrupted) if !terminal => {
                    notes::line("stopped before the end");
                    return Ok(ExitCode::from(interrupt::EXIT_CODE));
                }
                Ok(Next::Interrupted) => {}
                Err(error) if output::is_broken_pipe(&error) => return Err(error),
                Err(error) => {
                    errors::print(&error);
                    failed = true;
                }
            }
        }
        if terminal {
            notes::line("");
        }
        Ok(if failed && !terminal { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// The longest line in bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// The next line without its end, unless it is no text; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> anyhow::Result<Option<anyhow::Result<String>>> {
    let mut bytes = Vec::new();
    let read = input.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut bytes);
    if read.context("cannot read standard input")? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > MAX_LINE_BYTES && !bytes.ends_with(b"\n") {
        input.skip_until(b'\n').context("cannot read standard input")?;
        let most = MAX_LINE_BYTES >> 20;
        return Ok(Some(Err(anyhow!("standard input: a line has more than {most} MiB"))));
    }
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    Ok(Some(std::str::from_utf8(line).map(String::from).map_err(|e| {
        anyhow!("standard input: a line is not UTF-8 text: its byte {} is invalid", e.valid_up_to())
    })))
}
