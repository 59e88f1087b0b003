//! Note 12: the shapes of cross-attention.

use m2g_core::nn::{AttentionSettings, CrossAttention, Init, Memory, Positions, Score};
use m2g_core::rng::Streams;
use m2g_core::{Error, Mask, Params, Tape, Tensor};

fn main() -> Result<(), Error> {
    println!("# Cross-attention");
    let (b, s, t, c) = (1, 5, 2, 12);
    let settings = AttentionSettings {
        n_head: 3,
        positions: Positions::None,
        score: Score::ScaledDot,
        bias: true,
        qk_norm: false,
        dropout: 0.0,
    };
    let (mut params, init) = (Params::<f32>::new(), Init::Normal(0.5));
    let rng = &mut Streams::new(1).stream("init", 0);
    let layer = CrossAttention::new(&mut params, "cross_attn", c, (init, init), settings, rng)?;

    let mut tape = Tape::new();
    tape.set_fused(false); // op by op
    tape.trace.switch(true); // keep the names of the values
    let x = tape.input(Tensor::from_fn(&[b, t, c], || 0.1)); // the decoder asks: (B, T, C)
    let memory = tape.input(Tensor::from_fn(&[b, s, c], || 0.2)); // the encoder answers: (B, S, C)
    let memory = Memory::Sequence(memory, &Mask::None);
    let y = layer.forward(&mut tape, &params, x, memory)?.value(&mut tape, &params)?;
    for (var, label) in tape.trace.labels() {
        println!("{label:20} {:?}", tape.value(*var).shape());
    }
    println!("{:20} {:?}", "answer", tape.value(y).shape()); // (B, T, C)
    Ok(())
}
