//! A checkpoint gives back what was saved, to the last bit.

use m2g_core::checkpoint::Checkpoint;
use m2g_core::{Float, Params, Tensor};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Parameters by name: a shape, and a seed of the values.
type Saved = std::collections::BTreeMap<String, (Vec<usize>, u64)>;

fn params<T: Float>(saved: &Saved, value: impl Fn(u64) -> T) -> Params<T> {
    let mut params = Params::new();
    for (name, (shape, seed)) in saved {
        let mut i = *seed;
        let tensor = Tensor::from_fn(shape, || {
            i = i.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            value(i)
        });
        params.add(name, tensor).unwrap();
    }
    params
}

/// Any finite bits: huge, tiny, denormal, negative zero.
fn finite_f32(random: u64) -> f32 {
    let x = f32::from_bits((random >> 32) as u32);
    if x.is_finite() { x } else { -0.0 }
}

fn finite_f64(random: u64) -> f64 {
    let x = f64::from_bits(random);
    if x.is_finite() { x } else { f64::MIN_POSITIVE / 2.0 }
}

fn assert_round_trip<T: Float>(params: &Params<T>, metadata: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.safetensors");
    Checkpoint::new(metadata.clone(), params).save(&path).unwrap();
    let saved = std::fs::read(&path).unwrap();
    assert_eq!(Checkpoint::<T>::load_metadata(&path).unwrap(), *metadata);
    let mut checkpoint = Checkpoint::<T>::load(&path).unwrap();
    assert_eq!(checkpoint.metadata, *metadata);
    let mut loaded = params.clone();
    loaded.iter_mut().for_each(|p| p.value.data_mut().fill(T::one()));
    checkpoint.restore(&path, &mut loaded).unwrap();
    // The same bytes: `==` would not tell the two zeros apart.
    let bytes = |params: &Params<T>| {
        let mut bytes = Vec::new();
        params.iter().for_each(|p| T::to_le_bytes(p.value.data(), &mut bytes));
        bytes
    };
    assert_eq!(bytes(params), bytes(&loaded));
    Checkpoint::new(metadata.clone(), &loaded).save(&path).unwrap();
    assert_eq!(saved, std::fs::read(&path).unwrap(), "the same content is the same file");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 8).max(1)))]

    #[test]
    fn a_checkpoint_gives_back_every_bit(
        saved in prop::collection::btree_map("[a-z0-9_.é]{1,12}", (prop::collection::vec(1..7_usize, 0..4), any::<u64>()), 1..8),
        text in any::<String>(), number: f64, integer: u64,
    ) {
        let number = if number.is_finite() { number } else { 0.1 };
        let metadata = json!({"text": text, "number": number, "integer": integer, "list": [null, true, {"x": text}]});
        assert_round_trip(&params(&saved, finite_f32), &metadata);
        assert_round_trip(&params(&saved, finite_f64), &metadata);
    }
}
