//! Between the plain matrices of the exercises and the tensors of the core.

use m2g_core::{Error, Grads, Params, Tape, Tensor, Var};
use m2g_exercises::{Matrix, Value};

/// A tensor with the elements of a matrix, in this shape.
pub fn shaped(shape: &[usize], m: &Matrix) -> Result<Tensor<f64>, Error> {
    Tensor::from_vec(shape, m.data.clone())
}

/// The matrix as a tensor.
pub fn tensor(m: &Matrix) -> Result<Tensor<f64>, Error> {
    shaped(&[m.rows, m.cols], m)
}

/// The last two axes of a tensor as a matrix; all others must have size 1.
pub fn matrix(tensor: &Tensor<f64>) -> Matrix {
    let cols = tensor.shape().last().copied().unwrap_or(1);
    let rows = tensor.len().checked_div(cols).unwrap_or(0);
    Matrix::new(rows, cols, tensor.data().to_vec())
}

/// Runs the core's ops on some inputs and reads one result.
pub fn run(
    inputs: &[Tensor<f64>],
    build: impl FnOnce(&mut Tape<f64>, &[Var]) -> Result<Var, Error>,
) -> Result<Tensor<f64>, Error> {
    let mut tape = Tape::new();
    let vars: Vec<Var> = inputs.iter().map(|input| tape.input(input.clone())).collect();
    let result = build(&mut tape, &vars)?;
    Ok(tape.value(result).clone())
}

/// As [`run`] for matrices.
pub fn run_on(
    inputs: &[&Matrix],
    build: impl FnOnce(&mut Tape<f64>, &[Var]) -> Result<Var, Error>,
) -> Result<Matrix, Error> {
    let inputs = inputs.iter().map(|m| tensor(m)).collect::<Result<Vec<_>, _>>()?;
    Ok(matrix(&run(&inputs, build)?))
}

/// The gradients of a loss with respect to the inputs, by the tape.
pub fn gradients(
    inputs: &[Tensor<f64>],
    build: impl FnOnce(&mut Tape<f64>, &[Var]) -> Result<Var, Error>,
) -> Result<Vec<Tensor<f64>>, Error> {
    let (mut params, mut tape, mut grads) = (Params::new(), Tape::new(), Grads::new());
    let mut ids = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        ids.push(params.add(format!("input{i}"), input.clone())?);
    }
    let vars: Vec<Var> = ids.iter().map(|&id| tape.param(&params, id)).collect();
    let loss = build(&mut tape, &vars)?;
    tape.backward(loss, &mut grads)?;
    let zeros = |input: &Tensor<f64>| Tensor::zeros(input.shape());
    Ok(ids
        .iter()
        .zip(inputs)
        .map(|(&id, input)| grads.get(id).cloned().unwrap_or_else(|| zeros(input)))
        .collect())
}

/// Part `path` of a list of values, with element `index` grown by `step`.
pub fn nudge(value: &mut Value, path: &[usize], index: usize, step: f64) {
    match (value, path) {
        (Value::List(list), [first, rest @ ..]) => {
            if let Some(value) = list.get_mut(*first) {
                nudge(value, rest, index, step);
            }
        }
        (Value::Matrix(m), _) => m.data.iter_mut().skip(index).take(1).for_each(|x| *x += step),
        (Value::Numbers(xs), _) => xs.iter_mut().skip(index).take(1).for_each(|x| *x += step),
        (Value::Number(x), _) => *x += step,
        _ => {}
    }
}

/// The matrix product, if the inner sizes agree.
pub fn product(a: &Matrix, b: &Matrix) -> Option<Matrix> {
    (a.cols == b.rows).then(|| a.matmul(b))
}

/// The sum of all elements of `a` times those of `b`: a cost whose gradient with respect to `b` is `a`.
pub fn dot(a: &Matrix, b: &Matrix) -> f64 {
    a.data.iter().zip(&b.data).map(|(a, b)| a * b).sum()
}
