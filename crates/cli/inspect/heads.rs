//! Attention head by head: Q, K, V, scores, mask and weights.

use m2g_core::Mask;
use serde_json::{Value, json};

use super::axes::tuple;
use super::numbers::{SHORT, Statistics, WHOLE, matrix};
use super::step::Step;
use super::values::nested;
use crate::output;

/// The matrices of a head, as the tape's labels end.
const MATRICES: [&str; 5] = ["q", "k", "v", "scores", "weights"];

/// What of a GPT's attention is shown.
pub struct Heads<'a> {
    /// The step in which it ran.
    pub step: &'a Step,
    /// The tokens, one for each row.
    pub tokens: &'a [String],
    /// Who sees whom.
    pub mask: &'a Mask,
    /// The layers.
    pub layers: Vec<usize>,
    /// The heads.
    pub heads: Vec<usize>,
}

/// One matrix of one head.
struct Matrix<'a> {
    axes: Vec<String>,
    shape: [usize; 2],
    data: &'a [f32],
}

impl Heads<'_> {
    /// Whether it is one head, of which more is shown than of many.
    fn single(&self) -> bool {
        self.layers.len() == 1 && self.heads.len() == 1
    }

    fn matrix(&self, layer: usize, head: usize, name: &str) -> Option<Matrix<'_>> {
        let var = self.step.labelled(&format!("h.{layer}.attn.{name}"))?;
        let tensor = self.step.tape.value(var);
        let &[_, _, rows, columns] = tensor.shape() else { return None };
        let data = tensor.data().get(head * rows * columns..(head + 1) * rows * columns)?;
        Some(Matrix { axes: self.step.axes(var).split_off(2), shape: [rows, columns], data })
    }

    /// Writes the mask, and the matrices of each head.
    pub fn print(&self) -> anyhow::Result<()> {
        self.print_mask()?;
        for &layer in &self.layers {
            for &head in &self.heads {
                output::line(format!("\nh.{layer}.attn, head {head}"))?;
                for name in MATRICES {
                    let Some(Matrix { axes, shape, data }) = self.matrix(layer, head, name) else { continue };
                    let (axes, shape_text) = (tuple(&axes), tuple(&shape));
                    output::line(format!(
                        "  {name:<8} {axes} {shape_text}   {}",
                        Statistics::of(data).line()
                    ))?;
                    let cut = if self.single() { WHOLE } else { SHORT };
                    for line in matrix(data, shape[1], self.tokens, cut) {
                        output::line(line)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A row for each query: `#` for a key that it sees, `.` for one that it does not.
    fn print_mask(&self) -> anyhow::Result<()> {
        const LONGEST: usize = 64;
        let t = self.tokens.len();
        output::line(format!("\nmask  {}, of every head (T, T) ({t}, {t}): # is seen, . is not", self.mask))?;
        if t > LONGEST {
            return Ok(());
        }
        for i in 0..t {
            let seen = self.mask.visible(0, i, t);
            let row: String = (0..t).map(|j| if seen.contains(&j) { " #" } else { " ." }).collect();
            output::line(format!("    {i:>4} {row}"))?;
        }
        if *self.mask == Mask::Finite {
            output::line(format!("    and {} is added to the scores above the diagonal", Mask::FINITE))?;
        }
        Ok(())
    }

    /// A value for JSON for each head; of a single one with all numbers.
    pub fn json(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for &layer in &self.layers {
            for &head in &self.heads {
                let mut object = json!({"layer": layer, "head": head});
                for name in MATRICES {
                    let Some(Matrix { axes, shape, data }) = self.matrix(layer, head, name) else { continue };
                    let values = self.single().then(|| nested(&shape, data));
                    object[name] = json!({
                        "axes": tuple(&axes), "shape": shape, "statistics": Statistics::of(data), "values": values,
                    });
                }
                all.push(object);
            }
        }
        all
    }
}
