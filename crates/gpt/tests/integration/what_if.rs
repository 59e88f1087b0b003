//! Models that differ from the standard model in one setting.
#![allow(clippy::unwrap_used)]

use m2g_core::gradcheck;
use m2g_core::nn::{NormPlace, Positions, Score};
use m2g_core::ranks::Ranks;
use m2g_core::rng::{Streams, below};
use m2g_core::settings::SettingValue;
use m2g_core::train::Model;
use m2g_core::{Float, Mask, Tape, Tokens};
use m2g_gpt::data::Windows;
use m2g_gpt::evaluation::{full_pass_loss, generation_loss};
use m2g_gpt::{Config, GenerateOptions, Generator, Gpt, GptConfig, TokenBatch};
use m2g_text::TokenData;

const V: usize = 13;
const T: usize = 12;
const C: usize = 8;

fn config() -> GptConfig {
    GptConfig { block_size: T, n_layer: 2, n_head: 2, n_embd: C, bias: true, ..Config::default().model(V) }
}

fn scores() -> impl Iterator<Item = Score> {
    Score::names().iter().map(|name| serde_json::from_value(serde_json::json!(name)).unwrap())
}

/// A model with confident predictions, unlike one with its initial weights.
fn confident<T: Float>(config: GptConfig) -> Gpt<T> {
    let mut gpt = Gpt::new(config, 1).unwrap();
    for p in gpt.params_mut().iter_mut() {
        p.value.data_mut().iter_mut().for_each(|w| *w *= if *w == T::one() { T::one() } else { T::of(20.0) });
    }
    gpt
}

fn tokens(b: usize, t: usize, seed: u64) -> Tokens {
    let mut rng = Streams::new(seed).stream("test", 0);
    Tokens::new([b, t], (0..b * t).map(|_| below(&mut rng, V as u32)).collect::<Vec<_>>()).unwrap()
}

fn logits(gpt: &Gpt<f32>, tokens: &Tokens) -> Vec<f32> {
    let mut tape = Tape::without_gradients();
    let logits = gpt.forward(&mut tape, tokens).unwrap();
    tape.value(logits).data().to_vec()
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn gradient_of_every_what_if() {
    let scores = scores().map(|score| GptConfig { score, ..config() });
    let masks = [Mask::Reversed, Mask::None, Mask::Window(3), Mask::Finite];
    let masks = masks.into_iter().map(|mask| GptConfig { mask, ..config() });
    let norms = [(NormPlace::After, true), (NormPlace::None, true), (NormPlace::Before, false)];
    let norms = norms.into_iter().map(|(norm, residual)| GptConfig { norm, residual, ..config() });
    for config in scores.chain(masks).chain(norms) {
        let mut gpt = confident::<f64>(config.clone());
        let batch = TokenBatch { x: tokens(2, 5, 1), y: tokens(2, 5, 2) };
        let mut params = gpt.params().clone();
        let worst = gradcheck::worst(&mut params, |tape, params| {
            *gpt.params_mut() = params.clone();
            gpt.loss(tape, &batch)
        })
        .unwrap();
        assert!(worst.error < gradcheck::TOLERANCE && !worst.param.is_empty(), "{config:?}: {worst:?}");
    }
}

#[test]
fn later_tokens_change_no_bit_with_any_score() {
    for (score, mask) in scores().flat_map(|s| [Mask::Causal, Mask::Window(4)].map(|m| (s, m))) {
        let gpt = confident::<f32>(GptConfig { score, mask: mask.clone(), ..config() });
        let before = tokens(2, T, 1);
        for index in [0, 5, T - 1] {
            let mut ids = before.ids.to_vec();
            ids[index] = (ids[index] + 1) % V as u32;
            let (a, b) = (logits(&gpt, &before), logits(&gpt, &Tokens::new([2, T], ids).unwrap()));
            assert_eq!(a[..index * V], b[..index * V], "{score:?} {mask:?} {index}");
            assert_ne!(a[index * V..T * V], b[index * V..T * V], "{score:?} {mask:?} {index}");
        }
    }
}

#[test]
fn reversed_mask_hides_earlier_tokens() {
    let gpt = confident::<f32>(GptConfig { mask: Mask::Reversed, ..config() });
    let before = tokens(1, T, 1);
    let mut ids = before.ids.to_vec();
    ids[4] = (ids[4] + 1) % V as u32;
    let (a, b) = (logits(&gpt, &before), logits(&gpt, &Tokens::new([1, T], ids).unwrap()));
    assert_eq!(a[5 * V..], b[5 * V..]);
    assert_ne!(a[..5 * V], b[..5 * V]);
}

/// The last token of a text sees only itself, in training and as the model writes. Learned positions tell it where
/// it stands; rotary ones do not.
#[test]
fn a_reversed_model_writes_from_one_token_and_its_learned_position() {
    for (positions, knows_where) in [(Positions::Rotary, false), (Positions::Learned, true)] {
        let gpt = confident::<f32>(GptConfig { mask: Mask::Reversed, positions, ..config() });
        let ids = tokens(1, T, 1).ids.to_vec();
        let after_last_of = |t: usize| {
            let text = Tokens::new([1, t], ids[T - t..].to_vec()).unwrap();
            logits(&gpt, &text)[(t - 1) * V..].to_vec()
        };
        for t in [2, 7, T] {
            let worst = worst(&after_last_of(1), &after_last_of(t));
            assert_eq!(worst > 1e-3, knows_where, "{positions:?}, {t} tokens: {worst}");
        }
    }
}

#[test]
fn a_learned_matrix_undoes_a_reversed_key_unless_a_rotation_stands_between() {
    for (positions, undoes) in [(Positions::Learned, true), (Positions::Rotary, false)] {
        let standard = confident::<f32>(GptConfig { positions, ..config() });
        let mut reversed = confident::<f32>(GptConfig { positions, score: Score::ReversedDot, ..config() });
        // In each head, the rows of W_k (and the elements of its bias) in reverse order.
        for p in reversed.params_mut().iter_mut().filter(|p| p.name.contains("c_attn")) {
            let row = p.value.data().len() / (3 * C);
            let keys = &mut p.value.data_mut()[C * row..2 * C * row];
            for head in keys.chunks_mut(C / 2 * row) {
                let rows: Vec<&[f32]> = head.chunks(row).rev().collect();
                let rows = rows.concat();
                head.copy_from_slice(&rows);
            }
        }
        let text = tokens(2, T, 1);
        let worst = worst(&logits(&standard, &text), &logits(&reversed, &text));
        assert_eq!(worst < 1e-3, undoes, "{positions:?}: {worst}");
    }
}

#[test]
fn only_models_that_see_later_tokens_are_worse_in_generation() {
    let text = TokenData::new(&tokens(1, 40 * T + 1, 3).ids);
    let losses = |mask: Mask| {
        let gpt = confident::<f32>(GptConfig { mask, ..config() });
        let mut tape = Tape::without_gradients();
        let windows = Windows::new(&text, T).unwrap();
        let whole = full_pass_loss(&gpt, &mut tape, windows, 8, &mut Ranks::default()).unwrap();
        (whole, generation_loss(&gpt, &mut tape, &text, 40).unwrap())
    };
    for mask in [Mask::Causal, Mask::Window(3), Mask::Finite] {
        let (whole, generated) = losses(mask.clone());
        assert!((whole - generated).abs() < 1e-4, "{mask}: {whole} {generated}");
    }
    for mask in [Mask::None, Mask::Reversed] {
        let (whole, generated) = losses(mask.clone());
        assert!((whole - generated).abs() > 1e-3, "{mask}: {whole} {generated}");
    }
}

#[test]
fn models_without_a_cache_generate_too() {
    let others = [
        GptConfig { score: Score::Cosine, ..config() },
        GptConfig { mask: Mask::Window(3), ..config() },
        GptConfig { mask: Mask::None, ..config() },
    ];
    for config in others {
        assert!(!config.can_cache());
        let gpt = confident::<f32>(config);
        let text = |cache| {
            let options = GenerateOptions { cache, ..GenerateOptions::default() };
            let generator = Generator::new(&gpt, &options, &[1], 0).unwrap();
            generator.take(2 * T).collect::<Result<Vec<u32>, _>>().unwrap()
        };
        assert_eq!(text(true), text(false));
        let mut cache = gpt.cache(1);
        let mut tape = Tape::without_gradients();
        let error = gpt.forward_cached(&mut tape, &tokens(1, 2, 1), &mut cache).unwrap_err().to_string();
        assert!(error.contains("the mask is"), "{error}");
    }
    assert!(GptConfig { score: Score::Dot, ..config() }.can_cache());
}
