//! Parity with llama.cpp: `tests/gguf` holds files of `m2g gpt export`, and in `expected.json` what real
//! llama.cpp made of them: token ids, logits, greedy tokens. It also holds blocks of PyPI's `gguf`.
//! `benches/peers/llama.py fixtures` has made all of it.

use std::path::{Path, PathBuf};

use m2g_core::nn::{GeluForm, Positions};
use m2g_core::train::Model;
use m2g_core::{BlockFormat, Number, Tape, Tensor, Tokens};
use m2g_gpt::gguf::{self, Export, Quantisation};
use m2g_gpt::{Config, GenerateOptions, Generator, Gpt, GptConfig};
use m2g_text::tokenizer::SpecialToken;
use m2g_text::{Sampling, Tokenizer};
use serde_json::Value;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gguf").join(name)
}

/// A key of a file, with the number of its type and the bytes of its value.
pub fn key(name: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    let length = (name.len() as u64).to_le_bytes();
    [&length[..], name.as_bytes(), &kind.to_le_bytes(), value].concat()
}

/// The file with more keys. One more text fills them up, so that the tensors stay aligned.
pub fn with_keys(bytes: &[u8], keys: &[Vec<u8>]) -> Vec<u8> {
    let filler = |n: usize| key("filler", 8, &[&(n as u64).to_le_bytes()[..], &vec![b' '; n]].concat());
    let added = keys.concat();
    let left = (added.len() + filler(0).len()).next_multiple_of(32) - added.len() - filler(0).len();
    let count = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) + keys.len() as u64 + 1;
    [&bytes[..16], &count.to_le_bytes(), &added, &filler(left), &bytes[24..]].concat()
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn logits(gpt: &Gpt<f32>, ids: &[u32]) -> Tensor<f32> {
    let mut tape = Tape::without_gradients();
    let logits = gpt.forward(&mut tape, &Tokens::new([1, ids.len()], ids.to_vec()).unwrap()).unwrap();
    tape.value(logits).clone()
}

fn greedy(gpt: &Gpt<f32>, prompt: &[u32], tokens: usize) -> Vec<u32> {
    let sampling = Sampling { greedy: true, ..Sampling::default() };
    let options = GenerateOptions { sampling, ..GenerateOptions::default() };
    Generator::new(gpt, &options, prompt, 0).unwrap().take(tokens).map(Result::unwrap).collect()
}

/// The bytes of a file.
fn exported(
    config: &GptConfig,
    gpt: &Gpt<f32>,
    tokenizer: Option<&Tokenizer>,
    quantisation: Quantisation,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let model = Export { name: "x", config, params: gpt.params(), tokenizer, quantisation };
    gguf::export(&mut bytes, Path::new("x"), model).unwrap();
    bytes
}

#[test]
fn logits_and_greedy_tokens_are_those_of_llama_cpp() {
    let expected = expected();
    for (name, entry) in expected["files"].as_object().unwrap() {
        let loaded = gguf::load(&fixture(name)).unwrap();
        let prompt = ids(&entry["prompt"]);
        let tokenizer = loaded.tokenizer.unwrap();
        assert_eq!(tokenizer.encode(entry["text"].as_str().unwrap()).unwrap(), ids(&entry["ids"]), "{name}");
        let theirs: Vec<Vec<f32>> = serde_json::from_value(entry["logits"].clone()).unwrap();
        let ours = logits(&loaded.gpt, &prompt);
        let v = loaded.gpt.config().vocab_size;
        let all: Vec<f32> = theirs.iter().flat_map(|row| row[..v].to_vec()).collect();
        let mean = all.iter().sum::<f32>() / all.len() as f32;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / all.len() as f32;
        let worst = ours.data().iter().zip(&all).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // llama.cpp also rounds the activations that it multiplies by 8 or 4 bits.
        let tolerance = if name.contains('-') { 0.1 } else { 0.01 };
        assert!(worst <= tolerance * variance.sqrt(), "{name}: {worst} of {}", variance.sqrt());
        if !name.contains('-') {
            assert_eq!(greedy(&loaded.gpt, &prompt, 64), ids(&entry["greedy"]), "{name}");
        }
        // The added token ends a text there, and its logit is far below all others.
        let ends = ids(&entry["ends"]);
        match tokenizer.end_of_text() {
            Some(end) => assert_eq!(ends, [end], "{name}"),
            None => {
                assert_eq!(ends, [v as u32], "{name}");
                assert!(theirs.iter().all(|row| row.len() == v + 1 && row[v] <= -9_900.0), "{name}");
            }
        }
    }
}

#[test]
fn an_imported_file_is_exported_with_the_same_bytes() {
    for name in ["gpt2.gguf", "mpt.gguf", "gptneox.gguf"] {
        let imported = gguf::import(&fixture(name)).unwrap();
        let (config, tokenizer) = (imported.config.clone(), imported.tokenizer.clone().unwrap());
        let gpt = imported.into_gpt().unwrap();
        let mut bytes = Vec::new();
        let run = name.trim_end_matches(".gguf");
        let tokenizer = Some(&tokenizer);
        let model = Export {
            name: run,
            config: &config,
            params: gpt.params(),
            tokenizer,
            quantisation: Quantisation::F32,
        };
        let notes = gguf::export(&mut bytes, Path::new("x"), model).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        assert!(bytes == std::fs::read(fixture(name)).unwrap(), "{name}");
        for (other, quantisation) in [("gpt2-q8_0", Quantisation::Q8_0), ("gpt2-q4_0", Quantisation::Q4_0)] {
            if run == "gpt2" {
                let bytes = exported(&config, &gpt, tokenizer, quantisation);
                let want = std::fs::read(fixture(&format!("{other}.gguf"))).unwrap();
                // They differ in the name of the run alone.
                assert_eq!(bytes[bytes.len() - 10_000..], want[want.len() - 10_000..], "{other}");
            }
        }
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / 4];
    Number::from_le_bytes(bytes, &mut values);
    values
}

#[test]
fn blocks_have_the_values_and_the_bytes_of_pypi_gguf() {
    let blocks = &expected()["blocks"];
    let format = |name: &str| BlockFormat::ALL.into_iter().find(|format| format.name() == name).unwrap();
    let read = blocks["read"].as_object().unwrap();
    assert_eq!(read.len(), BlockFormat::ALL.len() - 1);
    for (name, entry) in read {
        let (bytes, want) = (hex(&entry["bytes"]), floats(&hex(&entry["values"])));
        let mut values = vec![0.0; want.len()];
        format(name).dequantise(&bytes, &mut values);
        for (i, (value, want)) in values.iter().zip(&want).enumerate() {
            let same = value.to_bits() == want.to_bits() || (value.is_nan() && want.is_nan());
            assert!(same || value == want, "{name} {i}: {value} for {want}");
        }
    }
    let weights = floats(&hex(&blocks["weights"]));
    for (name, want) in blocks["written"].as_object().unwrap() {
        let mut bytes = Vec::new();
        format(name).quantise(&weights, &mut bytes);
        assert_eq!(bytes, hex(want), "{name}");
    }
}

#[test]
fn gpt2_has_the_ids_of_llama_cpp_on_unicode_text() {
    let expected = expected();
    for (text, theirs) in
        expected["texts"].as_array().unwrap().iter().zip(expected["gpt2_ids"].as_array().unwrap())
    {
        let text = text.as_str().unwrap();
        assert_eq!(Tokenizer::gpt2().encode(text).unwrap(), ids(theirs), "{text}");
    }
}

/// A model whose parameters are all different.
fn model(config: GptConfig) -> Gpt<f32> {
    let mut gpt = Gpt::new(config, 3).unwrap();
    let mut i = 0.0_f32;
    for param in gpt.params_mut().iter_mut() {
        for x in param.value.data_mut() {
            i += 1.0;
            *x += 0.05 * (i * 0.7).sin();
        }
    }
    gpt
}

#[test]
fn export_then_import_keeps_every_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    let characters = Tokenizer::char("abcdefghij é你.\n");
    let ended = characters.clone().with_special_tokens(&[SpecialToken::EndOfText]).unwrap();
    use Positions::{Alibi, Learned, None as No, Rotary, Sinusoidal};
    for positions in [Learned, Sinusoidal, Rotary, Alibi, No] {
        for (bias, tie_weights) in [(false, true), (true, true), (false, false), (true, false)] {
            for (tokenizer, vocab_size) in [(None, 17), (Some(&characters), 15), (Some(&ended), 18)] {
                let shape = Config { n_layer: 2, n_head: 2, n_embd: 24, block_size: 9, ..Config::default() };
                let gelu = if bias { GeluForm::Exact } else { GeluForm::Tanh };
                let config = GptConfig { positions, bias, tie_weights, gelu, ..shape.model(vocab_size) };
                let gpt = model(config.clone());
                std::fs::write(&path, exported(&config, &gpt, tokenizer, Quantisation::F32)).unwrap();
                let imported = gguf::import(&path).unwrap();
                let what = format!("{config:?}");
                match tokenizer {
                    Some(tokenizer) => assert_eq!(imported.tokenizer.as_ref(), Ok(tokenizer), "{what}"),
                    None => assert!(imported.tokenizer.is_err()),
                }
                let back = imported.config.clone();
                if positions == Sinusoidal {
                    // They come back as a table, with the same logits.
                    assert_eq!(back, GptConfig { positions: Learned, tie_weights: false, ..config });
                } else {
                    assert_eq!(back, config);
                    assert_eq!(imported.params.len(), gpt.params().len());
                    for param in gpt.params().iter() {
                        let found = imported.params.iter().find(|p| p.name == param.name).unwrap();
                        let bits = |x: &Tensor<f32>| x.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                        assert_eq!(bits(&found.value), bits(&param.value), "{}: {what}", param.name);
                    }
                }
                let prompt = [3, 1, 4, 1, 5, 9, 2];
                let again = imported.into_gpt().unwrap();
                assert_eq!(logits(&again, &prompt).data(), logits(&gpt, &prompt).data(), "{what}");
            }
        }
    }
}

#[test]
fn tokenizers_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    let text = "the cat sat on the mat, the caf\u{e9} \u{4f60}";
    let end = [SpecialToken::EndOfText];
    let all = SpecialToken::ALL;
    for tokenizer in [
        Tokenizer::gpt2(),
        Tokenizer::byte(),
        Tokenizer::byte().with_special_tokens(&end).unwrap(),
        Tokenizer::bpe(text, 270).unwrap(),
        Tokenizer::bpe(text, 270).unwrap().with_special_tokens(&all).unwrap(),
        Tokenizer::char(text),
        Tokenizer::char(text).with_special_tokens(&all).unwrap(),
    ] {
        for padding in [0, 5] {
            let shape = Config { n_layer: 1, n_head: 1, n_embd: 32, block_size: 4, ..Config::default() };
            let config = shape.model(tokenizer.vocab_size() + padding);
            let gpt = model(config.clone());
            std::fs::write(&path, exported(&config, &gpt, Some(&tokenizer), Quantisation::Q8_0)).unwrap();
            let found = gguf::import(&path).unwrap();
            assert!(
                found.tokenizer == Ok(tokenizer.clone()),
                "{} {padding}: {:?}",
                tokenizer.name(),
                found.notes
            );
            assert_eq!(found.config.vocab_size, config.vocab_size);
        }
    }
}

#[test]
fn what_llama_cpp_does_otherwise_with_a_text_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    // Of a vocabulary of characters, words do not matter.
    let tokenizer = Tokenizer::byte();
    let shape = Config { n_layer: 1, n_head: 1, n_embd: 32, block_size: 4, ..Config::default() };
    let config = shape.model(tokenizer.vocab_size());
    let bytes = exported(&config, &model(config.clone()), Some(&tokenizer), Quantisation::F32);
    let notes = |bytes: &[u8], keys: &[Vec<u8>]| {
        std::fs::write(&path, with_keys(bytes, keys)).unwrap();
        let found = gguf::import(&path).unwrap();
        assert!(found.tokenizer.is_ok(), "{:?}", found.tokenizer);
        found.notes
    };
    assert!(notes(&bytes, &[]).is_empty());
    // The key of the file gets another name: it is missing then.
    let replaced = |text: &str, new: &[u8]| {
        let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
        [&bytes[..at], new, &bytes[at + new.len()..]].concat()
    };
    let unnamed = replaced("tokenizer.ggml.pre", b"tokenizer.ggml.xxx");
    let default = key("tokenizer.ggml.pre", 8, b"\x07\0\0\0\0\0\0\0default");
    for keys in [&[][..], &[default]] {
        let [note] = &notes(&unnamed, keys)[..] else { panic!("not one note") };
        assert!(note.contains("(tokenizer.ggml.pre), but here it is split so"), "{note}");
    }
    let silent = replaced("tokenizer.ggml.add_bos_token", b"tokenizer.ggml.xxx_xxx_xxxxx");
    let flag = |name: &str| key(&format!("tokenizer.ggml.{name}"), 7, &[1]);
    let found = notes(&silent, &[flag("add_bos_token"), flag("add_eos_token")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("before every text (add_bos_token)"), "{found:?}");
    assert!(found[1].contains("after every text (add_eos_token)"), "{found:?}");
}

#[test]
fn text_stays_text_whatever_its_role() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    let text = "the cat sat on the mat!";
    let tokenizer = Tokenizer::bpe(text, 270).unwrap();
    let shape = Config { n_layer: 1, n_head: 1, n_embd: 32, block_size: 4, ..Config::default() };
    let config = shape.model(tokenizer.vocab_size());
    let bytes = exported(&config, &model(config.clone()), Some(&tokenizer), Quantisation::F32);
    let expected = tokenizer.encode(text).unwrap();
    let byte = tokenizer.encode("!").unwrap()[0];
    for (role, id, notes) in [
        ("padding", byte, 0),
        ("padding", 260, 0), // a merge
        ("bos", byte, 1),
        ("eos", byte, 1),
    ] {
        let role = key(&format!("tokenizer.ggml.{role}_token_id"), 4, &id.to_le_bytes());
        std::fs::write(&path, with_keys(&bytes, &[role])).unwrap();
        let found = gguf::import(&path).unwrap();
        assert_eq!(found.notes.len(), notes, "{:?}", found.notes);
        assert!(found.notes.iter().all(|note| note.contains("and is text too")), "{:?}", found.notes);
        assert_eq!(found.tokenizer.unwrap().encode(text).unwrap(), expected, "{id}");
    }
}

#[test]
fn axes_of_length_1_may_be_listed() {
    let mut bytes = std::fs::read(fixture("gpt2.gguf")).unwrap();
    // In all, 32 more bytes: the tensors stay aligned.
    for (name, axes, more) in
        [("blk.0.attn_norm.bias", 1, 1), ("output_norm.bias", 1, 1), ("token_embd.weight", 2, 2)]
    {
        let named = [&(name.len() as u64).to_le_bytes()[..], name.as_bytes()].concat();
        let at = bytes.windows(named.len()).position(|window| window == named).unwrap() + named.len();
        assert_eq!(bytes[at], axes);
        bytes[at] += more;
        let end = at + 4 + 8 * usize::from(axes);
        bytes.splice(end..end, 1_u64.to_le_bytes().repeat(usize::from(more)));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    std::fs::write(&path, bytes).unwrap();
    let (found, plain) = (gguf::import(&path).unwrap(), gguf::import(&fixture("gpt2.gguf")).unwrap());
    assert_eq!(found.config, plain.config);
    for (a, b) in found.params.iter().zip(plain.params.iter()) {
        assert!(a.name == b.name && a.value == b.value, "{}", a.name);
    }
}

/// The number of the format of a tensor, from the header of a file.
fn format_of(bytes: &[u8], name: &str) -> u32 {
    let named = [&(name.len() as u64).to_le_bytes()[..], name.as_bytes()].concat();
    let at = bytes.windows(named.len()).position(|window| window == named).unwrap() + named.len();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    number(at + 4 + 8 * number(at) as usize)
}

#[test]
fn a_file_in_4_bits_has_8_for_the_embedding_and_the_head() {
    let (whole, in_4_bits, in_8_bits) = (0, 2, 8); // F32, Q4_0, Q8_0
    let shape = Config { n_layer: 1, n_head: 2, n_embd: 64, block_size: 32, ..Config::default() };
    let config = GptConfig { positions: Positions::Learned, tie_weights: false, ..shape.model(40) };
    let bytes = exported(&config, &model(config.clone()), None, Quantisation::Q4_0);
    for (name, format) in [
        ("token_embd.weight", in_8_bits),
        ("output.weight", in_8_bits),
        ("blk.0.ffn_up.weight", in_4_bits),
        ("blk.0.attn_norm.weight", whole),
        ("position_embd.weight", whole),
    ] {
        assert_eq!(format_of(&bytes, name), format, "{name}");
    }
}

#[test]
fn quantised_weights_are_read_as_they_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    for positions in [Positions::Learned, Positions::Rotary] {
        let shape = Config { n_layer: 2, n_head: 2, n_embd: 64, block_size: 32, ..Config::default() };
        let config = GptConfig { positions, ..shape.model(40) };
        let gpt = model(config.clone());
        let exact = logits(&gpt, &[1, 2, 3, 4]);
        let mut errors = Vec::new();
        for quantisation in [Quantisation::F16, Quantisation::Q8_0, Quantisation::Q4_0] {
            let bytes = exported(&config, &gpt, None, quantisation);
            std::fs::write(&path, &bytes).unwrap();
            let loaded = gguf::load(&path).unwrap().gpt;
            let imported = gguf::import(&path).unwrap().into_gpt().unwrap();
            let (a, b) = (logits(&loaded, &[1, 2, 3, 4]), logits(&imported, &[1, 2, 3, 4]));
            assert_eq!(a.data(), b.data(), "the packed weights have the values of the file");
            // One token at a time, with the packed weights.
            let prompt = [1, 2, 3, 4];
            assert_eq!(greedy(&loaded, &prompt, 20), greedy(&imported, &prompt, 20), "{quantisation:?}");
            let worst = a.data().iter().zip(exact.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            errors.push((bytes.len(), worst));
        }
        assert!(errors.is_sorted_by(|a, b| a.0 > b.0 && a.1 < b.1), "smaller and less precise: {errors:?}");
    }
}
