//! Layer norm, each line checked by a measured slope.

use m2g_core::{Error, Grads, Params, Tape, Tensor};

const EPS: f64 = 1e-5;

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// The mean of the squared distances from `m`.
fn variance(x: &[f64], m: f64) -> f64 {
    mean(&x.iter().map(|x| (x - m).powi(2)).collect::<Vec<_>>())
}

/// The loss as a function of the row, its mean and its variance, as if they were independent:
/// `L = sum_i dy_i y_i` has the gradient dy with respect to y.
fn loss(x: &[f64], m: f64, v: f64, w: &[f64], dy: &[f64]) -> f64 {
    (0..x.len()).map(|i| dy[i] * w[i] * (x[i] - m) / (v + EPS).sqrt()).sum()
}

/// The slope of `f` at 0.
fn slope(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1e-5;
    (f(h) - f(-h)) / (2.0 * h)
}

fn main() -> Result<(), Error> {
    println!("# Layer norm, line by line");
    let x = [1.0, -0.5, 2.0, 0.3]; // (C): a row
    let w = [1.2, 0.8, -0.5, 1.0]; // (C): learned
    let dy = [0.3, -0.7, 0.2, 0.9]; // (C): dL/dy, from the op after this one
    let (c, m) = (x.len() as f64, mean(&x));
    let v = variance(&x, m);
    let r = 1.0 / (v + EPS).sqrt(); // one over the standard deviation
    let xhat = x.map(|x| (x - m) * r); // (C): mean 0, variance 1
    println!(
        "mean {m:.4}, variance {v:.4}, xhat {:.4} {:.4} {:.4} {:.4}",
        xhat[0], xhat[1], xhat[2], xhat[3]
    );
    let same = |line: &str, d: f64, slope: f64| {
        assert!((d - slope).abs() < 1e-8, "{line}: {d}, but the slope is {slope}");
        println!("{line:36} {d:+.7}  slope {slope:+.7}");
    };

    let g: Vec<f64> = dy.iter().zip(w).map(|(dy, w)| dy * w).collect(); // (C)
    same("line 1: dL/dxhat_0 = dy_0 w_0", g[0], slope(|h| dy[0] * w[0] * (xhat[0] + h)));
    let dv = (0..4).map(|i| g[i] * (x[i] - m)).sum::<f64>() * -0.5 * r.powi(3);
    same("line 2: dL/dv", dv, slope(|h| loss(&x, m, v + h, &w, &dy)));
    let dm = -r * g.iter().sum::<f64>();
    same("line 3: dL/dm", dm, slope(|h| loss(&x, m + h, v, &w, &dy)));
    let gx = mean(&g.iter().zip(xhat).map(|(g, xhat)| g * xhat).collect::<Vec<_>>());
    for i in 0..4 {
        let parts = g[i] * r + dv * 2.0 * (x[i] - m) / c + dm / c; // line 4: the three ways of x_i
        let dx = r * (g[i] - mean(&g) - xhat[i] * gx); // line 5: the same, tidied up
        assert!((parts - dx).abs() < 1e-12);
        let moved = |h: f64| {
            let mut x = x;
            x[i] += h;
            let m = mean(&x);
            loss(&x, m, variance(&x, m), &w, &dy)
        };
        same(&format!("lines 4 and 5: dL/dx_{i}"), dx, slope(moved));
    }

    // The op of the core says the same.
    let (mut tape, mut grads, mut params) = (Tape::new(), Grads::new(), Params::new());
    let row = params.add("x", Tensor::from_vec(&[1, 4], x.to_vec())?)?;
    let x = tape.param(&params, row);
    let (w, dy) = (
        tape.input(Tensor::from_vec(&[4], w.to_vec())?),
        tape.input(Tensor::from_vec(&[1, 4], dy.to_vec())?),
    );
    let y = tape.layer_norm(x, w, None)?;
    let product = tape.mul(y, dy)?;
    let loss = tape.mean(product)?; // a fourth of the sum
    let loss = tape.scale(loss, 4.0)?;
    tape.backward(loss, &mut grads)?;
    let dx = grads.get(row).expect("the row has a gradient").data();
    println!("by the tape: {:+.7} {:+.7} {:+.7} {:+.7}", dx[0], dx[1], dx[2], dx[3]);
    Ok(())
}
