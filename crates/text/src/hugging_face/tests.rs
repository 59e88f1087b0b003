#![allow(clippy::unwrap_used)]
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::tokenizer::{SpecialToken, Tokenizer};

/// What is written for a tokenizer, as `tokenizer.json`.
pub(super) fn written(dir: &Path, tokenizer: &Tokenizer) -> Value {
    assert_eq!(write(dir, tokenizer, 64).unwrap(), None);
    serde_json::from_slice(&fs::read(dir.join(TOKENIZER)).unwrap()).unwrap()
}

/// A vocabulary of the bytes and four merges, with an end of text at 0 and ids that are its own.
pub(super) fn own() -> Value {
    let dir = tempfile::tempdir().unwrap();
    let mut json = written(dir.path(), &Tokenizer::bpe("the the the then that", 260).unwrap());
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    vocab.values_mut().for_each(|id| *id = (id.as_u64().unwrap() + 1).into());
    vocab.insert("<|endoftext|>".into(), 0.into());
    json["added_tokens"] = json!([{
        "id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    }]);
    json
}

/// Reads a folder with this `tokenizer.json` alone.
pub(super) fn read_json(json: &Value, vocab_size: usize) -> Result<Found, crate::TextError> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(TOKENIZER), json.to_string()).unwrap();
    read(dir.path(), vocab_size)
}

pub(super) fn tokenizer(json: &Value, vocab_size: usize) -> Tokenizer {
    read_json(json, vocab_size).unwrap().tokenizer.unwrap()
}

pub(super) fn inexpressible(json: &Value) -> String {
    read_json(json, 1000).unwrap().tokenizer.unwrap_err()
}

fn all_kinds() -> Vec<Tokenizer> {
    let special = [SpecialToken::EndOfText, SpecialToken::Beginning, SpecialToken::Padding];
    let text = "the cat sat on the mat, the cat sat; é 你 \n";
    let mut all = vec![
        Tokenizer::gpt2(),
        Tokenizer::byte(),
        Tokenizer::bpe(text, 280).unwrap(),
        Tokenizer::char(text),
        tokenizer(&own(), 261),
    ];
    for plain in [Tokenizer::byte(), Tokenizer::bpe(text, 270).unwrap(), Tokenizer::char(text)] {
        all.push(plain.with_special_tokens(&special).unwrap());
    }
    all
}

#[test]
fn every_tokenizer_comes_back_as_it_was() {
    for tokenizer in all_kinds() {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), &tokenizer);
        let size = tokenizer.vocab_size();
        for vocab_size in [size, size + 47] {
            let found = read(dir.path(), vocab_size).unwrap();
            assert!(found.notes.is_empty(), "{:?}", found.notes);
            assert!(found.tokenizer == Ok(tokenizer.clone()), "{}", tokenizer.kind());
        }
        let fewer = read(dir.path(), size - 1).unwrap();
        match size == tokenizer.special_id(SpecialToken::Padding).map_or(0, |id| id as usize + 1) {
            true if tokenizer.kind() != crate::TokenizerKind::Char => {
                assert!(
                    fewer.notes[0].contains("the added token <|padding|> is left out"),
                    "{:?}",
                    fewer.notes
                );
            }
            _ if fewer.tokenizer.is_ok() => {
                assert!(fewer.notes[0].contains("is left out"), "{:?}", fewer.notes)
            }
            _ => {
                let why = fewer.tokenizer.unwrap_err();
                assert!(why.starts_with("tokenizer.json has ") && why.contains("but the model has"), "{why}");
            }
        }
        // vocab.json and merges.txt alone hold all but a vocabulary of characters.
        fs::remove_file(dir.path().join(TOKENIZER)).unwrap();
        if tokenizer.kind() != crate::TokenizerKind::Char {
            assert!(read(dir.path(), size).unwrap().tokenizer == Ok(tokenizer));
        }
    }
}

#[test]
fn a_vocabulary_from_elsewhere_keeps_its_ids() {
    let json = own();
    let tokenizer = tokenizer(&json, 300);
    assert_eq!((tokenizer.vocab_size(), tokenizer.end_of_text()), (261, Some(0)));
    // "t" is byte 0x74; th is the first merge: 257 after the end of text, " the" a later one.
    assert_eq!(tokenizer.encode("t").unwrap(), [0x75]);
    assert_eq!(tokenizer.decode(&tokenizer.encode("that then\n").unwrap()), "that then\n");
    assert_eq!(tokenizer.decode(&[0, 0x75]), "<|endoftext|>t");
    assert_eq!(tokenizer.decode_without_special(&[0, 0x75]), "t");
    assert!(!tokenizer.encode("a<|endoftext|>b").unwrap().contains(&0), "text is not a special token");
    // Merges as strings are the same.
    let mut strings = json.clone();
    for merge in strings["model"]["merges"].as_array_mut().unwrap() {
        *merge = format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()).into();
    }
    assert_eq!(super::tests::tokenizer(&strings, 300), tokenizer);
}

/// The order of the merges decides, not the ids of the tokens.
#[test]
fn merges_have_their_order_whatever_the_ids() {
    let mut json = own();
    let a_b_c = json!({"a": 0, "b": 1, "c": 2, "ab": 4, "bc": 3});
    (json["model"]["vocab"], json["added_tokens"]) = (a_b_c, json!([]));
    json["model"]["merges"] = json!([["a", "b"], ["b", "c"]]);
    assert_eq!(tokenizer(&json, 5).encode("abc").unwrap(), [4, 2]);
    json["model"]["merges"] = json!([["b", "c"], ["a", "b"]]);
    assert_eq!(tokenizer(&json, 5).encode("abc").unwrap(), [0, 3]);
    // Bytes without a token are named; with an unk_token they become that.
    let error = tokenizer(&json, 5).encode("abxé").unwrap_err().to_string();
    assert!(error.contains("no token for 'x', 'é'"), "{error}");
    json["model"]["vocab"]["<unk>"] = 5.into();
    json["model"]["unk_token"] = "<unk>".into();
    assert_eq!(tokenizer(&json, 6).encode("axc").unwrap(), [0, 5, 2]);
}

#[test]
fn added_tokens_are_found_in_text_unless_they_are_special() {
    let mut json = own();
    let added = |id: u32, text: &str, special: bool| json!({"id": id, "content": text, "special": special});
    json["added_tokens"] = json!([
        added(0, "<|endoftext|>", true),
        added(261, "<|user|>", true),
        added(262, "foo", false),
        added(263, "foobar", false),
        added(265, "two words", false),
    ]);
    // With a gap before the last one, the vocabulary must have them too.
    for token in json["added_tokens"].clone().as_array().unwrap() {
        json["model"]["vocab"][token["content"].as_str().unwrap()] = token["id"].clone();
    }
    let found = read_json(&json, 300).unwrap();
    assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
    assert!(found.notes[0].contains("\"two words\" is not looked for in text"), "{:?}", found.notes);
    json["added_tokens"][2]["content"] = "a word".into();
    json["model"]["vocab"]["a word"] = json["model"]["vocab"].as_object_mut().unwrap().remove("foo").unwrap();
    let [note] = &read_json(&json, 300).unwrap().notes[..] else { panic!("not one note") };
    assert!(note.starts_with("2 added tokens are not looked for in text, such as \"a word\": "), "{note}");
    let tokenizer = found.tokenizer.unwrap();
    assert_eq!(tokenizer.encode("foobarfoox").unwrap(), [263, 262, 0x79]);
    assert!(tokenizer.encode("<|user|>").unwrap().len() > 1);
    assert_eq!(tokenizer.decode(&[261, 262, 264]), "<|user|>foo\u{fffd}");
    assert!(tokenizer.is_special(261) && !tokenizer.is_special(262));
    assert_eq!((tokenizer.vocab_size(), tokenizer.token(264)), (266, None), "264 has no token");
    // A model with fewer rows knows fewer of them.
    let found = read_json(&json, 263).unwrap();
    assert_eq!(
        found.notes[0],
        "2 added tokens are left out, such as foobar: their ids begin at 263, but the model has 263 tokens"
    );
    assert_eq!(found.tokenizer.unwrap().vocab_size(), 263);
}

#[test]
fn a_prefix_space_is_added_once_per_text() {
    let mut json = own();
    json["pre_tokenizer"]["add_prefix_space"] = true.into();
    let tokenizer = tokenizer(&json, 300);
    let space = |text: &str| tokenizer.decode(&tokenizer.encode(text).unwrap());
    assert_eq!([space("a b"), space(" a"), space("\na"), space("")], [" a b", " a", " \na", ""]);
    let mut encoder = tokenizer.encoder();
    let mut ids = Vec::new();
    ["a", " b", "\nc"].iter().for_each(|piece| encoder.encode(piece, &mut ids).unwrap());
    assert_eq!(ids, tokenizer.encode("a b\nc").unwrap());
}

#[test]
fn what_cannot_be_expressed_is_named() {
    for (path, value, why) in [
        ("/model/type", json!("WordPiece"), "a tokenizer of WordPiece cannot be expressed"),
        ("/model/type", json!("Unigram"), "a tokenizer of Unigram cannot be expressed"),
        ("/normalizer", json!({"type": "NFC"}), "its normalizer NFC cannot"),
        ("/pre_tokenizer", json!({"type": "Whitespace"}), "its pre_tokenizer (Whitespace) cannot"),
        ("/pre_tokenizer", json!(null), "its pre_tokenizer (none) cannot"),
        ("/pre_tokenizer/use_regex", json!(false), "does not split a text into words"),
        (
            "/pre_tokenizer",
            json!({"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "\\d"}, "behavior": "Isolated", "invert": false},
                {"type": "ByteLevel", "use_regex": false},
            ]}),
            "its pre_tokenizer Split by \\d cannot",
        ),
        ("/model/byte_fallback", json!(true), "its byte_fallback cannot"),
        ("/model/ignore_merges", json!(true), "its ignore_merges cannot"),
        ("/model/continuing_subword_prefix", json!("##"), "its continuing_subword_prefix cannot"),
        ("/model/merges", json!([["t", "h"], ["th", "qq"]]), "a merge uses \"qq\""),
        ("/model/merges", json!([["t", "z"]]), "no token has the bytes of both"),
        ("/model/merges", json!([["t"]]), "is not a pair"),
        ("/model/unk_token", json!("<unk>"), "its unk_token <unk> is not in the vocabulary"),
        ("/model/vocab/a", json!(7), "two tokens have the same id"),
    ] {
        let mut json = own();
        *json.pointer_mut(path).unwrap() = value;
        let error = inexpressible(&json);
        assert!(error.starts_with("tokenizer.json: ") && error.contains(why), "{path}: {error}");
    }
    // GPT-2's pattern spelled out is the same.
    let mut json = own();
    json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"},
         "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
    ]});
    assert_eq!(tokenizer(&json, 300), tokenizer(&own(), 300));
    // A post-processor changes no text.
    json["post_processor"] = json!({"type": "TemplateProcessing", "special_tokens": {"<s>": {}}});
    assert!(read_json(&json, 300).unwrap().notes[0].contains("adds <s> to a text"));
}

#[test]
fn damaged_files_are_errors_that_name_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(TOKENIZER);
    let error = |content: &str| {
        fs::write(&path, content).unwrap();
        read(dir.path(), 300).unwrap_err().to_string()
    };
    for (content, why) in [
        ("", "it is not JSON"),
        ("version https://git-lfs.github.com/spec/v1\n", "get the file itself with `git lfs pull`"),
        ("[]", "its model.vocab is not a JSON object"),
        ("{}", "its model has no type"),
        (r#"{"model": {"type": "BPE", "vocab": [], "merges": []}}"#, "its model.vocab is not a JSON object"),
        (r#"{"model": {"type": "BPE", "vocab": {"a": -1}}}"#, "no usable id for \"a\""),
        (r#"{"model": {"type": "BPE", "vocab": {"a": 4000000000}}}"#, "no usable id for \"a\""),
        (
            r#"{"model": {"type": "BPE", "vocab": {"a": 0}}, "added_tokens": [1]}"#,
            "its added_tokens cannot be read",
        ),
    ] {
        let error = error(content);
        assert!(error.contains(why) && error.contains("tokenizer.json: "), "{content}: {error}");
    }
    fs::remove_file(&path).unwrap();
    fs::write(dir.path().join(VOCAB), "{\"a\": 0, \"b\": 1, \"ab\": 2}").unwrap();
    assert_eq!(
        read(dir.path(), 3).unwrap().tokenizer,
        Err("vocab.json: it needs merges.txt, which is missing".into())
    );
    for (merges, why) in [("#version: 0.2\nab\n", "has the line \"ab\""), ("a c\n", "a merge uses \"c\"")] {
        fs::write(dir.path().join(MERGES), merges).unwrap();
        let error = read(dir.path(), 3).unwrap().tokenizer.unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    fs::write(dir.path().join(MERGES), "#version: 0.2\na b\n").unwrap();
    assert_eq!(read(dir.path(), 3).unwrap().tokenizer.unwrap().encode("abb").unwrap(), [2, 1]);
}

#[test]
fn gpt2_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    for (size, notes) in [(50_257, 1), (50_304, 1)] {
        let found = read(dir.path(), size).unwrap();
        assert!(
            found.tokenizer == Ok(Tokenizer::gpt2()),
            "the size of GPT-2's vocabulary implies its tokenizer"
        );
        assert_eq!(found.notes.len(), notes);
    }
    assert_eq!(
        read(dir.path(), 101).unwrap().tokenizer,
        Err("the folder has no tokenizer.json or vocab.json".into())
    );
    fs::write(dir.path().join("spiece.model"), "").unwrap();
    assert!(
        read(dir.path(), 101)
            .unwrap()
            .tokenizer
            .unwrap_err()
            .starts_with("spiece.model is a tokenizer of SentencePiece")
    );

    write(dir.path(), &Tokenizer::gpt2(), 1024).unwrap();
    fs::remove_file(dir.path().join(TOKENIZER)).unwrap();
    for size in [50_257, 50_304] {
        assert!(read(dir.path(), size).unwrap().tokenizer == Ok(Tokenizer::gpt2()));
    }
    // The ids imply the merges.
    fs::remove_file(dir.path().join(MERGES)).unwrap();
    assert!(read(dir.path(), 50_257).unwrap().tokenizer == Ok(Tokenizer::gpt2()));
    let vocab = fs::read_to_string(dir.path().join(VOCAB)).unwrap();
    fs::write(dir.path().join(VOCAB), vocab.replace("\"Ġthe\": ", "\"Ġeht\": ")).unwrap();
    assert!(
        read(dir.path(), 50_257).unwrap().tokenizer.unwrap_err().contains("merges.txt, which is missing")
    );
}

#[test]
fn tokens_with_the_same_bytes_are_kept_in_our_own_format() {
    // "abc" is formed in two ways, with two ids.
    let json = r#"{"kind":"bpe","merges":[[97,98],[98,99],[256,99],[97,257]]}"#;
    let tokenizer: Tokenizer = serde_json::from_str(json).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let note = write(dir.path(), &tokenizer, 64).unwrap().unwrap();
    assert!(note.starts_with("two of its tokens are both \"abc\", which the format"), "{note}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(read(dir.path(), 260).unwrap().tokenizer, Ok(tokenizer));
    assert!(read(dir.path(), 259).unwrap().tokenizer.unwrap_err().starts_with("m2g_tokenizer.json has 260"));
    fs::write(dir.path().join(OURS), "{}").unwrap();
    assert!(read(dir.path(), 4).unwrap_err().to_string().contains("m2g_tokenizer.json: "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_has_the_same_ids_after_the_way_through_the_files(text in "(?s:.){0,40}|[thean \\n]{0,40}") {
        static OWN: std::sync::LazyLock<[Tokenizer; 2]> = std::sync::LazyLock::new(|| {
            let ours = Tokenizer::bpe("the then that é 你 there the", 300).unwrap();
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), &ours, 64).unwrap();
            // Reads it as a vocabulary from elsewhere.
            let path = dir.path().join(TOKENIZER);
            let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let id = json["model"]["vocab"].as_object().unwrap().len();
            json["added_tokens"] = json!([{"id": id, "content": "<other>", "special": true}]);
            fs::write(&path, json.to_string()).unwrap();
            [ours, read(dir.path(), 400).unwrap().tokenizer.unwrap()]
        });
        let [ours, theirs] = &*OWN;
        prop_assert_ne!(ours, theirs);
        prop_assert_eq!(ours.encode(&text).unwrap(), theirs.encode(&text).unwrap());
        prop_assert_eq!(theirs.decode(&theirs.encode(&text).unwrap()), text);
    }
}
