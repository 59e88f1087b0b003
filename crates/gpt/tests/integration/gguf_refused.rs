//! GGUF files that are damaged, or hold another model.

use std::fs;
use std::path::Path;

use m2g_core::train::Model;
use m2g_gpt::gguf::{self, Export, Quantisation};
use m2g_gpt::{Config, Gpt, GptConfig};
use m2g_text::Tokenizer;

use crate::gguf::{fixture, key, with_keys};

/// Why a file is refused.
fn refused(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    fs::write(&path, bytes).unwrap();
    let error = gguf::import(&path).unwrap_err().to_string();
    assert!(error.contains("m.gguf"), "{error}");
    error
}

fn position(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

/// The file with other bytes after the first place of this text and `skip` more bytes.
fn with(bytes: &[u8], text: &str, skip: usize, new: &[u8]) -> Vec<u8> {
    let at = position(bytes, text) + text.len() + skip;
    let mut bytes = bytes.to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let bytes = fs::read(fixture("gpt2-q4_0.gguf")).unwrap();
    for length in (0..bytes.len() - 32).step_by(37) {
        let error = refused(&bytes[..length]);
        assert!(error.contains("cut off") || error.contains("not a GGUF file"), "{length}: {error}");
    }
}

#[test]
fn absurd_lengths_are_refused_before_anything_is_allocated() {
    let bytes = fs::read(fixture("gpt2.gguf")).unwrap();
    let huge = u64::MAX.to_le_bytes();
    let large = (1_u64 << 40).to_le_bytes();
    for (what, damaged) in [
        ("tensors", [&bytes[..8], &huge, &bytes[16..]].concat()),
        ("keys", [&bytes[..16], &huge, &bytes[24..]].concat()),
        ("a key", [&bytes[..24], &large, &bytes[32..]].concat()),
        ("tokens", with(&bytes, "tokenizer.ggml.tokens", 8, &large)),
        ("merges", with(&bytes, "tokenizer.ggml.merges", 8, &huge)),
        ("a name", with(&bytes, "general.name", 4, &huge)),
        ("a width", with(&bytes, "token_embd.weight", 4, &huge)),
        ("an offset", with(&bytes, "blk.0.ffn_up.weight", 4 + 16 + 4, &(1_u64 << 40).to_le_bytes())),
        ("layers", with(&bytes, "gpt2.block_count", 4, &999_u32.to_le_bytes())),
    ] {
        let error = refused(&damaged);
        assert!(error.len() > 30, "{what}: {error}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let bytes = fs::read(fixture("gptneox.gguf")).unwrap();
    let float = |x: f32| x.to_le_bytes();
    for (damaged, says) in [
        (b"GGML....".to_vec(), "it is not a GGUF file"),
        (with(&bytes, "GGUF", 0, &1_u32.to_le_bytes()), "it has version 1 of the format"),
        (with(&bytes, "GGUF", 0, &3_u32.to_be_bytes()), "big-endian"),
        (with(&bytes, "general.alignment", 4, &24_u32.to_le_bytes()), "its general.alignment is 24"),
        (
            with(&bytes, "general.architecture", 12, b"llama!!"),
            "general.architecture is llama!!, but only gpt2",
        ),
        (with(&bytes, "use_parallel_residual", 4, &[1]), "gptneox.use_parallel_residual is true, but"),
        (with(&bytes, "rope.freq_base", 4, &float(500.0)), "gptneox.rope.freq_base is 500, but"),
        (
            with(&bytes, "rope.dimension_count", 4, &4_u32.to_le_bytes()),
            "rotates all channels of a head: it must be 16",
        ),
        (with(&bytes, "attention.head_count", 4, &3_u32.to_le_bytes()), "it must be a multiple of n_head"),
        (with(&bytes, "layer_norm_epsilon", 4, &float(1e-6)), "layer_norm_epsilon is 0.000001, but"),
        (
            with(&bytes, "feed_forward_length", 4, &64_u32.to_le_bytes()),
            "gptneox.feed_forward_length is 64, but",
        ),
        (with(&bytes, "embedding_length", 0, &6_u32.to_le_bytes()), "but it must be a whole number"),
        (
            with(&bytes, "token_embd.weight", 4 + 16, &10_u32.to_le_bytes()),
            "its tensor token_embd.weight is stored as Q2_K",
        ),
        (
            with(&bytes, "blk.0.attn_qkv.bias", 4 + 8, &[2]),
            "its bias blk.0.attn_qkv.bias is stored in blocks",
        ),
        (with(&bytes, "blk.0.attn_qkv.bias", 4 + 8, &[8]), "a bias must be F32, F16 or BF16"),
        (with(&bytes, "blk.0.attn_norm.weigh", 0, b"s"), "missing    blk.0.attn_norm.weight: expected [32]"),
        (with(&bytes, "blk.0.attn_norm.weigh", 0, b"s"), "extra      blk.0.attn_norm.weighs: found [32]"),
        (
            with(&bytes, "output_norm.bias", 4 + 8 + 4 + 8, &[0xff; 4]),
            "a name in its header has 4294967295 bytes",
        ),
        (with(&bytes, "general.architectur", 0, b"x"), "general.architecture is missing, but only gpt2"),
    ] {
        let error = refused(&damaged);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn scaled_rotary_positions_are_refused() {
    let bytes = fs::read(fixture("gptneox.gguf")).unwrap();
    let number = |name: &str, x: f32| key(&format!("gptneox.rope.{name}"), 6, &x.to_le_bytes());
    let kind = |name: &str| {
        let value = [&(name.len() as u64).to_le_bytes()[..], name.as_bytes()].concat();
        key("gptneox.rope.scaling.type", 8, &value)
    };
    let (factor, old) = (|x| number("scaling.factor", x), |x| number("scale_linear", x));
    for (keys, says) in [
        (vec![factor(4.0)], "gptneox.rope.scaling.factor is 4, but this GPT does not scale rotary positions"),
        (vec![old(4.0)], "gptneox.rope.scale_linear is 4, but"),
        (vec![kind("linear"), factor(0.5)], "gptneox.rope.scaling.factor is 0.5, but"),
        (vec![kind("yarn"), factor(1.0)], "gptneox.rope.scaling.type is yarn, but"),
    ] {
        let error = refused(&with_keys(&bytes, &keys));
        assert!(error.contains(says), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    for keys in [
        vec![kind("none"), factor(4.0)],
        vec![kind("linear")],
        vec![kind("linear"), factor(1.0)],
        vec![factor(0.0)],
        vec![factor(1.0), old(4.0)],
    ] {
        fs::write(&path, with_keys(&bytes, &keys)).unwrap();
        assert!(gguf::import(&path).is_ok(), "{keys:?}");
    }
}

#[test]
fn a_part_a_pointer_and_weights_that_are_not_finite_are_refused() {
    let bytes = fs::read(fixture("gpt2.gguf")).unwrap();
    // llama-gguf-split writes numbers of 16 bits. Parts after the first have no other keys.
    let keys = [key("split.no", 2, &[1, 0]), key("split.count", 2, &[3, 0])].concat();
    let part = [&bytes[..8], &0_u64.to_le_bytes(), &2_u64.to_le_bytes(), &keys].concat();
    assert!(refused(&part).contains("it is part 2 of 3: merge the parts with `llama-gguf-split --merge`"));
    assert!(refused(b"version https://git-lfs.github.com/spec/v1\n").contains("`git lfs pull`"));
    let params = gguf::import(&fixture("gpt2.gguf")).unwrap().params;
    let gain = params.iter().find(|p| p.name == "ln_f.weight").unwrap().value.data();
    let stored: Vec<u8> = gain.iter().flat_map(|x| x.to_le_bytes()).collect();
    let at = bytes.windows(stored.len()).position(|window| window == stored).unwrap();
    let mut broken = bytes.clone();
    broken[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refused(&broken).contains("its output_norm.weight holds NaN or infinity"));
}

#[test]
fn weights_beyond_a_format_are_refused() {
    let shape = Config { n_layer: 1, n_head: 1, n_embd: 32, block_size: 4, ..Config::default() };
    let config = shape.model(20);
    let export = |name: &str, at: usize, value: f32, quantisation| {
        let mut gpt = Gpt::new(config.clone(), 1).unwrap();
        gpt.params_mut().iter_mut().find(|p| p.name == name).unwrap().value.data_mut()[at] = value;
        let params = gpt.params();
        let model = Export { name: "x", config: &config, params, tokenizer: None, quantisation };
        gguf::export(&mut Vec::new(), Path::new("x"), model).map(drop).map_err(|e| e.to_string())
    };
    use Quantisation::{F16, F32, Q4_0, Q8_0};
    let weight = "h.0.mlp.c_fc.weight";
    for (value, quantisation, format) in [
        (7e4, F16, "F16"),
        (-7e4, F16, "F16"),
        (1e30, Q8_0, "Q8_0"),
        (-1e30, Q4_0, "Q4_0"),
        (6e5, Q4_0, "Q4_0"),
        (9e6, Q8_0, "Q8_0"),
    ] {
        let error = export(weight, 77, value, quantisation).unwrap_err();
        assert!(
            error.starts_with(&format!("GGUF cannot express blk.0.ffn_up.weight in {format}: its largest")),
            "{error}"
        );
        assert!(error.ends_with("is beyond that format: export as f32"), "{error}");
        assert_eq!(export(weight, 77, value, F32), Ok(()));
    }
    for (value, quantisation) in [(6.5e4, F16), (8e6, Q8_0), (-5e5, Q4_0)] {
        assert_eq!(export(weight, 77, value, quantisation), Ok(()));
    }
    // Vectors are always F32.
    assert_eq!(export("h.0.ln_1.weight", 3, 7e4, F16), Ok(()));
    assert!(export(weight, 77, f32::INFINITY, F32).unwrap_err().contains("ffn_up.weight in F32"));
}

#[test]
fn the_row_of_the_added_token_must_fit_the_format() {
    let shape = Config { n_layer: 1, n_head: 1, n_embd: 32, block_size: 4, ..Config::default() };
    let tokenizer = Tokenizer::char("abcdefghijklmnop");
    let config = shape.model(tokenizer.vocab_size());
    let mut gpt = Gpt::new(config.clone(), 1).unwrap();
    let gain = gpt.params_mut().iter_mut().find(|p| p.name == "ln_f.weight").unwrap();
    gain.value.data_mut().fill(0.003);
    for (quantisation, fits) in [(Quantisation::F32, true), (Quantisation::F16, false)] {
        let (config, params, tokenizer) = (&config, gpt.params(), Some(&tokenizer));
        let model = Export { name: "x", config, params, tokenizer, quantisation };
        let exported = gguf::export(&mut Vec::new(), Path::new("x"), model).map_err(|e| e.to_string());
        assert_eq!(exported.is_ok(), fits, "{exported:?}");
        assert!(fits || exported.unwrap_err().contains("output.weight in F16"));
    }
}

#[test]
fn a_tokenizer_of_words_is_refused_as_one() {
    let shape = Config { n_layer: 1, n_head: 1, n_embd: 32, block_size: 4, ..Config::default() };
    let tokenizer = Tokenizer::word("the cat sat on the mat").unwrap();
    let config = shape.model(tokenizer.vocab_size());
    let gpt = Gpt::new(config.clone(), 1).unwrap();
    let (config, params, tokenizer) = (&config, gpt.params(), Some(&tokenizer));
    let model = Export { name: "x", config, params, tokenizer, quantisation: Quantisation::F32 };
    let error = gguf::export(&mut Vec::new(), Path::new("x"), model).unwrap_err().to_string();
    assert!(
        error.starts_with("GGUF cannot express its tokenizer: its tokens are whole words, and"),
        "{error}"
    );
}

#[test]
fn what_the_format_cannot_hold_is_refused() {
    let shape = Config { n_layer: 1, n_head: 1, n_embd: 48, block_size: 4, ..Config::default() };
    let config = shape.model(20);
    let gpt = Gpt::new(config.clone(), 1).unwrap();
    let export = |config: &GptConfig, quantisation| {
        let mut bytes = Vec::new();
        let model = Export { name: "x", config, params: gpt.params(), tokenizer: None, quantisation };
        gguf::export(&mut bytes, Path::new("x"), model).map(|_| bytes)
    };
    let error = export(&config, Quantisation::Q8_0).unwrap_err().to_string();
    assert!(error.starts_with("GGUF cannot express n_embd = 48 in Q8_0: it rounds 32 weights"), "{error}");
    assert!(export(&config, Quantisation::F16).is_ok());
    let other = GptConfig { n_embd: 32, ..config };
    let error = export(&other, Quantisation::F32).unwrap_err().to_string();
    assert!(error.contains("wte.weight"), "{error}");
}
