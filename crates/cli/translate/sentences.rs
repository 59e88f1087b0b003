//! `m2g translate translate`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use m2g_core::threads::with_threads;
use m2g_core::train::run_folder::{BEST, LAST};
use m2g_text::source::PIPED;
use m2g_translate::Transformer;
use m2g_translate::decode::{Translation, Translator};
use serde_json::json;

use super::decoding_flags::DecodingFlags;
use super::lines::lines;
use crate::flags::run_path;
use crate::interrupt::{self, Work};
use crate::models::run::load;
use crate::output;
use crate::terminal::lines::note;

/// Batches between two writes: enough that sentences of similar length meet in a batch.
const BATCHES_PER_WRITE: usize = 16;

/// Translate sentences: one line in, one line out.
#[derive(Args)]
pub struct Translate {
    /// The run: a name under runs/, or a path.
    #[arg(value_name = "RUN")]
    run: String,
    /// The file with the sentences, one on each line, plain or gzip; - for standard input.
    #[arg(value_name = "FILE", default_value = PIPED)]
    file: PathBuf,
    #[command(flatten)]
    decoding: DecodingFlags,
    /// Print this number of different translations of each sentence, the best first, each with the number of
    /// its line and its score.
    #[arg(long, value_name = "N", default_value_t = 1)]
    n_best: usize,
    /// Use the last parameters of the run instead of the best on held-out data.
    #[arg(long)]
    last: bool,
    /// Number of threads; the result is the same for any number [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object per sentence to stdout.
    #[arg(long)]
    json: bool,
}

impl Translate {
    /// Translates, and reports the speed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let _work = Work::stoppable();
        with_threads(usize::from(self.threads.unwrap_or(0)), || self.translate())?
    }

    fn translate(&self) -> anyhow::Result<ExitCode> {
        let options = self.decoding.options(self.n_best)?;
        let file = if self.last { LAST } else { BEST };
        let (model, description) = load::<Transformer<f32>>(&run_path(&self.run), file)?;
        let translator = Translator::new(&model, &description.tokenizer, options)?;
        let sentences = lines(&self.file)?;
        let started = Instant::now();
        let (mut skipped, mut done) = (0, 0);
        for (chunk, first) in sentences
            .chunks(options.batch * BATCHES_PER_WRITE)
            .zip((1..).step_by(options.batch * BATCHES_PER_WRITE))
        {
            if interrupt::requested() {
                break;
            }
            let mut sources = Vec::with_capacity(chunk.len());
            for (sentence, line) in chunk.iter().zip(first..) {
                sources.push(translator.encode(sentence).unwrap_or_else(|error| {
                    note(&format!("line {line} is left empty: {error}"));
                    skipped += 1;
                    Vec::new()
                }));
            }
            for (((sentence, tokens), found), line) in
                chunk.iter().zip(&sources).zip(translator.translate(&sources)?).zip(first..)
            {
                self.print(line, (sentence, tokens), &found)?;
            }
            done += chunk.len();
        }
        let seconds = started.elapsed().as_secs_f64();
        let stopped = if interrupt::requested() { "stopped before the end: " } else { "" };
        note(&format!(
            "{stopped}{done} sentences in {seconds:.2} s, {:.1} sentences/s",
            done as f64 / seconds.max(1e-9)
        ));
        Ok(match (interrupt::requested(), skipped) {
            (true, _) => ExitCode::from(interrupt::EXIT_CODE),
            (false, 0) => ExitCode::SUCCESS,
            (false, _) => ExitCode::FAILURE,
        })
    }

    fn print(
        &self,
        line: usize,
        (sentence, tokens): (&str, &[u32]),
        found: &[Translation],
    ) -> anyhow::Result<()> {
        if self.json {
            let translations: Vec<_> = found
                .iter()
                .map(|t| {
                    json!({
                        "text": t.text, "tokens": t.tokens, "score": t.score,
                        "log_probability": t.log_probability, "is_complete": t.is_complete,
                    })
                })
                .collect();
            return output::line(json!({
                "event": "translation", "line": line, "source": sentence, "source_tokens": tokens,
                "translations": translations,
            }));
        }
        match self.n_best {
            // A translation is one line, whatever it says.
            1 => output::line(found.first().map_or(String::new(), |t| one_line(&t.text))),
            _ => found
                .iter()
                .try_for_each(|t| output::line(format!("{line}\t{:.4}\t{}", t.score, one_line(&t.text)))),
        }
    }
}

/// The text without line breaks.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
