//! `m2g params`: every parameter of a model.

use std::process::ExitCode;

use clap::Args;
use m2g_core::Error;
use m2g_core::inspect::axes::tuple;
use m2g_core::threads::with_threads;
use m2g_text::source::with_thousands_separators;
use serde_json::json;

use crate::flags::Checkpoint;
use crate::inspect::numbers::number;
use crate::models::kind::OpenModel;
use crate::terminal::lines::{counted, note, wrap};
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::columns;
use crate::{models, output};

/// List every parameter of a model.
#[derive(Args)]
pub struct ListParams {
    /// `digits`, `gpt` or `translate` for an untrained model, or a run: a name under runs/, or a path.
    #[arg(value_name = "MODEL")]
    model: String,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl ListParams {
    /// Prints the list.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        with_threads(0, || {
            let (_, model) = models::open(&self.model, self.checkpoint)?;
            models::same_name_hint(&self.model).iter().chain(&model.remark()).for_each(|text| note(text));
            self.list(&*model)
        })??;
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self, model: &dyn OpenModel) -> anyhow::Result<()> {
        let (params, tied) = (model.params(), model.tied_parameter());
        let gradient = model.gradients().and_then(|(grads, loss)| match loss.is_finite() {
            true => Ok((grads, loss)),
            false => Err(Error::NotFiniteResult("losses").into()),
        });
        let tied_to = |name: &str| tied.and_then(|(own, other)| (own == name).then_some(other));
        if let Err(why) = &gradient {
            note(&format!("no gradient norms: {why}"));
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
        let mut table = Table::new()
            .text("name", Narrow::Keep)
            .text("shape", Narrow::Keep)
            .number("count", Narrow::Keep)
            .text("decayed", Narrow::Drop(2))
            .number("norm", Narrow::Keep)
            .number("gradient", Narrow::Drop(1))
            .text("tied to", Narrow::Fold(3));
        for (p, g) in params.iter().zip(&gradients) {
            table.row([
                p.name.clone(),
                tuple(p.value.shape()),
                with_thousands_separators(p.value.len() as u64),
                if p.decay { "yes" } else { "no" }.into(),
                number(norm(p.value.data())),
                g.map_or("-".into(), number),
                tied_to(&p.name).unwrap_or_default().into(),
            ]);
        }
        output::line(table.render(columns()))?;
        output::line(format!(
            "{} parameters in {}",
            with_thousands_separators(params.count() as u64),
            counted(params.len(), "tensor")
        ))?;
        match gradient {
            Some((grads, loss)) => output::line(wrap(
                &format!("loss {loss:.4} on one training batch, gradient norm {}", number(grads.norm())),
                columns(),
                2,
            )),
            None => Ok(()),
        }
    }
}

/// The Euclidean norm.
fn norm(data: &[f32]) -> f64 {
    data.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}
