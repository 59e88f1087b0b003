//! Padding changes no bit: neither of an output, nor of a gradient.

use m2g_core::gradcheck::constant;
use m2g_core::nn::{AttentionSettings, Block, BlockSettings, Context, Init, Memory, NormPlace};
use m2g_core::rng::Streams;
use m2g_core::{Grads, Mask, Params, Precision, Tape, Tensor, Var};
use proptest::prelude::*;
use proptest::sample::select;

/// An encoder block, and a decoder block that looks at its output.
struct Model {
    encoder: Block,
    decoder: Block,
    params: Params<f32>,
    fused: bool,
    precision: Precision,
    dropout: bool,
}

impl Model {
    fn new(heads: usize, width: usize, norm: NormPlace) -> Self {
        let mut params = Params::new();
        let mut rng = Streams::new(1).stream("init", 0);
        let init = Init::Normal(0.4);
        let mut block = |name: &str, cross_attention| {
            let usual = BlockSettings::new(width, heads);
            // Active only while the tape has a key.
            let dropout = 0.25;
            let attention = AttentionSettings { dropout, ..usual.attention };
            let (hidden, init_proj) = (2 * width, init);
            let settings =
                BlockSettings { hidden, attention, cross_attention, norm, dropout, init, init_proj, ..usual };
            Block::new(&mut params, name, &settings, &mut rng).unwrap()
        };
        let (encoder, decoder) = (block("encoder", false), block("decoder", true));
        Self { encoder, decoder, params, fused: true, precision: Precision::F32, dropout: false }
    }

    /// The bits of the outputs that are no padding, and of each gradient of their weighted mean.
    fn bits(&self, source: &Padded, target: &Padded) -> Vec<(&str, Vec<u32>)> {
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_fused(self.fused);
        tape.set_precision(self.precision);
        tape.set_dropout(self.dropout.then(|| Streams::new(1).dropout(0)));
        let (x, y) = (tape.input(source.values.clone()), tape.input(target.values.clone()));
        let mask = Mask::Padding(source.lengths.clone().into());
        let causal = Mask::CausalPadding(target.lengths.clone().into());
        let x = self.encoder.forward(&mut tape, &self.params, x, &mask, Context::default()).unwrap();
        let context = Context { memory: Some(Memory::Sequence(x, &mask)), ..Context::default() };
        let y = self.decoder.forward(&mut tape, &self.params, y, &causal, context).unwrap();
        // If all terms of a sum are 0, padding may decide on the sign of that 0, which changes no parameter.
        let bits = |x: &[f32]| x.iter().map(|x| (x + 0.0).to_bits()).collect::<Vec<u32>>();
        let output = ("output", bits(&target.real(tape.value(y))));
        let loss = self.loss(&mut tape, y, target);
        tape.backward(loss, &mut grads).unwrap();
        let named = self.params.iter().zip(grads.iter());
        let grads = named.map(|(param, grad)| (param.name.as_str(), bits(grad.unwrap().data())));
        std::iter::once(output).chain(grads).collect()
    }

    /// A mean of the outputs, in which padding has the weight 0.
    fn loss(&self, tape: &mut Tape<f32>, y: Var, target: &Padded) -> Var {
        let weights = constant(tape.value(y).shape(), 9.0);
        let mut weights =
            Tensor::from_vec(weights.shape(), weights.data().iter().map(|x| *x as f32).collect()).unwrap();
        target.each_padding(&mut weights, |w| *w = 0.0);
        let weights = tape.input(weights);
        let weighted = tape.mul(y, weights).unwrap();
        tape.mean(weighted).unwrap()
    }
}

/// Sequences of these lengths, and what fills the rest of them: `(B, T, C)`.
#[derive(Clone)]
struct Padded {
    lengths: Vec<usize>,
    values: Tensor<f32>,
}

impl Padded {
    fn new(lengths: &[usize], t: usize, c: usize, seed: f64, padding: f32) -> Self {
        let values = constant(&[lengths.len(), t, c], seed).data().iter().map(|x| *x as f32).collect();
        let values = Tensor::from_vec(&[lengths.len(), t, c], values).unwrap();
        let mut padded = Self { lengths: lengths.to_vec(), values };
        let mut values = padded.values.clone();
        padded.each_padding(&mut values, |x| *x = padding - *x);
        padded.values = values;
        padded
    }

    /// Calls `f` with each element of the padding of a tensor `(B, T, C)`.
    fn each_padding(&self, x: &mut Tensor<f32>, f: impl Fn(&mut f32)) {
        let [_, t, c] = x.shape()[..] else { panic!("three axes") };
        for (row, length) in x.data_mut().chunks_mut(t * c).zip(&self.lengths) {
            row[(*length).min(t) * c..].iter_mut().for_each(&f);
        }
    }

    /// The elements that are no padding.
    fn real(&self, x: &Tensor<f32>) -> Vec<f32> {
        let [_, t, c] = x.shape()[..] else { panic!("three axes") };
        let rows = x.data().chunks(t * c).zip(&self.lengths);
        rows.flat_map(|(row, length)| row[..(*length).min(t) * c].to_vec()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 4).max(1)))]

    #[test]
    fn padding_changes_no_bit(
        lengths in prop::collection::vec((0..50_usize, 0..50_usize), 1..5), more in (1..30_usize, 1..30_usize),
        heads in 1..4_usize, head_width in select(vec![1_usize, 2, 5, 16]),
        norm in select(vec![NormPlace::Before, NormPlace::After, NormPlace::None]),
        precision in select(vec![Precision::F32, Precision::Bf16]), fused: bool, dropout: bool,
        padding in select(vec![0.0_f32, 1.0, -3.0, 1e6]),
    ) {
        let width = heads * head_width;
        let (source, target): (Vec<usize>, Vec<usize>) = lengths.into_iter().unzip();
        // The longest sequences have padding too.
        let t = |lengths: &[usize], more| lengths.iter().max().unwrap() + more;
        let (t_source, t_target) = (t(&source, more.0), t(&target, more.1));
        let mut model = Model::new(heads, width, norm);
        (model.fused, model.precision, model.dropout) = (fused, precision, dropout);
        let bits = |padding| {
            let source = Padded::new(&source, t_source, width, 3.0, padding);
            model.bits(&source, &Padded::new(&target, t_target, width, 5000.0, padding))
        };
        for ((name, usual), (_, other)) in bits(0.25).iter().zip(bits(padding)) {
            prop_assert!(*usual == other, "{}", name);
        }
    }
}
