//! The attention of a word to the words of a sentence.

use m2g_text::words::HeadWeights;
use serde_json::{Value, json};

use crate::output::percent;
use crate::terminal::lines::{bar, flow};
use crate::terminal::table::{Narrow, Table};

/// The words that are named for each head.
const WORDS_PER_HEAD: usize = 3;

/// The mean weight of each word, its share by rollout if there is one, and the words that each head attends to
/// most. `words` may be the first ones of the sentence.
pub fn table(words: &[String], heads: &[HeadWeights], rollout: Option<&[f64]>, columns: usize) -> String {
    let mean = HeadWeights::mean(heads);
    let mut table = Table::new().text("word", Narrow::Keep);
    table = match rollout {
        Some(_) => table.number("mean", Narrow::Keep).number("rollout", Narrow::Keep),
        None => table.number("weight", Narrow::Keep),
    };
    table = table.text("", Narrow::Drop(1));
    for (i, (word, weight)) in words.iter().zip(&mean).enumerate() {
        let share = rollout.map(|shares| percent(shares[i]));
        table.row([word.clone(), percent(*weight)].into_iter().chain(share).chain([bar(*weight)]));
    }
    let mut lines = vec![table.render(columns)];
    for HeadWeights { layer, head, weights } in heads {
        let mut order: Vec<usize> = (0..words.len()).collect();
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        let most = order.into_iter().take(WORDS_PER_HEAD);
        let most = most.map(|i| format!("{} {:.0} %", words[i], 100.0 * weights[i]));
        let fields: Vec<String> =
            std::iter::once(format!("layer {layer} head {head}:")).chain(most).collect();
        lines.push(flow(&fields, "  ", columns, 4));
    }
    lines.join("\n")
}

/// The mean weights and those of each head.
pub fn json(heads: &[HeadWeights]) -> Value {
    let head = |h: &HeadWeights| json!({"layer": h.layer, "head": h.head, "weights": h.weights});
    json!({"mean": HeadWeights::mean(heads), "heads": heads.iter().map(head).collect::<Vec<_>>()})
}
