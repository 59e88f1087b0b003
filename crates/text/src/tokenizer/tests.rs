#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::bpe::WordEncoder;
use super::{SpecialToken, Tokenizer, TokenizerError, TokenizerKind, gpt2};

fn oracle() -> &'static tiktoken_rs::CoreBPE {
    tiktoken_rs::r50k_base_singleton()
}

fn assert_agrees_with_tiktoken(text: &str) {
    let ids = Tokenizer::gpt2().encode(text).unwrap();
    assert!(ids == oracle().encode_ordinary(text), "{:?}", text.chars().take(200).collect::<String>());
    assert_eq!(Tokenizer::gpt2().decode(&ids), text);
}

/// All white space of Unicode, with a neighbour of each kind.
fn white_space() -> String {
    let spaces: Vec<char> = (0..=0x10ffff).filter_map(char::from_u32).filter(|c| c.is_whitespace()).collect();
    let mut text = String::new();
    for a in &spaces {
        for b in &spaces {
            text.extend([*a, 'x', *a, *b, '1', *b, *a, *a, '!', *a]);
        }
    }
    text
}

#[test]
fn the_tokens_of_gpt2_are_those_of_tiktoken() {
    assert_eq!(gpt2::bpe().vocab_size(), 50_256);
    for id in 0..50_256 {
        assert_eq!(gpt2::bpe().token(id).unwrap(), oracle().decode_bytes(&[id]).unwrap(), "{id}");
    }
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
        assert_agrees_with_tiktoken(text);
    }
    assert_agrees_with_tiktoken(&white_space());
    assert_agrees_with_tiktoken(include_str!("tests.rs"));
    assert_agrees_with_tiktoken(&(0..0x3000).filter_map(char::from_u32).collect::<String>());
}

#[test]
fn the_bytes_of_each_gpt2_token_merge_into_that_token() {
    let mut words = WordEncoder::new(gpt2::bpe());
    for id in 0..50_256 {
        let token = gpt2::bpe().token(id).unwrap();
        let mut ids = Vec::new();
        words.merge(token, &mut ids);
        assert_eq!(ids, [id], "{:?}", String::from_utf8_lossy(token));
    }
    assert_eq!(Tokenizer::gpt2().decode(&[50_256]), "<|endoftext|>");
    assert_eq!(Tokenizer::gpt2().vocab_size(), 50_257);
}

/// Long runs of one pattern, on which a quadratic algorithm would take hours.
#[test]
fn long_runs_are_encoded_fast() {
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
        // tiktoken limits the length of such runs: compare shorter ones.
        assert_agrees_with_tiktoken(&run[..3000]);
        assert_agrees_with_tiktoken(&format!("{}x{}", &run[..1000], &run[..500]));
    }
    // Quadratic time would be an hour.
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
    fn decoding_reverses_encoding(text in "(?s:.){0,60}|[ab \\n]{0,60}") {
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

    #[test]
    fn any_bytes_are_tokens_and_come_back(bytes in prop::collection::vec(any::<u8>(), 0..80), merges in "[ab ]{0,60}") {
        let [byte, gpt2, bpe] = [Tokenizer::byte(), Tokenizer::gpt2(), Tokenizer::bpe(&merges, 280).unwrap()];
        for tokenizer in [&byte, &gpt2, &bpe, &bpe.clone().with_special_tokens(&[SpecialToken::EndOfText, SpecialToken::Padding]).unwrap()] {
            // The token of each single byte.
            let id = |byte: &u8| (0..256).find(|&id| tokenizer.token(id).as_deref() == Some(&[*byte][..])).unwrap();
            let ids: Vec<u32> = bytes.iter().map(id).collect();
            prop_assert_eq!(&tokenizer.decode_bytes(&ids), &bytes);
            prop_assert_eq!(tokenizer.decode(&ids), String::from_utf8_lossy(&bytes));
            let text = String::from_utf8_lossy(&bytes);
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(tokenizer.decode_bytes(&ids), text.as_bytes());
            prop_assert!(!ids.iter().any(|&id| tokenizer.is_special(id)));
        }
    }

    #[test]
    fn cutting_a_text_leaves_its_tokens_as_they_are(text in "[a'’s \\n\u{3000}1.é]{0,40}", from in 0..10_usize) {
        let from = text.char_indices().nth(from).map_or(text.len(), |(at, _)| at);
        let gpt2 = Tokenizer::gpt2();
        if let Some(cut) = gpt2.last_cut(&text, from) {
            let (left, right) = text.split_at(cut);
            let parts = [gpt2.encode(left).unwrap(), gpt2.encode(right).unwrap()].concat();
            prop_assert_eq!(parts, gpt2.encode(&text).unwrap());
            prop_assert!(cut >= from && cut > 0);
        }
    }

    #[test]
    fn a_stream_decodes_to_the_text_of_all_tokens(ids in prop::collection::vec(prop_oneof![0..300_u32, 49_000..50_300_u32], 0..40)) {
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
fn characters_are_in_unicode_order() {
    let tokenizer = Tokenizer::char("hello\n");
    assert_eq!(tokenizer.decode(&[0, 1, 2, 3, 4]), "\nehlo");
    assert_eq!(tokenizer.encode("hello").unwrap(), [2, 1, 3, 3, 4]);
    assert_eq!(tokenizer.kind(), TokenizerKind::Char);
    assert_eq!(tokenizer.decode(&[2, 99]), "h\u{fffd}");
    let other = Tokenizer::characters_in_order("ohle\n").unwrap();
    assert_eq!(other.encode("hello").unwrap(), [1, 3, 2, 2, 0]);
    let json = serde_json::to_string(&other).unwrap();
    assert_eq!(serde_json::from_str::<Tokenizer>(&json).unwrap(), other);
}

#[test]
fn unknown_characters_are_listed_once_and_escaped() {
    let tokenizer = Tokenizer::char("abc");
    let error = tokenizer.encode("a\u{7}béé'c").unwrap_err().to_string();
    assert!(error.contains(r#"'\u{7}', 'é', "'""#), "{error}");
    assert!(error.contains("only the 3 characters"), "{error}");
    let error = tokenizer.encode("defghijklmnop").unwrap_err().to_string();
    assert!(error.contains("'m' and 3 more") && !error.contains("'n'"), "{error}");
}

#[test]
fn byte_pairs_merge_in_the_order_in_which_they_were_learned() {
    let tokenizer = Tokenizer::bpe("ab ab ab abc", 259).unwrap();
    assert_eq!(tokenizer.vocab_size(), 259);
    // a-b is 256, space-ab 257, and then ab-c or space-abc: "257 c", once.
    assert_eq!(tokenizer.encode("ab ab abc").unwrap(), [256, 257, 258]);
    assert_eq!(tokenizer.kind(), TokenizerKind::Bpe(259));
    assert!(Tokenizer::bpe("ab", 255).unwrap_err().to_string().contains("bpe:255"));
    assert_eq!(Tokenizer::bpe("ab", 300).unwrap().vocab_size(), 257, "there is only one pair");
}

#[test]
fn a_stream_holds_back_half_a_character() {
    let tokenizer = Tokenizer::byte();
    let mut stream = tokenizer.stream();
    let parts: Vec<String> = "é!".bytes().map(|b| stream.push(u32::from(b))).collect();
    assert_eq!(parts, ["", "é", "!"]);
    assert_eq!(stream.push(0xe2), "");
    assert_eq!(stream.finish(), "\u{fffd}");
}

#[test]
fn damaged_tokenizers_are_rejected() {
    for (json, why) in [
        (r#"{"kind":"bpe","merges":[[97,256]]}"#, "not defined yet"),
        (r#"{"kind":"bpe","merges":[[97,98],[97,98]]}"#, "second time"),
        (r#"{"kind":"bpe","merges":[[97,-1]]}"#, "-1"),
        (r#"{"kind":"bpe","merges":[[97]]}"#, "length 1"),
        (r#"{"kind":"char","characters":""}"#, "no characters"),
        (r#"{"kind":"char","characters":"aa"}"#, "distinct"),
        (r#"{"kind":"words"}"#, "words"),
        (r#"{"kind":"byte","merges":[]}"#, "merges"),
        (r#"{}"#, "kind"),
        (r#"{"kind":"ch"#, "EOF"),
    ] {
        let error = serde_json::from_str::<Tokenizer>(json).unwrap_err().to_string();
        assert!(error.contains(why), "{json}: {error}");
    }
    // Tokens that double in length with each merge would fill the memory.
    let doubling: Vec<[u32; 2]> =
        (0..40).map(|i| if i == 0 { [97, 97] } else { [255 + i, 255 + i] }).collect();
    let json = serde_json::json!({"kind": "bpe", "merges": doubling}).to_string();
    assert!(serde_json::from_str::<Tokenizer>(&json).unwrap_err().to_string().contains("1024 bytes"));
}

const SPECIAL: [SpecialToken; 3] = SpecialToken::ALL;

/// One tokenizer of each kind that takes special tokens, without any.
fn extensible(text: &str) -> [Tokenizer; 3] {
    [Tokenizer::char(text), Tokenizer::byte(), Tokenizer::bpe(text, 300).unwrap()]
}

#[test]
fn special_tokens_follow_the_vocabulary() {
    for plain in extensible("the cat sat on the mat") {
        let v = plain.vocab_size() as u32;
        let kind = plain.kind();
        assert_eq!([plain.beginning(), plain.end_of_text(), plain.padding()], [None; 3]);
        let extended = plain.clone().with_special_tokens(&SPECIAL).unwrap();
        assert_eq!(
            [extended.beginning(), extended.end_of_text(), extended.padding()],
            [Some(v), Some(v + 1), Some(v + 2)]
        );
        assert_eq!((extended.vocab_size(), extended.kind()), (v as usize + 3, kind));
        assert_ne!(extended, plain);
        for (special, id) in SPECIAL.into_iter().zip(v..) {
            assert_eq!(extended.special_id(special), Some(id));
            assert_eq!(extended.special_token(id), Some(special));
            assert_eq!(extended.token(id).unwrap(), special.spelling().as_bytes());
        }
        assert!(extended.special_token(v - 1).is_none() && extended.special_token(v + 3).is_none());
        assert!(extended.token(v + 3).is_none());

        let padding = extended.clone().with_special_tokens(&[SpecialToken::Padding]).unwrap_err();
        assert_eq!(padding, TokenizerError::DuplicateSpecial(SpecialToken::Padding));
        let only_padding = plain.with_special_tokens(&[SpecialToken::Padding]).unwrap();
        assert_eq!((only_padding.padding(), only_padding.beginning()), (Some(v), None));
    }
    let gpt2 = Tokenizer::gpt2();
    assert_eq!((gpt2.end_of_text(), gpt2.beginning()), (Some(50_256), None));
    assert_eq!(gpt2.special_token(50_256), Some(SpecialToken::EndOfText));
    assert!(gpt2.with_special_tokens(&SPECIAL).unwrap_err().to_string().contains("gpt2"));
}

#[test]
fn decoding_shows_special_tokens_or_skips_them() {
    for plain in extensible("a cat") {
        let extended = plain.with_special_tokens(&SPECIAL).unwrap();
        let [beginning, end, padding] = SPECIAL.map(|special| extended.special_id(special).unwrap());
        let ids = [vec![beginning], extended.encode("a cat").unwrap(), vec![end, padding, padding]].concat();
        assert_eq!(extended.decode(&ids), "<|beginning|>a cat<|endoftext|><|padding|><|padding|>");
        assert_eq!(extended.decode_without_special(&ids), "a cat");
    }
    let gpt2 = Tokenizer::gpt2();
    assert_eq!(gpt2.decode(&[307, 50_256]), " be<|endoftext|>");
    assert_eq!(gpt2.decode_without_special(&[307, 50_256]), " be");
}

proptest! {
    #[test]
    fn no_text_encodes_to_a_special_token(around in "[a<|>d ]{0,12}", which in 0..3_usize) {
        let text = format!("{around}{}{around}", SPECIAL[which].spelling());
        for plain in extensible(&text) {
            let extended = plain.clone().with_special_tokens(&SPECIAL).unwrap();
            let ids = extended.encode(&text).unwrap();
            prop_assert!(ids.iter().all(|&id| extended.special_token(id).is_none()));
            prop_assert_eq!(&ids, &plain.encode(&text).unwrap());
            prop_assert_eq!(extended.decode_without_special(&ids), text.clone());
        }
        let gpt2 = Tokenizer::gpt2();
        prop_assert!(!gpt2.encode(&text).unwrap().contains(&gpt2.end_of_text().unwrap()));
    }
}

#[test]
fn special_tokens_are_saved() {
    for plain in extensible("the cat sat on the mat") {
        let json = serde_json::to_string(&plain).unwrap();
        assert!(!json.contains("special"), "{json}");
        let extended = plain.with_special_tokens(&SPECIAL[1..]).unwrap();
        let json = serde_json::to_string(&extended).unwrap();
        assert!(json.contains(r#""special":["end_of_text","padding"]"#), "{json}");
        assert_eq!(serde_json::from_str::<Tokenizer>(&json).unwrap(), extended);
    }
}

/// Checkpoints and prepared folders from before special tokens hold these bytes, and
/// fingerprints are hashes of them.
#[test]
fn tokenizers_without_special_tokens_keep_their_json() {
    for (json, tokenizer) in [
        (r#"{"kind":"char","characters":" abc"}"#, Tokenizer::char("cab ")),
        (r#"{"kind":"byte"}"#, Tokenizer::byte()),
        (r#"{"kind":"gpt2"}"#, Tokenizer::gpt2()),
        (r#"{"kind":"bpe","merges":[[97,98],[32,256]]}"#, Tokenizer::bpe("ab ab ab", 258).unwrap()),
    ] {
        assert_eq!(serde_json::to_string(&tokenizer).unwrap(), json);
        assert_eq!(serde_json::from_str::<Tokenizer>(json).unwrap(), tokenizer);
    }
}

#[test]
fn damaged_special_tokens_are_rejected() {
    for (json, why) in [
        (r#"{"kind":"byte","special":["padding","padding"]}"#, "already has the special token <|padding|>"),
        (r#"{"kind":"byte","special":["pad"]}"#, "pad"),
        (r#"{"kind":"gpt2","special":["padding"]}"#, "special"),
    ] {
        let error = serde_json::from_str::<Tokenizer>(json).unwrap_err().to_string();
        assert!(error.contains(why), "{json}: {error}");
    }
}
