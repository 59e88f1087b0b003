//! `m2g params`: every parameter of a model.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::data::catalogue;
use m2g_core::data::mnist::{self, Split};
use m2g_core::threads::with_threads;
use m2g_core::train::Model;
use m2g_core::{Grads, Params};
use m2g_digits::training as digits;
use m2g_gpt::data::Corpus;
use m2g_gpt::{Gpt, training as gpt};
use serde_json::json;

use crate::inspect::axes::tuple;
use crate::inspect::numbers::{number, thousands};
use crate::output;
use crate::subject::Subject;

/// List every parameter of a model: shape, count, decay, norm, and the norm of its gradient.
#[derive(Args)]
pub struct ListParams {
    /// `digits` or `gpt`, a model that is not trained yet; or a run: a name under runs/, or a path.
    #[arg(value_name = "MODEL")]
    model: String,
    /// Take the last parameters of the run instead of the best.
    #[arg(long)]
    last: bool,
    /// Write one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// A gradient, and its loss.
type Gradient = (Grads<f32>, f64);

impl ListParams {
    /// Lists them.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        with_threads(0, || match Subject::open(&self.model, self.last)? {
            Subject::Digits(network, description) => {
                let gradient = digits_gradient(&network, &description);
                self.list(network.params(), gradient, None)
            }
            Subject::Gpt(gpt, description) => {
                let tied = gpt.config().tie_weights.then_some("wte.weight");
                self.list(gpt.params(), gpt_gradient(&gpt, &description, self.model == gpt::KIND), tied)
            }
        })??;
        Ok(ExitCode::SUCCESS)
    }

    /// `tied` is the parameter that the head uses too.
    fn list(
        &self,
        params: &Params<f32>,
        gradient: anyhow::Result<Gradient>,
        tied: Option<&str>,
    ) -> anyhow::Result<()> {
        if let Err(why) = &gradient {
            eprintln!("no gradient norms: {why}");
        }
        let gradient = gradient.ok();
        let gradients: Vec<Option<f64>> = match &gradient {
            Some((grads, _)) => grads.iter().take(params.len()).map(|g| g.map(|g| norm(g.data()))).collect(),
            None => vec![None; params.len()],
        };
        if self.json {
            let rows = params.iter().zip(&gradients).map(|(p, g)| {
                let tied = (tied == Some(&p.name)).then_some("lm_head.weight");
                json!({
                    "name": p.name, "shape": p.value.shape(), "count": p.value.len(), "decayed": p.decay,
                    "tied_to": tied, "norm": norm(p.value.data()), "gradient_norm": g,
                })
            });
            return output::line(json!({
                "event": "params", "count": params.count(), "loss": gradient.as_ref().map(|(_, loss)| loss),
                "gradient_norm": gradient.as_ref().map(|(g, _)| g.norm()), "params": rows.collect::<Vec<_>>(),
            }));
        }
        output::line(line(["name", "shape", "count", "decayed", "norm", "gradient", "tied to"]))?;
        for (p, g) in params.iter().zip(&gradients) {
            let tied = if tied == Some(&p.name) { "lm_head.weight" } else { "-" };
            let (shape, count) = (tuple(p.value.shape()), thousands(p.value.len() as u64));
            let decayed = if p.decay { "yes" } else { "no" };
            let (norm, gradient) = (number(norm(p.value.data())), g.map_or("-".into(), number));
            output::line(line([&p.name, &shape, &count, decayed, &norm, &gradient, tied]))?;
        }
        output::line(format!("{} parameters in {} tensors", thousands(params.count() as u64), params.len()))?;
        match gradient {
            Some((grads, loss)) => output::line(format!(
                "loss {loss:.4} on one training batch, gradient norm {}",
                number(grads.norm())
            )),
            None => Ok(()),
        }
    }
}

fn line([name, shape, count, decayed, norm, gradient, tied]: [&str; 7]) -> String {
    format!("{name:<26} {shape:<14} {count:>12}  {decayed:<7} {norm:>9} {gradient:>9}  {tied}")
}

/// The Euclidean norm.
fn norm(data: &[f32]) -> f64 {
    data.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

fn digits_gradient(
    network: &m2g_digits::Network<f32>,
    description: &digits::Description,
) -> anyhow::Result<Gradient> {
    let split = if description.config.train_on_all { Split::TrainOnAll } else { Split::Standard };
    let data = mnist::load(&catalogue::find("mnist", description.config.data.as_deref())?, split)?;
    if (data.train.rows, data.train.cols) != description.image {
        bail!("the data that the run was trained on now has images of another size");
    }
    Ok(digits::Training::first_gradients(network, description, &data)?)
}

/// `untrained` is the model that training begins with, for which there is the own text.
fn gpt_gradient(gpt: &Gpt<f32>, description: &gpt::Description, untrained: bool) -> anyhow::Result<Gradient> {
    let Some(tokenizer) = &description.tokenizer else { bail!("this model has no tokenizer for any data") };
    if description.data.is_empty() && !untrained {
        bail!("this model was not trained here, so that there is no training batch");
    }
    let corpus = Corpus::load_for(&description.config.data, tokenizer)?;
    if corpus.tokenizer != *tokenizer {
        bail!("{} now has another vocabulary than the run", description.config.data);
    }
    Ok(gpt::Training::first_gradients(gpt, description, &corpus)?)
}
