//! The fixed tree in which the shards of a step are added.
//!
//! A floating-point sum depends on the order of its terms. The order here depends only on the number of
//! shards: neighbours are added in pairs, then the pairs, and so on; what is left over at the end of a row
//! moves up.
//!
//! ```text
//! 7 shards    ((0 + 1) + (2 + 3)) + ((4 + 5) + 6)
//! ```
//!
//! Three processes compute shards 0-1, 2-3 and 4-6. Each adds up the subtrees that lie in its part, and only
//! these sums are sent.

use std::ops::Range;

/// Consecutive shards whose sum is a node of the tree.
pub type Block = Range<usize>;

/// Whether the tree over `shards` shards adds `left` and `right`.
pub fn adds(left: &Block, right: &Block, shards: usize) -> bool {
    let size = left.len();
    size.is_power_of_two()
        && left.start.is_multiple_of(2 * size)
        && right.start == left.end
        && right.end == (left.start + 2 * size).min(shards)
}

/// The shards that process `rank` of `size` computes.
pub fn share(shards: usize, rank: usize, size: usize) -> Block {
    rank * shards / size..(rank + 1) * shards / size
}

/// The sum of values that arrive in the order of their shards. It holds the sums of the nodes that are
/// complete: at the end of all shards the total, at the end of a part the largest nodes in it.
#[derive(Debug)]
pub struct Sum<V> {
    shards: usize,
    nodes: Vec<(Block, V)>,
}

impl<V> Sum<V> {
    /// The empty sum.
    pub fn new(shards: usize) -> Self {
        Self { shards, nodes: Vec::new() }
    }

    /// Adds the value of a node that begins where the last one ended. `add(left, right)` adds `right` to
    /// `left`.
    pub fn push(&mut self, block: Block, value: V, mut add: impl FnMut(&mut V, V)) {
        self.nodes.push((block, value));
        while let [.., (left, _), (right, _)] = &self.nodes[..]
            && adds(left, right, self.shards)
            && let Some((right, value)) = self.nodes.pop()
            && let Some((left, sum)) = self.nodes.last_mut()
        {
            left.end = right.end;
            add(sum, value);
        }
    }

    /// Whether `block`, which comes next, is added to the last node at once.
    pub fn adds_to_last(&self, block: &Block) -> bool {
        self.nodes.last().is_some_and(|(last, _)| adds(last, block, self.shards))
    }

    /// How many of the last nodes `block`, which comes next, is added to.
    pub fn merges(&self, block: &Block) -> usize {
        let mut right = block.clone();
        let added = self.nodes.iter().rev().take_while(|(left, _)| {
            let is_added = adds(left, &right, self.shards);
            right.start = left.start;
            is_added
        });
        added.count()
    }

    /// Removes the last node.
    pub fn pop(&mut self) -> Option<(Block, V)> {
        self.nodes.pop()
    }

    /// The nodes, first to last.
    pub fn into_nodes(self) -> impl Iterator<Item = (Block, V)> {
        self.nodes.into_iter()
    }
}

/// The most sums that wait in one process until the other half of their node is computed, if each shard has this many
/// batches. The gradient of a single batch is added to a waiting sum at once; that of several is summed up first.
pub fn waiting_sums(shards: usize, batches: usize) -> u64 {
    u64::from(shards.max(1).ilog2()).saturating_sub(u64::from(batches == 1))
}

/// The largest nodes of the tree in a part of the shards.
pub fn largest_nodes(part: Block, shards: usize) -> Vec<Block> {
    let mut sum = Sum::new(shards);
    part.for_each(|shard| sum.push(shard..shard + 1, (), |(), ()| ()));
    sum.into_nodes().map(|(block, ())| block).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::single_range_in_vec_init)]
    use super::*;

    /// The sum as a formula.
    fn formula(shards: usize, cuts: &[usize]) -> String {
        let mut all = Sum::new(shards);
        let add = |left: &mut String, right: String| *left = format!("({left} + {right})");
        for cut in cuts.windows(2) {
            let mut part = Sum::new(shards);
            (cut[0]..cut[1]).for_each(|shard| part.push(shard..shard + 1, shard.to_string(), add));
            part.into_nodes().for_each(|(block, text)| all.push(block, text, add));
        }
        let texts: Vec<String> = all.into_nodes().map(|(_, text)| text).collect();
        texts.join(", ")
    }

    #[test]
    fn the_tree_by_hand() {
        assert_eq!(formula(1, &[0, 1]), "0");
        assert_eq!(formula(3, &[0, 3]), "((0 + 1) + 2)");
        assert_eq!(formula(7, &[0, 7]), "(((0 + 1) + (2 + 3)) + ((4 + 5) + 6))");
        assert_eq!(largest_nodes(2..7, 7), [2..4, 4..7]);
        assert_eq!(largest_nodes(1..6, 8), [1..2, 2..4, 4..6]);
        assert_eq!(largest_nodes(0..5, 5), [0..5]);
    }

    #[test]
    fn few_sums_wait_at_a_time() {
        for shards in 1..70 {
            for batches in [1, 2] {
                let mut sum = Sum::new(shards);
                let mut most = 0;
                for shard in 0..shards {
                    let mut block = shard..shard + 1;
                    if batches == 1
                        && sum.adds_to_last(&block)
                        && let Some((node, ())) = sum.pop()
                    {
                        block.start = node.start;
                    }
                    most = most.max(sum.nodes.len() as u64);
                    sum.push(block, (), |(), ()| ());
                }
                assert_eq!(waiting_sums(shards, batches), most, "{shards} shards of {batches} batches");
            }
        }
    }

    #[test]
    fn the_tree_is_the_same_for_any_number_of_processes() {
        for shards in 1..40 {
            let whole = formula(shards, &[0, shards]);
            for size in 1..=shards {
                let parts: Vec<Block> = (0..size).map(|rank| share(shards, rank, size)).collect();
                assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
                let cuts: Vec<usize> =
                    parts.iter().map(|part| part.start).chain(std::iter::once(shards)).collect();
                assert_eq!(formula(shards, &cuts), whole, "{size} processes");
            }
        }
    }
}
