//! Shows attention, head by head: Q, K, V, scores, mask and weights.

use m2g_core::Mask;
use m2g_core::inspect::axes::tuple;
use m2g_core::inspect::{
    AttentionGroup, AttentionLayer, AttentionLayout, HeadMatrix, MATRICES, Statistics, Step,
    attention_layers, heads,
};
use serde_json::Value;

use super::numbers::{SHORT, WHOLE, fields, matrix};
use crate::output;
use crate::terminal::lines::{flow, wrap};
use crate::terminal::width::columns;

/// The attention heads to show.
pub struct Heads<'a> {
    /// The step.
    pub step: &'a Step,
    /// The attention layers.
    pub layout: &'a AttentionLayout,
    /// Only the attention of this block.
    pub layer: Option<usize>,
    /// The heads.
    pub heads: Vec<usize>,
}

impl Heads<'_> {
    /// Whether a single head is selected, which is shown in more detail.
    fn single(&self) -> bool {
        self.layer.is_some() && self.heads.len() == 1
            || attention_layers(self.layout, self.layer).count() * self.heads.len() == 1
    }

    /// Prints the mask of each group, and the matrices of each head.
    pub fn print(&self) -> anyhow::Result<()> {
        for group in &self.layout.groups {
            let Some(first) = group.layers_of(self.layer).next() else { continue };
            self.print_mask(group, first)?;
            for layer in group.layers_of(self.layer) {
                for &head in &self.heads {
                    output::line(format!("\n{}, head {head}", layer.label))?;
                    self.print_head(group, layer, head)?;
                }
            }
        }
        Ok(())
    }

    fn print_head(&self, group: &AttentionGroup, layer: &AttentionLayer, head: usize) -> anyhow::Result<()> {
        for name in MATRICES {
            let Some(HeadMatrix { axes, shape, data }) = self.step.matrix_of_head(layer, head, name) else {
                continue;
            };
            let (axes, shape_text) = (tuple(&axes), tuple(&shape));
            let head = format!("  {name:<8} {axes} {shape_text} ");
            let fields = [vec![head], fields(&Statistics::of(data))].concat();
            output::line(flow(&fields, "  ", columns(), 6))?;
            let cut = if self.single() { WHOLE } else { SHORT }.within(columns());
            let rows = if matches!(name, "k" | "v") { &group.keys } else { &group.queries };
            for line in matrix(data, shape[1], rows, cut) {
                output::line(line)?;
            }
        }
        Ok(())
    }

    /// One row per query: `#` for a visible key, `.` for a masked one.
    fn print_mask(&self, group: &AttentionGroup, layer: &AttentionLayer) -> anyhow::Result<()> {
        const MAX_TOKENS: usize = 64;
        let (t, keys) = (group.queries.len(), group.keys.len());
        let axes = self
            .step
            .matrix_of_head(layer, 0, "weights")
            .map_or(String::new(), |weights| tuple(&weights.axes));
        let of = if self.layout.groups.len() > 1 { format!(", {}", group.name) } else { String::new() };
        let title = format!(
            "mask  {}, of every head{of} {axes} ({t}, {keys}): # is visible, . is masked",
            group.mask
        );
        output::line(format!("\n{}", wrap(&title, columns(), 6)))?;
        // Without room for spaces, the signs stand side by side.
        let room = columns().saturating_sub(9);
        let gap = if 2 * keys <= room { " " } else { "" };
        if t.max(keys) > MAX_TOKENS || keys > room {
            return Ok(());
        }
        for i in 0..t {
            let seen = group.mask.visible(0, i, keys);
            let sign = |j: usize| if seen.contains(&j) { "#" } else { "." };
            let row: String = (0..keys).map(|j| format!("{gap}{}", sign(j))).collect();
            output::line(format!("    {i:>4} {row}"))?;
        }
        if group.mask == Mask::Finite {
            output::line(format!("    and {} is added to the scores above the diagonal", Mask::FINITE))?;
        }
        Ok(())
    }

    /// One JSON value per head; a single head includes all its elements.
    pub fn json(&self) -> Vec<Value> {
        heads(self.step, self.layout, self.layer, &self.heads, self.single())
    }
}
