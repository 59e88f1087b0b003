//! Which of some words a model says, and how likely it finds each of them.

use m2g_core::{Error, Tape};
use m2g_text::Tokenizer;
use m2g_text::words::Words;

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

/// The word that gains most when the source changes: of the words that can follow `prefix`, other than `word`,
/// the one whose first token gains the most probability in one of the `changed` sources, and how that source
/// goes on with it. Without changed sources, the likeliest other word.
///
/// # Errors
/// The errors of [`Transformer::forward`]; [`Error::Other`] if `word` has no tokens.
pub fn alternative(
    (model, tokenizer, special): (&Transformer<f32>, &Tokenizer, Specials),
    source: &[u32],
    prefix: &[u32],
    word: &str,
    changed: &[Vec<u32>],
) -> Result<Option<String>, Error> {
    let first = encode(tokenizer, word, !prefix.is_empty())?[0];
    let before = next(model, source, prefix, special)?;
    // Without a change, what counts is the probability itself.
    let none = vec![0.0; before.len()];
    let (sources, before): (Vec<&[u32]>, _) = match changed {
        [] => (vec![source], none),
        changed => (changed.iter().map(Vec::as_slice).collect(), before),
    };
    let mut best: Option<(f64, &[u32], u32)> = None;
    for source in sources {
        let after = next(model, source, prefix, special)?;
        for (id, (after, before)) in (0..).zip(after.iter().zip(&before)) {
            let gain = after - before;
            if id != first && !tokenizer.is_special(id) && gain > best.map_or(0.0, |(gain, ..)| gain) {
                best = Some((gain, source, id));
            }
        }
    }
    let Some((_, source, id)) = best else { return Ok(None) };
    let mut ids = [prefix, &[id]].concat();
    let most = (prefix.len() + MAX_TOKENS_OF_A_WORD).min(model.config().max_length);
    while ids.len() < most {
        let likely = next(model, source, &ids, special)?;
        let Some((id, _)) = (0..).zip(&likely).max_by(|(_, a), (_, b)| a.total_cmp(b)) else { break };
        let text = tokenizer.decode_bytes(&[id]);
        let goes_on = text.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
        if tokenizer.is_special(id) || !goes_on {
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
    let mut tape = Tape::new();
    tape.set_gradients(false);
    let logits = model.forward(&mut tape, &batch(&pairs, &[0], special, true)?)?; // (1, T, V)
    let v = model.config().vocab_size;
    let row = &tape.value(logits).data()[prefix.len() * v..];
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f64> = row.iter().map(|&z| f64::from(z - largest).exp()).collect();
    let sum: f64 = exps.iter().sum();
    Ok(exps.into_iter().map(|e| e / sum).collect())
}
