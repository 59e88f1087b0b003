//! Questions to a trained GPT: which earlier words a word attends to, and what the words after it depend on.
//!
//! Attention says where a layer looks, not what decides. So a causal test changes an earlier word, and measures
//! what that does to the loss of the words that follow.

use m2g_core::{Error, Tape, Tensor, Tokens, memory};
use m2g_text::Tokenizer;
use m2g_text::words::{HeadWeights, Words, continues_a_word, rollout};

use crate::Gpt;

/// The most tokens of a word that is completed.
const MAX_TOKENS_OF_A_WORD: usize = 16;

/// A text as a model reads it: after the token that marks the start of a text.
#[derive(Debug, Clone)]
pub struct Sentence {
    ids: Vec<u32>,
    /// Its words. The token at its start belongs to none.
    pub words: Words,
}

impl Sentence {
    /// The tokens and words of a text.
    ///
    /// # Errors
    /// [`Error::Other`] if the tokenizer does not know the text.
    pub fn new(text: &str, tokenizer: &Tokenizer) -> Result<Self, Error> {
        let text = tokenizer.encode(text).map_err(|error| Error::Other(Box::new(error)))?;
        let ids = [tokenizer.start_of_text(), text].concat();
        Ok(Self { words: Words::of(&ids, tokenizer), ids })
    }

    /// The number of tokens before the last `n` words.
    pub fn before_last(&self, n: usize) -> usize {
        let first = self.words.words.len() - n;
        self.words.tokens(first).next().unwrap_or(self.ids.len())
    }
}

/// The attention of every layer for one text.
#[derive(Debug)]
pub struct Attention {
    /// `(1, H, T, T)` each.
    layers: Vec<Tensor<f32>>,
    /// Whether the model has residual connections.
    residual: bool,
}

impl Attention {
    /// Runs the text through the model, op by op.
    ///
    /// # Errors
    /// [`Error::Setting`] if the text is longer than `block_size`; [`Error::Memory`] if there is too little for it.
    pub fn of(gpt: &Gpt<f32>, sentence: &Sentence) -> Result<Self, Error> {
        let gpt = gpt.unfused()?;
        gpt.check_length(sentence.ids.len())?;
        let elements = gpt.config().inspected_elements(sentence.ids.len(), false);
        memory::check(elements, "looking into this text", "give a shorter one")?;
        let mut tape = Tape::without_gradients();
        tape.trace.switch(true);
        gpt.forward(&mut tape, &row(&sentence.ids)?)?;
        let layer = |i: usize| {
            let found = tape.trace.labelled(&format!("h.{i}.attn.weights"));
            let var = found.ok_or(Error::Other("a layer recorded no attention".into()))?;
            Ok(tape.value(var).clone())
        };
        let layers = (0..gpt.config().n_layer).map(layer).collect::<Result<_, Error>>()?;
        Ok(Self { layers, residual: gpt.config().residual })
    }

    /// How much a word attends to each word, head by head. A word in several tokens attends with their mean, and
    /// is attended to with their sum.
    pub fn of_word(&self, sentence: &Sentence, word: usize) -> Vec<HeadWeights> {
        let tokens: Vec<usize> = sentence.words.tokens(word).collect();
        HeadWeights::of(&self.layers, &tokens, &sentence.words)
    }

    /// How much of a word comes from each word, through all layers.
    pub fn rollout(&self, sentence: &Sentence, word: usize) -> Vec<f64> {
        let tokens: Vec<usize> = sentence.words.tokens(word).collect();
        rollout(&self.layers, self.residual, &tokens, &sentence.words)
    }
}

/// What a model predicts.
#[derive(Debug, Clone, Copy)]
pub struct Predictions<'a> {
    gpt: &'a Gpt<f32>,
    tokenizer: &'a Tokenizer,
}

impl<'a> Predictions<'a> {
    /// The predictions of this model.
    pub fn of(gpt: &'a Gpt<f32>, tokenizer: &'a Tokenizer) -> Self {
        Self { gpt, tokenizer }
    }

    /// The loss of each of the last `n` words, in nats, given all words before it.
    ///
    /// # Errors
    /// [`Error::Setting`] if the text is longer than `block_size`.
    pub fn losses(&self, sentence: &Sentence, n: usize) -> Result<Vec<f64>, Error> {
        let losses = self.token_losses(&sentence.ids)?;
        let words = sentence.words.words.len();
        let of_word = |word| sentence.words.tokens(word).map(|token| losses[token]).sum();
        Ok((words - n..words).map(of_word).collect())
    }

    /// How many tokens a word has after the first `place` tokens of a text.
    ///
    /// # Errors
    /// [`Error::Other`] if the tokenizer does not know the word.
    pub fn tokens_of(&self, sentence: &Sentence, place: usize, word: &str) -> Result<usize, Error> {
        Ok(self.word(&sentence.ids[..place], word)?.len())
    }

    /// The probability of each of these words after the first `place` tokens of a text: with tokens that are shorter
    /// than words, that of all words that begin with it.
    ///
    /// # Errors
    /// [`Error::Setting`] if the text is longer than `block_size`; [`Error::Other`] if the tokenizer does not know a
    /// word.
    pub fn probabilities(
        &self,
        sentence: &Sentence,
        place: usize,
        words: &[String],
    ) -> Result<Vec<f64>, Error> {
        let probability = |word: &String| {
            let before = &sentence.ids[..place];
            let losses = self.token_losses(&[before, &self.word(before, word)?].concat())?;
            Ok((-losses[place..].iter().sum::<f64>()).exp())
        };
        words.iter().map(probability).collect()
    }

    /// A likely word after the first `place` tokens of a text: the likeliest token that can begin one, but not that
    /// which begins `except`, and the likeliest ones after it. `None` if the model expects no word there.
    ///
    /// # Errors
    /// [`Error::Setting`] if the text is longer than `block_size`.
    pub fn likely_word(
        &self,
        sentence: &Sentence,
        place: usize,
        except: &str,
    ) -> Result<Option<String>, Error> {
        let before = &sentence.ids[..place];
        let starts = self.starts_a_word(before);
        let except = self.word(before, except).ok().and_then(|ids| ids.first().copied());
        let begins = |id: u32| {
            let text = self.tokenizer.decode(&[id]);
            let word = text.trim_start_matches(' ');
            // After another word, a word begins with a space.
            word.chars().next().is_some_and(char::is_alphabetic) && (starts || word.len() < text.len())
        };
        let space = self.tokenizer.encode(" ").ok().filter(|ids| ids.len() == 1 && !starts);
        // With tokens of characters the space comes first.
        let mut ids = match (&space, self.likeliest_token(before, |id| begins(id) && Some(id) != except)?) {
            (_, Some(id)) => [before, &[id]].concat(),
            (Some(space), None) => [before, space].concat(),
            (None, None) => return Ok(None),
        };
        let mut has_ended = false;
        while ids.len() < place + MAX_TOKENS_OF_A_WORD && ids.len() <= self.gpt.config().block_size {
            let Some(id) = self.likeliest_token(&ids, |_| true)? else { break };
            has_ended = !continues_a_word(id, self.tokenizer);
            if has_ended {
                break;
            }
            ids.push(id);
        }
        if !has_ended {
            return Ok(None); // Or not within what the model reads.
        }
        let word = self.tokenizer.decode(&ids[place..]).trim().to_string();
        Ok(Some(word).filter(|word| word.chars().any(char::is_alphabetic)))
    }

    /// The likeliest token after these, of those that `may` be.
    ///
    /// # Errors
    /// [`Error::NotFiniteResult`].
    fn likeliest_token(&self, ids: &[u32], may: impl Fn(u32) -> bool) -> Result<Option<u32>, Error> {
        let mut tape = Tape::without_gradients();
        let logits = self.gpt.forward_last(&mut tape, &row(ids)?, None)?; // (1, 1, V)
        let logits = tape.value(logits).data();
        let tokens = (0..).zip(logits).filter(|(id, _)| self.tokenizer.token(*id).is_some() && may(*id));
        match tokens.max_by(|(_, a), (_, b)| a.total_cmp(b)) {
            Some((_, logit)) if !logit.is_finite() => Err(Error::NotFiniteResult("logits")),
            likeliest => Ok(likeliest.map(|(id, _)| id)),
        }
    }

    /// The loss of each token, given those before it; 0 for the first. The model does not read the last one.
    fn token_losses(&self, ids: &[u32]) -> Result<Vec<f64>, Error> {
        let [read @ .., _] = ids else { return Ok(Vec::new()) };
        if read.is_empty() {
            return Ok(vec![0.0]);
        }
        let mut tape = Tape::without_gradients();
        let logits = self.gpt.forward(&mut tape, &row(read)?)?; // (1, T, V)
        let log_sums = tape.log_sum_exp(logits)?; // (T)
        let v = self.gpt.config().vocab_size;
        let (logits, log_sums) = (tape.value(logits).data(), tape.value(log_sums).data());
        let loss = |i: usize| f64::from(log_sums[i]) - f64::from(logits[i * v + ids[i + 1] as usize]);
        let losses: Vec<f64> = std::iter::once(0.0).chain((0..read.len()).map(loss)).collect();
        match losses.iter().all(|loss| loss.is_finite()) {
            true => Ok(losses),
            false => Err(Error::NotFiniteResult("losses")),
        }
    }

    /// Whether these tokens end where a word begins: at the start of a text, or after a space, which tokens of
    /// characters have between two words.
    fn starts_a_word(&self, before: &[u32]) -> bool {
        let last = before.last().filter(|_| before.len() > 1);
        last.is_none_or(|last| {
            self.tokenizer.decode_bytes(&[*last]).last().is_some_and(u8::is_ascii_whitespace)
        })
    }

    /// The tokens of a word after these.
    fn word(&self, before: &[u32], word: &str) -> Result<Vec<u32>, Error> {
        let ids = match self.starts_a_word(before) && before.len() > 1 {
            true => self.tokenizer.encode(word),
            false => self.tokenizer.encode(&format!(" {word}")).or_else(|_| self.tokenizer.encode(word)),
        };
        ids.map_err(|error| Error::Other(Box::new(error)))
    }
}

/// One row of tokens.
fn row(ids: &[u32]) -> Result<Tokens, Error> {
    Tokens::new([1, ids.len()], ids)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Config;

    const TEXT: &str = "la pizza sabía bien";

    fn model(tokenizer: &Tokenizer) -> Gpt<f32> {
        let small = Config { n_layer: 2, n_head: 2, n_embd: 16, block_size: 32, ..Config::default() };
        Gpt::new(small.model(tokenizer.vocab_size()), 1).unwrap()
    }

    #[test]
    fn losses_of_words_are_those_of_their_tokens() {
        for tokenizer in
            [Tokenizer::word(&format!("{TEXT}\n")).unwrap(), Tokenizer::char(&format!("{TEXT}\n"))]
        {
            let gpt = model(&tokenizer);
            let sentence = Sentence::new(TEXT, &tokenizer).unwrap();
            assert_eq!(sentence.words.words, ["la", "pizza", "sabía", "bien"]);
            let predictions = Predictions::of(&gpt, &tokenizer);
            let all = predictions.losses(&sentence, 4).unwrap();
            let two = predictions.losses(&sentence, 2).unwrap();
            assert_eq!(all[2..], two);
            assert!(predictions.losses(&sentence, 0).unwrap().is_empty());
            // The probability of the word that stands there is that of its loss.
            let place = sentence.before_last(1);
            let found = predictions.probabilities(&sentence, place, &["bien".into()]).unwrap();
            assert!((found[0] - (-two[1]).exp()).abs() < 1e-6, "{found:?} {two:?}");
            let likely = predictions.likely_word(&sentence, place, "").unwrap();
            assert!(likely.is_none_or(|word| !word.contains(' ')));
        }
    }

    #[test]
    fn a_word_attends_to_itself_and_earlier_words() {
        let tokenizer = Tokenizer::word(&format!("{TEXT}\n")).unwrap();
        let gpt = model(&tokenizer);
        let sentence = Sentence::new(TEXT, &tokenizer).unwrap();
        let attention = Attention::of(&gpt, &sentence).unwrap();
        let heads = attention.of_word(&sentence, 2);
        assert_eq!(heads.len(), 4);
        for weights in heads.iter().map(|head| &head.weights).chain([&attention.rollout(&sentence, 2)]) {
            assert!(weights[3] == 0.0 && weights[..3].iter().all(|w| *w > 0.0), "{weights:?}");
            assert!(weights.iter().sum::<f64>() < 1.0, "the start has the rest: {weights:?}");
        }
    }

    #[test]
    fn a_text_longer_than_the_window_is_an_error() {
        let tokenizer = Tokenizer::word(&format!("{TEXT}\n")).unwrap();
        let gpt = model(&tokenizer);
        let sentence =
            Sentence::new(&"la pizza ".repeat(20).trim().replace("la", "pizza"), &tokenizer).unwrap();
        assert!(matches!(Attention::of(&gpt, &sentence), Err(Error::Setting { .. })));
        assert!(Predictions::of(&gpt, &tokenizer).losses(&sentence, 1).is_err());
    }
}
