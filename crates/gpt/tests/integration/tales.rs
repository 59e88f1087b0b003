//! What a model that was trained on the tales writes: words and sentences of their grammar.

use m2g_core::train::Save;
use m2g_gpt::data::Corpus;
use m2g_gpt::training::Training;
use m2g_gpt::writing::Writing;
use m2g_gpt::{Config, GenerateOptions};
use m2g_text::{Sampling, tales};

/// Trains, and counts what the model writes, sampled as `m2g gpt sample` does.
fn trained(config: Config, sentences: usize) -> Writing {
    let corpus = Corpus::load_configured(&config, None).unwrap();
    let mut training = Training::new(config, &corpus, Save::Nowhere).unwrap();
    training.run(&mut ()).unwrap();
    let options = GenerateOptions { sampling: Sampling::WRITING, ..GenerateOptions::default() };
    Writing::by(&training.model, corpus.tokenizer.as_ref().unwrap(), &options, sentences).unwrap()
}

#[test]
fn a_short_training_already_writes_words() {
    let small = Config {
        n_layer: 2,
        n_head: 2,
        n_embd: 32,
        block_size: 32,
        learning_rate: 1e-2,
        warmup_iters: 10,
        max_iters: 800,
        eval_interval: 1000,
        ..Config::default()
    };
    let untrained = trained(Config { max_iters: 1, learning_rate: 1e-9, ..small.clone() }, 20);
    let found = trained(small, 40);
    assert!(untrained.share_of_words() < 0.5 && untrained.grammatical == 0, "{untrained:?}");
    assert!(found.share_of_words() > 0.7 && found.sentences == 40, "{found:?}");
}

/// The promise of the first run. `cargo test --release -p m2g-gpt --test integration tales -- --ignored --nocapture`
#[test]
#[ignore = "trains the default for a minute or two in release, for half an hour without"]
fn the_default_writes_words_and_sentences_of_the_tales() {
    let config = Config::default();
    assert_eq!(config.data, tales::NAME);
    let started = std::time::Instant::now();
    let found = trained(config, 200);
    eprintln!("{:.0} s: {found:#?}", started.elapsed().as_secs_f64());
    assert_eq!(found.sentences, 200);
    assert!(found.share_of_words() >= 0.95, "{found:?}");
    assert!(found.share_of_sentences() >= 0.70, "{found:?}");
}
