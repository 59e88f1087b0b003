//! `m2g bleu`: scores translations.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_text::source::PIPED;
use m2g_translate::metrics::{Bleu, BleuScore, Chrf, Difference, Metric, Tokenization, paired_bootstrap};
use serde_json::{Value, json};

use crate::flags::{check_read_once, one_of};
use crate::output;
use crate::terminal::lines::{entry_at, note};
use crate::terminal::width::columns;
use crate::translate::lines::{BYTE_ORDER_MARK, exact_lines, name, parallel_lines};

/// Corpora that the paired bootstrap draws.
const SAMPLES: usize = 1000;

/// The column in which the text after a name starts.
const TEXT_COLUMN: usize = 9;

/// Score translations against references: BLEU and chrF, as sacreBLEU 2.6 computes them.
///
/// Reads one sentence per line, from standard input or a file, plain or gzip. Sentences and references are
/// raw text: they are split into words here.
#[derive(Args)]
pub struct BleuCommand {
    /// The file with the references, a line for each translation; several files for several references of
    /// each sentence.
    #[arg(required = true, value_name = "REF")]
    references: Vec<PathBuf>,
    /// The file with the translations; - for standard input.
    #[arg(long, value_name = "FILE", default_value = PIPED)]
    hypotheses: PathBuf,
    /// The translations of another system: show by how much they differ, with the 95 % interval of a
    /// paired bootstrap.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Take upper and lower case as the same.
    #[arg(long)]
    lowercase: bool,
    /// How a sentence becomes words: 13a as in WMT, or none, only at white space.
    #[arg(long, value_name = "NAME", default_value = "13a", value_parser = one_of::<Tokenization>(&["13a", "none"]))]
    tokenize: Tokenization,
    /// Count only the orders of n-grams that the translations are long enough for: for single sentences.
    #[arg(long)]
    effective_order: bool,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl BleuCommand {
    /// Scores and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let files = self.references.iter().chain([&self.hypotheses]).chain(&self.baseline);
        check_read_once(files, "the references, --hypotheses (- unless it is given) and --baseline")?;
        let references: Vec<Vec<String>> =
            self.references.iter().map(|file| read(file)).collect::<anyhow::Result<_>>()?;
        let hypotheses = self.fitting(&self.hypotheses, &references)?;
        let baseline = self.baseline.as_ref().map(|file| self.fitting(file, &references)).transpose()?;
        let Self { lowercase, tokenize, effective_order, .. } = self;
        let bleu = Bleu { lowercase, tokenize, effective_order, ..Bleu::default() };
        let chrf = Chrf { lowercase, ..Chrf::default() };
        let corpus = Corpus { hypotheses, baseline, references };
        let (bleu_scores, chrf_scores) = (corpus.measure(&bleu)?, corpus.measure(&chrf)?);
        let explained = bleu.explain(&bleu_scores.counts);
        match self.json {
            true => output::line(json!({
                "event": "bleu",
                "bleu": bleu_json(&bleu_scores, &explained),
                "chrf": chrf_scores.json(),
                "sentences": corpus.hypotheses.len(),
            }))?,
            false => {
                let columns = columns();
                let entry = |name: &str, text: &str| entry_at(TEXT_COLUMN, name, text, columns);
                let mut text = vec![
                    entry(&bleu_scores.name, &bleu_scores.text()),
                    entry("", &factors(&explained)),
                    entry(&chrf_scores.name, &chrf_scores.text()),
                ];
                for (name, difference) in
                    [(&bleu_scores.name, bleu_scores.difference), (&chrf_scores.name, chrf_scores.difference)]
                {
                    text.extend(difference.map(|difference| entry("", &compared(name, &difference))));
                }
                output::line(text.join("\n"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The lines of a file with as many lines as each set of references.
    fn fitting(&self, file: &Path, references: &[Vec<String>]) -> anyhow::Result<Vec<String>> {
        let lines = read(file)?;
        for (reference, path) in references.iter().zip(&self.references) {
            parallel_lines(file, lines.len(), path, reference.len())?;
        }
        match lines.is_empty() {
            true => bail!("{} has no lines: there is nothing to score", name(file)),
            false => Ok(lines),
        }
    }
}

/// The lines of a file. Notes what lowers the score unseen.
fn read(file: &Path) -> anyhow::Result<Vec<String>> {
    let lines = exact_lines(file)?;
    if lines.first().is_some_and(|first| first.starts_with(BYTE_ORDER_MARK)) {
        note(&format!(
            "note: {} begins with a byte-order mark (BOM), which counts as text, as in sacreBLEU: save the file \
             without it",
            name(file)
        ));
    }
    Ok(lines)
}

/// The sentences to score.
struct Corpus {
    hypotheses: Vec<String>,
    baseline: Option<Vec<String>>,
    references: Vec<Vec<String>>,
}

/// A score of a corpus.
struct Scores<C> {
    name: String,
    signature: String,
    counts: C,
    score: f64,
    difference: Option<Difference>,
}

impl Corpus {
    fn measure<M: Metric>(&self, metric: &M) -> anyhow::Result<Scores<M::Counts>> {
        let (counts, difference) = match &self.baseline {
            None => (metric.corpus(&self.hypotheses, &self.references)?, None),
            Some(baseline) => {
                // The bootstrap draws segments.
                let segments = metric.segments(&self.hypotheses, &self.references)?;
                let baseline = metric.segments(baseline, &self.references)?;
                let difference = paired_bootstrap(metric, &segments, &baseline, SAMPLES, 1);
                (segments.into_iter().sum(), Some(difference))
            }
        };
        let signature = metric.signature(self.references.len());
        Ok(Scores { name: metric.name(), signature, counts, score: metric.score(&counts), difference })
    }
}

impl<C> Scores<C> {
    fn text(&self) -> String {
        format!("{:.2} {}", self.score, self.signature)
    }

    fn json(&self) -> Value {
        let mut json = json!({"name": self.name, "score": self.score, "signature": self.signature});
        if let Some(Difference { difference, low, high, p }) = self.difference {
            json["difference"] = json!({
                "difference": difference, "low": low, "high": high, "p": p, "samples": SAMPLES,
            });
        }
        json
    }
}

fn bleu_json<C>(scores: &Scores<C>, explained: &BleuScore) -> Value {
    let (mut json, counts) = (scores.json(), explained.counts);
    json["precisions"] = json!(explained.precisions);
    json["brevity_penalty"] = json!(explained.brevity_penalty);
    json["matches"] = json!(counts.matches);
    json["totals"] = json!(counts.totals);
    json["hypothesis_words"] = json!(counts.hypothesis_words);
    json["reference_words"] = json!(counts.reference_words);
    json
}

/// The factors of BLEU: `95.2/84.4/76.0/68.3 %, brevity penalty 0.986 (2429 words for 2463)`.
fn factors(score: &BleuScore) -> String {
    let precisions: Vec<String> = score.precisions.iter().map(|p| format!("{p:.1}")).collect();
    let counts = score.counts;
    format!(
        "{} %, brevity penalty {:.3} ({} words for {})",
        precisions.join("/"),
        score.brevity_penalty,
        counts.hypothesis_words,
        counts.reference_words
    )
}

/// How two systems differ.
fn compared(name: &str, Difference { difference, low, high, p }: &Difference) -> String {
    format!(
        "{name} is {difference:+.2} from the baseline, 95 % interval {low:+.2} to {high:+.2}, p = {p:.3} \
         ({SAMPLES} samples)"
    )
}
