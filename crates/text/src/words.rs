//! Joins tokens to words, and attention between tokens to attention between words.

use m2g_core::Tensor;

use crate::Tokenizer;

/// Whether a token continues the word before it: its first character is a letter, a digit, or not ASCII.
pub fn continues_a_word(id: u32, tokenizer: &Tokenizer) -> bool {
    let text = tokenizer.decode_bytes(&[id]);
    let goes_on = text.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    goes_on && !tokenizer.is_special(id)
}

/// A text in words, which white space separates, and the word of each of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The words.
    pub words: Vec<String>,
    /// The index of the word of each token. A special token, such as the end, belongs to none.
    of_tokens: Vec<Option<usize>>,
}

impl Words {
    /// The words of a text. A token belongs to the word of its first letter; one of white space alone, to the
    /// word before it.
    pub fn of(ids: &[u32], tokenizer: &Tokenizer) -> Self {
        let (mut words, mut of_tokens): (Vec<Vec<u8>>, _) = (Vec::new(), Vec::new());
        let mut inside = false;
        for &id in ids {
            if tokenizer.is_special(id) {
                of_tokens.push(None);
                continue;
            }
            let mut first = None;
            for byte in tokenizer.decode_bytes(&[id]) {
                if byte.is_ascii_whitespace() {
                    inside = false;
                    continue;
                }
                if !inside {
                    words.push(Vec::new());
                    inside = true;
                }
                let last = words.len() - 1;
                words[last].push(byte);
                first.get_or_insert(last);
            }
            of_tokens.push(first.or(words.len().checked_sub(1)));
        }
        let words = words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect();
        Self { words, of_tokens }
    }

    /// The indices of the tokens of a word.
    pub fn tokens(&self, word: usize) -> impl Iterator<Item = usize> {
        (0..self.of_tokens.len()).filter(move |&token| self.of_tokens[token] == Some(word))
    }

    /// The word of a token, if it belongs to one.
    pub fn of_token(&self, token: usize) -> Option<usize> {
        self.of_tokens.get(token).copied().flatten()
    }

    /// The word with this spelling, whatever its case and the punctuation around it; the first of several.
    pub fn find(&self, word: &str) -> Option<usize> {
        let wanted = bare(word);
        self.words
            .iter()
            .position(|known| known == word)
            .or_else(|| self.words.iter().position(|known| !wanted.is_empty() && bare(known) == wanted))
    }

    /// The tokens at which a word begins, in order.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        let before = |token: usize| token.checked_sub(1).and_then(|token| self.of_tokens[token]);
        (0..self.of_tokens.len())
            .filter(move |&t| self.of_tokens[t].is_some() && self.of_tokens[t] != before(t))
    }
}

/// How much one word attends to each word of a text, in one head.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadWeights {
    /// The layer of the stack.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// The weight of each word. What is missing to 1 goes to special tokens.
    pub weights: Vec<f64>,
}

impl HeadWeights {
    /// The weights from some tokens to words, in every head of these layers, each `(1, H, T, S)`: the mean over
    /// the tokens that attend, and the sum over the tokens of each word (Clark et al. 2019).
    pub fn of(layers: &[Tensor<f32>], from: &[usize], words: &Words) -> Vec<Self> {
        let mut all = Vec::new();
        for (layer, tensor) in layers.iter().enumerate() {
            let &[_, heads, t, s] = tensor.shape() else { continue };
            for head in 0..heads {
                let mut weights = vec![0.0; words.words.len()];
                for &row in from {
                    let start = (head * t + row) * s;
                    for (token, &weight) in tensor.data()[start..start + s].iter().enumerate() {
                        if let Some(word) = words.of_token(token) {
                            weights[word] += f64::from(weight) / from.len() as f64;
                        }
                    }
                }
                all.push(Self { layer, head, weights });
            }
        }
        all
    }

    /// The mean weights over these heads; empty without heads.
    pub fn mean(heads: &[Self]) -> Vec<f64> {
        let words = heads.first().map_or(0, |head| head.weights.len());
        let mean = |word| heads.iter().map(|head| head.weights[word]).sum::<f64>() / heads.len() as f64;
        (0..words).map(mean).collect()
    }
}

/// How much of some tokens comes from each word, through all layers: attention rollout (Abnar and Zuidema 2020).
///
/// A layer of self-attention, `(1, H, T, T)`, mixes its tokens by the mean A of its heads, and the residual
/// connection passes each on: `(A + I) / 2`; without residual connections it is A alone. Rollout is the product
/// of these matrices over all layers. It says which tokens can reach another one, not which do.
pub fn rollout(layers: &[Tensor<f32>], residual: bool, from: &[usize], words: &Words) -> Vec<f64> {
    // The share that a token passes on beside attention.
    let own = if residual { 0.5 } else { 0.0 };
    let t = layers.first().map_or(0, |layer| layer.shape()[2]);
    // (T): the share of each token, from the last layer to the first.
    let mut shares = vec![0.0; t];
    from.iter().for_each(|&token| shares[token] += 1.0 / from.len() as f64);
    for layer in layers.iter().rev() {
        let heads = layer.shape()[1];
        let mut below: Vec<f64> = shares.iter().map(|share| share * own).collect();
        for (row, weights) in layer.data().chunks_exact(t).enumerate() {
            let share = shares[row % t] * (1.0 - own) / heads as f64;
            below.iter_mut().zip(weights).for_each(|(sum, &weight)| *sum += share * f64::from(weight));
        }
        shares = below;
    }
    let mut of_words = vec![0.0; words.words.len()];
    for (token, share) in shares.into_iter().enumerate() {
        if let Some(word) = words.of_token(token) {
            of_words[word] += share;
        }
    }
    of_words
}

/// A word in lower case, without punctuation around it.
fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::tokenizer::SpecialToken::EndOfText;

    use super::*;

    #[test]
    fn tokens_are_joined_to_words() {
        let tokenizer =
            Tokenizer::bpe("sabía sabía sabía", 260).unwrap().with_special_tokens(&[EndOfText]).unwrap();
        let text = "La  sabía, bien";
        let mut ids = tokenizer.encode(text).unwrap();
        ids.push(tokenizer.end_of_text().unwrap());
        let words = Words::of(&ids, &tokenizer);
        assert_eq!(words.words, ["La", "sabía,", "bien"]);
        assert_eq!(words.of_token(ids.len() - 1), None);
        for (i, word) in words.words.iter().enumerate() {
            let of_word: Vec<u32> = words.tokens(i).map(|t| ids[t]).collect();
            assert!(tokenizer.decode(&of_word).trim() == word, "{of_word:?}");
        }
        assert_eq!(words.starts().map(|t| words.of_token(t).unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(
            ["sabía", "SABÍA", "sabía,", "bien", "x", ","].map(|w| words.find(w)),
            [Some(1), Some(1), Some(1), Some(2), None, None]
        );
        let empty = Words::of(&ids[ids.len() - 1..], &tokenizer);
        assert!(empty.words.is_empty() && empty.starts().count() == 0);
    }

    #[test]
    fn rollout_is_the_product_of_the_layers_with_their_residuals() {
        let tokenizer = Tokenizer::word("a b").unwrap();
        let words = Words::of(&tokenizer.encode("a b").unwrap(), &tokenizer);
        let layer = |data: [f32; 8]| {
            let mut data = data.into_iter();
            Tensor::from_fn(&[1, 2, 2, 2], || data.next().unwrap())
        };
        // Two heads; the mean of the second token's rows is (3/4, 1/4), then (1/2, 1/2).
        let first = layer([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.5, 0.5]);
        let second = layer([1.0, 0.0, 0.5, 0.5, 1.0, 0.0, 0.5, 0.5]);
        // (A + I) / 2 of the second layer: (1/4, 3/4). Of the first: (1, 0) and (3/8, 5/8).
        let want = [0.25 + 0.75 * 0.375, 0.75 * 0.625];
        let both = [first.clone(), second.clone()];
        assert_eq!(rollout(&both, true, &[1], &words), want);
        // Without residual connections: (1/2, 1/2) times (1, 0) and (3/4, 1/4).
        assert_eq!(rollout(&both, false, &[1], &words), [0.5 + 0.5 * 0.75, 0.5 * 0.25]);
        let heads = HeadWeights::of(&[first, second], &[1], &words);
        assert_eq!(heads.len(), 4);
        assert_eq!(HeadWeights::mean(&heads[..2]), [0.75, 0.25]);
        assert_eq!((heads[3].layer, heads[3].head, &heads[3].weights[..]), (1, 1, &[0.5, 0.5][..]));
    }
}
