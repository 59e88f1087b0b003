//! Training runs: they learn, stop and resume to the same bits, and weigh every token the same.
#![allow(clippy::unwrap_used)]

use std::fs;

use m2g_core::train::{Model, Observer, Save, run_folder};
use m2g_core::{Grads, Tape};
use m2g_text::lexicon::of_another_kind;
use m2g_translate::ask::choose;
use m2g_translate::data::{Corpus, PIZZA, Pairs, batch};
use m2g_translate::decode::{Options, Translator};
use m2g_translate::evaluation::{bleu_and_exact, translations};
use m2g_translate::training::Training;
use m2g_translate::{Config, Transformer};

fn small(data: &str) -> Config {
    Config {
        data: data.into(),
        encoder_layers: 1,
        decoder_layers: 1,
        d_model: 32,
        d_ff: 64,
        n_head: 2,
        max_length: 40,
        batch_tokens: 512,
        max_iters: 12,
        warmup_iters: 4,
        eval_interval: 6,
        eval_translations: 4,
        ..Config::default()
    }
}

/// Stops a run before step `at`.
struct StopAt(u64);

impl Observer for StopAt {
    fn stop(&mut self) -> bool {
        self.0 = self.0.wrapping_sub(1);
        self.0 == u64::MAX
    }
}

#[test]
fn a_resumed_run_has_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        gradient_accumulation_steps: 2,
        dropout: 0.1,
        label_smoothing: 0.1,
        average: 2,
        eval_interval: 4,
        ..small("dates")
    };
    let corpus = Corpus::load(&config, None).unwrap();
    let bits = |run: &std::path::Path| {
        let checkpoint = run_folder::load::<f32>(run, run_folder::LAST, "translate").unwrap();
        checkpoint.tensors.into_iter().map(|(name, t)| (name, t.data().to_vec())).collect::<Vec<_>>()
    };
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    Training::new(config.clone(), &corpus, Save::New(&whole)).unwrap().run(&mut ()).unwrap();
    Training::new(config, &corpus, Save::New(&parts)).unwrap().run(&mut StopAt(5)).unwrap();
    let description = Training::describe(&parts).unwrap();
    let mut resumed = Training::resume(&parts, &corpus, description).unwrap();
    assert_eq!(resumed.state.step, 5);
    resumed.run(&mut ()).unwrap();
    assert!(bits(&whole) == bits(&parts));
    let metrics = run_folder::metrics(&parts).unwrap();
    assert_eq!(metrics.len(), 3);
    for name in ["val_loss", "val_perplexity", "val_accuracy", "val_bleu", "val_exact"] {
        assert!(metrics[1][name].is_number(), "{name}");
    }
    assert!(fs::read_to_string(whole.join("config.toml")).unwrap().contains("label_smoothing = 0.1"));
    // Other data, once nobody trains the run.
    drop(resumed);
    let other = Corpus::load(&small("copy"), None).unwrap();
    let description = Training::describe(&parts).unwrap();
    let error = Training::resume(&parts, &other, description).err().unwrap().to_string();
    assert!(error.contains("was started with other data than copy"), "{error}");
}

/// The gradient of two passes of different sizes is that of one pass over all pairs.
#[test]
fn every_token_counts_the_same_in_an_accumulated_step() {
    let config = Config { dropout: 0.0, ..small("sort") };
    let corpus = Corpus::load(&config, None).unwrap();
    let model = Transformer::<f64>::new(config.model(corpus.tokenizer.vocab_size()), 1).unwrap();
    let pairs = |indices: &[usize]| batch(&corpus.train, indices, corpus.specials(), true).unwrap();
    let gradient = |batches: &[m2g_translate::PairBatch]| {
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        for batch in batches {
            model.gradients(&mut tape, batch, &mut grads).unwrap();
            tape.reset();
        }
        let scale = 1.0 / batches.len() as f64;
        let flat = grads.iter().take(model.params().len()).flatten();
        flat.flat_map(|g| g.data().iter().map(move |x| x * scale)).collect::<Vec<f64>>()
    };
    let mut parts = [pairs(&[0]), pairs(&[1, 2, 3, 4])];
    let tokens: usize = parts.iter().map(|part| part.targets(0.0).count()).sum();
    parts.iter_mut().for_each(|part| part.rows = Some(tokens as f64 / 2.0));
    let (whole, parts) = (gradient(&[pairs(&[0, 1, 2, 3, 4])]), gradient(&parts));
    assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() < 1e-12));
}

/// Trains on a toy or the grammar.
fn trained(config: Config, corpus: &Corpus) -> Transformer<f32> {
    let mut training = Training::new(config, corpus, Save::Nowhere).unwrap();
    let outcome = training.run(&mut ()).unwrap();
    println!("{} steps of {} in {:.0} s", outcome.steps, corpus.source, outcome.seconds);
    training.model
}

/// The greedy translations of the pairs of each held-out set, and their references.
fn translated(model: &Transformer<f32>, corpus: &Corpus) -> Vec<(Vec<String>, Vec<String>)> {
    let translate = |pairs: &Pairs| {
        let indices: Vec<usize> = (0..pairs.len()).collect();
        translations(model, &corpus.tokenizer, pairs, &indices, Options::greedy()).unwrap()
    };
    corpus.tests.iter().map(|(_, pairs)| translate(pairs)).collect()
}

#[test]
fn the_loss_falls() {
    let config = Config {
        max_iters: 40,
        eval_interval: 40,
        eval_translations: 0,
        learning_rate: 5e-3,
        ..small("dates")
    };
    let corpus = Corpus::load(&config, None).unwrap();
    let ln_v = (corpus.tokenizer.vocab_size() as f64).ln();
    let mut training = Training::new(config, &corpus, Save::Nowhere).unwrap();
    let outcome = training.run(&mut ()).unwrap();
    let loss = outcome.metric("val_loss").unwrap();
    assert!(loss < 0.8 * ln_v, "{loss}, but ln V is {ln_v}");
    assert_eq!(outcome.metric("val_bleu"), None);
}

#[test]
#[ignore = "trains for minutes: cargo test -p m2g-translate --release --test integration -- --ignored the_toys"]
fn the_toys_are_learned() {
    for toy in m2g_translate::data::TOYS {
        let config = Config { data: toy.into(), ..Config::default() };
        let corpus = Corpus::load(&config, None).unwrap();
        let (ours, theirs) = translated(&trained(config, &corpus), &corpus).remove(0);
        let (_, exact) = bleu_and_exact(&ours, &theirs);
        println!("{toy}: {exact}");
        assert!(exact >= 0.99, "{toy}: {exact}");
    }
}

#[test]
#[ignore = "trains for minutes: cargo test -p m2g-translate --release --test integration -- --ignored the_grammar"]
fn the_grammar_is_learned() {
    let config = Config::default();
    let corpus = Corpus::load(&config, None).unwrap();
    let model = trained(config, &corpus);
    let sets = translated(&model, &corpus);
    let exact: Vec<f64> = sets.iter().map(|(ours, theirs)| bleu_and_exact(ours, theirs).1).collect();
    println!("exact: {exact:?}");
    assert!(exact[0] >= 0.99 && exact[1] >= 0.95, "{exact:?}");
    for (ours, theirs) in sets.iter().flat_map(|(ours, theirs)| ours.iter().zip(theirs)) {
        for meaning in ["tasted", "knew"] {
            assert_eq!(ours.contains(meaning), theirs.contains(meaning), "{ours} {theirs}");
        }
    }
    the_subject_decides_and_not_the_other_noun(&model, &corpus);
    the_noun_flips_the_verb_in_held_out_sentences(&model, &corpus);
}

/// The probabilities of "tasted" and of "knew" where they compete in the model's translation of a sentence.
fn the_subject_decides_and_not_the_other_noun(model: &Transformer<f32>, corpus: &Corpus) {
    let tokenizer = &corpus.tokenizer;
    let translator = Translator::new(model, tokenizer, Options::default()).unwrap();
    for (change, meaning) in [
        (["pizza", "pizza"], 0),
        (["pizza", "niña"], 1),
        (["pizza", "María"], 1),
        (["La pizza", "María"], 1),
        (["horno", "mercado"], 0),
        (["del horno", "de la cocina"], 0),
    ] {
        let sentence = PIZZA[0].replace(change[0], change[1]);
        let source = translator.encode(&sentence).unwrap();
        let best = translator.translate(std::slice::from_ref(&source)).unwrap().concat().remove(0);
        let words = ["tasted", "knew"].map(String::from);
        let context = (model, tokenizer, translator.specials());
        let choice = choose(context, &source, &best.tokens, &words, None).unwrap();
        println!("{sentence}: {:?}", choice.probabilities);
        let [yes, no] = [choice.probabilities[meaning], choice.probabilities[1 - meaning]];
        assert!(yes > 0.5 && yes > 20.0 * no, "{sentence}: {choice:?}");
    }
}

/// In held-out sentences in which food or a person "sabía", a noun of the other kind changes the verb.
fn the_noun_flips_the_verb_in_held_out_sentences(model: &Transformer<f32>, corpus: &Corpus) {
    let translator = Translator::new(model, &corpus.tokenizer, Options::greedy()).unwrap();
    let (mut flipped, mut all) = (0, 0);
    for (_, pairs) in &corpus.tests {
        for i in 0..pairs.len() {
            let sentence = corpus.tokenizer.decode_without_special(pairs.source.get(i));
            let has_both_meanings = ["bien", "mal", "mejor", "peor"].iter().any(|w| sentence.contains(w));
            if !sentence.contains(" sabía") || sentence.contains(" que ") || !has_both_meanings {
                continue;
            }
            let noun = sentence.split([' ', '.']).find_map(|word| Some((word, of_another_kind(word)?)));
            let Some((noun, other)) = noun else { continue };
            // Where the subject is a name, the first noun is a place.
            if ["del", "de la"].iter().any(|of| sentence.contains(&format!("{of} {noun}"))) {
                continue;
            }
            let source = translator.encode(&sentence.replacen(noun, other, 1)).unwrap();
            let ours = &translator.translate(&[source]).unwrap().concat()[0].text;
            let theirs = corpus.tokenizer.decode_without_special(pairs.target.get(i));
            all += 1;
            let flips = theirs.contains("tasted") == ours.contains("knew");
            flipped += usize::from(flips);
            if !flips {
                println!("{sentence}, {noun} -> {other}: {ours}");
            }
        }
    }
    println!("{flipped} of {all} flipped");
    assert!(all > 50 && flipped as f64 >= 0.99 * all as f64, "{flipped} of {all}");
}
