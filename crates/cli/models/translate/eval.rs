//! `m2g translate eval`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use m2g_core::Tape;
use m2g_core::ranks::Ranks;
use m2g_core::threads::with_threads;
use m2g_translate::data::TextPair;
use m2g_translate::decode::{Options, Translator};
use m2g_translate::evaluation::{bleu_and_exact, predict, translate};
use m2g_translate::metrics::{Bleu, Chrf, Metric};
use m2g_translate::training::Description;
use m2g_translate::{Config, Transformer};
use serde_json::json;

use crate::eval::{EvalCommand, Measured};
use crate::models::run::load;
use crate::models::translate::own_data::own_data;
use crate::output::percent;
use crate::terminal::lines::{counted, entry_at, note};
use crate::terminal::width::columns;
use crate::translate::decoding_flags::DecodingFlags;
use crate::translate::parallel::Parallel;

/// The column in which the text after a name starts.
const TEXT_COLUMN: usize = 10;

/// The flags of `m2g translate eval` alone.
#[derive(Args)]
pub struct Flags {
    /// The split of the run's own data: val, or a held-out one; sentences and combinations of the grammar,
    /// held-out of the toys, test2016 of Multi30k.
    #[arg(long, value_name = "NAME", default_value = "val", conflicts_with_all = ["source", "target"])]
    split: String,
    /// Measure these sentences, one on each line, plain or gzip [default: the split].
    #[arg(long, value_name = "FILE", requires = "target")]
    source: Option<PathBuf>,
    /// Their translations by people [default: the split].
    #[arg(long, value_name = "FILE", requires = "source")]
    target: Option<PathBuf>,
    #[command(flatten)]
    decoding: DecodingFlags,
}

impl EvalCommand for Transformer<f32> {
    type Flags = Flags;

    fn evaluate(flags: Flags, run: &Path, file: &str) -> anyhow::Result<Measured> {
        let options = flags.decoding.options(1)?;
        let (model, description) = load::<Transformer<f32>>(run, file)?;
        let pairs = pairs(&flags, &description)?;
        with_threads(0, || measure(&model, &description, &pairs, options))?
    }
}

/// The pairs to measure, as text.
fn pairs(flags: &Flags, description: &Description) -> anyhow::Result<Parallel> {
    if let (Some(source), Some(target)) = (&flags.source, &flags.target) {
        return Parallel::read(source, target);
    }
    let Description { config, tokenizer, data, .. } = description;
    let corpus = own_data(description, Some("measure other sentences with --source and --target"))?;
    if corpus.fingerprint != *data {
        note(&format!("note: {} has changed since the run was trained", config.data));
    }
    let split = match &flags.split[..] {
        "val" => &corpus.val,
        name => {
            let known = || {
                let names = corpus.tests.iter().map(|(name, _)| &name[..]);
                std::iter::once("val").chain(names).collect::<Vec<_>>().join(", ")
            };
            let found = corpus.tests.iter().find(|(known, _)| known == name);
            &found.with_context(|| format!("--split is {name}: the data has {}", known()))?.1
        }
    };
    let text = |ids: &[u32]| tokenizer.decode_without_special(ids);
    let pair = |i| TextPair { source: text(split.source.get(i)), target: text(split.target.get(i)) };
    Ok(Parallel::of_data(&config.data, (0..split.len()).map(pair).collect()))
}

fn measure(
    model: &Transformer<f32>,
    description: &Description,
    parallel: &Parallel,
    options: Options,
) -> anyhow::Result<Measured> {
    let Description { config, tokenizer, model: settings, .. } = description;
    let (pairs, special) = parallel.encode(tokenizer, settings.max_length)?;
    let mut tape = Tape::without_gradients();
    let Config { shift, .. } = *config;
    let found = predict(model, &mut tape, &pairs, (special, shift), &mut Ranks::default())?;
    let translator = Translator::new(model, tokenizer, options)?;
    let all: Vec<usize> = (0..pairs.len()).collect();
    let translations = translate(&translator, &pairs, &all)?;
    let references: Vec<String> = parallel.texts.iter().map(|pair| pair.target.clone()).collect();
    let (_, exact) = bleu_and_exact(&translations, &references);
    let sets = [references];
    let score = |lowercase: bool| -> anyhow::Result<(f64, String)> {
        let bleu = Bleu { lowercase, ..Bleu::default() };
        Ok((bleu.score(&bleu.corpus(&translations, &sets)?), bleu.signature(1)))
    };
    let ((bleu, signature), (lowercase, _)) = (score(false)?, score(true)?);
    let chrf = Chrf::default();
    let chrf = chrf.score(&chrf.corpus(&translations, &sets)?);
    let columns = columns();
    let entry = |name: &str, text: String| entry_at(TEXT_COLUMN, name, &text, columns);
    let text = [
        entry(
            "loss",
            format!("{:.4} nats per token, perplexity {:.3}, not smoothed", found.loss, found.perplexity()),
        ),
        entry(
            "accuracy",
            format!("{} of {} tokens, each after the right ones", percent(found.accuracy), found.tokens),
        ),
        entry("BLEU", format!("{bleu:.2} cased, {lowercase:.2} lower-cased; {options}")),
        entry("", signature.clone()),
        entry("chrF2", format!("{chrf:.2}")),
        entry("exact", format!("{} of {}", percent(exact), counted(pairs.len() as u64, "sentence"))),
    ];
    Ok(Measured {
        text: text.join("\n"),
        json: json!({
            "loss": found.loss, "perplexity": found.perplexity(), "accuracy": found.accuracy,
            "tokens": found.tokens, "bleu": bleu, "bleu_lowercase": lowercase, "signature": signature,
            "chrf": chrf, "exact": exact, "sentences": pairs.len(),
        }),
    })
}
