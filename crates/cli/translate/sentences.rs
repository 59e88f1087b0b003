//! `m2g translate translate`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use m2g_core::Error;
use m2g_core::threads::with_threads;
use m2g_text::Tokenizer;
use m2g_text::source::PIPED;
use m2g_translate::Transformer;
use m2g_translate::ask::{Pair, alignment};
use m2g_translate::decode::{Translation, Translator};
use serde_json::json;

use super::beam_tree;
use super::decoding_flags::DecodingFlags;
use super::lines::lines;
use crate::flags::{Checkpoint, Threads, run_path};
use crate::interrupt::{self, Work};
use crate::models::run::load;
use crate::output;
use crate::terminal::lines::{counted, note};
use crate::terminal::notes;

/// Batches between two writes: enough that sentences of similar length meet in a batch, and that many threads have work.
/// The number of threads does not count: which sentences share a batch must not depend on it.
const BATCHES_PER_WRITE: usize = 32;

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
    /// After each translation, print ||| and which of its words comes from which word of the sentence: i-j links
    /// word i of the sentence to word j of the translation, both counted from 0, with white space between words
    /// (the format of Pharaoh). Each word of the translation is linked to the one that its prediction attends to
    /// most, in the mean over the heads of all decoder layers but the first.
    #[arg(long)]
    alignments: bool,
    /// Draw the search of a single sentence as a tree, with scores and pruned branches: a .svg, .png or .txt file.
    #[arg(long, value_name = "FILE")]
    beam_tree: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: Checkpoint,
    #[command(flatten)]
    threads: Threads,
    /// Print one JSON object per sentence to stdout.
    #[arg(long)]
    json: bool,
}

impl Translate {
    /// Translates, and reports the speed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let _work = Work::stoppable();
        with_threads(self.threads.number(), || self.translate())?
    }

    fn translate(&self) -> anyhow::Result<ExitCode> {
        let options = self.decoding.options(self.n_best)?;
        let (model, description) = load::<Transformer<f32>>(&run_path(&self.run), self.checkpoint.file())?;
        let translator = Translator::new(&model, &description.tokenizer, options)?;
        let translator = translator.stop_when(Some(interrupt::requested));
        let sentences = lines(&self.file)?;
        if let Some(out) = &self.beam_tree {
            let [sentence] = &sentences[..] else {
                bail!(
                    "--beam-tree draws the search of one sentence, but there are {}: give one line",
                    sentences.len()
                );
            };
            if sentence.trim().is_empty() {
                bail!("--beam-tree draws the search of one sentence, but the line is empty: give a sentence");
            }
            beam_tree::check(out, &options)?;
            let (_, tree) = translator.tree(&translator.encode(sentence)?)?;
            beam_tree::save(out, sentence, &tree, &description.tokenizer, &options)?;
            notes::line(format_args!("drawn: {}", out.display()));
        }
        // Attention is visible only where it runs op by op.
        let unfused = self.alignments.then(|| model.unfused()).transpose()?;
        let started = Instant::now();
        let (mut skipped, mut done) = (0, 0);
        let per_write = options.batch.saturating_mul(BATCHES_PER_WRITE);
        for (chunk, first) in sentences.chunks(per_write).zip((1..).step_by(per_write)) {
            if interrupt::requested() {
                break;
            }
            let (mut sources, mut errors) =
                (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len()));
            for (sentence, line) in chunk.iter().zip(first..) {
                let encoded = translator.encode(sentence);
                let error = encoded.as_ref().err().map(ToString::to_string);
                if let Some(error) = &error {
                    note(&format!("line {line} is left empty: {error}"));
                    skipped += 1;
                }
                sources.push(encoded.unwrap_or_default());
                errors.push(error);
            }
            let translated = match translator.translate(&sources) {
                Err(Error::Stopped) => break,
                translated => translated?,
            };
            for (i, translated) in translated.iter().enumerate() {
                let (sentence, source, error) = (&chunk[i], &sources[i], errors[i].as_deref());
                let found = if error.is_some() { &[] } else { &translated[..] };
                let links = found.iter().map(|found| {
                    let Some(model) = &unfused else { return Ok(None) };
                    links(model, &description.tokenizer, &translator, source, found).map(Some)
                });
                let links: Vec<Option<Links>> = links.collect::<anyhow::Result<_>>()?;
                self.print(first + i, (sentence, source), error, found, &links)?;
            }
            done += chunk.len();
        }
        let seconds = started.elapsed().as_secs_f64();
        let stopped = if interrupt::requested() { "stopped before the end: " } else { "" };
        note(&format!(
            "{stopped}{} in {seconds:.2} s, {:.1} sentences/s",
            counted(done, "sentence"),
            done as f64 / seconds.max(1e-9)
        ));
        Ok(match (interrupt::requested(), skipped) {
            (true, _) => ExitCode::from(interrupt::EXIT_CODE),
            (false, 0) => ExitCode::SUCCESS,
            (false, _) => ExitCode::FAILURE,
        })
    }

    /// Prints the translations of a line: none if it has an error.
    fn print(
        &self,
        line: usize,
        (sentence, tokens): (&str, &[u32]),
        error: Option<&str>,
        found: &[Translation],
        links: &[Option<Links>],
    ) -> anyhow::Result<()> {
        let found = found.iter().zip(links);
        if self.json {
            let translation = |(t, links): (&Translation, &Option<Links>)| {
                let mut object = json!({
                    "text": t.text, "tokens": t.tokens, "score": t.score,
                    "log_probability": t.log_probability, "is_complete": t.is_complete,
                });
                if let Some(links) = links {
                    object["alignment"] = json!(links);
                }
                object
            };
            let mut object = json!({
                "event": "translation", "line": line, "source": sentence, "source_tokens": tokens,
                "translations": found.map(translation).collect::<Vec<_>>(),
            });
            if let Some(error) = error {
                object["error"] = json!(error);
            }
            return output::line(object);
        }
        // A translation is one line, whatever it says.
        let text = |(t, links): (&Translation, &Option<Links>)| match links {
            Some(links) => {
                let links: Vec<String> = links.iter().map(|[i, j]| format!("{i}-{j}")).collect();
                format!("{} ||| {}", one_line(&t.text), links.join(" ")).trim_end().to_string()
            }
            None => one_line(&t.text),
        };
        let mut found = found;
        match self.n_best {
            1 => output::line(found.next().map_or(String::new(), text)),
            _ => found.try_for_each(|t| output::line(format!("{line}\t{:.4}\t{}", t.0.score, text(t)))),
        }
    }
}

/// Pairs of a word of the sentence and a word of its translation.
type Links = Vec<[usize; 2]>;

/// The links of a translation. `model` runs op by op.
fn links(
    model: &Transformer<f32>,
    tokenizer: &Tokenizer,
    translator: &Translator<'_>,
    source: &[u32],
    found: &Translation,
) -> anyhow::Result<Links> {
    if source.is_empty() || found.tokens.is_empty() {
        return Ok(Links::new());
    }
    let special = translator.specials();
    Ok(alignment(model, &Pair::new(source, &found.with_end(special), tokenizer), special)?)
}

/// The text without line breaks.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
