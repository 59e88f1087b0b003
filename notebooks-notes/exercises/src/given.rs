//! Functions that one exercise asks for and later ones need. Write your own before you read them.

use crate::Matrix;

/// The sigmoid of each element: `1 / (1 + e^-z)`.
pub fn sigmoid(z: &Matrix) -> Matrix {
    z.map(|z| 1.0 / (1.0 + (-z).exp()))
}

/// The slope of the sigmoid at each element: `s(z) (1 - s(z))`.
pub fn sigmoid_prime(z: &Matrix) -> Matrix {
    sigmoid(z).map(|a| a * (1.0 - a))
}

/// The softmax of each row, from which its largest element is subtracted first. A row of minus
/// infinity alone gives zeros.
pub fn softmax(z: &Matrix) -> Matrix {
    let mut p = z.clone();
    for row in p.data.chunks_mut(z.cols.max(1)) {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|x| *x = if max.is_finite() { (*x - max).exp() } else { 0.0 });
        let sum: f64 = row.iter().sum();
        row.iter_mut().filter(|_| sum > 0.0).for_each(|x| *x /= sum);
    }
    p
}

/// The sum of the rows, which has a number for each column.
pub fn sum_of_rows(m: &Matrix) -> Vec<f64> {
    let mut sum = vec![0.0; m.cols];
    for i in 0..m.rows {
        sum.iter_mut().zip(m.row(i)).for_each(|(sum, x)| *sum += x);
    }
    sum
}

/// The matrix with `b` added to each row.
///
/// # Panics
/// Unless `b` has a number for each column.
#[track_caller]
pub fn add_to_rows(m: &Matrix, b: &[f64]) -> Matrix {
    let (shape, n) = (m.shape(), b.len());
    assert!(m.cols == n, "add_to_rows of {shape:?} and ({n}): each column needs one number");
    Matrix::from_fn(m.rows, m.cols, |i, j| m[(i, j)] + b[j])
}

/// The columns `start..end`.
///
/// # Panics
/// Unless the matrix has them.
#[track_caller]
pub fn columns(m: &Matrix, start: usize, end: usize) -> Matrix {
    let shape = m.shape();
    assert!(start <= end && end <= m.cols, "columns {start}..{end} of a matrix {shape:?}: they count from 0");
    Matrix::from_fn(m.rows, end - start, |i, j| m[(i, start + j)])
}

/// The gradient of one example's cost with respect to the biases and the weights of each layer.
#[track_caller]
pub fn backprop_one(
    weights: &[Matrix],
    biases: &[Vec<f64>],
    x: &[f64],
    y: &[f64],
) -> (Vec<Vec<f64>>, Vec<Matrix>) {
    let mut activations = vec![Matrix::new(1, x.len(), x.to_vec())];
    for (w, b) in weights.iter().zip(biases) {
        let a = &activations[activations.len() - 1];
        activations.push(sigmoid(&add_to_rows(&a.matmul(&w.transpose()), b)));
    }
    let slope = |a: &Matrix| a.map(|a| a * (1.0 - a));
    let last = &activations[weights.len()];
    let mut delta = (last - &Matrix::new(1, y.len(), y.to_vec())).times(&slope(last));
    let (mut nabla_b, mut nabla_w) = (Vec::new(), Vec::new());
    for l in (0..weights.len()).rev() {
        nabla_b.push(delta.data.clone());
        nabla_w.push(delta.transpose().matmul(&activations[l]));
        if l > 0 {
            delta = delta.matmul(&weights[l]).times(&slope(&activations[l]));
        }
    }
    nabla_b.reverse();
    nabla_w.reverse();
    (nabla_b, nabla_w)
}

/// A function of several numbers, for the gradient check: the square of their mean sigmoid.
pub fn bumpy(x: &[f64]) -> f64 {
    let mean = x.iter().map(|x| 1.0 / (1.0 + (-x).exp())).sum::<f64>() / x.len() as f64;
    mean * mean
}

/// The weights of causal attention: `softmax(mask(q k^T / sqrt(D)))`.
#[track_caller]
pub fn attention_weights(q: &Matrix, k: &Matrix) -> Matrix {
    let scores = q.matmul(&k.transpose()).scale(1.0 / (q.cols as f64).sqrt());
    softmax(&Matrix::from_fn(q.rows, k.rows, |i, j| if j > i { f64::NEG_INFINITY } else { scores[(i, j)] }))
}

/// A head of causal attention.
#[track_caller]
pub fn head(q: &Matrix, k: &Matrix, v: &Matrix) -> Matrix {
    attention_weights(q, k).matmul(v)
}

/// Matrices with the same number of rows beside each other.
///
/// # Panics
/// Unless they have the same number of rows.
#[track_caller]
pub fn side_by_side(parts: &[Matrix]) -> Matrix {
    let rows = parts.first().map_or(0, |part| part.rows);
    for part in parts {
        let (first, other) = (parts[0].shape(), part.shape());
        assert!(part.rows == rows, "side_by_side of {first:?} and {other:?}: the numbers of rows differ");
    }
    let data: Vec<f64> =
        (0..rows).flat_map(|i| parts.iter().flat_map(move |part| part.row(i).to_vec())).collect();
    Matrix::new(rows, parts.iter().map(|part| part.cols).sum(), data)
}

/// Layer norm without gain and bias.
pub fn norm(x: &Matrix) -> Matrix {
    let mut y = x.clone();
    for row in y.data.chunks_mut(x.cols.max(1)) {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
        row.iter_mut().for_each(|x| *x = (*x - mean) / (variance + 1e-5).sqrt());
    }
    y
}

/// Two layers with a ReLU between them.
#[track_caller]
pub fn mlp(x: &Matrix, w1: &Matrix, w2: &Matrix) -> Matrix {
    x.matmul(&w1.transpose()).map(|z| z.max(0.0)).matmul(&w2.transpose())
}

/// The nodes of a small tape.
pub mod tape {
    /// How a node was made, with the indices of the nodes that it was made from.
    #[derive(Debug, Clone, Copy)]
    pub enum Op {
        /// It came from outside.
        Input,
        /// The sum of two nodes.
        Add(usize, usize),
        /// The product of two nodes.
        Mul(usize, usize),
        /// The hyperbolic tangent of a node.
        Tanh(usize),
    }

    /// One number of a computation.
    #[derive(Debug, Clone, Copy)]
    pub struct Node {
        /// How it was made.
        pub op: Op,
        /// Its value.
        pub value: f64,
        /// The slope of the result with respect to it.
        pub grad: f64,
    }

    /// Computes forward. `ops` has three numbers for each node: its kind (0 an input, 1 a sum, 2 a
    /// product, 3 tanh), and two indices.
    pub fn forward(ops: &[usize], inputs: &[f64]) -> Vec<Node> {
        let (mut nodes, mut inputs): (Vec<Node>, _) = (Vec::new(), inputs.iter());
        for op in ops.chunks_exact(3) {
            let (op, value) = match *op {
                [1, a, b] => (Op::Add(a, b), nodes[a].value + nodes[b].value),
                [2, a, b] => (Op::Mul(a, b), nodes[a].value * nodes[b].value),
                [3, a, _] => (Op::Tanh(a), nodes[a].value.tanh()),
                _ => (Op::Input, inputs.next().copied().unwrap_or_default()),
            };
            nodes.push(Node { op, value, grad: 0.0 });
        }
        nodes
    }
}
