//! `m2g gpt chat`.

mod commands;

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use m2g_core::threads::with_threads;
use m2g_gpt::continuation::{StopReason, Until, continue_until};
use m2g_gpt::{GenerateOptions, Generator, Gpt};
use m2g_text::Tokenizer;

use self::commands::Next;
use super::generation_flags::{GenerationFlags, beginning, tell_of_window};
use crate::flags::run_path;
use crate::{interrupt, output};

/// Type a line, and see a trained model continue it.
#[derive(Args)]
pub struct Chat {
    /// The run: a name under runs/, or a path.
    #[arg(value_name = "RUN")]
    run: String,
    /// The largest number of tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = 200)]
    tokens: usize,
    #[command(flatten)]
    generation: GenerationFlags,
}

const PROMPT: &str = "> ";

impl Chat {
    /// Answers line after line, to the end of the input.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let terminal = io::stdin().is_terminal();
        interrupt::set_answering(false);
        interrupt::listen_between_answers(match terminal {
            true => || eprint!("\nCtrl-D leaves\n{PROMPT}"),
            false => interrupt::exit,
        });
        with_threads(self.generation.threads(), || self.talk(terminal))?
    }

    fn talk(&self, terminal: bool) -> anyhow::Result<ExitCode> {
        let (gpt, tokenizer) = self.generation.load(&run_path(&self.run))?;
        let Some(tokenizer) = tokenizer else {
            bail!("{} has no tokenizer, so it cannot read a line: use `m2g gpt sample`", self.run)
        };
        let seed = self.generation.seed();
        let options = self.generation.options(seed);
        // Fails for an invalid flag before the first line is typed.
        Generator::new(&gpt, &options, &beginning(Some(&tokenizer)), 0)?;
        if let Some(seed) = self.generation.unknown_seed(seed) {
            eprintln!("--seed {seed} repeats this conversation");
        }
        if terminal {
            eprintln!("type a line to see it continued; /help lists the commands, Ctrl-D leaves");
        }
        let mut conversation = Conversation {
            gpt: &gpt,
            tokenizer: &tokenizer,
            flags: &self.generation,
            options,
            until: self.generation.until(self.tokens),
            ids: Vec::new(),
            answers: 0,
            told_of_window: false,
        };
        let mut input = io::stdin().lock();
        let mut failed = false;
        loop {
            if terminal {
                eprint!("{PROMPT}");
            }
            let line = match read_line(&mut input) {
                Ok(None) => break,
                Ok(Some(line)) => Ok(line),
                Err(error) => Err(error),
            };
            match line.and_then(|line| conversation.take(&line, !terminal)) {
                Ok(Next::Line) => {}
                Ok(Next::Leave) => break,
                // A script ends; a person goes on.
                Ok(Next::Interrupted) if !terminal => return Ok(ExitCode::from(interrupt::EXIT_CODE)),
                Ok(Next::Interrupted) => {}
                Err(error) if output::is_broken_pipe(&error) => return Err(error),
                Err(error) => {
                    eprintln!("error: {error}");
                    failed = true;
                }
            }
        }
        if terminal {
            eprintln!();
        }
        Ok(if failed && !terminal { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// The next line without its end; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    let mut bytes = Vec::new();
    if input.read_until(b'\n', &mut bytes).context("cannot read standard input")? == 0 {
        return Ok(None);
    }
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(line) => Ok(Some(line.into())),
        Err(e) => bail!("standard input: a line is not UTF-8 text: its byte {} is invalid", e.valid_up_to()),
    }
}

/// What was said so far, and how the next answer is written.
struct Conversation<'a> {
    gpt: &'a Gpt<f32>,
    tokenizer: &'a Tokenizer,
    flags: &'a GenerationFlags,
    options: GenerateOptions,
    until: Until,
    /// The tokens of all lines and answers, at most `block_size` of them.
    ids: Vec<u32>,
    /// The number of answers since the seed was set: each has a random stream of its own.
    answers: u64,
    told_of_window: bool,
}

impl Conversation<'_> {
    /// Takes a line: a command, or text to continue. A line that starts with two slashes is text that
    /// starts with one. With `echo`, prints the text before its continuation.
    fn take(&mut self, line: &str, echo: bool) -> anyhow::Result<Next> {
        match line.strip_prefix('/') {
            Some(text) if text.starts_with('/') => self.answer(text, echo),
            Some(command) => self.command(command),
            None => self.answer(line, echo),
        }
    }

    /// Continues all that was said, and this line. An empty line adds nothing to it.
    fn answer(&mut self, line: &str, echo: bool) -> anyhow::Result<Next> {
        let mut ids = self.ids.clone();
        if !line.is_empty() {
            ids.extend(self.encode(line)?);
        }
        if ids.is_empty() {
            ids = beginning(Some(self.tokenizer));
        }
        let window = self.gpt.config().block_size;
        if ids.len() > window && !self.told_of_window {
            tell_of_window("the conversation", ids.len(), window);
            self.told_of_window = true;
        }
        let mut generator =
            Generator::new(self.gpt, &self.options, &ids, self.answers)?.only_tokens_of(Some(self.tokenizer));
        let mut out = io::stdout().lock();
        if echo {
            out.write_all(line.as_bytes())?;
        }
        interrupt::set_answering(true);
        let answer = continue_until(&mut generator, Some(self.tokenizer), &self.until, &[], &mut |text| {
            out.write_all(text.as_bytes())?;
            out.flush()?;
            anyhow::Ok(!interrupt::requested())
        });
        interrupt::set_answering(false);
        let answer = answer?;
        writeln!(out)?;
        out.flush()?;
        self.answers += 1;
        // Of a stop text, nothing was shown, so nothing belongs to the conversation.
        match &answer.reason {
            StopReason::Stop(_) => ids.extend(self.tokenizer.encode(&answer.text)?),
            _ => ids.extend(&answer.tokens),
        }
        ids.drain(..ids.len().saturating_sub(window));
        self.ids = ids;
        Ok(if answer.reason == StopReason::Interrupted { Next::Interrupted } else { Next::Line })
    }

    /// The tokens of a line, which begins on a new line unless a text begins with it.
    fn encode(&self, line: &str) -> anyhow::Result<Vec<u32>> {
        let last = self.ids.last().copied();
        let begins = last.is_none_or(|id| {
            Some(id) == self.tokenizer.end_of_text() || self.tokenizer.decode(&[id]).ends_with('\n')
        });
        if !begins && let Ok(mut newline) = self.tokenizer.encode("\n") {
            newline.extend(self.flags.encode(self.tokenizer, line)?);
            return Ok(newline);
        }
        self.flags.encode(self.tokenizer, line)
    }
}
