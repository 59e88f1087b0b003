//! The ladder of the lecture "Let's build GPT" (Karpathy 2023): from a bigram table to a GPT, one
//! part at a time. Each rung has the lecture's settings and the loss that it reached there on
//! Shakespeare.
//!
//! All rungs are one model, [`Lecture`], with more or fewer parts. `ladder/train.rs` trains and
//! measures it.

mod lecture;
mod train;

pub use lecture::Lecture;
pub use train::RungResult;

/// A rung: a model, the settings of its training run, and the loss in the lecture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// The name on the command line.
    pub name: &'static str,
    /// What is new compared with the rung below.
    pub about: &'static str,
    /// The lowest and the highest validation loss that the lecture shows.
    pub lecture: (f64, f64),
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Tokens in a sequence.
    pub block_size: usize,
    /// The learning rate.
    pub lr: f64,
    /// Training steps.
    pub steps: u64,
    /// What the model has above its token table; the bigram model is that table alone.
    pub body: Option<Body>,
}

/// The blocks of a rung. A model with a body also has a position embedding and a head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Body {
    /// C: the elements of a token's vector.
    pub n_embd: usize,
    /// The number of blocks.
    pub n_layer: usize,
    /// H: heads in parallel, each C / H wide.
    pub n_head: usize,
    /// The hidden width of the feed-forward layers in multiples of C; 0 means no feed-forward
    /// layers.
    pub feed_forward: usize,
    /// Whether each sub-layer adds to the stream, through a projection, instead of replacing it.
    pub residual: bool,
    /// Whether each sub-layer, and the head, reads normalised values.
    pub norm: bool,
    /// The dropout probability.
    pub dropout: f64,
}

const ONE_HEAD: Body =
    Body { n_embd: 32, n_layer: 1, n_head: 1, feed_forward: 0, residual: false, norm: false, dropout: 0.0 };
const MULTI_HEAD: Body = Body { n_head: 4, ..ONE_HEAD };
const FEED_FORWARD: Body = Body { feed_forward: 1, ..MULTI_HEAD };
const RESIDUAL: Body = Body { n_layer: 3, feed_forward: 4, residual: true, ..MULTI_HEAD };
const LAYER_NORM: Body = Body { norm: true, ..RESIDUAL };
const SCALED: Body = Body { n_embd: 384, n_layer: 6, n_head: 6, dropout: 0.2, ..LAYER_NORM };

const BIGRAM_RUNG: Rung = Rung {
    name: "bigram",
    about: "a table: for each character, how likely each next one is",
    lecture: (2.49, 2.57),
    batch_size: 32,
    block_size: 8,
    lr: 1e-2,
    steps: 3000,
    body: None,
};
const ONE_HEAD_RUNG: Rung = Rung {
    name: "one-head",
    about: "tokens look back at each other: one head of self-attention",
    lecture: (2.40, 2.40),
    lr: 1e-3,
    steps: 5000,
    body: Some(ONE_HEAD),
    ..BIGRAM_RUNG
};

/// All rungs, from the bigram table to the scaled model. Only the last takes hours without a GPU.
pub const RUNGS: [Rung; 7] = [
    BIGRAM_RUNG,
    ONE_HEAD_RUNG,
    Rung {
        name: "multi-head",
        about: "four smaller heads side by side",
        lecture: (2.28, 2.28),
        body: Some(MULTI_HEAD),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "feed-forward",
        about: "each token processes what attention gathered",
        lecture: (2.24, 2.27),
        body: Some(FEED_FORWARD),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "residual",
        about: "three blocks, whose parts add to their input",
        lecture: (2.08, 2.08),
        body: Some(RESIDUAL),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "layer-norm",
        about: "values are normalised before each part and before the head",
        lecture: (2.06, 2.06),
        body: Some(LAYER_NORM),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "scaled",
        about: "the same model, larger and with dropout",
        lecture: (1.48, 1.48),
        batch_size: 64,
        block_size: 256,
        lr: 3e-4,
        body: Some(SCALED),
        ..ONE_HEAD_RUNG
    },
];

impl Rung {
    /// The rung with this name.
    pub fn named(name: &str) -> Option<&'static Rung> {
        RUNGS.iter().find(|rung| rung.name == name)
    }

    /// The distance of a loss from the range of the lecture: positive above it, negative below.
    pub fn difference(&self, loss: f64) -> f64 {
        loss - loss.clamp(self.lecture.0, self.lecture.1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::train::{Ended, Model};
    use m2g_core::{Tape, Tokens, gradcheck};

    use super::*;
    use crate::TokenBatch;
    use crate::data::Corpus;
    use m2g_text::{TokenData, Tokenizer, TokenizerKind};

    #[test]
    fn rungs_have_the_parameter_counts_of_the_lecture() {
        let count = |name| Lecture::<f32>::new(Rung::named(name).unwrap(), 65, 1).unwrap().params().count();
        let c = 32;
        let ends = 65 * c + 8 * c + (c * 65 + 65);
        assert_eq!(count("bigram"), 65 * 65);
        assert_eq!(count("one-head"), ends + 3 * c * c);
        assert_eq!(count("multi-head"), count("one-head"));
        assert_eq!(count("feed-forward"), ends + 3 * c * c + c * c + c);
        let block = 3 * c * c + (c * c + c) + (4 * c * c + 4 * c) + (4 * c * c + c);
        assert_eq!(count("residual"), ends + 3 * block);
        assert_eq!(count("layer-norm"), ends + 3 * (block + 4 * c) + 2 * c);
        // The lecture prints 10.788929 million for its last model.
        assert_eq!(count("scaled"), 10_788_929);
    }

    #[test]
    fn a_text_that_is_too_short_is_refused_by_its_name() {
        let corpus = |val: usize| {
            let split = |tokens: usize| TokenData::new(&vec![0; tokens]);
            Corpus::new(split(40), split(val), Tokenizer::char("ab"), "t.txt".into(), Vec::new())
        };
        let bigram = Rung::named("bigram").unwrap();
        assert!(bigram.check_length(&corpus(9)).is_ok());
        let error = bigram.check_length(&corpus(8)).unwrap_err().to_string();
        assert_eq!(
            error,
            "t.txt: its validation split has 8 tokens, but the rung bigram needs 9: give a longer text"
        );
    }

    #[test]
    fn rungs_learn_and_see_no_later_token() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("text.txt");
        let text: String = (0..3000).map(|i| ["ab", "acd", "b "][i * i % 7 % 3]).collect();
        std::fs::write(&file, text).unwrap();
        let corpus = Corpus::load(file.to_str().unwrap(), TokenizerKind::Char).unwrap();
        let v = corpus.vocab_size;
        for rung in &RUNGS[..6] {
            let lecture = Lecture::<f32>::new(rung, v, 1).unwrap();
            let logits = |ids: [u32; 8]| {
                let mut tape = Tape::new();
                let y = lecture.forward(&mut tape, &Tokens::new([1, 8], ids).unwrap()).unwrap();
                tape.value(y).data().to_vec()
            };
            let (a, b) = (logits([0, 1, 2, 3, 0, 1, 2, 3]), logits([0, 1, 2, 3, 0, 2, 2, 3]));
            assert!(a[..5 * v] == b[..5 * v] && a[5 * v..] != b[5 * v..], "{}", rung.name);
            let seen = a[7 * v..] != b[7 * v..];
            assert_eq!(seen, rung.body.is_some(), "all but the bigram model see earlier tokens");

            let short = Rung { steps: 150, ..*rung };
            let result = short.train(&corpus, 1, &mut ()).unwrap();
            assert_eq!(result.ended, Ended::Finished);
            assert!(result.val_loss < 1.6, "{}: {result:?}", rung.name);
            assert!((result.val_loss - result.val_loss_estimate).abs() < 0.1, "{result:?}");
            assert_eq!(result.val_loss, short.train(&corpus, 1, &mut ()).unwrap().val_loss);
        }
    }

    #[test]
    fn gradient_of_every_rung() {
        let tokens =
            |shift: u32| Tokens::new([2, 4], [0, 3, 1, 4, 2, 2, 0, 3].map(|i| (i + shift) % 5)).unwrap();
        let batch = TokenBatch { x: tokens(0), y: tokens(1) };
        for rung in &RUNGS {
            let small = |body| Body { n_embd: 8, n_layer: 2, n_head: 2, dropout: 0.0, ..body };
            let small = Rung { block_size: 4, body: rung.body.map(small), ..*rung };
            for seed in 1..=4 {
                let mut lecture = Lecture::<f64>::new(&small, 5, seed).unwrap();
                let mut params = lecture.params().clone();
                let worst = gradcheck::worst(&mut params, |tape, params| {
                    *lecture.params_mut() = params.clone();
                    lecture.loss(tape, &batch)
                })
                .unwrap();
                assert!(worst.error < gradcheck::TOLERANCE, "{}, seed {seed}: {worst:?}", rung.name);
            }
        }
    }

    #[test]
    fn difference_is_0_within_the_range_of_the_lecture() {
        let bigram = Rung::named("bigram").unwrap();
        assert_eq!(bigram.difference(2.5), 0.0);
        assert!((bigram.difference(2.6) - 0.03).abs() < 1e-12);
        assert!((bigram.difference(2.45) + 0.04).abs() < 1e-12);
        assert!(Rung::named("trigram").is_none());
    }
}
