//! Training by several ranks, which are threads here: any number of them gives the same bits.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use m2g_core::ranks::in_threads;
use m2g_core::train::Save;
use m2g_core::train::run_folder::{self, BEST, LAST};
use m2g_gpt::Config;
use m2g_gpt::data::Corpus;
use m2g_gpt::training::{KIND, Training};
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

/// The bits of both checkpoints, and the evaluations without their times.
fn saved(run: &Path) -> (Vec<Vec<u32>>, Vec<serde_json::Value>) {
    let bits = [BEST, LAST].into_iter().map(|file| {
        let checkpoint = run_folder::load::<f32>(run, file, KIND).unwrap();
        checkpoint.tensors.values().flat_map(|t| t.data()).map(|x| x.to_bits()).collect()
    });
    let mut metrics = run_folder::metrics(run).unwrap();
    metrics.iter_mut().for_each(|line| line["seconds"] = serde_json::Value::Null);
    (bits.collect(), metrics)
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    for config in configs() {
        let data = data(&config);
        let mut first = None;
        for size in 1..=4 {
            let run = dir.path().join(size.to_string());
            let outcomes = in_threads(size, |mut ranks| {
                let save = if ranks.rank() == 0 { Save::Replace(&run) } else { Save::Nowhere };
                let mut training = ranks.agree(Training::new(config.clone(), &data, save)).unwrap();
                training.join(ranks, "test").unwrap();
                training.run(&mut ()).unwrap()
            });
            let outcomes = outcomes.unwrap();
            let result = (saved(&run), outcomes[0].best_test.clone());
            assert!(outcomes.iter().all(|outcome| outcome.best_test == result.1));
            assert!(*first.get_or_insert_with(|| result.clone()) == result, "{size} ranks");
        }
    }
}
