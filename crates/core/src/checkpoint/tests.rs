//! Checkpoints: what is saved is loaded, and what is damaged is refused.
#![allow(clippy::unwrap_used)]
use std::collections::HashMap;

use super::*;
use serde_json::json;

fn params() -> Params<f32> {
    let mut params = Params::new();
    params.add("w", Tensor::from_vec(&[2, 2], vec![1.0, -0.0, f32::NAN, 1e-40]).unwrap()).unwrap();
    params.add("b", Tensor::from_vec(&[2], vec![3.0, 4.0]).unwrap()).unwrap();
    params
}

#[test]
fn saved_bits_are_loaded_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("last.safetensors");
    Checkpoint::new(json!({"step": 7}), &params()).save(&path).unwrap();
    let mut loaded = Checkpoint::<f32>::load(&path).unwrap();
    assert_eq!(loaded.metadata["step"], 7);
    let mut other = Params::new();
    let w = other.add("w", Tensor::zeros(&[2, 2])).unwrap();
    other.add("b", Tensor::zeros(&[2])).unwrap();
    loaded.restore(&path, &mut other).unwrap();
    let bits = |t: &Tensor<f32>| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&other.get(w).value), bits(&params().get(w).value));
}

#[test]
fn the_same_content_is_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = ["a", "b"]
        .iter()
        .map(|name| {
            let path = dir.path().join(name);
            Checkpoint::new(json!({"x": 1, "y": [2]}), &params()).save(&path).unwrap();
            std::fs::read(path).unwrap()
        })
        .collect();
    assert_eq!(files[0], files[1]);
}

/// Even for a tensor of several chunks.
#[test]
fn the_safetensors_crate_writes_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let mut params = params();
    let mut x = 0.0;
    let counted = Tensor::from_fn(&[3, ELEMENTS_PER_CHUNK / 2], || {
        x += 1.0;
        x
    });
    params.add("long", counted.clone()).unwrap();
    let checkpoint = Checkpoint::new(json!({"step": 7}), &params);
    checkpoint.save(&path).unwrap();
    let bytes: Vec<Vec<u8>> = checkpoint
        .tensors
        .values()
        .map(|t| t.data().iter().flat_map(|x| x.to_le_bytes()).collect())
        .collect();
    let views = checkpoint.tensors.iter().zip(&bytes).map(|((name, t), bytes)| {
        let view =
            safetensors::tensor::TensorView::new(<f32 as crate::Number>::DTYPE, t.shape().to_vec(), bytes);
        (name, view.unwrap())
    });
    let found = std::fs::read(&path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&found).unwrap();
    let text = header.metadata().as_ref().unwrap()["m2g"].clone();
    assert!(text.starts_with(r#"{"checksum":""#) && text.ends_with(r#"","format":2,"step":7}"#), "{text}");
    let want = safetensors::serialize(views, Some(HashMap::from([("m2g".to_string(), text)]))).unwrap();
    assert!(found == want);
    assert_eq!(Checkpoint::<f32>::load(&path).unwrap().tensors["long"], counted);
    assert_eq!(Checkpoint::<f32>::load_metadata(&path).unwrap(), json!({"step": 7}));
}

#[test]
fn broken_files_are_refused_with_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.safetensors");
    Checkpoint::new(json!({}), &params()).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 1, 8, 60, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let error = Checkpoint::<f32>::load(&path).unwrap_err().to_string();
        assert!(error.contains("c.safetensors is not a usable checkpoint"), "{cut}: {error}");
    }
    std::fs::write(&path, [0xff; 500]).unwrap();
    assert!(Checkpoint::<f32>::load(&path).is_err());
    std::fs::write(&path, &whole).unwrap();
    assert!(Checkpoint::<f64>::load(&path).unwrap_err().to_string().contains("not F64"));
}

#[test]
fn a_checkpoint_of_another_model_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.safetensors");
    Checkpoint::new(json!({}), &params()).save(&path).unwrap();
    let mut other = Params::<f32>::new();
    let b = other.add("b", Tensor::zeros(&[2])).unwrap();
    other.add("w", Tensor::zeros(&[2, 3])).unwrap();
    let error = Checkpoint::load(&path).unwrap().restore(&path, &mut other).unwrap_err().to_string();
    assert!(error.contains("w has shape [2, 2], but this model needs [2, 3]"), "{error}");
    assert_eq!(other.get(b).value.data(), [0.0, 0.0]);
}

/// The bytes of a small checkpoint, and a file to write changed ones to.
fn whole(dir: &tempfile::TempDir) -> (std::path::PathBuf, Vec<u8>) {
    let path = dir.path().join("best.safetensors");
    let mut params = params();
    params.get_mut(crate::ParamId(0)).value.data_mut()[2] = 7.0;
    Checkpoint::new(json!({"config": {"n_head": 4, "mask": "causal"}, "state": {"step": 7}}), &params)
        .save(&path)
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = whole(&dir);
    let header = whole.len() - 6 * 4;
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            std::fs::write(&path, &bytes).unwrap();
            let error = Checkpoint::<f32>::load(&path).unwrap_err().to_string();
            assert!(error.contains("best.safetensors is not a usable checkpoint"), "{at}: {error}");
            // The metadata are read without the tensors.
            assert_eq!(Checkpoint::<f32>::load_metadata(&path).is_err(), at < header, "byte {at}");
        }
    }
    let mut bytes = whole;
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = Checkpoint::<f32>::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("it is damaged: its tensors do not match their checksum; use the other"),
        "{error}"
    );
}

/// A file with this header text and these bytes of tensors.
fn file(header: &str, tensors: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), tensors].concat()
}

#[test]
fn edited_settings_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = whole(&dir);
    let text = String::from_utf8_lossy(&whole[8..whole.len() - 24]).into_owned();
    for (from, to) in [
        (r#"\"n_head\":4"#, r#"\"n_head\":2"#),
        ("causal", "finite"),
        (r#"\"step\":7"#, r#"\"step\":9"#),
        (r#"\"format\":2"#, r#"\"format\":1"#),
        (r#"\"checksum\""#, r#"\"chicksum\""#),
        (r#""b""#, r#""c""#),
        ("[2,2]", "[4,1]"),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(edited, text, "{from}");
        std::fs::write(&path, file(&edited, &whole[whole.len() - 24..])).unwrap();
        let error = Checkpoint::<f32>::load_metadata(&path).unwrap_err().to_string();
        assert!(error.contains("it is damaged: it"), "{from}: {error}");
    }
}

/// A header with this entry for one tensor, of the format without checksums.
fn old(tensors: &str) -> String {
    let format = r#"{"m2g":"{\"format\":1}"}"#;
    format!(r#"{{"__metadata__":{format},{tensors}}}"#)
}

#[test]
fn files_of_older_versions_have_no_checksums() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.safetensors");
    let header = old(r#""b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#);
    std::fs::write(&path, file(&header, &[0; 8])).unwrap();
    let loaded = Checkpoint::<f32>::load(&path).unwrap();
    assert!(loaded.tensors["b"].shape() == [2] && !has_checksums(&path).unwrap());
    Checkpoint { metadata: json!({}), ..loaded }.save(&path).unwrap();
    assert!(has_checksums(&path).unwrap());
}

#[test]
fn crafted_files_are_refused_and_allocate_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("crafted.safetensors");
    let largest = u64::MAX;
    let tensor = |shape: &str, from: u64, to: u64| {
        format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let headers = [
        format!(r#""a":{}"#, tensor(&format!("[0,{largest}]"), 0, 0)),
        format!(r#""a":{}"#, tensor(&format!("[{largest},0]"), 0, 0)),
        format!(r#""a":{}"#, tensor("[0]", 0, 0)),
        format!(r#""a":{}"#, tensor(&format!("[{}]", largest / 4), 0, largest - 3)),
        format!(r#""a":{}"#, tensor(&format!("[{},8]", largest / 8), 0, 8)),
        format!(r#""a":{}"#, tensor("[2]", largest - 8, largest)),
        format!(r#""a":{}"#, tensor("[2]", 8, 0)),
        format!(r#""a":{},"b":{}"#, tensor("[2]", 0, 8), tensor("[2]", 4, 12)),
        format!(r#""a":{},"b":{}"#, tensor("[1]", 0, 4), tensor("[1]", 8, 12)),
        format!(r#""a":{},"a":{}"#, tensor("[1]", 0, 4), tensor("[1]", 4, 8)),
        r#""a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}"#.into(),
        r#""a":{"dtype":"F4","shape":[16],"data_offsets":[0,8]}"#.into(),
        r#""a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}"#.into(),
        r#""a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}"#.into(),
    ];
    for header in headers.iter().map(|tensors| old(tensors)) {
        std::fs::write(&path, file(&header, &[0; 8])).unwrap();
        let error = Checkpoint::<f32>::load(&path).unwrap_err().to_string();
        assert!(error.contains("crafted.safetensors is not a usable checkpoint"), "{header}: {error}");
    }
    for length in [1 << 60, u64::MAX, 9] {
        let bytes = [&u64::to_le_bytes(length)[..], b"{}"].concat();
        std::fs::write(&path, bytes).unwrap();
        assert!(Checkpoint::<f32>::load(&path).unwrap_err().to_string().contains("its header is too long"));
    }
    let axes = old(&format!(r#""a":{}"#, tensor(&format!("[{}2]", "1,".repeat(5000)), 0, 8)));
    std::fs::write(&path, file(&axes, &[0; 8])).unwrap();
    assert_eq!(Checkpoint::<f32>::load(&path).unwrap().tensors["a"].len(), 2);
}

/// Such a text would be looked for in a time that grows with its length and with that of the header.
#[test]
fn a_checksum_of_another_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = whole(&dir);
    let text = String::from_utf8_lossy(&whole[8..whole.len() - 24]).into_owned();
    let (start, rest) = text.split_once(r#"\"checksum\":\""#).unwrap();
    let (_, end) = rest.split_once(r#"\""#).unwrap();
    for tensors in ["", "00000000000"] {
        let with = |header: &str| {
            file(&format!(r#"{start}\"checksum\":\"{header}-{tensors}\"{end}"#), &whole[whole.len() - 24..])
        };
        // That of the header is right.
        let unknown = with("00000000");
        let mut crc = Crc::new();
        crc.update(&unknown[..unknown.len() - 24]);
        std::fs::write(&path, with(&format!("{:08x}", crc.sum()))).unwrap();
        let error = Checkpoint::<f32>::load_metadata(&path).unwrap_err().to_string();
        assert!(error.contains("its header does not match its checksum"), "{tensors}: {error}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_checkpoint_larger_than_the_memory_is_refused_with_the_figures() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.safetensors");
    // 4 TiB without a byte on the disk.
    let bytes = 1_u64 << 42;
    let header = old(&format!(r#""a":{{"dtype":"F32","shape":[{}],"data_offsets":[0,{bytes}]}}"#, bytes / 4));
    std::fs::write(&path, file(&header, &[])).unwrap();
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(8 + header.len() as u64 + bytes)
        .unwrap();
    let error = Checkpoint::<f32>::load(&path).unwrap_err().to_string();
    assert!(error.starts_with("reading this checkpoint needs about 4.4 TB of memory, but "), "{error}");
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = Checkpoint::<f32>::load_metadata(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("is not a usable checkpoint: it is not a file"), "{error}");
}

#[test]
fn values_that_are_not_finite_are_named_with_their_index() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = whole(&dir);
    let mut loaded = Checkpoint::<f32>::load(&path).unwrap();
    loaded.check_finite(&path).unwrap();
    for (value, said) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "an infinite value")] {
        let moment = Tensor::from_vec(&[2, 3], vec![0.0, 0.0, 0.0, 0.0, 0.0, value]).unwrap();
        loaded.tensors.insert("optimizer.m.w".into(), moment);
        let error = loaded.check_finite(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("optimizer.m.w holds {said} at index [1, 2], because")), "{error}");
    }
}

#[test]
fn tensors_that_the_model_lacks_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = whole(&dir);
    let mut params = Params::<f32>::new();
    params.add("b", Tensor::zeros(&[2])).unwrap();
    let error = Checkpoint::load(&path).unwrap().restore(&path, &mut params).unwrap_err().to_string();
    assert!(error.contains("this model has no tensor called w"), "{error}");
}
