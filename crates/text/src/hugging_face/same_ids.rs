//! Tests that text has the ids of Hugging Face, whatever the files say. The ids are those of `tokenizers` 0.23 and
//! `transformers` 5.24.
#![allow(clippy::unwrap_used)]
use std::fs;

use serde_json::{Value, json};

use super::tests::{inexpressible, own, read_json, tokenizer, written};
use super::*;
use crate::tokenizer::{AddedToken, ByteLevelParts, SpecialToken, Tokenizer};

/// An added token with the id after all tokens of [`own`].
const NEXT: u32 = 261;

fn added(id: u32, text: &str) -> Value {
    json!({"id": id, "content": text, "special": false, "normalized": false})
}

/// [`own`] with more added tokens.
fn with_added(tokens: &[Value]) -> Value {
    let mut json = own();
    json["added_tokens"].as_array_mut().unwrap().extend(tokens.iter().cloned());
    json
}

/// Reads a folder with these files.
fn read_files(files: &[(&str, &str)]) -> Found {
    let dir = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, content)| fs::write(dir.path().join(name), content).unwrap());
    read(dir.path(), 300).unwrap()
}

fn encode(found: &Found, text: &str) -> Vec<u32> {
    found.tokenizer.as_ref().unwrap().encode(text).unwrap()
}

/// `vocab.json` and `merges.txt` of [`own`].
fn vocab_and_merges() -> [(&'static str, String); 2] {
    let model = &own()["model"];
    let spelled = |pair: &Value| format!("{} {}\n", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    let merges: String = model["merges"].as_array().unwrap().iter().map(spelled).collect();
    [(VOCAB, model["vocab"].to_string()), (MERGES, format!("#version: 0.2\n{merges}"))]
}

#[test]
fn an_added_token_that_hugging_face_numbers_otherwise_is_refused() {
    let the = own()["model"]["vocab"]["th"].as_u64().unwrap();
    for (tokens, why) in [
        (&[added(300, "foo")][..], "\"foo\" has the id 300, but Hugging Face loads it as 261".to_string()),
        (&[added(NEXT, "th")], format!("\"th\" has the id 261, but Hugging Face loads it as {the}")),
        (&[added(5, "foo")], "\"foo\" has the id 5, but Hugging Face loads it as 261".into()),
        (&[added(NEXT, "foo"), added(NEXT + 1, "foo")], "\"foo\" has the id 262, but".into()),
        (&[added(NEXT + 1, "b c"), added(NEXT, "foo")], "\"b c\" has the id 262, but".into()),
    ] {
        let error = inexpressible(&with_added(tokens));
        assert!(error.starts_with("the added token ") && error.contains(&why), "{error}");
    }
    let json = with_added(&[added(NEXT, "foo"), added(the as u32, "th"), added(NEXT + 1, "bar")]);
    assert_eq!(tokenizer(&json, 300).encode("foobarth").unwrap(), [NEXT, NEXT + 1, the as u32]);

    // A vocabulary with gaps goes on at the number of its tokens.
    let mut gap = own();
    gap["model"]["vocab"]["last"] = 270.into();
    gap["added_tokens"] = json!([added(262, "foo")]);
    assert_eq!(tokenizer(&gap, 300).encode("foo").unwrap(), [262]);
    gap["model"]["vocab"]["last"] = 262.into();
    let error = inexpressible(&gap);
    assert!(error.contains("\"foo\" has the id 262, but so has the token \"last\""), "{error}");

    let [vocab, merges] = vocab_and_merges();
    let found = |tokens: &str| {
        read_files(&[(vocab.0, &vocab.1), (merges.0, &merges.1), ("added_tokens.json", tokens)])
    };
    assert_eq!(encode(&found(r#"{"foo": 262, "bar": 261}"#), "foobar"), [262, 261]);
    assert!(
        found(r#"{"foo": 270}"#).tokenizer.unwrap_err().contains("270, but Hugging Face loads it as 261")
    );
}

/// Compared each with each, they would take minutes.
#[test]
fn many_added_tokens_are_read_in_seconds() {
    const TOKENS: u32 = 100_000;
    let listed: Vec<Value> = (0..TOKENS).map(|i| added(NEXT + i, &format!("<{i}>"))).collect();
    let beside: serde_json::Map<String, Value> =
        listed.iter().map(|token| (token["id"].to_string(), token.clone())).collect();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(TOKENIZER), with_added(&listed).to_string()).unwrap();
    fs::write(dir.path().join(TOKENIZER_CONFIG), json!({"added_tokens_decoder": beside}).to_string())
        .unwrap();
    let found = read(dir.path(), (NEXT + TOKENS) as usize).unwrap();
    assert_eq!(found.tokenizer.unwrap().vocab_size(), (NEXT + TOKENS) as usize);
}

#[test]
fn added_tokens_keep_their_ids_in_the_files() {
    let parts = ByteLevelParts {
        added: vec![
            AddedToken::special(0, "<|endoftext|>"),
            AddedToken { special: false, ..AddedToken::special(300, "foo") },
        ],
        end_of_text: Some(0),
        ..Tokenizer::byte_level_parts(&tokenizer(&own(), 300)).unwrap().unwrap()
    };
    let mut without = parts.clone();
    without.tokens[0] = None;
    for parts in [&parts, &without] {
        let dir = tempfile::tempdir().unwrap();
        let imported = Tokenizer::byte_level(parts.clone()).unwrap();
        let json = written(dir.path(), &imported);
        let vocab = &json["model"]["vocab"];
        assert_eq!((vocab["<|endoftext|>"].as_u64(), vocab["foo"].as_u64()), (Some(0), Some(300)));
        let again = read(dir.path(), 301).unwrap().tokenizer.unwrap();
        assert_eq!(again.encode("the foo").unwrap(), imported.encode("the foo").unwrap());
        assert_eq!(again.special_id(SpecialToken::EndOfText), Some(0));
    }
    // What the files cannot hold is kept in our own format.
    for (id, text) in [(5, "foo"), (300, "th")] {
        let mut parts = parts.clone();
        parts.added[1] = AddedToken { special: false, ..AddedToken::special(id, text) };
        let imported = Tokenizer::byte_level(parts).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let note = write(dir.path(), &imported, 64).unwrap().unwrap();
        assert!(note.contains(&format!("\"{text}\" has the text or the id of another token")), "{note}");
        assert_eq!(read(dir.path(), 301).unwrap().tokenizer, Ok(imported));
    }
}

#[test]
fn the_last_of_two_equal_merges_counts() {
    let mut json = own();
    (json["model"]["vocab"], json["added_tokens"]) =
        (json!({"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4}), json!([]));
    json["model"]["merges"] = json!([["a", "b"], ["b", "c"], ["a", "b"]]);
    assert_eq!(tokenizer(&json, 5).encode("abc").unwrap(), [0, 4]);
    let vocab = json["model"]["vocab"].to_string();
    assert_eq!(encode(&read_files(&[(VOCAB, &vocab), (MERGES, "a b\nb c\na b\n")]), "abc"), [0, 4]);
}

#[test]
fn tokens_with_letters_of_no_byte_take_no_text() {
    let mut json = own();
    let plain = tokenizer(&json, 300).encode("the\n then").unwrap();
    for (token, id) in [(" ", 261), ("\n", 262), ("日", 263), (" t", 264)] {
        json["model"]["vocab"][token] = id.into();
    }
    json["model"]["merges"].as_array_mut().unwrap().extend([json!([" ", "t"])]);
    let found = tokenizer(&json, 300);
    assert_eq!(found.encode("the\n then").unwrap(), plain);
    assert_eq!((found.encode("日").unwrap().len(), found.decode(&[263, 264])), (3, "日 t".into()));
    // A saved run is the same.
    let saved = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Tokenizer>(&saved).unwrap(), found);
}

#[test]
fn a_space_before_every_word_is_refused() {
    let mut json = own();
    let pattern = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": true, "use_regex": false},
    ]});
    let error = inexpressible(&json);
    assert!(error.contains("its pre_tokenizer puts a space before every word"), "{error}");
}

#[test]
fn what_is_set_beside_the_file_counts() {
    let json = own().to_string();
    let properties = json!({"content": "foo", "special": false, "normalized": false}).to_string();
    let decoder = |id: u32| format!(r#"{{"added_tokens_decoder": {{"{id}": {properties}}}}}"#);
    let beside = |name: &str, content: &str| read_files(&[(TOKENIZER, &json), (name, content)]);
    assert_eq!(encode(&beside(TOKENIZER_CONFIG, &decoder(261)), "foo"), [261]);
    assert!(beside(TOKENIZER_CONFIG, &decoder(270)).tokenizer.unwrap_err().contains("loads it as 261"));
    assert_eq!(encode(&beside("added_tokens.json", r#"{"foo": 261}"#), "foo"), [261]);
    // Without properties, those of the file stay.
    let found = beside("added_tokens.json", r#"{"<|endoftext|>": 0}"#);
    assert_eq!(found, read_json(&own(), 300).unwrap());
    // With a list in the one file, the other is not read.
    let (config, more) = (decoder(261), ("added_tokens.json", r#"{"bar": 262}"#));
    let found = read_files(&[(TOKENIZER, &json), (TOKENIZER_CONFIG, &config), more]);
    assert_eq!(found.tokenizer.unwrap().vocab_size(), 262);

    let plain = encode(&read_json(&own(), 300).unwrap(), "then");
    for (class, flag, prefixed) in [
        ("GPT2Tokenizer", true, true),
        ("GPT2TokenizerFast", true, true),
        ("PreTrainedTokenizerFast", true, false),
        ("GPT2Tokenizer", false, false),
    ] {
        let config = json!({"tokenizer_class": class, "add_prefix_space": flag}).to_string();
        let found = beside(TOKENIZER_CONFIG, &config);
        assert_eq!(encode(&found, "then") != plain, prefixed, "{class}");
        let noted = found.notes.iter().any(|note| note.contains("transformers follows tokenizer"));
        assert_eq!(noted, flag, "{:?}", found.notes);
    }

    // GPT-2's class, which a folder with a GPT-2 has unless another is named, adds none by itself.
    let mut prefixed = own();
    prefixed["pre_tokenizer"]["add_prefix_space"] = true.into();
    let prefixed = prefixed.to_string();
    let gpt2 = ("config.json", r#"{"model_type": "gpt2"}"#);
    for (files, adds) in [
        (vec![], true),
        (vec![gpt2], false),
        (vec![gpt2, (TOKENIZER_CONFIG, r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#)], true),
        (vec![(TOKENIZER_CONFIG, r#"{"tokenizer_class": "GPT2Tokenizer"}"#)], false),
        (vec![gpt2, (TOKENIZER_CONFIG, r#"{"add_prefix_space": true}"#)], true),
    ] {
        let found = read_files(&[&[(TOKENIZER, &*prefixed)][..], &files].concat());
        assert_eq!(encode(&found, "then") != plain, adds, "{files:?}");
        assert_eq!(found.notes.iter().any(|note| note.contains("true in tokenizer.json and not set")), !adds);
    }
}

#[test]
fn added_tokens_of_the_normalised_text_are_looked_for_last() {
    let mut normalized = added(NEXT + 1, "ab");
    normalized["normalized"] = true.into();
    let found = tokenizer(&with_added(&[added(NEXT, "bc"), normalized]), 300);
    assert_eq!(found.encode("abcab").unwrap(), [0x62, NEXT, NEXT + 1]);
}

#[test]
fn every_post_processor_is_noted() {
    for (processor, tokens) in [
        (json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}), "</s> and <s>"),
        (
            json!({"type": "Sequence", "processors": [
                {"type": "ByteLevel"}, {"type": "TemplateProcessing", "special_tokens": {"<s>": {}}},
            ]}),
            "<s>",
        ),
        (json!({"type": "ByteLevel"}), ""),
    ] {
        let mut json = own();
        json["post_processor"] = processor;
        let notes = read_json(&json, 300).unwrap().notes;
        let want = format!("its post-processor adds {tokens} to a text, which is left out");
        assert_eq!(notes, if tokens.is_empty() { vec![] } else { vec![want] });
    }
}

#[test]
fn faults_of_the_merges_name_their_file() {
    let [(_, vocab), (_, merges)] = vocab_and_merges();
    let found = |merges: &str| read_files(&[(VOCAB, &vocab), (MERGES, merges)]).tokenizer;
    assert_eq!(found(&format!("\u{feff}{merges}")), found(&merges), "a byte-order mark is no merge");
    assert!(found(&merges).is_ok());
    for (merges, why) in [
        ("t h\nt \u{200b}h\n", "merges.txt: a merge uses \"\\u{200b}h\", which is not in the vocabulary"),
        ("t h\nt\u{7}h\n", "merges.txt: it has the line \"t\\u{7}h\", which is no pair"),
    ] {
        assert_eq!(found(merges), Err(why.into()));
    }
    // Cut off at the end of a line.
    let half: String = merges.lines().take(3).map(|line| format!("{line}\n")).collect();
    let why = found(&half).unwrap_err();
    assert!(why.starts_with("merges.txt: it seems cut off, because no merge makes "), "{why}");
    // Special tokens need no merge.
    let special = vocab.replacen('{', "{\"<s>\": 290, \"<s\": 291, ", 1);
    let found = read_files(&[(VOCAB, &special), (MERGES, &format!("{merges}< s\n"))]);
    assert!(found.tokenizer.is_ok(), "{:?}", found.tokenizer);
}
