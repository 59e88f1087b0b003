//! Attention backward, each line checked by a measured slope.

use m2g_core::ndarray::{Array2, array};
use m2g_core::rng::{Streams, normal};
use m2g_core::{Error, Grads, Mask, Params, Tape, Tensor};

/// One head: its scores, weights and answers.
struct Head {
    p: Array2<f64>, // (T, T): the weights
    y: Array2<f64>, // (T, D): the answers
}

/// Scores, with minus infinity above the diagonal: (T, D), (T, D) -> (T, T).
fn scores(q: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
    let d = q.ncols() as f64;
    let mut s = q.dot(&k.t()) / d.sqrt(); // (T, D) (D, T) -> (T, T)
    s.indexed_iter_mut().filter(|((i, j), _)| j > i).for_each(|(_, s)| *s = f64::NEG_INFINITY);
    s
}

/// From scores to answers.
fn finish(s: &Array2<f64>, v: &Array2<f64>) -> Head {
    let mut p = s.mapv(f64::exp); // e to the power of minus infinity is 0
    for mut row in p.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    let y = p.dot(v); // (T, T) (T, D) -> (T, D)
    Head { p, y }
}

/// Compares a derivative with the slope of the loss in every number, and prints one.
fn check(line: &str, derivative: &Array2<f64>, at: &Array2<f64>, loss: impl Fn(&Array2<f64>) -> f64) {
    for (place, &d) in derivative.indexed_iter() {
        let moved = |h: f64| {
            let mut at = at.clone();
            at[place] += h;
            loss(&at)
        };
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        let hidden = at[place] == f64::NEG_INFINITY; // moving a hidden score changes nothing
        assert!(
            if hidden { d == 0.0 } else { (d - slope).abs() < 1e-8 },
            "{line}: {d}, but the slope is {slope}"
        );
        if place == (1, 0) {
            println!("{line:34} {:?}  {d:+.7}  slope {slope:+.7}", derivative.shape());
        }
    }
}

fn main() -> Result<(), Error> {
    println!("# Attention backward, line by line");
    let q = array![[0.2, -0.4], [1.0, 0.5], [-0.6, 0.9]]; // (T, D) = (3, 2)
    let k = array![[0.7, 0.1], [-0.3, 0.8], [0.4, -0.5]];
    let v = array![[1.0, 0.0], [0.5, -1.0], [-0.2, 2.0]];
    let dy = array![[0.3, -0.2], [0.1, 0.6], [-0.5, 0.4]]; // dL/dY, from the op after this one
    let root = 2.0_f64.sqrt(); // sqrt(D)
    let s = scores(&q, &k);
    let Head { p, .. } = finish(&s, &v);
    let loss = |y: &Array2<f64>| (y * &dy).sum(); // its gradient with respect to Y is dy

    let dv = p.t().dot(&dy); // (T, T) (T, D) -> (T, D)
    check("line 1: dL/dV = P^T dY", &dv, &v, |v| loss(&finish(&s, v).y));
    let dp = dy.dot(&v.t()); // (T, D) (D, T) -> (T, T)
    check("line 2: dL/dP = dY V^T", &dp, &p, |p| loss(&p.dot(&v)));
    let mut ds = &dp * &p; // (T, T)
    for (mut row, p) in ds.rows_mut().into_iter().zip(p.rows()) {
        let sum = row.sum(); // the mean of dP with the weights P
        row.scaled_add(-sum, &p); // P * (dP - mean)
    }
    check("line 3: dL/dS = P * (dP - mean)", &ds, &s, |s| loss(&finish(s, &v).y));
    let dq = ds.dot(&k) / root; // (T, T) (T, D) -> (T, D)
    check("line 4: dL/dQ = dS K / sqrt(D)", &dq, &q, |q| loss(&finish(&scores(q, &k), &v).y));
    let dk = ds.t().dot(&q) / root; // (T, T) (T, D) -> (T, D)
    check("line 5: dL/dK = dS^T Q / sqrt(D)", &dk, &k, |k| loss(&finish(&scores(&q, k), &v).y));

    by_the_tape([&q, &k, &v], &dy, [&dq, &dk, &dv])?;
    variance();
    Ok(())
}

/// The ops of the core find the same gradients.
fn by_the_tape(
    inputs: [&Array2<f64>; 3],
    dy: &Array2<f64>,
    expected: [&Array2<f64>; 3],
) -> Result<(), Error> {
    let (mut tape, mut grads, mut params) = (Tape::new(), Grads::new(), Params::new());
    let mut ids = Vec::new();
    for (name, x) in ["q", "k", "v"].into_iter().zip(inputs) {
        let four = x.to_shape((1, 1, 3, 2)).expect("six numbers").to_owned(); // (B, H, T, D)
        ids.push(params.add(name, Tensor::from_array(four))?);
    }
    let [q, k, v] = [0, 1, 2].map(|i| tape.param(&params, ids[i]));
    let s = tape.batched_matmul_transposed(q, k)?;
    let s = tape.scale(s, 1.0 / 2.0_f64.sqrt())?;
    let p = tape.masked_softmax(s, Mask::Causal)?;
    let y = tape.batched_matmul(p, v)?;
    let dy = tape.input(Tensor::from_array(dy.to_shape((1, 1, 3, 2)).expect("six numbers").to_owned()));
    let product = tape.mul(y, dy)?;
    let mean = tape.mean(product)?;
    let loss = tape.scale(mean, 6.0)?; // the sum
    tape.backward(loss, &mut grads)?;
    for (id, expected) in ids.into_iter().zip(expected) {
        let by_tape = grads.get(id).expect("Q, K and V have gradients").data();
        assert!(by_tape.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12));
    }
    println!("the tape finds the same dQ, dK and dV");
    Ok(())
}

fn variance() {
    println!("# Why 1/sqrt(D)");
    let mut rng = Streams::new(1).stream("variance", 0);
    let pairs = 10_000;
    for d in [4, 16, 64, 256] {
        let mut sum_of_squares = 0.0;
        for _ in 0..pairs {
            let dot: f64 = (0..d).map(|_| normal(&mut rng) * normal(&mut rng)).sum(); // q . k
            sum_of_squares += dot * dot;
        }
        let variance = sum_of_squares / f64::from(pairs);
        println!(
            "D = {d:3}: variance of q . k {variance:5.1}, of q . k / sqrt(D) {:.2}",
            variance / f64::from(d)
        );
    }
}
