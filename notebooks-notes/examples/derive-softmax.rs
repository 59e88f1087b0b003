//! Softmax with cross-entropy, each line checked by a measured slope.

use m2g_core::{Error, Grads, Params, Tape, Tensor, Tokens};

/// `p_i = e^(z_i) / sum_j e^(z_j)`: (V) -> (V).
fn softmax(z: &[f64]) -> Vec<f64> {
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    z.iter().map(|z| z.exp() / sum).collect()
}

/// The slope of `f` when number j of `z` moves.
fn slope(f: impl Fn(&[f64]) -> f64, z: &[f64], j: usize) -> f64 {
    let h = 1e-5;
    let moved = |h: f64| {
        let mut z = z.to_vec();
        z[j] += h;
        f(&z)
    };
    (moved(h) - moved(-h)) / (2.0 * h)
}

fn main() -> Result<(), Error> {
    println!("# Softmax with cross-entropy, line by line");
    let z = [0.5, -1.0, 2.0]; // (V): the logits
    let target = 0; // the right token
    let p = softmax(&z);
    let loss = |z: &[f64]| -softmax(z)[target].ln();
    println!("p = {:.4} {:.4} {:.4}, loss {:.4} nats", p[0], p[1], p[2], loss(&z));
    let same = |line: &str, d: f64, slope: f64| {
        assert!((d - slope).abs() < 1e-8, "{line}: {d}, but the slope is {slope}");
        println!("{line:36} {d:+.7}  slope {slope:+.7}");
    };

    // Line 1: dp_i/dz_i = p_i (1 - p_i).
    same("line 1: dp_0/dz_0 = p_0 (1 - p_0)", p[0] * (1.0 - p[0]), slope(|z| softmax(z)[0], &z, 0));
    // Line 2: dp_i/dz_j = -p_i p_j.
    same("line 2: dp_0/dz_2 = -p_0 p_2", -p[0] * p[2], slope(|z| softmax(z)[0], &z, 2));
    // Line 3: dL/dp_t = -1 / p_t.
    same("line 3: dL/dp_t = -1 / p_t", -1.0 / p[target], slope(|p| -p[target].ln(), &p, target));
    // Line 4: dL/dz_j = p_j - y_j, where y is one-hot.
    for (j, p) in p.iter().enumerate() {
        let y = if j == target { 1.0 } else { 0.0 };
        same(&format!("line 4: dL/dz_{j} = p_{j} - y_{j}"), p - y, slope(loss, &z, j));
    }

    // The op of the core says the same.
    let (mut tape, mut grads, mut params) = (Tape::new(), Grads::new(), Params::new());
    let logits = params.add("logits", Tensor::from_vec(&[1, 1, 3], z.to_vec())?)?; // (B, T, V)
    let var = tape.param(&params, logits);
    let loss = tape.cross_entropy(var, &Tokens::new([1, 1], vec![target as u32])?)?;
    tape.backward(loss, &mut grads)?;
    let by_tape = grads.get(logits).expect("the logits have a gradient").data();
    println!("by the tape: {:+.7} {:+.7} {:+.7}", by_tape[0], by_tape[1], by_tape[2]);
    Ok(())
}
