//! `m2g params`: every parameter of a model.

use std::process::ExitCode;

use clap::Args;
use m2g_core::threads::with_threads;
use m2g_text::source::with_thousands_separators;
use serde_json::json;

use crate::inspect::axes::tuple;
use crate::inspect::numbers::number;
use crate::models::kind::OpenModel;
use crate::{models, output};

/// List every parameter of a model: shape, count, decay, norm, and the norm of its gradient.
#[derive(Args)]
pub struct ListParams {
    /// `digits` or `gpt` for an untrained model, or a run: a name under runs/, or a path.
    #[arg(value_name = "MODEL")]
    model: String,
    /// Use the last parameters of the run instead of the best.
    #[arg(long)]
    last: bool,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl ListParams {
    /// Prints the list.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        with_threads(0, || {
            let (_, model) = models::open(&self.model, self.last)?;
            self.list(&*model)
        })??;
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self, model: &dyn OpenModel) -> anyhow::Result<()> {
        let (params, gradient, tied) = (model.params(), model.gradients(), model.tied_parameter());
        let tied_to = |name: &str| tied.and_then(|(own, other)| (own == name).then_some(other));
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
                json!({
                    "name": p.name, "shape": p.value.shape(), "count": p.value.len(), "decayed": p.decay,
                    "tied_to": tied_to(&p.name), "norm": norm(p.value.data()), "gradient_norm": g,
                })
            });
            return output::line(json!({
                "event": "params", "count": params.count(), "loss": gradient.as_ref().map(|(_, loss)| loss),
                "gradient_norm": gradient.as_ref().map(|(g, _)| g.norm()), "params": rows.collect::<Vec<_>>(),
            }));
        }
        output::line(line(["name", "shape", "count", "decayed", "norm", "gradient", "tied to"]))?;
        for (p, g) in params.iter().zip(&gradients) {
            let (shape, count) = (tuple(p.value.shape()), with_thousands_separators(p.value.len() as u64));
            let decayed = if p.decay { "yes" } else { "no" };
            let (norm, gradient) = (number(norm(p.value.data())), g.map_or("-".into(), number));
            output::line(line([
                &p.name,
                &shape,
                &count,
                decayed,
                &norm,
                &gradient,
                tied_to(&p.name).unwrap_or("-"),
            ]))?;
        }
        output::line(format!(
            "{} parameters in {} tensors",
            with_thousands_separators(params.count() as u64),
            params.len()
        ))?;
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
