//! Training by several ranks, which are threads here: any number of them gives the same bits.
#![allow(clippy::unwrap_used)]

use m2g_core::train::rank_check;
use m2g_translate::data::Corpus;
use m2g_translate::{Config, Transformer};

fn data(config: &Config) -> Corpus {
    Corpus::load(config, None).unwrap()
}

fn configs() -> [Config; 2] {
    let config = Config {
        data: "dates".into(),
        encoder_layers: 1,
        decoder_layers: 1,
        d_model: 32,
        d_ff: 64,
        n_head: 2,
        max_length: 40,
        batch_tokens: 256,
        shards: 4,
        max_iters: 8,
        warmup_iters: 4,
        eval_interval: 4,
        eval_translations: 6,
        dropout: 0.1,
        label_smoothing: 0.1,
        ..Config::default()
    };
    [Config { average: 2, ..config.clone() }, Config { gradient_accumulation_steps: 2, ..config }]
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    for config in configs() {
        let difference =
            rank_check::first_difference::<Transformer<f32>>(&config, &data(&config), dir.path(), 4);
        assert_eq!(difference.unwrap(), None, "ranks");
    }
}
