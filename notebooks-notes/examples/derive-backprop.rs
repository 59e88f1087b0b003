//! BP1 to BP4, each line checked by a measured slope.

use m2g_core::ndarray::{Array1, Array2, Axis, array};

/// A network of two layers, and a mini-batch: everything that the cost depends on.
struct Problem {
    x: Array2<f64>,      // (B, 2)
    y: Array2<f64>,      // (B, 2)
    w: [Array2<f64>; 2], // (3, 2), (2, 3)
    b: [Array1<f64>; 2], // (3), (2)
}

/// What a forward pass computes.
struct Pass {
    z: [Array2<f64>; 2], // (B, 3), (B, 2)
    a: [Array2<f64>; 2], // (B, 3), (B, 2)
    cost: f64,
}

fn sigmoid(z: &Array2<f64>) -> Array2<f64> {
    z.mapv(|z| 1.0 / (1.0 + (-z).exp()))
}

/// Which number the check moves: `Z(0)` is z of the hidden layer, `A(1)` the answer.
#[derive(Clone, Copy)]
enum What {
    Z(usize),
    A(usize),
    W(usize),
    B(usize),
}

impl Problem {
    /// The forward pass, with `h` added to one number on the way.
    fn forward(&self, what: What, (row, column): (usize, usize), h: f64) -> Pass {
        let (mut z, mut a) = ([(); 2].map(|()| array![[]]), [(); 2].map(|()| array![[]]));
        for l in 0..2 {
            let (mut w, mut b) = (self.w[l].clone(), self.b[l].clone());
            if let What::W(layer) = what
                && layer == l
            {
                w[[row, column]] += h;
            }
            if let What::B(layer) = what
                && layer == l
            {
                b[column] += h;
            }
            let input = if l == 0 { &self.x } else { &a[0] };
            z[l] = input.dot(&w.t()) + b; // (B, K) (K, N) + (N) -> (B, N)
            if let What::Z(layer) = what
                && layer == l
            {
                z[l][[row, column]] += h;
            }
            a[l] = sigmoid(&z[l]);
            if let What::A(layer) = what
                && layer == l
            {
                a[l][[row, column]] += h;
            }
        }
        let examples = self.x.nrows() as f64; // B
        let cost = (&a[1] - &self.y).mapv(|e| e * e).sum() / (2.0 * examples);
        Pass { z, a, cost }
    }

    /// Compares a derivative with the slope of the cost in every number, and prints the first.
    fn check(&self, line: &str, what: What, derivative: &Array2<f64>) {
        let h = 1e-5;
        for ((row, column), &d) in derivative.indexed_iter() {
            let cost = |h| self.forward(what, (row, column), h).cost;
            let slope = (cost(h) - cost(-h)) / (2.0 * h);
            assert!((d - slope).abs() < 1e-8, "{line}: {d} at ({row}, {column}), but the slope is {slope}");
            if (row, column) == (0, 0) {
                println!("{line:36} {:?}  {d:+.7}  slope {slope:+.7}", derivative.shape());
            }
        }
    }
}

fn main() {
    let problem = Problem {
        x: array![[0.5, -1.0], [1.5, 0.2], [-0.3, 0.8]], // B = 3 examples
        y: array![[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]],
        w: [array![[0.4, -0.6], [1.1, 0.3], [-0.7, 0.9]], array![[0.8, -0.5, 0.2], [-0.3, 0.6, 1.2]]],
        b: [array![0.1, -0.2, 0.3], array![-0.4, 0.5]],
    };
    let Pass { z, a, cost } = problem.forward(What::Z(0), (0, 0), 0.0);
    println!("# The four equations, line by line");
    println!("cost {cost:.7}");
    let examples = problem.x.nrows() as f64; // B
    let slope_of_sigmoid = |z: &Array2<f64>| sigmoid(z).mapv(|a| a * (1.0 - a));

    let da = (&a[1] - &problem.y) / examples;
    problem.check("line 1: dC/da = (a - y) / B", What::A(1), &da);
    let delta = &da * &slope_of_sigmoid(&z[1]);
    problem.check("line 2: BP1, delta = dC/da * s'(z)", What::Z(1), &delta);
    let da = delta.dot(&problem.w[1]); // (B, N) (N, K) -> (B, K)
    problem.check("line 3: dC/da before = delta w", What::A(0), &da);
    let before = &da * &slope_of_sigmoid(&z[0]);
    problem.check("line 4: BP2, delta before", What::Z(0), &before);
    for (l, (delta, input)) in [(&before, &problem.x), (&delta, &a[0])].into_iter().enumerate() {
        let db = delta.sum_axis(Axis(0)).insert_axis(Axis(0)); // (B, N) -> (1, N)
        problem.check(&format!("line 5: BP3, dC/db of layer {}", l + 1), What::B(l), &db);
        let dw = delta.t().dot(input); // (N, B) (B, K) -> (N, K)
        problem.check(&format!("line 6: BP4, dC/dw of layer {}", l + 1), What::W(l), &dw);
    }
}
