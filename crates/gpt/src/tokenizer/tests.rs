#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn oracle() -> &'static tiktoken_rs::CoreBPE {
    tiktoken_rs::r50k_base_singleton()
}

fn agrees_with_tiktoken(text: &str) {
    let ids = Tokenizer::gpt2().encode(text).unwrap();
    assert!(ids == oracle().encode_ordinary(text), "{:?}", text.chars().take(200).collect::<String>());
    assert_eq!(Tokenizer::gpt2().decode(&ids), text);
}

/// Everything that Unicode calls white space, with a neighbour of each kind.
fn white_space() -> String {
    let spaces: Vec<char> =
        (0..=0x10ffff).filter_map(::core::primitive::char::from_u32).filter(|c| c.is_whitespace()).collect();
    let mut text = String::new();
    for a in &spaces {
        for b in &spaces {
            text.extend([*a, 'x', *a, *b, '1', *b, *a, *a, '!', *a]);
        }
    }
    text
}

#[test]
fn gpt2_gives_the_ids_of_tiktoken() {
    for text in [
        "",
        " ",
        "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n",
        "I'm he's they're we've she'll he'd 'tis 'S 'LL don't''s 's' 'r 'v '",
        "fn main() {\n    let x: Vec<u32> = (0..10).map(|i| i * 2).collect();\n\t// done\n}\n\n\n",
        "Der Fluß, die Straße; l'été où naïve; Привет, мир; 你好，世界。こんにちは 안녕하세요 שלום مرحبا ไทย हिन्दी",
        "👩‍👩‍👧‍👦 🇩🇪 🏳️‍🌈 ✌🏽 1️⃣ e\u{301} n\u{303}\u{323} Z\u{351}\u{36b}\u{343}",
        "½ ² Ⅷ ٣٤ 𝟙𝟚 1,000.00 3.14e-10 x²",
        "line\r\nline\r\n\r\n  indented\r\n\ttab \t mixed \n \n ",
        "\0\u{1}\u{7}\u{1b}[31mred\u{1b}[0m\u{7f}\u{85}\u{200b}\u{feff}\u{ffff}\u{10ffff}",
        "<|endoftext|> is text <|endoftext|>",
        "trailing spaces    ",
        "    leading spaces",
    ] {
        agrees_with_tiktoken(text);
    }
    agrees_with_tiktoken(&white_space());
    agrees_with_tiktoken(include_str!("tests.rs"));
    agrees_with_tiktoken(&(0..0x3000).filter_map(::core::primitive::char::from_u32).collect::<String>());
}

#[test]
fn each_of_gpt2s_tokens_is_the_merge_of_its_bytes() {
    let mut words = Words::new(gpt2::bpe());
    for id in 0..50_256 {
        let token = gpt2::token(id).unwrap();
        let mut ids = Vec::new();
        words.merge(token, &mut ids);
        assert_eq!(ids, [id], "{:?}", String::from_utf8_lossy(token));
    }
    assert_eq!(Tokenizer::gpt2().decode(&[50_256]), "<|endoftext|>");
    assert_eq!(Tokenizer::gpt2().vocab_size(), 50_257);
}

/// Long runs, on which a quadratic algorithm would take hours.
#[test]
fn long_runs_take_no_long_time() {
    let n = 1 << 20;
    let start = Instant::now();
    for run in [
        "a".repeat(n),
        "ab1 ".repeat(n / 4),
        " ".repeat(n),
        "\n ".repeat(n / 2),
        "=".repeat(n),
        "ä".repeat(n / 2),
    ] {
        let ids = Tokenizer::gpt2().encode(&run).unwrap();
        assert_eq!(Tokenizer::gpt2().decode(&ids), run);
        // tiktoken has its own limit for these, so that a shorter run is compared.
        agrees_with_tiktoken(&run[..3000]);
        agrees_with_tiktoken(&format!("{}x{}", &run[..1000], &run[..500]));
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn gpt2_gives_the_ids_of_tiktoken_on_any_text(text in "\\PC{0,60}|(?s:.){0,60}|[a-z'’ \\n\\r\\t\u{a0}\u{3000}1.é]{0,80}") {
        let ids = Tokenizer::gpt2().encode(&text).unwrap();
        prop_assert_eq!(ids, oracle().encode_ordinary(&text));
    }

    #[test]
    fn what_is_encoded_is_decoded(text in "(?s:.){0,60}|[ab \\n]{0,60}") {
        let mut all = vec![Tokenizer::byte(), Tokenizer::gpt2(), Tokenizer::bpe(&text, 300).unwrap()];
        if !text.is_empty() {
            all.push(Tokenizer::char(&text));
        }
        for tokenizer in all {
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
            prop_assert_eq!(&tokenizer.decode(&ids), &text);
            let json = serde_json::to_string(&tokenizer).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Tokenizer>(&json).unwrap(), &tokenizer);
            prop_assert_eq!(json.parse::<serde_json::Value>().is_ok(), true);
        }
    }

    /// What GPT-2's pieces are, said with a pattern that does look ahead is tested by
    /// the oracle; here: a text may be cut at a border.
    #[test]
    fn a_text_may_be_cut_at_a_border(text in "[a'’s \\n\u{3000}1.é]{0,40}", from in 0..10_usize) {
        let from = text.char_indices().nth(from).map_or(text.len(), |(at, _)| at);
        let gpt2 = Tokenizer::gpt2();
        if let Some(border) = gpt2.last_border(&text, from) {
            let (left, right) = text.split_at(border);
            let parts = [gpt2.encode(left).unwrap(), gpt2.encode(right).unwrap()].concat();
            prop_assert_eq!(parts, gpt2.encode(&text).unwrap());
            prop_assert!(border >= from && border > 0);
        }
    }

    #[test]
    fn a_stream_is_what_decoding_all_at_once_is(ids in prop::collection::vec(prop_oneof![0..300_u32, 49_000..50_300_u32], 0..40)) {
        let gpt2 = Tokenizer::gpt2();
        let mut stream = gpt2.stream();
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text += &stream.finish();
        prop_assert_eq!(text, gpt2.decode(&ids));
    }

    #[test]
    fn no_json_makes_a_tokenizer_panic(merges in prop::collection::vec((0..270_u32, 0..270_u32), 0..20)) {
        let json = serde_json::json!({"kind": "bpe", "merges": merges}).to_string();
        if let Ok(tokenizer) = serde_json::from_str::<Tokenizer>(&json) {
            prop_assert_eq!(tokenizer.vocab_size(), 256 + merges.len());
            prop_assert_eq!(tokenizer.decode(&tokenizer.encode("text to try").unwrap()), "text to try");
        }
    }
}

#[test]
fn characters_are_in_the_order_of_unicode() {
    let tokenizer = Tokenizer::char("hello\n");
    assert_eq!(tokenizer.decode(&[0, 1, 2, 3, 4]), "\nehlo");
    assert_eq!(tokenizer.encode("hello").unwrap(), [2, 1, 3, 3, 4]);
    assert_eq!(tokenizer.kind(), TokenizerKind::Char);
    assert_eq!(tokenizer.decode(&[2, 99]), "h\u{fffd}");
}

#[test]
fn unknown_characters_are_named_once_and_readably() {
    let tokenizer = Tokenizer::char("abc");
    let error = tokenizer.encode("a\u{7}béé'c").unwrap_err().to_string();
    assert!(error.contains(r"'\u{7}', 'é', '\''"), "{error}");
    assert!(error.contains("knows the 3 characters"), "{error}");
    let error = tokenizer.encode("defghijklmnop").unwrap_err().to_string();
    assert!(error.contains("'m' and 3 more") && !error.contains("'n'"), "{error}");
}

#[test]
fn byte_pairs_merge_in_the_order_in_which_they_were_learnt() {
    let tokenizer = Tokenizer::bpe("ab ab ab abc", 259).unwrap();
    assert_eq!(tokenizer.vocab_size(), 259);
    // a-b is 256, space-ab 257, and then ab-c or space-abc: "257 c", once.
    assert_eq!(tokenizer.encode("ab ab abc").unwrap(), [256, 257, 258]);
    assert_eq!(tokenizer.kind(), TokenizerKind::Bpe(259));
    assert!(Tokenizer::bpe("ab", 255).unwrap_err().to_string().contains("bpe:255"));
    assert_eq!(Tokenizer::bpe("ab", 300).unwrap().vocab_size(), 257, "there is one pair only");
}

#[test]
fn half_a_character_waits_in_the_stream() {
    let tokenizer = Tokenizer::byte();
    let mut stream = tokenizer.stream();
    let pieces: Vec<String> = "é!".bytes().map(|b| stream.push(u32::from(b))).collect();
    assert_eq!(pieces, ["", "é", "!"]);
    assert_eq!(stream.push(0xe2), "");
    assert_eq!(stream.finish(), "\u{fffd}");
}

#[test]
fn damaged_tokenizers_are_refused() {
    for (json, why) in [
        (r#"{"kind":"bpe","merges":[[97,256]]}"#, "not there yet"),
        (r#"{"kind":"bpe","merges":[[97,98],[97,98]]}"#, "second time"),
        (r#"{"kind":"bpe","merges":[[97,-1]]}"#, "-1"),
        (r#"{"kind":"bpe","merges":[[97]]}"#, "length 1"),
        (r#"{"kind":"char","characters":""}"#, "no characters"),
        (r#"{"kind":"char","characters":"ba"}"#, "not in order"),
        (r#"{"kind":"char","characters":"aa"}"#, "distinct"),
        (r#"{"kind":"words"}"#, "words"),
        (r#"{"kind":"byte","merges":[]}"#, "merges"),
        (r#"{}"#, "kind"),
        (r#"{"kind":"ch"#, "EOF"),
    ] {
        let error = serde_json::from_str::<Tokenizer>(json).unwrap_err().to_string();
        assert!(error.contains(why), "{json}: {error}");
    }
    // A token that doubles its bytes with each merge would fill the memory.
    let doubling: Vec<[u32; 2]> =
        (0..40).map(|i| if i == 0 { [97, 97] } else { [255 + i, 255 + i] }).collect();
    let json = serde_json::json!({"kind": "bpe", "merges": doubling}).to_string();
    assert!(serde_json::from_str::<Tokenizer>(&json).unwrap_err().to_string().contains("1024 bytes"));
}
