#![allow(clippy::unwrap_used)]
use super::*;
use crate::gradcheck::constant;

fn one(x: f64) -> Tensor<f64> {
    Tensor::from_vec(&[1, 1], vec![x]).unwrap()
}

#[test]
fn a_value_used_twice_gets_the_sum_of_both_gradients() {
    // loss = mean(w * w + w): the derivative is 2 w + 1.
    let mut params = Params::new();
    let id = params.add("w", one(3.0)).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let w = tape.param(&params, id);
    let square = tape.mul(w, w).unwrap();
    let sum = tape.add(square, w).unwrap();
    let loss = tape.mean(sum).unwrap();
    tape.backward(loss, &mut grads).unwrap();
    assert_eq!(grads.get(id).unwrap().data(), [7.0]);
    // A second run without clearing accumulates.
    tape.reset();
    let w = tape.param(&params, id);
    let loss = tape.mean(w).unwrap();
    tape.backward(loss, &mut grads).unwrap();
    assert_eq!(grads.get(id).unwrap().data(), [8.0]);
}

#[test]
fn a_chain_of_100_000_ops_needs_no_recursion() {
    let mut params = Params::new();
    let id = params.add("w", one(1.0)).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let mut x = tape.param(&params, id);
    for _ in 0..100_000 {
        x = tape.scale(x, 1.0).unwrap();
    }
    tape.backward(x, &mut grads).unwrap();
    assert_eq!(grads.get(id).unwrap().data(), [1.0]);
}

#[test]
fn an_op_without_a_backward_is_refused_where_gradients_are_needed() {
    let mut params = Params::new();
    let id = params.add("w", one(1.0)).unwrap();
    let mut tape = Tape::new();
    let w = tape.param(&params, id);
    let error = tape.argmax(w).unwrap_err().to_string();
    assert!(error.starts_with("argmax passes no gradient back") && error.contains("tests.rs:"), "{error}");
    tape.set_gradients(false);
    let w = tape.param(&params, id);
    assert!(tape.argmax(w).is_ok());
}

#[test]
fn wrong_shapes_are_reported_with_the_caller() {
    let mut tape = Tape::<f32>::new();
    let a = tape.input(Tensor::zeros(&[2, 3]));
    let error = tape.matmul(a, a).unwrap_err().to_string();
    assert!(error.contains("[[2, 3], [2, 3]]") && error.contains("tests.rs:"), "{error}");
}

#[test]
fn the_second_step_reuses_the_buffers_of_the_first() {
    let mut params = Params::new();
    let id = params.add("w", Tensor::<f32>::zeros(&[5, 7])).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let x = tape.input_with(&[4, 7], |x| x.fill(1.0));
        let w = tape.param(&params, id);
        let y = tape.linear(x, w, None).unwrap();
        let loss = tape.mean(y).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        addresses.push(grads.get(id).unwrap().data().as_ptr());
        tape.reset();
        grads.clear(&mut tape);
    }
    assert!(addresses[1] == addresses[0] && addresses[2] == addresses[0]);
}

#[test]
fn the_trace_lists_the_step_in_order() {
    let mut params = Params::new();
    let id = params.add("w", Tensor::<f32>::zeros(&[5, 7])).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    tape.trace.switch(true);
    let x = tape.input(Tensor::zeros(&[4, 7]));
    let w = tape.param(&params, id);
    let y = tape.linear(x, w, None).unwrap();
    let loss = tape.mean(y).unwrap();
    tape.backward(loss, &mut grads).unwrap();
    let seen: Vec<_> =
        tape.trace.records().iter().filter(|r| r.is_work()).map(|r| (r.phase, r.name)).collect();
    let (f, b) = (Phase::Forward, Phase::Backward);
    assert_eq!(seen, [(f, "linear"), (f, "mean"), (b, "mean"), (b, "linear")]);
    let linear = &tape.trace.records()[0];
    assert_eq!(linear.flops, 2 * 4 * 5 * 7);
    // The input is data: only the gradient of the weights is computed.
    assert_eq!(tape.trace.records().last().unwrap().flops, 2 * 4 * 5 * 7);
    assert_eq!(linear.function, "m2g_core::ops::linear::Linear");
    // Forward, the inputs go in and the output comes out; there is no bias, and none in the equation.
    assert_eq!(linear.shapes(), (vec![&[4, 7][..], &[5, 7]], vec![&[4, 5][..]]));
    assert_eq!(linear.equations(), "Y = X W^T");
    // Backward, the gradient of the output goes in, and those of the inputs come out.
    let backward = tape.trace.records().last().unwrap();
    assert_eq!(backward.shapes(), (vec![&[4, 5][..]], vec![&[5, 7][..]]));
    assert_eq!(backward.equations(), "dW = dY^T X");
    assert!(linear.caller.file().ends_with("tests.rs"));
}

#[test]
fn a_rewound_tape_keeps_the_values_before_the_mark() {
    let mut params = Params::new();
    let w = params.add("w", constant(&[2, 2], 1.0)).unwrap();
    let mut tape = Tape::without_gradients();
    let mark = tape.record_params(&params);
    let mut steps = (0..3).map(|i| {
        tape.rewind(mark);
        let var = tape.param(&params, w);
        assert_eq!(var, Var(0), "already on the tape");
        let x = tape.input(constant(&[1, 2], f64::from(i)));
        let y = tape.linear(x, var, None).unwrap();
        (y, tape.value(y).clone())
    });
    let (first, second) = (steps.next().unwrap(), steps.next().unwrap());
    assert_eq!(first.0, second.0, "the same place");
    assert_ne!(first.1, second.1);
    // A parameter recorded after the mark is removed.
    drop(steps);
    tape.reset();
    let mark = tape.record_params(&Params::new());
    tape.param(&params, w);
    tape.rewind(mark);
    tape.input(constant(&[1], 1.0));
    assert_eq!(tape.param(&params, w), Var(1));
}

#[test]
fn a_second_backward_pass_adds_the_gradient_once_more_or_says_that_the_values_are_gone() {
    for keep in [true, false] {
        let mut params = Params::new();
        let id = params.add("w", constant(&[3], 1.0)).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_keep_values(keep);
        let w = tape.param(&params, id);
        let y = tape.mul(w, w).unwrap();
        let loss = tape.mean(y).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        let once = grads.get(id).unwrap().data().to_vec();
        let second = tape.backward(loss, &mut grads);
        if keep {
            second.unwrap();
            let twice: Vec<_> = once.iter().map(|g| 2.0 * g).collect();
            assert_eq!(grads.get(id).unwrap().data(), twice);
        } else {
            assert!(matches!(second, Err(Error::ValuesFreed)), "{second:?}");
            tape.reset();
            let w = tape.param(&params, id);
            let loss = tape.mean(w).unwrap();
            tape.backward(loss, &mut grads).unwrap();
        }
    }
}

#[test]
fn costs_refuse_targets_that_need_a_gradient() {
    let mut params = Params::new();
    let id = params.add("y", constant(&[1, 3], 1.0)).unwrap();
    let mut tape = Tape::new();
    let (y, z) = (tape.param(&params, id), tape.input(constant(&[1, 3], 2.0)));
    for cost in
        [tape.quadratic_cost(z, y), tape.sigmoid_cross_entropy(z, y), tape.softmax_cross_entropy(z, y)]
    {
        assert!(matches!(cost, Err(Error::NoBackward { .. })), "{cost:?}");
        assert!(cost.unwrap_err().to_string().contains("or record that input as data"));
    }
}
