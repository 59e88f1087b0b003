//! Generation, with and without the cache.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use m2g_core::nn::Positions;
use m2g_core::threads::with_threads;
use m2g_core::train::Model;
use m2g_core::{Error, Tape, Tokens};
use m2g_gpt::generate::window_start;
use m2g_gpt::{Config, GenerateOptions, Generator, Gpt, GptConfig};
use m2g_text::Sampling;

const POSITIONS: [Positions; 5] =
    [Positions::Learned, Positions::Sinusoidal, Positions::Rotary, Positions::Alibi, Positions::None];
const BLOCK: usize = 12;
const V: usize = 13;

/// A model with confident predictions, unlike one with its initial weights.
fn gpt(positions: Positions) -> Gpt<f32> {
    let config = GptConfig {
        block_size: BLOCK,
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        dropout: 0.1,
        bias: true,
        tie_weights: false,
        positions,
        ..Config::default().model(V)
    };
    let mut gpt = Gpt::new(config, 5).unwrap();
    for p in gpt.params_mut().iter_mut().filter(|p| p.decay) {
        p.value.data_mut().iter_mut().for_each(|w| *w *= 12.0);
    }
    gpt
}

fn options() -> GenerateOptions {
    GenerateOptions { seed: 3, ..GenerateOptions::default() }
}

fn prompt(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| i * 5 % V as u32).collect()
}

fn generated(gpt: &Gpt<f32>, options: &GenerateOptions, prompt: &[u32], sample: u64) -> Vec<u32> {
    let generator = Generator::new(gpt, options, prompt, sample).unwrap();
    generator.take(40).collect::<Result<_, _>>().unwrap()
}

#[test]
fn cached_and_uncached_generation_agree() {
    for positions in POSITIONS {
        let gpt = gpt(positions);
        for slide in [None, Some(1), Some(5), Some(BLOCK)] {
            for length in [1, 7, BLOCK, BLOCK + 1, 40] {
                let cached = GenerateOptions { slide, ..options() };
                let uncached = GenerateOptions { cache: false, ..cached };
                let mut cached = Generator::new(&gpt, &cached, &prompt(length), 0).unwrap();
                let mut uncached = Generator::new(&gpt, &uncached, &prompt(length), 0).unwrap();
                for n in length..length + 40 {
                    let (a, b) = (cached.logits().unwrap().to_vec(), uncached.logits().unwrap().to_vec());
                    let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-4, "{positions:?}, slide {slide:?}, token {n}: {worst}");
                    let spread = |x: &[f32]| x.iter().fold(0.0, |most, x| x.abs().max(most));
                    assert!(spread(&a) > 0.5, "the logits should vary: {a:?}");
                    // The logits for the documented window.
                    // Of a long prompt, the model sees the last BLOCK tokens; from there on, the window slides.
                    let dropped = length.saturating_sub(BLOCK);
                    assert_eq!(cached.dropped(), dropped);
                    let start = dropped + window_start(n - dropped, BLOCK, slide.unwrap_or(BLOCK / 2));
                    let window = &cached.tokens()[start..];
                    assert!(n > length || window.len() == length.min(BLOCK), "nanoGPT's crop");
                    let mut tape = Tape::new();
                    let all =
                        gpt.forward(&mut tape, &Tokens::new([1, window.len()], window).unwrap()).unwrap();
                    let all = tape.value(all).data();
                    let worst = all[all.len() - V..].iter().zip(&b).map(|(a, b)| (a - b).abs());
                    assert!(worst.fold(0.0, f32::max) < 1e-4);
                    assert_eq!(cached.next_token().unwrap(), uncached.next_token().unwrap());
                }
                assert_eq!(cached.tokens(), uncached.tokens());
                assert_eq!(cached.tokens()[..length], prompt(length));
            }
        }
    }
}

/// How many more ops run before [`stop`] answers `true`, once.
static OPS_LEFT: AtomicUsize = AtomicUsize::new(usize::MAX);

fn stop() -> bool {
    let before = OPS_LEFT.fetch_sub(1, Ordering::Relaxed);
    if before == 0 {
        OPS_LEFT.store(usize::MAX, Ordering::Relaxed);
    }
    before == 0
}

#[test]
fn a_generation_goes_on_after_a_stop_wherever_it_came() {
    let gpt = gpt(Positions::Learned);
    let sampling = Sampling { greedy: true, ..Sampling::default() };
    let options = GenerateOptions { sampling, ..options() };
    let want = generated(&gpt, &options, &prompt(3), 0);
    let mut stops = 0;
    for ops in 0..60 {
        let mut generator = Generator::new(&gpt, &options, &prompt(3), 0).unwrap();
        generator.stop_when(stop);
        OPS_LEFT.store(ops, Ordering::Relaxed);
        let mut tokens = Vec::new();
        while tokens.len() < want.len() {
            match generator.next_token() {
                Ok(token) => tokens.push(token),
                Err(Error::Stopped) => stops += 1,
                Err(other) => panic!("{ops}: {other}"),
            }
        }
        assert_eq!(tokens, want, "stopped at op {ops}");
    }
    assert_eq!(stops, 60);
}

#[test]
fn a_sample_depends_only_on_its_seed_and_index() {
    let gpt = gpt(Positions::Learned);
    let all: Vec<_> = (0..4).map(|s| generated(&gpt, &options(), &prompt(3), s)).collect();
    for (i, sample) in all.iter().enumerate() {
        assert_eq!(*sample, generated(&gpt, &options(), &prompt(3), i as u64));
        assert!(!all[..i].contains(sample));
    }
    assert_ne!(all[0], generated(&gpt, &GenerateOptions { seed: 4, ..options() }, &prompt(3), 0));
    for threads in [1, 3] {
        let again = with_threads(threads, || generated(&gpt, &options(), &prompt(3), 0)).unwrap();
        assert_eq!(all[0], again, "{threads} threads");
    }
}

#[test]
fn greedy_is_top_k_1() {
    let gpt = gpt(Positions::Rotary);
    let with = |sampling| generated(&gpt, &GenerateOptions { sampling, ..options() }, &prompt(3), 0);
    let greedy = with(Sampling { greedy: true, ..Sampling::default() });
    assert_eq!(greedy, with(Sampling { top_k: Some(1), ..Sampling::default() }));
    assert_eq!(greedy, with(Sampling { temperature: 1e-6, ..Sampling::default() }));
    assert_ne!(greedy, with(Sampling::default()));
}

#[test]
fn invalid_options_are_rejected() {
    let gpt = gpt(Positions::Learned);
    let error = |options, prompt: &[u32]| Generator::new(&gpt, &options, prompt, 0).unwrap_err().to_string();
    assert!(error(GenerateOptions { slide: Some(0), ..options() }, &[1]).contains("slide is 0"));
    let wide = error(GenerateOptions { slide: Some(BLOCK + 1), ..options() }, &[1]);
    assert!(wide.contains(&format!("slide is {} with block_size {BLOCK}: ", BLOCK + 1)), "{wide}");
    assert!(error(options(), &[]).contains("the prompt is empty"));
    assert!(error(options(), &[1, 13]).contains("is 13, of a vocabulary of 13"));
    let cold = Sampling { temperature: -1.0, ..Sampling::default() };
    assert!(error(GenerateOptions { sampling: cold, ..options() }, &[1]).contains("temperature is -1"));
}
