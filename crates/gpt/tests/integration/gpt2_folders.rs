//! Folders in Hugging Face's format: import, errors, export.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use m2g_core::nn::Positions;
use m2g_core::{Params, Tensor};
use m2g_gpt::gpt2::{Imported, export, import};
use m2g_text::Tokenizer;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gpt2-tiny");

/// Tensors as a file holds them.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// A copy of the golden model that a test changes.
struct Folder {
    dir: tempfile::TempDir,
    config: Value,
    tensors: Tensors,
}

impl Folder {
    fn tiny() -> Self {
        let config = serde_json::from_slice(&std::fs::read(format!("{TINY}/config.json")).unwrap()).unwrap();
        let bytes = std::fs::read(format!("{TINY}/model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file
            .iter()
            .map(|(name, t)| (name.to_string(), (t.dtype(), t.shape().to_vec(), t.data().to_vec())));
        Self { dir: tempfile::tempdir().unwrap(), config, tensors: tensors.collect() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, tensors: &Tensors) {
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        std::fs::write(self.path().join(name), safetensors::serialize(views, None).unwrap()).unwrap();
    }

    fn save(&self) -> PathBuf {
        std::fs::write(self.path().join("config.json"), self.config.to_string()).unwrap();
        self.write("model.safetensors", &self.tensors);
        self.path().to_path_buf()
    }

    /// Saves the tensors in two files, with an index.
    fn save_sharded(&self) {
        self.save();
        std::fs::remove_file(self.path().join("model.safetensors")).unwrap();
        let shard = |name: &str| format!("model-{:05}-of-00002.safetensors", 1 + name.len() % 2);
        let mut shards = BTreeMap::<String, Tensors>::new();
        for (name, tensor) in &self.tensors {
            shards.entry(shard(name)).or_default().insert(name.clone(), tensor.clone());
        }
        shards.iter().for_each(|(name, tensors)| self.write(name, tensors));
        let map: BTreeMap<&String, String> = self.tensors.keys().map(|n| (n, shard(n))).collect();
        let index = json!({"metadata": {"total_size": 0}, "weight_map": map});
        std::fs::write(self.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    }

    fn error(&self) -> String {
        self.save();
        import(self.path()).unwrap_err().to_string()
    }
}

/// Name, shape and bits of every parameter.
fn bits(params: &Params<f32>) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let bits = |t: &Tensor<f32>| t.data().iter().map(|x| x.to_bits()).collect();
    params.iter().map(|p| (p.name.clone(), p.value.shape().to_vec(), bits(&p.value))).collect()
}

fn tiny() -> Imported {
    import(Path::new(TINY)).unwrap()
}

#[test]
fn prefix_shards_and_masks_do_not_matter() {
    let want = bits(&tiny().params);
    let mut bare = Folder::tiny();
    bare.tensors = std::mem::take(&mut bare.tensors)
        .into_iter()
        .map(|(name, t)| (name.strip_prefix("transformer.").unwrap().to_string(), t))
        .collect();
    for layer in 0..3 {
        let mask = (Dtype::U8, vec![1, 1, 32, 32], vec![1; 32 * 32]);
        bare.tensors.insert(format!("h.{layer}.attn.bias"), mask);
        let masked = (Dtype::F32, vec![], vec![0; 4]);
        bare.tensors.insert(format!("h.{layer}.attn.masked_bias"), masked);
    }
    assert_eq!(bits(&import(&bare.save()).unwrap().params), want);

    let sharded = Folder::tiny();
    sharded.save_sharded();
    assert_eq!(bits(&import(sharded.path()).unwrap().params), want);
}

#[test]
fn half_precision_is_widened() {
    for (dtype, one_and_a_half, minus_quarter) in
        [(Dtype::F16, 0x3e00_u16, 0xb400_u16), (Dtype::BF16, 0x3fc0, 0xbe80)]
    {
        let mut folder = Folder::tiny();
        for (from, shape, data) in folder.tensors.values_mut() {
            let halves = (0..shape.iter().product())
                .map(|i: usize| if i == 1 { minus_quarter } else { one_and_a_half });
            (*from, *data) = (dtype, halves.flat_map(u16::to_le_bytes).collect());
        }
        let params = import(&folder.save()).unwrap().params;
        for param in params.iter() {
            assert_eq!(param.value.data()[0], 1.5, "{}", param.name);
            assert_eq!(param.value.data().iter().filter(|x| **x == -0.25).count(), 1, "{}", param.name);
        }
    }
}

#[test]
fn all_mismatches_are_listed_together() {
    let mut folder = Folder::tiny();
    folder.tensors.remove("transformer.h.1.ln_1.bias");
    folder.tensors.remove("transformer.ln_f.weight");
    folder.tensors.get_mut("transformer.wpe.weight").unwrap().1 = vec![64, 32];
    folder.tensors.insert("score.weight".into(), (Dtype::F32, vec![2], vec![0; 8]));
    folder.tensors.insert("wte.weight".into(), folder.tensors["transformer.wte.weight"].clone());
    let ln = folder.tensors.get_mut("transformer.h.0.ln_2.weight").unwrap();
    *ln = (Dtype::F64, vec![64], vec![0; 8 * 64]);
    let error = folder.error();
    let lines: Vec<&str> = error.lines().collect();
    assert!(
        lines[0].starts_with("the tensors in ") && lines[0].ends_with(" do not fit its config.json:"),
        "{error}"
    );
    assert_eq!(
        lines[1..],
        [
            "  shape      transformer.wpe.weight: expected [32, 64], found [64, 32]",
            "  type       transformer.h.0.ln_2.weight: expected F32, F16 or BF16, found F64",
            "  missing    transformer.h.1.ln_1.bias: expected [64]",
            "  missing    transformer.ln_f.weight: expected [64]",
            "  extra      score.weight: found [2]",
            "  duplicate  wte.weight",
        ]
    );
    // A whole GPT-2 with a head for something else.
    let mut folder = Folder::tiny();
    folder.tensors.insert("score.weight".into(), (Dtype::F32, vec![2], vec![0; 8]));
    assert!(
        folder.error().ends_with(
            "found [2]\nload it with transformers' GPT2LMHeadModel and save it with save_pretrained"
        )
    );
    // Shapes are those of the files, which store linear layers as (inputs, outputs).
    let mut folder = Folder::tiny();
    folder.tensors.get_mut("transformer.h.0.mlp.c_fc.weight").unwrap().1 = vec![256, 64];
    assert!(folder.error().contains("c_fc.weight: expected [64, 256], found [256, 64]"));
}

#[test]
fn long_lists_are_cut_and_one_cause_is_one_sentence() {
    let mut folder = Folder::tiny();
    folder.config["n_layer"] = json!(1000);
    let error = folder.error();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 1 + 8 + 1, "{error}");
    assert_eq!(
        (lines[1].trim_start(), lines[9]),
        ("missing    transformer.h.3.ln_1.weight: expected [64]", "  and 11956 more")
    );

    let mut folder = Folder::tiny();
    for (dtype, shape, data) in folder.tensors.values_mut() {
        (*dtype, *data) = (Dtype::F64, vec![0; 8 * shape.iter().product::<usize>()]);
    }
    let error = folder.error();
    assert!(
        error.ends_with(
            "it has tensors of type F64, such as transformer.wte.weight: save the model as F32 (float32)"
        ) && error.lines().count() == 1,
        "{error}"
    );

    let mut folder = Folder::tiny();
    folder.tensors.insert("a\n  missing".into(), (Dtype::F32, vec![1], vec![0; 4]));
    assert!(folder.error().contains("extra      a\\n  missing: found [1]\n"));
}

#[test]
fn models_that_are_not_finite_are_refused_by_file_and_tensor() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut folder = Folder::tiny();
        let name = "transformer.h.1.mlp.c_fc.weight";
        folder.tensors.get_mut(name).unwrap().2[400..404].copy_from_slice(&value.to_le_bytes());
        let broken = format!("cannot be used: its {name} holds NaN or infinity");
        let error = folder.error();
        assert!(error.contains(&format!("model.safetensors {broken}")), "{error}");
        folder.save_sharded();
        let error = import(folder.path()).unwrap_err().to_string();
        assert!(error.contains("-of-00002.safetensors") && error.contains(&broken), "{error}");
    }
    let mut folder = Folder::tiny();
    folder.config["tie_word_embeddings"] = json!(false);
    let head = (Dtype::F32, vec![101, 64], f32::NAN.to_le_bytes().repeat(101 * 64));
    folder.tensors.insert("lm_head.weight".into(), head);
    assert!(folder.error().contains("its lm_head.weight holds NaN or infinity"));
}

#[test]
fn separate_head_needs_untied_weights() {
    let mut folder = Folder::tiny();
    let wte = folder.tensors["transformer.wte.weight"].clone();
    folder.tensors.insert("lm_head.weight".into(), wte);
    assert_eq!(bits(&import(&folder.save()).unwrap().params), bits(&tiny().params), "an equal head is tied");

    folder.tensors.get_mut("lm_head.weight").unwrap().2[3] ^= 0x40;
    let error = folder.error();
    assert!(
        error.contains("tie_word_embeddings is true, but lm_head.weight differs from wte.weight"),
        "{error}"
    );

    folder.config["tie_word_embeddings"] = json!(false);
    let untied = import(&folder.save()).unwrap();
    assert!(!untied.config.tie_weights);
    let head = untied.params.iter().find(|p| p.name == "lm_head.weight").unwrap();
    assert_eq!(head.value.shape(), [101, 64]);

    folder.tensors.remove("lm_head.weight");
    assert!(folder.error().contains("missing    lm_head.weight: expected [101, 64]"));
}

#[test]
fn errors_name_the_damaged_file() {
    let folder = Folder::tiny();
    let dir = folder.save();
    let model = dir.join("model.safetensors");
    let whole = std::fs::read(&model).unwrap();
    for cut in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&model, &whole[..cut]).unwrap();
        let error = import(&dir).unwrap_err().to_string();
        assert!(error.contains("model.safetensors cannot be used: it"), "{cut}: {error}");
        assert!(error.contains("cut off"), "{cut}: {error}");
        assert!(error.ends_with("; download or export it again"), "{cut}: {error}");
        assert_eq!(error.lines().count(), 1);
    }
    for noise in [0xff_u8, 0, b'{'] {
        std::fs::write(&model, vec![noise; 5000]).unwrap();
        let error = import(&dir).unwrap_err().to_string();
        assert!(error.contains("model.safetensors cannot be used: it"), "{noise}: {error}");
    }
    let error = import(&model).unwrap_err().to_string();
    assert!(
        error.ends_with("it is a file: give the folder with config.json and model.safetensors"),
        "{error}"
    );
    std::fs::write(&model, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n").unwrap();
    let error = import(&dir).unwrap_err().to_string();
    assert!(error.contains("model.safetensors cannot be used: it is only a pointer of Git LFS"), "{error}");
    std::fs::remove_file(&model).unwrap();
    assert!(import(&dir).unwrap_err().to_string().contains("it has neither model.safetensors nor"));
    std::fs::write(dir.join("pytorch_model.bin"), "").unwrap();
    assert!(
        import(&dir).unwrap_err().to_string().contains("only pytorch_model.bin: load it with transformers")
    );

    let index = dir.join("model.safetensors.index.json");
    for file in [&index, &dir.join("config.json")] {
        std::fs::write(file, "version https://git-lfs.github.com/spec/v1\n").unwrap();
        let error = import(&dir).unwrap_err().to_string();
        assert!(error.contains(".json cannot be used: it is only a pointer of Git LFS"), "{error}");
    }

    std::fs::write(dir.join("config.json"), "{").unwrap();
    assert!(
        import(&dir).unwrap_err().to_string().contains("config.json cannot be used: it is not a JSON object")
    );
    std::fs::write(dir.join("config.json"), r#"{"model_type": "llama"}"#).unwrap();
    let error = import(&dir).unwrap_err().to_string();
    assert!(error.contains("config.json: model_type is \"llama\", but only gpt2 can be imported"), "{error}");
    std::fs::remove_file(dir.join("config.json")).unwrap();
    assert!(import(&dir).unwrap_err().to_string().contains("it has no config.json"));
    assert!(import(&dir.join("no")).unwrap_err().to_string().contains("there is no such folder"));
}

#[test]
fn missing_shards_are_errors() {
    let folder = Folder::tiny();
    folder.save_sharded();
    let index = folder.path().join("model.safetensors.index.json");
    let second = folder.path().join("model-00002-of-00002.safetensors");
    let text = std::fs::read_to_string(&index).unwrap();
    let bytes = std::fs::read(&second).unwrap();
    std::fs::write(&second, &bytes[..bytes.len() - 9]).unwrap();
    let error = import(folder.path()).unwrap_err().to_string();
    assert!(error.contains("model-00002-of-00002.safetensors cannot be used: it is cut off"), "{error}");
    std::fs::remove_file(&second).unwrap();
    let error = import(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("index.json cannot be used: it names files that do not exist: model-00002-of"),
        "{error}"
    );
    std::fs::write(&index, text.replace("model-00002", "../model-00002")).unwrap();
    let error = import(folder.path()).unwrap_err().to_string();
    assert!(error.contains("which is not in this folder"), "{error}");
    std::fs::write(&index, "{}").unwrap();
    assert!(import(folder.path()).unwrap_err().to_string().contains("it has no weight_map"));
}

#[test]
fn export_and_import_round_trip_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let tiny = tiny();
    export(&out, &tiny.config, &tiny.params, None, false).unwrap();
    let again = import(&out).unwrap();
    assert_eq!(again.config, tiny.config);
    assert_eq!(bits(&again.params), bits(&tiny.params));

    let mut untied = tiny.clone();
    untied.config.tie_weights = false;
    untied.params.add("lm_head.weight", Tensor::from_fn(&[101, 64], || -0.0)).unwrap();
    export(&out, &untied.config, &untied.params, None, true).unwrap();
    assert_eq!(bits(&import(&out).unwrap().params), bits(&untied.params));
}

#[test]
fn missing_biases_are_written_as_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut tiny = tiny();
    tiny.config.bias = false;
    let mut without = Params::new();
    for param in tiny.params.iter().filter(|p| !p.name.ends_with(".bias")) {
        without.add(param.name.clone(), param.value.clone()).unwrap();
    }
    export(&out, &tiny.config, &without, None, false).unwrap();
    let again = import(&out).unwrap();
    assert!(again.config.bias);
    assert_eq!(again.params.len(), tiny.params.len());
    for param in again.params.iter() {
        match without.iter().find(|p| p.name == param.name) {
            Some(p) => assert_eq!(p.value, param.value),
            None => assert!(param.value.data().iter().all(|x| x.to_bits() == 0), "{}", param.name),
        }
    }
}

#[test]
fn failed_exports_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let tiny = tiny();
    let mut rotary = tiny.config.clone();
    rotary.positions = Positions::Rotary;
    assert!(
        export(&out, &rotary, &tiny.params, None, true)
            .unwrap_err()
            .to_string()
            .contains("positions = rotary")
    );
    let mut deeper = tiny.config.clone();
    deeper.n_layer = 4;
    let error = export(&out, &deeper, &tiny.params, None, true).unwrap_err().to_string();
    assert!(error.contains("h.3.ln_1.weight is missing"), "{error}");
    assert!(!out.exists());

    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("thesis.tex"), "precious").unwrap();
    let error = export(&out, &tiny.config, &tiny.params, None, true).unwrap_err().to_string();
    assert!(error.contains("out exists and holds no config.json"), "{error}");
    std::fs::remove_file(out.join("thesis.tex")).unwrap();
    export(&out, &tiny.config, &tiny.params, None, false).unwrap();
    let error = export(&out, &tiny.config, &tiny.params, None, false).unwrap_err().to_string();
    assert!(error.ends_with("out exists"), "{error}");
    export(&out, &tiny.config, &tiny.params, None, true).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no leftovers");

    // Every export replaces any other, but no file of someone else's.
    let text = "It was the best of times, it was the worst of times. ".repeat(20);
    let word = Tokenizer::word(&text).unwrap();
    for tokenizer in [Tokenizer::char(&text), Tokenizer::bpe(&text, 270).unwrap(), word, Tokenizer::byte()] {
        export(&out, &tiny.config, &tiny.params, Some(&tokenizer), true).unwrap();
    }
    let card = out.join("README.md");
    std::fs::write(&card, "my model").unwrap();
    let error = export(&out, &tiny.config, &tiny.params, None, true).unwrap_err().to_string();
    assert!(error.contains("holds README.md, which is no part of such an export"), "{error}");
    assert_eq!(std::fs::read_to_string(&card).unwrap(), "my model");
}
