//! Files that are no checkpoints of nanoGPT, or damaged ones.

use m2g_gpt::nanogpt::import;
use proptest::prelude::*;

use crate::checkpoint::{Checkpoint, at, import_bytes};
use crate::torch_save::{Object, dict, pickle, zip};

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
        (
            import_bytes(&std::fs::read(at("meta.pkl")).unwrap()).unwrap_err(),
            "it is a pickle, not a checkpoint",
        ),
        (import_bytes(b"\x89PNG....").unwrap_err(), "it is not a checkpoint of torch.save"),
        (import_bytes(b"PK\x03\x04").unwrap_err(), "the directory of its zip archive is missing"),
        (plain(&[("a/readme".into(), vec![1])]), "it has no data.pkl"),
        (plain(&[("a/data.pkl".into(), b"\x80\x02K\x01.".to_vec())]), "it does not hold a dict"),
        (plain(&[("a/data.pkl".into(), b"\x80\x02}.".to_vec())]), "it holds no model_args"),
        (
            plain(&[("a/data.pkl".into(), b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.".to_vec())]),
            "names posix.system",
        ),
        (
            changed(&|c| c.tensors[0].1 = Object::Raw(b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R".to_vec())),
            "names builtins.eval",
        ),
        (arg("n_layer", Object::Raw(b"cnumpy\nint64\nK\x02\x85R".to_vec())), "names numpy.int64, and only"),
        (import_bytes(b"version https://git-lfs.github.com/spec/v1\n").unwrap_err(), "`git lfs pull`"),
        (
            plain(&[("a/data.pkl".into(), b"(dp0\n.".to_vec())]),
            "if it is one of protocol 0 or 1, save it again with protocol 2",
        ),
        (
            changed(&|c| c.storages[2].1[4..8].copy_from_slice(&f32::NAN.to_le_bytes())),
            "its transformer.h.0.ln_1.weight holds NaN or infinity",
        ),
        (
            changed(&|c| {
                let bytes = f32::INFINITY.to_le_bytes().repeat(62 * 32);
                let head = c.store(bytes, "FloatStorage", 4, &[62, 32]);
                c.tensors.push(("lm_head.weight".into(), Object::Tensor(head)));
            }),
            "its lm_head.weight holds NaN or infinity",
        ),
        (changed(&|c| c.args.clear()), "its model_args has no n_layer"),
        (arg("n_kv_head", Object::Int(1)), "its model_args has n_kv_head, which nanoGPT does not know"),
        (
            arg("n_layer", Object::Int(1 << 40)),
            "n_layer in its model_args is 1099511627776: it must be from 1 to 1000",
        ),
        (arg("n_head", Object::Int(5)), "must be a multiple of n_head"),
        (arg("vocab_size", Object::Text("62".into())), "vocab_size in its model_args is not a whole number"),
        (arg("vocab_size", Object::Int(1 << 23)), "expected [8388608, 32], found [62, 32]"),
        (arg("bias", Object::Flag(true)), "missing    transformer.h.0.ln_1.bias: expected [32]"),
        (
            changed(&|c| drop(c.tensors.remove(3))),
            "missing    transformer.h.0.attn.c_attn.weight: expected [96, 32]",
        ),
        (
            changed(&|c| c.tensors[0].1 = Object::Int(3)),
            "transformer.wte.weight in its model is not a tensor",
        ),
        (
            changed(&|c| c.tensor(0).class = "DoubleStorage"),
            "needs 1984 elements of the storage 0, which has 7936 bytes",
        ),
        (changed(&|c| c.tensor(2).class = "ComplexFloatStorage"), "names torch.ComplexFloatStorage"),
        (
            changed(&|c| c.tensor(0).elements = usize::MAX / 8),
            "elements of the storage 0, which has 7936 bytes",
        ),
        (changed(&|c| c.tensor(0).shape = vec![1 << 40, 1 << 40]), "its storage has 1984 elements"),
        (changed(&|c| c.tensor(0).strides = vec![1 << 62, 1 << 62]), "the 1984 elements of its storage"),
        (changed(&|c| c.tensor(2).offset = 1), "has the shape [32] with the strides [1] from element 1 on"),
        (
            changed(&|c| (c.tensor(0).shape, c.tensor(0).strides) = (vec![1 << 40, 32], vec![0, 1])),
            "its storage has",
        ),
        (changed(&|c| c.tensor(0).key = "../x".into()), "needs the storage ../x, which is missing"),
        (
            changed(&|c| c.tensors.push(("_orig_mod.transformer.wte.weight".into(), c.tensors[0].1.clone()))),
            "duplicate  transformer.wte.weight",
        ),
        (changed(&|c| c.byte_order = "middle"), "its byteorder is neither little nor big"),
        (changed(&|c| c.byte_order = "big"), "its byteorder says big, but its tensors"),
    ] {
        assert!(error.contains("c.pt") && error.contains(why), "{why}: {error}");
        assert!(
            error.lines().count() == 1 || why.contains("expected") || why.starts_with("duplicate"),
            "{error}"
        );
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
    assert!(
        import_bytes(&changed)
            .unwrap_err()
            .contains("its entry ckpt/data/0 is damaged: its check sum is wrong")
    );
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
    // Fewer characters than tokens, in an order of their own.
    let size = || ("vocab_size", Object::Int(62));
    let tokenizer = with(dict([size(), ("stoi", stoi(&["b", "a", "é"]))])).unwrap().tokenizer;
    assert_eq!(tokenizer.unwrap().encode("aéb").unwrap(), [1, 2, 0]);
    let words = with(dict([size(), ("stoi", stoi(&["a", "two"]))])).unwrap().tokenizer.unwrap_err();
    assert!(words.contains("token 1 is \"two\", not one character"), "{words}");
    assert!(with(dict([("vocab_size", Object::Int(62))])).unwrap().tokenizer.is_err());
    for (object, why) in [
        (dict([("vocab_size", Object::Int(65))]), "it has 65 tokens, but the model has 62"),
        (
            dict([("vocab_size", Object::Int(3)), ("stoi", stoi(&["b", "a", "é"]))]),
            "it has 3 tokens, but the model has 62: give the meta.pkl of the data shakespeare_char that it was",
        ),
        (dict([("stoi", stoi(&["a", "b"]))]), "it has 2 tokens, but the model has 62"),
        (dict([("vocab_size", Object::Int(70)), ("stoi", stoi(&["a"]))]), "it has 70 tokens, but the model"),
        (dict([("vocab_size", Object::Int(-1))]), "its vocab_size is not a number"),
        (dict([]), "neither vocab_size nor stoi"),
        (Object::Int(3), "neither vocab_size nor stoi"),
        (dict([("stoi", Object::Int(3))]), "its stoi is not a dict"),
        (
            dict([("vocab_size", Object::Int(1)), ("stoi", stoi(&["a", "b"]))]),
            "vocab_size is 1, but stoi has 2",
        ),
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
