//! Note 1: from a neuron to `update_mini_batch` and `backprop`.

use m2g_core::optim::Sgd;
use m2g_core::train::{Model, Stepper, gradients_by_tape};
use m2g_core::{Error, Grads, Number, Tape, Tensor};
use m2g_digits::{MiniBatch, Network};

fn main() -> Result<(), Error> {
    one_neuron();
    a_layer()?;
    the_network()?;
    one_step()?;
    update_mini_batch()?;
    backprop_twice()
}

fn one_neuron() {
    println!("# One neuron");
    let (w, b) = ([2.0_f32, -1.0], 0.5); // the weights and the bias
    let x = [1.0, 1.0]; // the inputs
    let z = w[0] * x[0] + w[1] * x[1] + b;
    let a = z.sigmoid();
    println!("z = {z}, a = {a:.4}");
}

fn a_layer() -> Result<(), Error> {
    println!("# A layer");
    let mut tape = Tape::new();
    let x = tape.input(Tensor::from_vec(&[2, 3], vec![1.0_f32, 0.0, 0.0, 1.0, 1.0, 1.0])?); // (B, K) = (2, 3)
    let w = tape.input(Tensor::from_vec(&[1, 3], vec![10.0, 20.0, 30.0])?); // (N, K) = (1, 3)
    let b = tape.input(Tensor::from_vec(&[1], vec![0.5])?); // (N) = (1)
    let z = tape.linear(x, w, Some(b))?; // (B, K) (K, N) + (N) -> (B, N)
    println!("shape of z: {:?}", tape.value(z).shape());
    println!(
        "z of the first example: {}, of the second: {}",
        tape.value(z).data()[0],
        tape.value(z).data()[1]
    );
    Ok(())
}

fn the_network() -> Result<(), Error> {
    println!("# The network [784, 30, 10]");
    let network = Network::<f32>::new(&[784, 30, 10])?;
    for parameter in network.params().iter() {
        println!("{:14} {:?}", parameter.name, parameter.value.shape());
    }
    println!("{} numbers to learn", network.params().count());
    Ok(())
}

fn one_step() -> Result<(), Error> {
    println!("# One step");
    let list = |shapes: Vec<&[usize]>| shapes.iter().map(|s| format!("{s:?}")).collect::<Vec<_>>().join(" ");
    let mut network = Network::<f32>::new(&[784, 30, 10])?;
    let mini_batch = MiniBatch { x: Tensor::zeros(&[10, 784]), y: Tensor::zeros(&[10, 10]) };
    let mut stepper = Stepper::default();
    stepper.tape.trace.switch(true); // write down every op
    stepper.step(&mut network, &[mini_batch], &mut Sgd::new(), 3.0, None, 0)?;
    for record in stepper.tape.trace.records().iter().filter(|record| record.is_work()) {
        let (going_in, coming_out) = record.shapes();
        let phase = format!("{:?}", record.phase);
        println!("{phase:8} {:14} {} -> {}", record.name, list(going_in), list(coming_out));
    }
    Ok(())
}

fn update_mini_batch() -> Result<(), Error> {
    println!("# update_mini_batch");
    let mut network = Network::<f64>::new(&[2, 3, 1])?;
    let mini_batch = MiniBatch {
        x: Tensor::from_vec(&[4, 2], vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?, // (B, K): four questions
        y: Tensor::from_vec(&[4, 1], vec![0.0, 1.0, 1.0, 0.0])?, // (B, N): XOR, four answers
    };
    for step in 0..=5000 {
        let cost = network.update_mini_batch(&mini_batch, 3.0)?; // eta = 3
        if step % 1000 == 0 {
            println!("step {step:4}: cost {cost:.4}");
        }
    }
    let answers = network.feedforward(&mini_batch.x)?; // (B, N) = (4, 1)
    for (question, answer) in mini_batch.x.data().chunks(2).zip(answers.data()) {
        println!("{} xor {} = {answer:.2}", question[0], question[1]);
    }
    Ok(())
}

fn backprop_twice() -> Result<(), Error> {
    println!("# backprop, twice");
    let network = Network::<f64>::new(&[4, 3, 2])?;
    let mini_batch = MiniBatch {
        x: Tensor::from_vec(&[1, 4], vec![0.1, 0.9, 0.4, 0.0])?, // (B, K) = (1, 4)
        y: Tensor::from_vec(&[1, 2], vec![0.0, 1.0])?,           // (B, N) = (1, 2)
    };
    let by_hand = network.backprop(&mini_batch)?; // BP1 to BP4

    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    gradients_by_tape(&network, &mut tape, &mini_batch, &mut grads)?;
    for (l, (weight, _)) in network.layer_ids().enumerate() {
        let by_tape = grads.get(weight).expect("every weight has a gradient");
        println!(
            "dC/dw of layer {}: {:?} by hand, {:?} by the tape",
            l + 1,
            by_hand.w[l].shape(),
            by_tape.shape()
        );
        for (hand, tape) in by_hand.w[l].iter().zip(by_tape.data()) {
            assert!((hand - tape).abs() < 1e-12, "{hand} {tape}");
        }
    }
    println!("they agree in every number");
    Ok(())
}
