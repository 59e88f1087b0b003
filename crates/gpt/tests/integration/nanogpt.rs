//! Checkpoints of nanoGPT. `tests/nanogpt` holds one, with its `meta.pkl` and with PyTorch's results.

use m2g_core::nn::GeluForm;
use m2g_core::train::Model;
use m2g_core::{Params, Tape, Tokens};
use m2g_gpt::gpt2::{export, import as import_folder};
use m2g_gpt::nanogpt::import;
use m2g_gpt::token_rows::TokenRows;
use m2g_text::TokenizerKind;
use serde_json::Value;

use crate::checkpoint::{Checkpoint, at, theirs};
use crate::torch_save::{Object, Tensor, dict};

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
        c.storages
            .iter_mut()
            .for_each(|(_, bytes)| bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|b| b.reverse()));
    });
    check("with an optimiser and more", &|c| {
        let step = c.store(vec![0; 8], "LongStorage", 8, &[]);
        let moment = c.tensor(0).clone();
        let state = dict([("step", Object::Tensor(step)), ("exp_avg", Object::Tensor(moment))]);
        let groups = Object::Raw(
            b"](}(X\x05\x00\x00\x00betasG?\xec\xcc\xcc\xcc\xcc\xcc\xcdG?\xee\x66\x66\x66\x66\x66\x66\x86ue"
                .to_vec(),
        );
        c.more = vec![
            (
                "optimizer",
                dict([("state", Object::Dict(vec![(Object::Int(0), state)])), ("param_groups", groups)]),
            ),
            ("iter_num", Object::Int(10)),
            ("config", dict([("compile", Object::Flag(true)), ("device", Object::Text("cuda".into()))])),
        ];
    });
    check("with values of other libraries that the model does not need", &|c| {
        let raw = |bytes: &[u8]| Object::Raw(bytes.to_vec());
        let device = raw(b"ctorch\ndevice\nX\x03\x00\x00\x00cpu\x85R");
        c.more = vec![
            ("best_val_loss", raw(b"cnumpy._core.multiarray\nscalar\nNN\x86R")),
            ("config", dict([("device", device), ("path", raw(b"cpathlib\nPosixPath\nN\x85R"))])),
            ("x", raw(b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R")),
        ];
    });
    check("without dropout", &|c| c.args.retain(|(key, _)| *key != "dropout"));
}

#[test]
fn halves_are_widened_and_a_separate_head_is_kept() {
    for (class, minus_quarter) in [("HalfStorage", 0xb400_u16), ("BFloat16Storage", 0xbe80)] {
        let mut checkpoint = Checkpoint::new();
        for index in 0..checkpoint.tensors.len() {
            checkpoint.storages[index].1 =
                minus_quarter.to_le_bytes().repeat(checkpoint.tensor(index).elements);
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
    // The first versions of nanoGPT had biases and GELU by tanh, and did not say so.
    checkpoint.args.retain(|(key, _)| *key != "bias");
    let model = checkpoint.import().unwrap();
    assert!(model.config.bias && model.config.gelu == GeluForm::Tanh);
    checkpoint.args.push(("bias", Object::Flag(true)));
    assert_eq!(checkpoint.import().unwrap().config.gelu, GeluForm::Exact);
    assert_eq!(
        model.params.iter().find(|p| p.name == "h.1.mlp.c_fc.bias").unwrap().value.data(),
        [0.125; 128]
    );
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    export(&out, &model.config, &model.params, None, false).unwrap();
    assert_eq!(bits(&import_folder(&out).unwrap().params), bits(&model.params));
}
