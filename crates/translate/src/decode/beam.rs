//! Beam search: the open and the finished translations of one sentence.

use super::options::Options;
use super::tree::{Fate, Node, Tree};

/// A translation as tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hypothesis {
    /// The tokens, without beginning and end.
    pub tokens: Vec<u32>,
    /// The logarithm of its probability, the end token included.
    pub log_probability: f64,
    /// `log_probability` divided by the length penalty: the highest wins.
    pub score: f64,
    /// Whether it has ended. Otherwise it was cut at the greatest length.
    pub is_complete: bool,
}

/// The translations of one sentence: `beam` open ones, which grow by a token in each step, and the best that
/// have ended.
///
/// In each step, all extensions of the open translations by one token are ranked by probability. Those among
/// the first `beam` that end are finished, and add nothing to their probability any more; the first `beam`
/// that do not end are the next open ones. The search stops when no open translation can win any more, or sooner by
/// [`Options::patience`].
#[derive(Debug, Clone)]
pub(super) struct Beam {
    options: Options,
    /// The greatest number of tokens, the end token included.
    max_tokens: usize,
    end: u32,
    open: Vec<Open>,
    /// The number of translations that have ended.
    ended: usize,
    /// The best of them, best first, no two with the same text.
    finished: Vec<(Vec<u8>, Hypothesis)>,
    /// The search so far, if it is recorded.
    tree: Option<Tree>,
}

/// An open translation.
#[derive(Debug, Clone, Default)]
struct Open {
    tokens: Vec<u32>,
    log_probability: f64,
    /// Its node in the tree, if the search is recorded and it has tokens.
    node: Option<usize>,
}

/// An extension of an open translation by one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extension {
    /// The index of the open translation.
    pub open: usize,
    /// The token.
    pub token: u32,
    /// The logarithm of the token's probability.
    pub log_probability: f64,
}

impl Beam {
    /// The start of a search: one open translation without tokens.
    pub(super) fn new(options: Options, max_tokens: usize, end: u32) -> Self {
        Self {
            options,
            max_tokens,
            end,
            open: vec![Open::default()],
            ended: 0,
            finished: Vec::new(),
            tree: None,
        }
    }

    /// The same, and every step is recorded.
    pub(super) fn recorded(self) -> Self {
        Self { tree: Some(Tree::default()), ..self }
    }

    /// The recorded search; empty if it was not recorded.
    pub(super) fn take_tree(&mut self) -> Tree {
        self.tree.take().unwrap_or_default()
    }

    /// The number of open translations.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// The tokens of an open translation.
    pub(super) fn tokens(&self, open: usize) -> &[u32] {
        &self.open[open].tokens
    }

    /// Takes a step: `extensions` hold the `2 beam` most likely tokens of each open translation. Returns the
    /// index of the translation that each new one extends. The likeliest extension of a translation that
    /// is kept takes its index, if there still is one: then most of the KV cache stays where it is. `text` decodes
    /// tokens.
    pub(super) fn step(
        &mut self,
        extensions: &[Extension],
        text: &mut dyn FnMut(&[u32]) -> Vec<u8>,
    ) -> Vec<usize> {
        let Options { beam, .. } = self.options;
        let probability = |e: &Extension| self.open[e.open].log_probability + e.log_probability;
        let mut ranked: Vec<(f64, Extension)> = extensions.iter().map(|e| (probability(e), *e)).collect();
        ranked.sort_by(|(a, x), (b, y)| b.total_cmp(a).then((x.open, x.token).cmp(&(y.open, y.token))));
        let mut open = Vec::with_capacity(beam);
        for (rank, (log_probability, extension)) in ranked.into_iter().enumerate() {
            let mut tokens = self.open[extension.open].tokens.clone();
            let ends = extension.token == self.end;
            let fate = match ends {
                true if rank < beam => Fate::Finished,
                false if open.len() < beam => Fate::Kept,
                _ => Fate::Pruned,
            };
            let node = self.record(rank, &extension, log_probability, fate);
            match fate {
                Fate::Finished => {
                    self.ended += 1;
                    let hypothesis = self.hypothesis(tokens, log_probability, true);
                    self.finish(hypothesis, text);
                }
                Fate::Kept => {
                    tokens.push(extension.token);
                    open.push((extension.open, Open { tokens, log_probability, node }));
                }
                Fate::Pruned => {}
            }
        }
        let (parents, open) = in_place(open).into_iter().unzip();
        self.open = open;
        parents
    }

    /// Adds an extension to the tree, if the search is recorded and the tree has room for one of this rank.
    /// Returns its node.
    fn record(
        &mut self,
        rank: usize,
        extension: &Extension,
        log_probability: f64,
        fate: Fate,
    ) -> Option<usize> {
        let Open { tokens, node: parent, .. } = &self.open[extension.open];
        let (parent, depth) = (*parent, tokens.len() + 1);
        let score = log_probability / self.options.length_penalty(depth);
        let most = 2 * self.options.beam;
        let tree = self.tree.as_mut().filter(|_| rank < most || fate != Fate::Pruned)?;
        let token = extension.token;
        tree.nodes.push(Node { parent, depth, token, log_probability, score, fate });
        Some(tree.nodes.len() - 1)
    }

    /// A hypothesis with its score.
    fn hypothesis(&self, tokens: Vec<u32>, log_probability: f64, is_complete: bool) -> Hypothesis {
        let n = tokens.len() + usize::from(is_complete);
        let score = log_probability / self.options.length_penalty(n);
        Hypothesis { tokens, log_probability, score, is_complete }
    }

    /// Adds a finished translation, unless one with the same text is better.
    fn finish(&mut self, hypothesis: Hypothesis, text: &mut dyn FnMut(&[u32]) -> Vec<u8>) {
        let key = text(&hypothesis.tokens);
        match self.finished.iter().position(|(known, _)| *known == key) {
            Some(same) if self.finished[same].1.score >= hypothesis.score => return,
            Some(same) => _ = self.finished.remove(same),
            None => {}
        }
        let place = self.finished.partition_point(|(_, other)| other.score >= hypothesis.score);
        self.finished.insert(place, (key, hypothesis));
        self.finished.truncate(self.options.n_best);
    }

    /// Whether the search is over: the translations are as long as they may be, or enough of them have ended, or no open
    /// one can be among the best any more. Probabilities only fall, so the best that an open translation can reach is
    /// its probability now, at the length that the penalty favours most.
    pub(super) fn is_done(&self) -> bool {
        let length = self.open.first().map_or(0, |open| open.tokens.len());
        if self.open.is_empty() || length >= self.max_tokens {
            return true;
        }
        let Some((_, worst)) = self.finished.get(self.options.n_best - 1) else { return false };
        let Options { beam, patience, .. } = self.options;
        // Greedy decoding has one translation.
        let patience = if beam == 1 { Some(1.0) } else { patience };
        if patience.is_some_and(|patience| self.ended as f64 >= patience * beam as f64) {
            return true;
        }
        let most = self.open.iter().map(|open| open.log_probability).fold(f64::NEG_INFINITY, f64::max);
        most / self.options.length_penalty(self.max_tokens) <= worst.score
    }

    /// The best translations, best first. Translations that were cut fill up the places that no finished one
    /// takes.
    pub(super) fn best(mut self, text: &mut dyn FnMut(&[u32]) -> Vec<u8>) -> Vec<Hypothesis> {
        let mut open = std::mem::take(&mut self.open);
        open.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
        let complete = self.finished.len();
        let mut cut: Vec<(Vec<u8>, Hypothesis)> = Vec::new();
        for Open { tokens, log_probability, .. } in open {
            let key = text(&tokens);
            if !self.finished.iter().chain(&cut).any(|(known, _)| *known == key) {
                cut.push((key, self.hypothesis(tokens, log_probability, false)));
            }
        }
        cut.truncate(self.options.n_best - complete);
        self.finished.into_iter().chain(cut).map(|(_, hypothesis)| hypothesis).collect()
    }
}

/// Reorders children, each with the index of its parent: the first child of a parent takes its index, the others the
/// free ones.
fn in_place<T>(children: Vec<(usize, T)>) -> Vec<(usize, T)> {
    let mut places: Vec<Option<(usize, T)>> = children.iter().map(|_| None).collect();
    let mut others = Vec::new();
    for (parent, child) in children {
        match places.get_mut(parent) {
            Some(place @ None) => *place = Some((parent, child)),
            _ => others.push((parent, child)),
        }
    }
    let mut others = others.into_iter();
    places.into_iter().filter_map(|place| place.or_else(|| others.next())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u32 = 9;

    #[test]
    fn first_children_keep_the_places_of_their_parents() {
        let parents = |children: &[usize]| -> Vec<usize> {
            let children = in_place(children.iter().map(|&parent| (parent, ())).collect());
            children.into_iter().map(|(parent, ())| parent).collect()
        };
        assert_eq!(parents(&[0, 0, 0]), [0, 0, 0]);
        assert_eq!(parents(&[2, 0, 2, 1]), [0, 1, 2, 2]);
        assert_eq!(parents(&[3, 3, 1, 3]), [3, 1, 3, 3]);
        // Fewer children than parents.
        assert_eq!(parents(&[3, 1]), [3, 1]);
    }

    fn beam(beam: usize, n_best: usize, alpha: f64, max_tokens: usize) -> Beam {
        Beam::new(Options { beam, n_best, alpha, ..Options::default() }, max_tokens, END)
    }

    fn step(beam: &mut Beam, extensions: &[(usize, u32, f64)]) -> Vec<usize> {
        let extension =
            |&(open, token, p): &(usize, u32, f64)| Extension { open, token, log_probability: p.ln() };
        let extensions: Vec<Extension> = extensions.iter().map(extension).collect();
        beam.step(&extensions, &mut |tokens| tokens.iter().map(|&t| t as u8).collect())
    }

    fn best(beam: Beam) -> Vec<(Vec<u32>, f64, bool)> {
        let best = beam.best(&mut |tokens| tokens.iter().map(|&t| t as u8).collect());
        best.into_iter().map(|h| (h.tokens, h.log_probability.exp(), h.is_complete)).collect()
    }

    #[track_caller]
    fn close(got: &[(Vec<u32>, f64, bool)], want: &[(&[u32], f64, bool)]) {
        assert_eq!(got.len(), want.len(), "{got:?}");
        for ((tokens, p, complete), (want_tokens, want_p, want_complete)) in got.iter().zip(want) {
            assert!(
                tokens == want_tokens && (p - want_p).abs() < 1e-12 && complete == want_complete,
                "{got:?}"
            );
        }
    }

    /// The likeliest first token is a dead end: greedy decoding takes it, a beam of 2 does not.
    #[test]
    fn a_beam_finds_what_greedy_decoding_misses() {
        let first = [(0, 1, 0.6), (0, 2, 0.4)];
        let mut greedy = beam(1, 1, 0.0, 10);
        assert_eq!(step(&mut greedy, &first), [0]);
        step(&mut greedy, &[(0, END, 0.51), (0, 3, 0.49)]);
        assert!(greedy.is_done());
        close(&best(greedy), &[(&[1], 0.306, true)]);

        let mut two = beam(2, 2, 0.0, 10);
        assert_eq!(step(&mut two, &first), [0, 0]);
        // 1 END 0.246, 1 3 0.234, 2 END 0.38, 2 4 0.02
        assert_eq!(step(&mut two, &[(0, END, 0.41), (0, 3, 0.39), (1, END, 0.95), (1, 4, 0.05)]), [0, 1]);
        assert!(two.is_done(), "1 3 has a lower probability than the second best, and it only falls");
        close(&best(two), &[(&[2], 0.38, true), (&[1], 0.246, true)]);
    }

    /// A finished translation keeps its probability, and equal texts count once, with the better one.
    #[test]
    fn equal_texts_count_once() {
        let mut beam = beam(2, 2, 0.0, 10);
        beam.options.patience = Some(1.0);
        step(&mut beam, &[(0, 1, 0.5), (0, 2, 0.5)]);
        let text = &mut |_: &[u32]| vec![7];
        for p in [0.2_f64, 0.5, 0.3] {
            let extension = Extension { open: 0, token: END, log_probability: p.ln() };
            let kept = beam.open.clone();
            beam.step(&[extension], text);
            beam.open = kept;
        }
        assert_eq!(beam.finished.len(), 1);
        assert!((beam.finished[0].1.log_probability.exp() - 0.25).abs() < 1e-12);
        assert!(!beam.is_done(), "three have ended, but two different ones are wanted");
    }

    /// The first example again: the tree holds what was kept, pruned and finished, and the way to the best.
    #[test]
    fn a_recorded_search_is_a_tree() {
        let mut two = beam(2, 2, 0.0, 10).recorded();
        step(&mut two, &[(0, 1, 0.6), (0, 2, 0.4)]);
        step(&mut two, &[(0, END, 0.41), (0, 3, 0.39), (1, END, 0.95), (1, 4, 0.05)]);
        let tree = two.take_tree();
        let nodes: Vec<_> = tree.nodes.iter().map(|n| (n.parent, n.depth, n.token, n.fate)).collect();
        let want = [
            (None, 1, 1, Fate::Kept),
            (None, 1, 2, Fate::Kept),
            (Some(1), 2, END, Fate::Finished),
            (Some(0), 2, END, Fate::Finished),
            (Some(0), 2, 3, Fate::Kept),
            (Some(1), 2, 4, Fate::Kept),
        ];
        assert_eq!(nodes, want);
        assert_eq!((tree.best(), tree.depth()), (vec![1, 2], 2));
        assert_eq!(tree.children(Some(0)).collect::<Vec<_>>(), [3, 4]);
        let mut one = beam(1, 1, 0.0, 10).recorded();
        step(&mut one, &[(0, 1, 0.6), (0, 2, 0.4)]);
        assert_eq!(one.take_tree().nodes[1].fate, Fate::Pruned);
        assert!(one.take_tree().best().is_empty());
    }

    /// With alpha 1, six tokens divide the logarithm by 11 / 6: a longer translation wins.
    #[test]
    fn the_length_penalty_favours_longer_translations() {
        let options = Options { alpha: 1.0, ..Options::default() };
        assert!((options.length_penalty(6) - 11.0 / 6.0).abs() < 1e-12);
        let mut beam = beam(2, 1, 1.0, 20);
        step(&mut beam, &[(0, END, 0.30), (0, 1, 0.70)]);
        assert!(!beam.is_done(), "0.7 at length 20 beats 0.3 at length 1");
        step(&mut beam, &[(0, END, 0.41), (0, 2, 0.01)]);
        // ln 0.3 / 1 = -1.204; ln 0.287 / (7 / 6) = -1.07.
        close(&best(beam), &[(&[1], 0.287, true)]);
    }

    #[test]
    fn patience_ends_the_search_before_the_best_is_certain() {
        let options = Options { beam: 2, alpha: 1.0, ..Options::default() };
        for (patience, done) in [(None, false), (Some(1.0), true), (Some(1.5), false)] {
            let mut beam = Beam::new(Options { patience, ..options }, 20, END);
            step(&mut beam, &[(0, END, 0.30), (0, 1, 0.70)]);
            assert!(!beam.is_done());
            step(&mut beam, &[(0, END, 0.01), (0, 2, 0.90)]);
            // Two have ended. ln 0.63 / (25 / 6) = -0.11 is what the open one could reach at length 20.
            assert_eq!(beam.is_done(), done, "{patience:?}");
            close(&best(beam), &[(&[], 0.3, true)]);
        }
    }

    #[test]
    fn translations_that_never_end_are_cut() {
        let mut beam = beam(2, 2, 0.6, 2);
        step(&mut beam, &[(0, 1, 0.6), (0, 2, 0.4)]);
        assert!(!beam.is_done());
        step(&mut beam, &[(0, 1, 0.5), (1, 2, 0.5)]);
        assert!(beam.is_done());
        close(&best(beam), &[(&[1, 1], 0.3, false), (&[2, 2], 0.2, false)]);
    }
}
