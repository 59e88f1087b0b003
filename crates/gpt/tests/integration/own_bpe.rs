//! A folder of Hugging Face with a byte-level BPE of its own: `tests/own-bpe`.

use std::path::Path;

use m2g_gpt::gpt2::{export, import};
use m2g_gpt::{GenerateOptions, Generator, Gpt};
use m2g_text::{Sampling, Tokenizer};
use proptest::prelude::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/own-bpe");

fn tokenizer(folder: &Path) -> Tokenizer {
    import(folder).unwrap().tokenizer.unwrap()
}

/// The ids of transformers 5.24.
#[test]
fn texts_have_the_ids_of_transformers() {
    let tokenizer = tokenizer(Path::new(FOLDER));
    assert_eq!(tokenizer.encode("First Citizen: speak").unwrap(), [430, 365, 489, 26, 429, 375, 75]);
    assert_eq!(tokenizer.encode("é你 ").unwrap(), [128, 103, 161, 122, 255, 221]);
    assert_eq!((tokenizer.end_of_text(), tokenizer.vocab_size()), (Some(0), 500));
}

#[test]
fn export_then_import_is_the_identity() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let model = import(Path::new(FOLDER)).unwrap();
    let ours = model.tokenizer.clone().unwrap();
    assert_eq!(export(&out, &model.config, &model.params, Some(&ours), false).unwrap(), None);
    let again = import(&out).unwrap();
    assert!(again.notes.is_empty(), "{:?}", again.notes);
    assert_eq!(again.tokenizer.unwrap(), ours);
    for (a, b) in again.params.iter().zip(model.params.iter()) {
        assert!(a.name == b.name && a.value == b.value, "{}", a.name);
    }
    let files = [
        "config.json",
        "generation_config.json",
        "merges.txt",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    ];
    let mut names: Vec<_> =
        std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, files);
}

/// Rows beyond the tokenizer are the likeliest here, and are never chosen.
#[test]
fn tokens_that_the_tokenizer_lacks_are_never_chosen() {
    let model = import(Path::new(FOLDER)).unwrap();
    let tokenizer = Tokenizer::bpe("the then that", 260).unwrap();
    let gpt: Gpt<f32> = model.into_gpt().unwrap();
    for greedy in [true, false] {
        let sampling = Sampling { greedy, temperature: 5.0, ..Sampling::default() };
        let options = GenerateOptions { sampling, ..GenerateOptions::default() };
        let generator = Generator::new(&gpt, &options, &[1], 0).unwrap();
        let ids: Vec<u32> =
            generator.only_tokens_of(Some(&tokenizer)).take(200).collect::<Result<_, _>>().unwrap();
        assert!(ids.iter().all(|&id| id < 260), "{ids:?}");
        let all = Generator::new(&gpt, &options, &[1], 0).unwrap();
        assert!(greedy || all.take(200).any(|id| id.unwrap() >= 260));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_has_the_same_ids_after_export_and_import(text in "(?s:.){0,40}|[First Cizen:\\n]{0,40}") {
        static BOTH: std::sync::LazyLock<[Tokenizer; 2]> = std::sync::LazyLock::new(|| {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            let model = import(Path::new(FOLDER)).unwrap();
            let ours = model.tokenizer.clone().unwrap();
            export(&out, &model.config, &model.params, Some(&ours), false).unwrap();
            // Only the older files, which hold the same.
            std::fs::remove_file(out.join("tokenizer.json")).unwrap();
            [ours, tokenizer(&out)]
        });
        let [ours, theirs] = &*BOTH;
        prop_assert_eq!(ours.encode(&text).unwrap(), theirs.encode(&text).unwrap());
        prop_assert_eq!(ours.decode(&ours.encode(&text).unwrap()), text);
    }
}
