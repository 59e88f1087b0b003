//! Decoding: whatever makes it faster must not change a token.
#![allow(clippy::unwrap_used)]

use m2g_text::Tokenizer;
use m2g_text::tokenizer::SpecialToken::{Beginning, EndOfText, Padding};
use m2g_translate::data::{Pairs, TextPair};
use m2g_translate::decode::{Options, Translation, Translator, score};
use m2g_translate::{Config, Transformer, TransformerConfig};

fn tokenizer() -> Tokenizer {
    Tokenizer::char("abcdefgh").with_special_tokens(&[Beginning, EndOfText, Padding]).unwrap()
}

/// A model with random weights.
fn model() -> Transformer<f32> {
    model_that_reads(40)
}

fn model_that_reads(max_length: usize) -> Transformer<f32> {
    let config = Config {
        encoder_layers: 2,
        decoder_layers: 2,
        d_model: 16,
        d_ff: 24,
        n_head: 2,
        max_length,
        ..Config::default()
    };
    Transformer::new(config.model(tokenizer().vocab_size()), 5).unwrap()
}

const SENTENCES: [&str; 7] = ["abc", "h", "ddddddddddd", "", "gfedcba", "abc", "hgabefc"];

fn translate(options: Options, sentences: &[&str]) -> Vec<Vec<Translation>> {
    let (model, tokenizer) = (model(), tokenizer());
    let translator = Translator::new(&model, &tokenizer, options).unwrap();
    let sources: Vec<Vec<u32>> = sentences.iter().map(|s| translator.encode(s).unwrap()).collect();
    translator.translate(&sources).unwrap()
}

fn tokens(all: &[Vec<Translation>]) -> Vec<Vec<&[u32]>> {
    all.iter().map(|found| found.iter().map(|t| &t.tokens[..]).collect()).collect()
}

#[test]
fn batches_change_no_bit_and_caches_no_token() {
    for (beam, n_best, alpha) in [(1, 1, 0.6), (4, 1, 0.6), (3, 3, 0.0), (5, 2, 1.0)] {
        let options = Options { beam, n_best, alpha, extra_length: 9, ..Options::default() };
        let want = translate(options, &SENTENCES);
        for (batch, cache) in [(1, true), (3, true), (32, false), (2, false)] {
            let got = translate(Options { batch, cache, ..options }, &SENTENCES);
            assert_eq!(tokens(&got), tokens(&want), "beam {beam}, batch {batch}, cache {cache}");
            if cache {
                assert_eq!(got, want, "beam {beam}, batch {batch}");
            }
            for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
                assert!((got.score - want.score).abs() < 1e-4);
            }
        }
    }
}

/// Without a mask, a sentence also attends to the padding that longer ones beside it bring.
#[test]
fn without_a_padding_mask_the_batch_matters() {
    let (config, tokenizer) = (model().config().clone(), tokenizer());
    let scores = |padding_mask: bool, batch: usize| -> Vec<f64> {
        let model = Transformer::<f32>::new(TransformerConfig { padding_mask, ..config.clone() }, 5).unwrap();
        let options = Options { batch, extra_length: 9, ..Options::default() };
        let translator = Translator::new(&model, &tokenizer, options).unwrap();
        let sources: Vec<Vec<u32>> = SENTENCES.iter().map(|s| translator.encode(s).unwrap()).collect();
        translator.translate(&sources).unwrap().iter().map(|found| found[0].score).collect()
    };
    assert_eq!(scores(true, 1), scores(true, 32));
    assert_ne!(scores(false, 1), scores(false, 32));
}

/// Source and translation count with their end tokens. A translation of just the greatest length may end.
#[test]
fn a_translation_is_at_most_as_much_longer_as_it_may_be() {
    // The source: one token and its end. The beam is so wide that no translation of one or two tokens is pruned.
    let wide = |extra_length| {
        let options = Options { extra_length, beam: 500, n_best: 500, ..Options::default() };
        translate(options, &["g"]).remove(0)
    };
    for extra_length in [0, 1] {
        let found = wide(extra_length);
        let lengths = found.iter().filter(|t| t.is_complete).map(|t| t.tokens.len() + 1);
        assert_eq!(lengths.max(), Some(2 + extra_length), "{found:?}");
        assert!(found.iter().all(|t| t.tokens.len() <= 2 + extra_length), "{found:?}");
    }
}

/// A vocabulary may have a line break, but a translation is one line.
#[test]
fn no_translation_has_a_line_break() {
    let tokenizer = Tokenizer::char("ab\n").with_special_tokens(&[Beginning, EndOfText, Padding]).unwrap();
    let config = TransformerConfig { vocab_size: tokenizer.vocab_size(), ..model().config().clone() };
    let model = Transformer::<f32>::new(config, 5).unwrap();
    let options = Options { beam: 20, n_best: 20, extra_length: 4, ..Options::default() };
    let translator = Translator::new(&model, &tokenizer, options).unwrap();
    let found = translator.translate(&[translator.encode("ab").unwrap()]).unwrap().concat();
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|t| !t.text.contains('\n')), "{found:?}");
}

#[test]
fn no_limit_of_the_length_is_the_models() {
    let options = |extra_length| Options { extra_length, ..Options::default() };
    assert_eq!(translate(options(usize::MAX), &SENTENCES), translate(options(40), &SENTENCES));
}

/// A translation that is cut has no end token: with one, it would be longer than the model reads.
#[test]
fn a_cut_translation_can_be_inspected() {
    let (model, tokenizer) = (model_that_reads(4), tokenizer());
    let translator = Translator::new(&model, &tokenizer, Options::default()).unwrap();
    let (unfused, special) = (model.unfused().unwrap(), translator.specials());
    let mut cut = 0;
    for sentence in ["abc", "h", "dd", "gfe", "aaa"] {
        let best = translator.translate(&[translator.encode(sentence).unwrap()]).unwrap().concat().remove(0);
        let target = best.with_end(special);
        assert_eq!(target.ends_with(&[special.end]), best.is_complete);
        cut += usize::from(!best.is_complete && best.tokens.len() == 4);
        let inspection = unfused.inspect(&tokenizer, sentence, false).unwrap();
        assert_eq!(inspection.texts[1].ids.len(), target.len());
    }
    assert!(cut > 0);
}

#[test]
fn a_translation_stops_when_it_is_asked_to() {
    let (model, tokenizer) = (model(), tokenizer());
    let translator = Translator::new(&model, &tokenizer, Options::default()).unwrap();
    let source = translator.encode("abc").unwrap();
    let translator = translator.stop_when(Some(|| true));
    assert!(matches!(translator.tree(&source), Err(m2g_core::Error::Stopped)));
    assert!(matches!(translator.translate(&[source]), Err(m2g_core::Error::Stopped)));
}

#[test]
fn translations_come_in_the_order_of_the_sources_and_the_best_is_the_best_of_n() {
    let options = Options { beam: 4, extra_length: 9, ..Options::default() };
    let one = translate(options, &SENTENCES);
    assert!(one.iter().all(|found| found.len() == 1));
    assert_eq!(one[0], one[5], "the same sentence");
    assert_eq!((&one[3][0].text[..], one[3][0].is_complete), ("", true), "nothing to translate");
    assert_eq!(translate(options, &[" \t\u{a0}"])[0], one[3], "nor in white space");
    for (i, sentence) in SENTENCES.iter().enumerate() {
        assert_eq!(tokens(&translate(options, &[sentence]))[0], tokens(&one)[i]);
    }
    let four = translate(Options { n_best: 4, ..options }, &SENTENCES);
    for (one, four) in one.iter().zip(&four) {
        assert_eq!(one[0].tokens, four[0].tokens);
        assert!(four.is_sorted_by(|a, b| a.score >= b.score || (a.is_complete && !b.is_complete)));
        let mut texts: Vec<&str> = four.iter().map(|t| &t.text[..]).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), four.len());
    }
}

/// The sum of the log-probabilities that the model gives to a finished translation, in one pass over the
/// whole of it, is the one that the search found step by step.
#[test]
fn the_score_of_a_translation_is_that_of_the_search() {
    let options = Options { beam: 8, n_best: 8, extra_length: 20, ..Options::default() };
    let found = translate(options, &SENTENCES);
    let (mut texts, mut want) = (Vec::new(), Vec::new());
    for (sentence, found) in SENTENCES.iter().zip(&found) {
        for t in found.iter().filter(|t| t.is_complete && !sentence.is_empty()) {
            texts.push(TextPair { source: sentence.to_string(), target: t.text.clone() });
            want.push((t.log_probability, t.score, t.tokens.len() + 1));
        }
    }
    assert!(texts.len() >= 4, "{}", texts.len());
    let (pairs, special) = Pairs::encode_all(&texts, &tokenizer()).unwrap();
    let scores = score(&model(), &pairs, special).unwrap();
    for (scores, (log_probability, normalised, n)) in scores.iter().zip(want) {
        assert_eq!(scores.len(), n);
        assert!((scores.iter().sum::<f64>() - log_probability).abs() < 1e-4);
        assert!((log_probability / options.length_penalty(n) - normalised).abs() < 1e-9);
    }
}

#[test]
fn what_cannot_be_decoded_is_refused() {
    let (model, tokenizer) = (model(), tokenizer());
    let translator = Translator::new(&model, &tokenizer, Options::default()).unwrap();
    let error = translator.encode(&"a".repeat(10_000)).unwrap_err().to_string();
    assert!(
        error.starts_with("a sentence is 10001 tokens long: it has more tokens than the model"),
        "{error}"
    );
    assert!(translator.encode("xyz").unwrap_err().to_string().contains('x'));
    for (options, start) in [
        (Options { beam: 0, ..Options::default() }, "beam is 0"),
        (Options { alpha: -1.0, ..Options::default() }, "alpha is -1"),
        (Options { alpha: f64::NAN, ..Options::default() }, "alpha is NaN"),
        (Options { n_best: 5, ..Options::default() }, "n_best is 5: it must be at least 1 and at most beam"),
        (Options { batch: 0, ..Options::default() }, "batch is 0"),
    ] {
        let error = Translator::new(&model, &tokenizer, options).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
    }
    let plain = Tokenizer::char("abc");
    assert!(Translator::new(&model, &plain, Options::default()).is_err());
    // More open translations than the vocabulary has tokens.
    let wide = Options { beam: 30, n_best: 30, extra_length: 3, ..Options::default() };
    assert_eq!(translate(wide, &["ab"])[0].len(), 30);
}
