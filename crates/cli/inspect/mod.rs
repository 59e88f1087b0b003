//! `m2g inspect`: one step of a model, op by op, with every number in it.

mod attention;
pub mod axes;
mod draw;
mod heads;
pub mod numbers;
mod positions;
mod prompt;
mod step;
mod table;
mod values;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::threads::with_threads;
use m2g_core::{Tensor, unit_interval};
use m2g_digits::{Network, training as digits};
use m2g_gpt::{Gpt, training as gpt};
use serde_json::json;

use self::attention::Attention;
use self::heads::Heads;
use self::step::Step;
use self::values::Asked;
use crate::output;
use crate::subject::Subject;

/// Look into one step of a model, op by op: shapes, costs, statistics and the numbers.
#[derive(Args)]
pub struct Inspect {
    /// `digits` or `gpt`, a model that is not trained yet; or a run: a name under runs/, or a path.
    #[arg(value_name = "MODEL")]
    model: String,
    /// The text that a GPT reads [default: a short sentence].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "image")]
    prompt: Option<String>,
    /// The picture that a digit network reads, PNG or JPEG [default: the first test image].
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Which digit the picture shows; --backward needs to know.
    #[arg(long, value_name = "DIGIT", requires = "image")]
    label: Option<usize>,
    /// Go backward too, from the loss to every gradient.
    #[arg(long)]
    backward: bool,
    /// Only the numbers of one value: a name or an op's number, as the table has them, or a parameter.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["attention", "positions", "layer"])]
    values: Option<String>,
    /// Only this layer.
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Only this attention head.
    #[arg(long, value_name = "N")]
    head: Option<usize>,
    /// Draw the attention of all layers and heads; with --json, write its exact weights.
    #[arg(long, conflicts_with_all = ["positions", "backward"])]
    attention: bool,
    /// Draw the positions: the sin/cos table, and the dot product of each two.
    #[arg(long, conflicts_with_all = ["prompt", "backward", "layer", "head"])]
    positions: bool,
    /// Where to draw: a file that ends in .html, .svg or .png.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take the last parameters of the run instead of the best.
    #[arg(long)]
    last: bool,
    /// Write one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// Runs the step, and shows what was asked for.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let draws = self.attention || self.positions;
        match &self.out {
            Some(_) if !draws => bail!("--out is for drawings: give --attention or --positions with it"),
            Some(out) => draw::check(out)?,
            None if draws && !self.json => bail!("say where to draw, with --out FILE.html, .svg or .png"),
            None => {}
        }
        with_threads(0, || match Subject::open(&self.model, self.last)? {
            Subject::Digits(network, description) => self.digits(&network, &description),
            Subject::Gpt(gpt, description) => self.gpt(&gpt, &description),
        })??;
        Ok(ExitCode::SUCCESS)
    }

    fn digits(&self, network: &Network<f32>, description: &digits::Description) -> anyhow::Result<()> {
        let of_gpt = [
            ("--prompt", self.prompt.is_some()),
            ("--attention", self.attention),
            ("--positions", self.positions),
            ("--head", self.head.is_some()),
        ];
        if let Some((flag, _)) = of_gpt.iter().find(|(_, given)| *given) {
            bail!("{flag} is for a GPT, and {} is a digit network: leave it out", self.model);
        }
        let (image, shows) = self.image(description)?;
        let digit = match (self.backward, shows) {
            (false, _) => None,
            (true, None) => {
                bail!("--backward needs to know what the picture shows: say so with --label DIGIT")
            }
            (true, Some(digit)) if digit >= description.classes => {
                bail!("--label is {digit}: the network knows 0 to {}", description.classes - 1)
            }
            (true, digit) => digit,
        };
        let step = Step::digits(network, &image, digit)?;
        self.checked_layer(&step)?;
        if let Some(name) = &self.values {
            return self.show_values(&Asked::find(&step, name, None, &[])?);
        }
        if self.json {
            return output::line(json!({
                "event": "inspect", "model": "digits", "loss": step.loss, "ops": table::json(&step, self.layer),
            }));
        }
        table::print(&step, self.layer)
    }

    /// The image, `(1, 784)`, and what it shows, if that is known.
    fn image(&self, description: &digits::Description) -> anyhow::Result<(Tensor<f32>, Option<usize>)> {
        let (rows, cols) = description.image;
        let (pixels, shows) = match &self.image {
            Some(file) => (crate::digits::predict::seen(file)?.to_vec(), self.label),
            None => {
                let test = crate::digits::load_test(description.config.data.as_deref())?;
                (test.image(0).to_vec(), Some(usize::from(test.labels[0])))
            }
        };
        if pixels.len() != rows * cols {
            bail!(
                "the network reads images of {rows}x{cols} pixels, and this one has {} in all",
                pixels.len()
            );
        }
        let mut x = Tensor::zeros(&[1, pixels.len()]);
        unit_interval(x.data_mut(), &pixels);
        Ok((x, shows))
    }

    fn gpt(&self, gpt: &Gpt<f32>, description: &gpt::Description) -> anyhow::Result<()> {
        if self.image.is_some() {
            bail!("--image is for a digit network, and {} is a GPT: give --prompt TEXT", self.model);
        }
        let config = gpt.config();
        if self.positions {
            return positions::show(gpt, self.out.as_deref(), self.json);
        }
        if let Some(head) = self.head.filter(|&head| head >= config.n_head) {
            bail!("--head is {head}: the model has the heads 0 to {}", config.n_head - 1);
        }
        let tokenizer = description.tokenizer.as_ref();
        let most = config.block_size + usize::from(self.backward);
        let ids = prompt::tokens(self.prompt.as_deref(), tokenizer, (config.vocab_size, most))?;
        if self.backward && ids.len() < 2 {
            bail!("--backward predicts each token from those before: give a --prompt of at least two tokens");
        }
        let step = Step::gpt(gpt, &ids, self.backward)?;
        self.checked_layer(&step)?;
        let read = &ids[..ids.len() - usize::from(self.backward)];
        let tokens: Vec<String> = read.iter().map(|&id| prompt::shown(id, tokenizer)).collect();
        if let Some(name) = &self.values {
            return self.show_values(&Asked::find(&step, name, self.head, &tokens)?);
        }
        let one_or_all = |one: Option<usize>, n: usize| one.map_or((0..n).collect(), |i| vec![i]);
        let layers: Vec<usize> = one_or_all(self.layer, config.n_layer);
        let heads: Vec<usize> = one_or_all(self.head, config.n_head);
        if self.attention {
            let attention = Attention::of(&step, &self.model, config, tokens, (layers, heads))?;
            return attention.show(self.out.as_deref(), self.json);
        }
        let heads = Heads { step: &step, tokens: &tokens, mask: &config.mask, layers, heads };
        if self.json {
            return output::line(json!({
                "event": "inspect", "model": "gpt", "tokens": tokens, "ids": read, "loss": step.loss,
                "mask": config.mask, "ops": table::json(&step, self.layer), "attention": heads.json(),
            }));
        }
        table::print(&step, self.layer)?;
        heads.print()
    }

    fn checked_layer(&self, step: &Step) -> anyhow::Result<()> {
        let (first, last) = step.layer_numbers();
        match self.layer.filter(|layer| !(first..=last).contains(layer)) {
            Some(layer) => bail!("--layer is {layer}: the model has the layers {first} to {last}"),
            None => Ok(()),
        }
    }

    fn show_values(&self, asked: &Asked<'_>) -> anyhow::Result<()> {
        if self.json { output::line(asked.json()) } else { asked.print() }
    }
}

/// Writes where a drawing went.
fn drawn(out: &Path, json: Option<serde_json::Value>) -> anyhow::Result<()> {
    match json {
        Some(json) => output::line(json),
        None => output::line(out.display()),
    }
}
