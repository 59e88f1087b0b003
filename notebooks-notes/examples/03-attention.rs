//! Note 3: what Q, K and V are, and which shapes they have.

use m2g_core::ndarray::Dimension;
use m2g_core::nn::{AttentionSettings, Init, Positions, Score, SelfAttention};
use m2g_core::rng::{Streams, normal};
use m2g_core::{Error, Mask, Params, Tape, Tensor};

fn main() -> Result<(), Error> {
    two_tokens()?;
    every_shape()?;
    the_mask()?;
    the_scale()
}

fn two_tokens() -> Result<(), Error> {
    println!("# Two tokens");
    let mut tape = Tape::new();
    let four = |x: [f64; 2]| Tensor::from_vec(&[1, 1, 2, 1], x.to_vec()); // (B, H, T, D) = (1, 1, 2, 1)
    let q = tape.input(four([0.0, 1.0])?);
    let k = tape.input(four([0.0, 3.0_f64.ln()])?);
    let v = tape.input(four([10.0, 20.0])?);
    let scores = tape.batched_matmul_transposed(q, k)?; // (B, H, T, D) (B, H, D, T) -> (B, H, T, T)
    let weights = tape.masked_softmax(scores, Mask::None)?;
    let y = tape.batched_matmul(weights, v)?; // (B, H, T, T) (B, H, T, D) -> (B, H, T, D)
    for (token, weights) in tape.value(weights).data().chunks(2).enumerate() {
        let answer = tape.value(y).data()[token];
        println!("token {token}: weights {:.2} and {:.2}, answer {answer:.1}", weights[0], weights[1]);
    }
    Ok(())
}

fn every_shape() -> Result<(), Error> {
    println!("# Every shape of a layer");
    let settings = AttentionSettings {
        n_head: 3,
        positions: Positions::Learned,
        score: Score::ScaledDot,
        bias: false,
        qk_norm: false,
        dropout: 0.0,
    };
    let init = (Init::NormalWeights(0.02), Init::NormalWeights(0.02));
    let mut rng = Streams::new(1).stream("init", 0);
    let mut params = Params::<f32>::new();
    let layer = SelfAttention::new(&mut params, "attn", 12, init, settings, &mut rng)?;

    let mut tape = Tape::new();
    tape.set_fused(false); // op by op
    tape.trace.switch(true); // write down every op
    let x = tape.input(Tensor::zeros(&[2, 5, 12])); // (B, T, C)
    let y = layer.forward(&mut tape, &params, x, &Mask::Causal, None)?;
    y.add_to_residual(&mut tape, &params, x, 0.0)?; // x + y, without dropout
    for record in tape.trace.records().iter().filter(|record| record.is_work()) {
        let inputs: Vec<String> = record.inputs.iter().map(|shape| format!("{:?}", shape.slice())).collect();
        println!("{:25} {} -> {:?}", record.name, inputs.join(" "), record.output.slice());
    }
    Ok(())
}

fn the_mask() -> Result<(), Error> {
    println!("# The mask");
    let mut tape = Tape::<f64>::new();
    let scores = tape.input(Tensor::zeros(&[1, 1, 3, 3])); // (B, H, T, T): no key matches better
    let weights = tape.masked_softmax(scores, Mask::Causal)?;
    for (token, row) in tape.value(weights).data().chunks(3).enumerate() {
        println!("token {token}: {:.3} {:.3} {:.3}", row[0], row[1], row[2]);
    }
    Ok(())
}

fn the_scale() -> Result<(), Error> {
    println!("# The scale");
    let (d, n) = (64, 50); // D numbers in each of n queries and n keys
    let mut rng = Streams::new(1).stream("note", 0);
    let mut random = || Tensor::from_fn(&[1, n, d], || normal(&mut rng)); // variance 1
    let (q, k) = (random(), random());
    for (name, scale) in [("q . k", 1.0), ("q . k / sqrt(D)", 1.0 / (d as f64).sqrt())] {
        let mut tape = Tape::new();
        let (q, k) = (tape.input(q.clone()), tape.input(k.clone()));
        let scores = tape.batched_matmul_transposed(q, k)?; // (1, n, n)
        let scores = tape.scale(scores, scale)?;
        let weights = tape.softmax(scores)?; // each row has the sum 1
        let rows = tape.value(weights).data().chunks(n);
        let mean_of_largest = rows.map(|row| row.iter().copied().fold(0.0, f64::max)).sum::<f64>() / n as f64;
        println!("{name}: the largest of {n} weights is {mean_of_largest:.2} on average");
    }
    Ok(())
}
