//! The beam search of one sentence as a tree: every translation that was open, and those that were not.

/// A node: a translation, which extends that of its parent by one token.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The index of the parent; `None` for a first token.
    pub parent: Option<usize>,
    /// The number of tokens.
    pub depth: usize,
    /// The last token.
    pub token: u32,
    /// The logarithm of the probability of all tokens up to here.
    pub log_probability: f64,
    /// `log_probability` divided by the length penalty.
    pub score: f64,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a translation in the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was among the best of its step, and stayed open.
    Kept,
    /// It was not among the best of its step.
    Pruned,
    /// It ended: its token is the end.
    Finished,
}

/// The nodes of a search in the order of its steps, the likeliest of each step first. Of each step, the tree
/// holds `2 beam` translations: those that were kept or finished, and the likeliest of those that were pruned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    /// The nodes. A parent comes before its children.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// The nodes of the finished translation with the highest score, first token first; without a finished
    /// one, of the likeliest of the longest.
    pub fn best(&self) -> Vec<usize> {
        let rank = |node: &Node| match node.fate {
            Fate::Finished => (1, 0, node.score),
            Fate::Kept => (0, node.depth, node.log_probability),
            Fate::Pruned => (-1, 0, node.score),
        };
        let order = |a: &usize, b: &usize| {
            let (a, b) = (rank(&self.nodes[*a]), rank(&self.nodes[*b]));
            (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2))
        };
        let mut path = Vec::new();
        let mut at = (0..self.nodes.len()).max_by(order);
        while let Some(node) = at {
            path.push(node);
            at = self.nodes[node].parent;
        }
        path.reverse();
        path
    }

    /// The children of a node, or the first tokens, the likeliest first.
    pub fn children(&self, of: Option<usize>) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |&i| self.nodes[i].parent == of)
    }

    /// The number of steps.
    pub fn depth(&self) -> usize {
        self.nodes.iter().map(|node| node.depth).max().unwrap_or(0)
    }
}
