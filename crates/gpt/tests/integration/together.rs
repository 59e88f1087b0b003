//! Training by several ranks, which are threads here: any number of them gives the same bits.
#![allow(clippy::unwrap_used)]

use m2g_core::train::rank_check;
use m2g_gpt::data::Corpus;
use m2g_gpt::{Config, Gpt};
use m2g_text::{TokenData, Tokenizer};

fn data(_: &Config) -> Corpus {
    let text: String = (0..500).map(|i| format!("{} times 7 is {}.\n", i % 50, i % 50 * 7)).collect();
    let tokenizer = Tokenizer::char(&text);
    let ids = tokenizer.encode(&text).unwrap();
    let (train, val) = ids.split_at(ids.len() * 9 / 10);
    Corpus::new(TokenData::new(train), TokenData::new(val), tokenizer, "a test".into(), Vec::new())
}

fn configs() -> [Config; 2] {
    let config = Config {
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        block_size: 16,
        dropout: 0.1,
        batch_size: 4,
        shards: 4,
        max_iters: 12,
        eval_interval: 5,
        eval_iters: 3,
        warmup_iters: 5,
        ..Config::default()
    };
    [Config { gradient_accumulation_steps: 2, shards: 5, ..config.clone() }, Config { bias: true, ..config }]
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    for config in configs() {
        let difference = rank_check::first_difference::<Gpt<f32>>(&config, &data(&config), dir.path(), 4);
        assert_eq!(difference.unwrap(), None, "ranks");
    }
}
