//! Checkpoints of nanoGPT. `tests/nanogpt` holds one, with its `meta.pkl` and with PyTorch's results.

use std::path::{Path, PathBuf};

use m2g_core::train::Model;
use m2g_core::{Params, Tape, Tokens};
use m2g_gpt::gpt2::{Imported, export, import as import_folder};
use m2g_gpt::nanogpt::import;
use m2g_gpt::token_rows::TokenRows;
use m2g_text::TokenizerKind;
use proptest::prelude::*;
use serde_json::Value;

use crate::torch_save::{Object, Tensor, dict, pickle, zip};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nanogpt");

fn at(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

fn theirs() -> Imported {
    import(&at("ckpt.pt"), Some(&at("meta.pkl"))).unwrap()
}

/// Name, shape and bits of every parameter.
fn bits(params: &Params<f32>) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let of = |data: &[f32]| data.iter().map(|x| x.to_bits()).collect();
    params.iter().map(|p| (p.name.clone(), p.value.shape().to_vec(), of(p.value.data()))).collect()
}

#[test]
fn loss_and_logits_are_those_of_pytorch() {
    let expected: Value = serde_json::from_slice(&std::fs::read(at("expected.json")).unwrap()).unwrap();
    let gpt = theirs().into_gpt().unwrap();
    let rows = TokenRows::read(&at("expected.json"), gpt.config()).unwrap();
    let loss = rows.loss(&gpt).unwrap();
    assert!((loss - expected["loss"].as_f64().unwrap()).abs() < 1e-5, "{loss}");
    let tokens: Vec<Vec<u32>> = serde_json::from_value(expected["tokens"].clone()).unwrap();
    for (row, position, key) in [(0, 15, "logits_row0_last"), (1, 0, "logits_row1_first")] {
        let mut tape = Tape::new();
        let x = Tokens::new([1, 16], tokens[row][..16].to_vec()).unwrap();
        let logits = gpt.forward(&mut tape, &x).unwrap();
        let found = &tape.value(logits).data()[position * 62..];
        for (found, want) in found.iter().zip(expected[key].as_array().unwrap()) {
            assert!((f64::from(*found) - want.as_f64().unwrap()).abs() < 1e-5, "{key}: {found}, not {want}");
        }
    }
}

#[test]
fn settings_and_characters_are_read() {
    let model = theirs();
    let config = &model.config;
    assert_eq!((config.n_layer, config.n_head, config.n_embd, config.block_size), (2, 2, 32, 32));
    assert!(!config.bias && config.tie_weights && config.vocab_size == 62);
    let tokenizer = model.tokenizer.unwrap();
    assert_eq!((tokenizer.kind(), tokenizer.vocab_size()), (TokenizerKind::Char, 62));
    assert_eq!(tokenizer.encode("\n !&'").unwrap(), [0, 1, 2, 3, 4]);
    let without = import(&at("ckpt.pt"), None).unwrap();
    assert!(without.tokenizer.unwrap_err().contains("in the meta.pkl of the data shakespeare_char"));
}

/// A checkpoint that a test changes and writes.
struct Checkpoint {
    args: Vec<(&'static str, Object)>,
    tensors: Vec<(String, Object)>,
    storages: Vec<(String, Vec<u8>)>,
    more: Vec<(&'static str, Object)>,
    byte_order: &'static str,
    deflate: bool,
    state_dict: bool,
}

impl Checkpoint {
    /// The committed model, every tensor in a storage of its own.
    fn new() -> Self {
        let int = |n: usize| Object::Int(n as i64);
        let args = vec![
            ("n_layer", int(2)),
            ("n_head", int(2)),
            ("n_embd", int(32)),
            ("block_size", int(32)),
            ("bias", Object::Flag(false)),
            ("vocab_size", int(62)),
            ("dropout", Object::Float(0.0)),
        ];
        let mut checkpoint = Self {
            args,
            tensors: Vec::new(),
            storages: Vec::new(),
            more: Vec::new(),
            byte_order: "little",
            deflate: false,
            state_dict: false,
        };
        for param in theirs().params.iter() {
            let bytes = param.value.data().iter().flat_map(|x| x.to_le_bytes()).collect();
            let tensor = checkpoint.store(bytes, "FloatStorage", 4, param.value.shape());
            checkpoint.tensors.push((format!("transformer.{}", param.name), Object::Tensor(tensor)));
        }
        checkpoint
    }

    /// Adds a storage, and returns a tensor that is all of it.
    fn store(&mut self, bytes: Vec<u8>, class: &'static str, width: usize, shape: &[usize]) -> Tensor {
        let key = self.storages.len().to_string();
        let elements = bytes.len() / width;
        self.storages.push((key.clone(), bytes));
        let strides = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        Tensor { key, class, elements, offset: 0, shape: shape.into(), strides }
    }

    fn tensor(&mut self, index: usize) -> &mut Tensor {
        match &mut self.tensors[index].1 {
            Object::Tensor(tensor) | Object::Parameter(tensor) => tensor,
            other => panic!("{other:?} is no tensor"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let text = |name: &str| Object::Text(name.into());
        let tensors = self.tensors.iter().map(|(name, tensor)| (text(name), tensor.clone())).collect();
        let mut root = vec![
            (text("model"), if self.state_dict { Object::StateDict(tensors) } else { Object::Dict(tensors) }),
            (text("model_args"), Object::Dict(self.args.iter().map(|(k, v)| (text(k), v.clone())).collect())),
        ];
        root.extend(self.more.iter().map(|(key, value)| (text(key), value.clone())));
        let mut entries = vec![
            ("ckpt/data.pkl".to_string(), pickle(&Object::Dict(root))),
            ("ckpt/byteorder".to_string(), self.byte_order.as_bytes().to_vec()),
        ];
        entries.extend(self.storages.iter().map(|(key, bytes)| (format!("ckpt/data/{key}"), bytes.clone())));
        entries.push(("ckpt/version".to_string(), b"3\n".to_vec()));
        zip(&entries, self.deflate)
    }

    fn import(&self) -> Result<Imported, String> {
        import_bytes(&self.bytes())
    }

    fn error(&self) -> String {
        self.import().unwrap_err()
    }
}

fn import_bytes(bytes: &[u8]) -> Result<Imported, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.pt");
    std::fs::write(&path, bytes).unwrap();
    import(&path, None).map_err(|e| e.to_string())
}

#[test]
fn every_way_to_save_the_same_model_gives_the_same_model() {
    let want = bits(&theirs().params);
    let check = |what: &str, change: &dyn Fn(&mut Checkpoint)| {
        let mut checkpoint = Checkpoint::new();
        change(&mut checkpoint);
        let found = checkpoint.import().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(bits(&found.params) == want && found.config.tie_weights, "{what}");
    };
    check("as it is", &|_| {});
    check("deflated", &|c| c.deflate = true);
    check("an OrderedDict with attributes", &|c| c.state_dict = true);
    for prefix in ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."] {
        check(prefix, &|c| c.tensors.iter_mut().for_each(|(name, _)| *name = format!("{prefix}{name}")));
    }
    check("parameters", &|c| {
        for index in 0..c.tensors.len() {
            c.tensors[index].1 = Object::Parameter(c.tensor(index).clone());
        }
    });
    check("with a head", &|c| {
        let head = c.tensor(0).clone();
        c.tensors.push(("lm_head.weight".into(), Object::Tensor(head)));
    });
    check("with a mask", &|c| {
        let mask = c.store(vec![1; 32 * 32], "ByteStorage", 1, &[1, 1, 32, 32]);
        c.tensors.push(("transformer.h.0.attn.bias".into(), Object::Tensor(mask)));
    });
    check("transposed in the storage", &|c| {
        for index in 0..c.tensors.len() {
            let [rows, cols] = c.tensor(index).shape[..] else { continue };
            let bytes = &mut c.storages[index].1;
            let elements = bytes.as_chunks::<4>().0;
            *bytes = (0..rows * cols).flat_map(|i| elements[i % rows * cols + i / rows]).collect();
            c.tensor(index).strides = vec![1, rows];
        }
    });
    check("all in one storage", &|c| {
        let all: Vec<u8> = c.storages.iter().flat_map(|(_, bytes)| [&[7; 8], &bytes[..]].concat()).collect();
        let mut offset = 0;
        for index in 0..c.tensors.len() {
            let own = c.tensor(index).elements;
            *c.tensor(index) = Tensor {
                key: "all".into(),
                elements: all.len() / 4,
                offset: offset + 2,
                ..c.tensor(index).clone()
            };
            offset += own + 2;
        }
        c.storages = vec![("all".into(), all)];
    });
    check("big-endian", &|c| {
        c.byte_order = "big";
        c.storages.iter_mut().for_each(|(_, bytes)| bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|b| b.reverse()));
    });
    check("with an optimiser and more", &|c| {
        let step = c.store(vec![0; 8], "LongStorage", 8, &[]);
        let moment = c.tensor(0).clone();
        let state = dict([("step", Object::Tensor(step)), ("exp_avg", Object::Tensor(moment))]);
        let groups = Object::Raw(b"](}(X\x05\x00\x00\x00betasG?\xec\xcc\xcc\xcc\xcc\xcc\xcdG?\xee\x66\x66\x66\x66\x66\x66\x86ue".to_vec());
        c.more = vec![
            ("optimizer", dict([("state", Object::Dict(vec![(Object::Int(0), state)])), ("param_groups", groups)])),
            ("iter_num", Object::Int(10)),
            ("config", dict([("compile", Object::Flag(true)), ("device", Object::Text("cuda".into()))])),
        ];
    });
    check("without dropout", &|c| c.args.retain(|(key, _)| *key != "dropout"));
}

#[test]
fn halves_are_widened_and_a_separate_head_is_kept() {
    for (class, minus_quarter) in [("HalfStorage", 0xb400_u16), ("BFloat16Storage", 0xbe80)] {
        let mut checkpoint = Checkpoint::new();
        for index in 0..checkpoint.tensors.len() {
            checkpoint.storages[index].1 = minus_quarter.to_le_bytes().repeat(checkpoint.tensor(index).elements);
            checkpoint.tensor(index).class = class;
        }
        let params = checkpoint.import().unwrap().params;
        assert!(params.iter().all(|p| p.value.data().iter().all(|x| *x == -0.25)), "{class}");
    }
    let mut checkpoint = Checkpoint::new();
    let head = checkpoint.store(1.5_f32.to_le_bytes().repeat(62 * 32), "FloatStorage", 4, &[62, 32]);
    checkpoint.tensors.push(("_orig_mod.lm_head.weight".into(), Object::Tensor(head)));
    let untied = checkpoint.import().unwrap();
    assert!(!untied.config.tie_weights);
    let gpt = untied.into_gpt().unwrap();
    assert_eq!(gpt.params().iter().find(|p| p.name == "lm_head.weight").unwrap().value.data()[9], 1.5);
}

#[test]
fn a_model_with_biases_is_read_and_exported_to_the_same_bits() {
    let mut checkpoint = Checkpoint::new();
    let with_biases: Vec<(String, usize)> = checkpoint
        .tensors
        .iter()
        .filter(|(name, _)| name.contains("h.") || name.contains("ln_f"))
        .map(|(name, tensor)| match tensor {
            Object::Tensor(tensor) => (name.replace(".weight", ".bias"), tensor.shape[0]),
            other => panic!("{other:?}"),
        })
        .collect();
    for (name, n) in with_biases {
        let bias = checkpoint.store(0.125_f32.to_le_bytes().repeat(n), "FloatStorage", 4, &[n]);
        checkpoint.tensors.push((name, Object::Tensor(bias)));
    }
    // The first versions of nanoGPT had biases and did not say so.
    checkpoint.args.retain(|(key, _)| *key != "bias");
    let model = checkpoint.import().unwrap();
    assert!(model.config.bias);
    assert_eq!(model.params.iter().find(|p| p.name == "h.1.mlp.c_fc.bias").unwrap().value.data(), [0.125; 128]);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    export(&out, &model.config, &model.params, None, false).unwrap();
    assert_eq!(bits(&import_folder(&out).unwrap().params), bits(&model.params));
}

#[test]
fn what_is_not_a_checkpoint_is_refused_with_one_sentence() {
    let changed = |change: &dyn Fn(&mut Checkpoint)| {
        let mut checkpoint = Checkpoint::new();
        change(&mut checkpoint);
        checkpoint.error()
    };
    let arg = |key: &'static str, value: Object| {
        changed(&|c| {
            c.args.retain(|(known, _)| *known != key);
            c.args.push((key, value.clone()));
        })
    };
    let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    let plain = |entries: &[(String, Vec<u8>)]| import_bytes(&zip(entries, false)).unwrap_err();
    for (error, why) in [
        (import_bytes(legacy).unwrap_err(), "PyTorch's old format, from before version 1.6"),
        (import_bytes(b"").unwrap_err(), "it is empty"),
        (import_bytes(&std::fs::read(at("meta.pkl")).unwrap()).unwrap_err(), "it is a pickle, not a checkpoint"),
        (import_bytes(b"\x89PNG....").unwrap_err(), "it is not a checkpoint of torch.save"),
        (import_bytes(b"PK\x03\x04").unwrap_err(), "the directory of its zip archive is missing"),
        (plain(&[("a/readme".into(), vec![1])]), "it has no data.pkl"),
        (plain(&[("a/data.pkl".into(), b"\x80\x02K\x01.".to_vec())]), "it does not hold a dict"),
        (plain(&[("a/data.pkl".into(), b"\x80\x02}.".to_vec())]), "it holds no model_args"),
        (plain(&[("a/data.pkl".into(), b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.".to_vec())]), "names posix.system"),
        (changed(&|c| c.more.push(("x", Object::Raw(b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R".to_vec())))), "names builtins.eval"),
        (changed(&|c| c.args.clear()), "its model_args has no n_layer"),
        (arg("n_kv_head", Object::Int(1)), "its model_args has n_kv_head, which nanoGPT does not know"),
        (arg("n_layer", Object::Int(1 << 40)), "n_layer in its model_args is 1099511627776: it must be from 1 to 1000"),
        (arg("n_head", Object::Int(5)), "must be a multiple of n_head"),
        (arg("vocab_size", Object::Text("62".into())), "vocab_size in its model_args is not a whole number"),
        (arg("vocab_size", Object::Int(1 << 23)), "expected [8388608, 32], found [62, 32]"),
        (arg("bias", Object::Flag(true)), "missing    transformer.h.0.ln_1.bias: expected [32]"),
        (changed(&|c| drop(c.tensors.remove(3))), "missing    transformer.h.0.attn.c_attn.weight: expected [96, 32]"),
        (changed(&|c| c.tensors[0].1 = Object::Int(3)), "transformer.wte.weight in its model is not a tensor"),
        (changed(&|c| c.tensor(0).class = "DoubleStorage"), "needs 1984 elements of the storage 0, which has 7936 bytes"),
        (changed(&|c| c.tensor(2).class = "ComplexFloatStorage"), "names torch.ComplexFloatStorage"),
        (changed(&|c| c.tensor(0).elements = usize::MAX / 8), "elements of the storage 0, which has 7936 bytes"),
        (changed(&|c| c.tensor(0).shape = vec![1 << 40, 1 << 40]), "its storage has 1984 elements"),
        (changed(&|c| c.tensor(0).strides = vec![1 << 62, 1 << 62]), "its storage has 1984 elements"),
        (changed(&|c| c.tensor(2).offset = 1), "has the shape [32], but its storage has 32 elements"),
        (changed(&|c| (c.tensor(0).shape, c.tensor(0).strides) = (vec![1 << 40, 32], vec![0, 1])), "its storage has"),
        (changed(&|c| c.tensor(0).key = "../x".into()), "needs the storage ../x, which is missing"),
        (changed(&|c| c.byte_order = "middle"), "its byteorder is neither little nor big"),
        (changed(&|c| c.byte_order = "big"), "its byteorder says big, but its tensors"),
    ] {
        assert!(error.contains("c.pt") && error.contains(why), "{why}: {error}");
        assert!(error.lines().count() == 1 || why.contains("expected"), "{error}");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let whole = std::fs::read(at("ckpt.pt")).unwrap();
    for cut in [0, 1, 4, 30, 3000, whole.len() / 2, whole.len() - 23, whole.len() - 1] {
        let error = import_bytes(&whole[..cut]).unwrap_err();
        assert!(error.contains("c.pt cannot be used: it is"), "{cut}: {error}");
    }
    // A changed weight.
    let mut changed = whole.clone();
    changed[2600] ^= 1;
    assert!(import_bytes(&changed).unwrap_err().contains("its entry ckpt/data/0 is damaged: its check sum is wrong"));
    // A length of 4 GB, and an offset outside of the file, in the directory.
    let bytes = Checkpoint::new().bytes();
    let directory = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for at in [20, 24, 42] {
        let mut changed = bytes.clone();
        changed[directory + at..][..4].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
        assert!(import_bytes(&changed).is_err(), "{at}");
    }
}

#[test]
fn the_vocabulary_must_fit_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let meta = dir.path().join("meta.pkl");
    let with = |object: Object| {
        std::fs::write(&meta, pickle(&object)).unwrap();
        import(&at("ckpt.pt"), Some(&meta)).map_err(|e| e.to_string())
    };
    let text = |text: &str| Object::Text(text.into());
    let stoi = |tokens: &[&str]| {
        Object::Dict(tokens.iter().zip(0..).map(|(token, id)| (text(token), Object::Int(id))).collect())
    };
    // Fewer characters than the model has rows, in an order of their own.
    let tokenizer = with(dict([("vocab_size", Object::Int(3)), ("stoi", stoi(&["b", "a", "é"]))])).unwrap().tokenizer;
    assert_eq!(tokenizer.unwrap().encode("aéb").unwrap(), [1, 2, 0]);
    let words = with(dict([("stoi", stoi(&["a", "two"]))])).unwrap().tokenizer.unwrap_err();
    assert!(words.contains("token 1 is \"two\", not one character"), "{words}");
    assert!(with(dict([("vocab_size", Object::Int(62))])).unwrap().tokenizer.is_err());
    for (object, why) in [
        (dict([("vocab_size", Object::Int(65))]), "it has 65 tokens, but the model has 62"),
        (dict([("vocab_size", Object::Int(-1))]), "its vocab_size is not a number"),
        (dict([]), "neither vocab_size nor stoi"),
        (Object::Int(3), "neither vocab_size nor stoi"),
        (dict([("stoi", Object::Int(3))]), "its stoi is not a dict"),
        (dict([("vocab_size", Object::Int(1)), ("stoi", stoi(&["a", "b"]))]), "vocab_size is 1, but stoi has 2"),
        (dict([("stoi", Object::Dict(vec![(text("a"), Object::Int(5))]))]), "its stoi are not 0, 1, 2"),
        (
            dict([("stoi", stoi(&["a", "b"])), ("itos", Object::Dict(vec![(Object::Int(0), text("b"))]))]),
            "its stoi and its itos differ",
        ),
        (Object::Raw(b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R".to_vec()), "names os.system"),
    ] {
        let error = with(object).unwrap_err();
        assert!(error.contains("meta.pkl") && error.contains(why), "{why}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), zip in any::<bool>()) {
        let start: &[u8] = if zip { b"PK\x03\x04" } else { b"" };
        let _ = import_bytes(&[start, &bytes].concat());
    }

    #[test]
    fn changed_checkpoints_do_not_panic(
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 1..6),
        deflate in any::<bool>(),
        tail in any::<bool>(),
    ) {
        static FILES: std::sync::LazyLock<[Vec<u8>; 2]> = std::sync::LazyLock::new(|| {
            [false, true].map(|deflate| Checkpoint { deflate, ..Checkpoint::new() }.bytes())
        });
        let mut bytes = FILES[usize::from(deflate)].clone();
        let n = bytes.len();
        for (place, byte) in changes {
            // The directory is at the end, the pickle at the start.
            let at = if tail { n - 1 - (place * 1500.0) as usize } else { (place * 3000.0) as usize };
            bytes[at] = byte;
        }
        let _ = import_bytes(&bytes);
    }
}
