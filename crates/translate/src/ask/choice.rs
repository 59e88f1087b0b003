//! Which of some words a model says, and how likely it finds each of them.

use std::collections::BTreeSet;

use m2g_core::{Error, Tape};
use m2g_text::Tokenizer;
use m2g_text::sampler::softmax;
use m2g_text::words::{Words, continues_a_word};

use crate::Transformer;
use crate::data::{Pairs, Specials, batch};
use crate::decode::score;

/// The most tokens of a word that is completed.
const MAX_TOKENS_OF_A_WORD: usize = 20;

/// The place in a translation at which some words compete.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The number of tokens of the translation before the place.
    pub place: usize,
    /// The probability of each word there.
    pub probabilities: Vec<f64>,
}

/// Finds the place in a translation at which these words compete: the start of the word where they are likeliest
/// together. `target` holds the tokens of the translation; `fixed` is the place, if it is known.
///
/// # Errors
/// The errors of [`score`]; [`Error::Other`] if a word has no tokens, or more than fit anywhere.
pub fn choose(
    (model, tokenizer, special): (&Transformer<f32>, &Tokenizer, Specials),
    source: &[u32],
    target: &[u32],
    words: &[String],
    fixed: Option<usize>,
) -> Result<Choice, Error> {
    let candidates: Vec<usize> = match fixed {
        Some(place) => vec![place],
        None => {
            let starts: Vec<usize> = Words::of(target, tokenizer).starts().collect();
            if starts.is_empty() { vec![0] } else { starts }
        }
    };
    let (mut places, mut pairs, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for place in candidates {
        let words = words.iter().map(|word| encode(tokenizer, word, place > 0));
        let words: Vec<Vec<u32>> = words.collect::<Result<_, _>>()?;
        // At the end of a translation that was cut, a word may not fit.
        let longest = words.iter().map(Vec::len).max().unwrap_or(0);
        if fixed.is_none() && place + longest > model.config().max_length {
            continue;
        }
        places.push(place);
        lengths.extend(words.iter().map(Vec::len));
        pairs.extend(words.iter().map(|word| (source.to_vec(), [&target[..place], word].concat())));
    }
    if places.is_empty() {
        return Err(Error::Other("a word has more tokens than the model can write (max_length)".into()));
    }
    let pairs = Pairs::of_tokens(pairs.iter().map(|(source, target)| (&source[..], &target[..])));
    let scores = score(model, &pairs, special)?;
    let probability = |(scores, n): (&Vec<f64>, &usize)| scores[scores.len() - n..].iter().sum::<f64>().exp();
    let probabilities: Vec<f64> = scores.iter().zip(&lengths).map(probability).collect();
    let choices = places.into_iter().zip(probabilities.chunks(words.len().max(1)));
    let best = choices.max_by(|(_, a), (_, b)| a.iter().sum::<f64>().total_cmp(&b.iter().sum()));
    Ok(best.map_or(Choice { place: 0, probabilities: Vec::new() }, |(place, probabilities)| Choice {
        place,
        probabilities: probabilities.to_vec(),
    }))
}

/// The word that a change brings in, and that competes with the word after `prefix`: of the words of the `changed`
/// translations that are not among the `known` ones, the one that is likeliest there. `None` if they have no such word.
///
/// # Errors
/// The errors of [`score`].
pub fn newcomer(
    (model, tokenizer, special): (&Transformer<f32>, &Tokenizer, Specials),
    source: &[u32],
    prefix: &[u32],
    known: &[String],
    changed: &[String],
) -> Result<Option<String>, Error> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_string();
    let known: Vec<String> = known.iter().map(|word| bare(word).to_lowercase()).collect();
    let room = model.config().max_length.saturating_sub(prefix.len());
    let fits = |word: &str| encode(tokenizer, word, !prefix.is_empty()).is_ok_and(|ids| ids.len() <= room);
    let words = changed.iter().flat_map(|text| text.split_whitespace()).map(bare);
    let new: BTreeSet<String> = words
        .filter(|word| !word.is_empty() && !known.contains(&word.to_lowercase()) && fits(word))
        .collect();
    let mut new = Vec::from_iter(new);
    if new.is_empty() {
        return Ok(None);
    }
    let likely = choose((model, tokenizer, special), source, prefix, &new, Some(prefix.len()))?.probabilities;
    let best = (0..new.len()).max_by(|&a, &b| likely[a].total_cmp(&likely[b]));
    Ok(best.map(|best| new.swap_remove(best)))
}

/// The likeliest word that can follow `prefix`, other than `word`.
///
/// # Errors
/// The errors of [`Transformer::forward`]; [`Error::Other`] if `word` has no tokens.
pub fn alternative(
    (model, tokenizer, special): (&Transformer<f32>, &Tokenizer, Specials),
    source: &[u32],
    prefix: &[u32],
    word: &str,
) -> Result<Option<String>, Error> {
    let first = encode(tokenizer, word, !prefix.is_empty())?[0];
    let likely = next(model, source, prefix, special)?;
    let others = (0..).zip(&likely).filter(|(id, _)| *id != first && !tokenizer.is_special(*id));
    let Some((id, _)) = others.max_by(|(_, a), (_, b)| a.total_cmp(b)) else { return Ok(None) };
    let mut ids = [prefix, &[id]].concat();
    let most = (prefix.len() + MAX_TOKENS_OF_A_WORD).min(model.config().max_length);
    while ids.len() < most {
        let likely = next(model, source, &ids, special)?;
        let Some((id, _)) = (0..).zip(&likely).max_by(|(_, a), (_, b)| a.total_cmp(b)) else { break };
        if !continues_a_word(id, tokenizer) {
            break;
        }
        ids.push(id);
    }
    let word = tokenizer.decode(&ids[prefix.len()..]).trim().to_string();
    Ok((!word.is_empty()).then_some(word))
}

/// The tokens of a word, after other words or at the start of a text.
fn encode(tokenizer: &Tokenizer, word: &str, after_others: bool) -> Result<Vec<u32>, Error> {
    let text = if after_others { format!(" {word}") } else { word.to_string() };
    let ids = tokenizer.encode(&text).or_else(|_| tokenizer.encode(word));
    let ids = ids.map_err(|error| Error::Other(Box::new(error)))?;
    match ids.is_empty() {
        true => Err(Error::Other("an empty word has no probability".into())),
        false => Ok(ids),
    }
}

/// The probability of every token after a prefix: `(V)`.
fn next(
    model: &Transformer<f32>,
    source: &[u32],
    prefix: &[u32],
    special: Specials,
) -> Result<Vec<f64>, Error> {
    let target = [prefix, &[special.end]].concat();
    let pairs = Pairs::of_tokens([(source, &target[..])]);
    let mut tape = Tape::without_gradients();
    let logits = model.forward(&mut tape, &batch(&pairs, &[0], special, true)?)?; // (1, T, V)
    let v = model.config().vocab_size;
    let row = &tape.value(logits).data()[prefix.len() * v..];
    Ok(softmax(row))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Config;
    use crate::data::{TextPair, tokenizer_for};

    #[test]
    fn a_newcomer_is_a_word_that_a_change_brings_in() {
        let text = [["la niña sabía bien", "The girl knew well"], ["la pizza", "The pizza tasted good."]];
        let tokenizer = tokenizer_for("byte", "x", &text.map(TextPair::from)).unwrap();
        let config = Config { d_model: 8, d_ff: 8, n_head: 2, max_length: 20, ..Config::default() };
        let model = Transformer::new(config.model(tokenizer.vocab_size()), 1).unwrap();
        let special = Specials::of(&tokenizer).unwrap();
        let mut source = tokenizer.encode("la niña").unwrap();
        source.push(special.end);
        let known = ["The", "girl", "knew", "well"].map(String::from);
        let found = |before: &str, changed: &[&str]| {
            let changed: Vec<String> = changed.iter().map(ToString::to_string).collect();
            let prefix = tokenizer.encode(before).unwrap();
            newcomer((&model, &tokenizer, special), &source, &prefix, &known, &changed).unwrap()
        };
        let new = found("The girl", &["The pizza tasted good."]).unwrap();
        assert!(["pizza", "tasted", "good"].contains(&&*new), "{new}");
        assert_eq!(found("The girl", &["The pizza, well, knew the girl"]).unwrap(), "pizza");
        assert_eq!(found("The girl", &["the girl. Well, the girl knew!", ""]), None, "only known words");
        assert_eq!(found("The girl", &[]), None);
        assert_eq!(found("The girl knew so we", &["pizza"]), None, "a word that does not fit");
    }
}
