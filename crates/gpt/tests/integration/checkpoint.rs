//! A checkpoint of nanoGPT that a test changes and writes.

use std::path::{Path, PathBuf};

use m2g_gpt::gpt2::Imported;
use m2g_gpt::nanogpt::import;

use crate::torch_save::{Object, Tensor, pickle, zip};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nanogpt");

pub fn at(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

pub fn theirs() -> Imported {
    import(&at("ckpt.pt"), Some(&at("meta.pkl"))).unwrap()
}

/// A checkpoint that a test changes and writes.
pub struct Checkpoint {
    pub args: Vec<(&'static str, Object)>,
    pub tensors: Vec<(String, Object)>,
    pub storages: Vec<(String, Vec<u8>)>,
    pub more: Vec<(&'static str, Object)>,
    pub byte_order: &'static str,
    pub deflate: bool,
    pub state_dict: bool,
}

impl Checkpoint {
    /// The committed model, every tensor in a storage of its own.
    pub fn new() -> Self {
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
    pub fn store(&mut self, bytes: Vec<u8>, class: &'static str, width: usize, shape: &[usize]) -> Tensor {
        let key = self.storages.len().to_string();
        let elements = bytes.len() / width;
        self.storages.push((key.clone(), bytes));
        let strides = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        Tensor { key, class, elements, offset: 0, shape: shape.into(), strides }
    }

    pub fn tensor(&mut self, index: usize) -> &mut Tensor {
        match &mut self.tensors[index].1 {
            Object::Tensor(tensor) | Object::Parameter(tensor) => tensor,
            other => panic!("{other:?} is no tensor"),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
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

    pub fn import(&self) -> Result<Imported, String> {
        import_bytes(&self.bytes())
    }

    pub fn error(&self) -> String {
        self.import().unwrap_err()
    }
}

pub fn import_bytes(bytes: &[u8]) -> Result<Imported, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.pt");
    std::fs::write(&path, bytes).unwrap();
    import(&path, None).map_err(|e| e.to_string())
}
