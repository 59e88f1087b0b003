//! Note 2: from digits to tokens, and the bigram model.

use m2g_core::optim::{AdamW, Optimizer};
use m2g_core::{Error, Grads, Params, Tape, Tensor, Tokens};
use m2g_text::Tokenizer;

fn main() -> Result<(), Error> {
    text_as_numbers();
    examples()?;
    embedding()?;
    logits_and_nats()?;
    bigram()
}

fn text_as_numbers() {
    println!("# Text as numbers");
    let tokenizer = Tokenizer::char("hello world"); // the characters of this text, sorted: " dehlorw"
    let ids = tokenizer.encode("hello").expect("all its characters are in the vocabulary");
    println!("V = {}, \"hello\" = {ids:?}, back again: {:?}", tokenizer.vocab_size(), tokenizer.decode(&ids));
}

fn examples() -> Result<(), Error> {
    println!("# Every position is an example");
    let ids = [3, 2, 4, 4, 5]; // "hello"
    let x = Tokens::new([1, 4], ids[..4].to_vec())?; // (B, T): h e l l
    let y = Tokens::new([1, 4], ids[1..].to_vec())?; // (B, T): e l l o
    for (token, next) in x.ids.iter().zip(y.ids.iter()) {
        println!("after {token} comes {next}");
    }
    Ok(())
}

fn embedding() -> Result<(), Error> {
    println!("# Looking up is multiplying by a one-hot row");
    let mut tape = Tape::new();
    let w = tape.input(Tensor::from_vec(&[3, 2], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?); // (V, C) = (3, 2)
    let looked_up = tape.embedding(w, &Tokens::new([1, 2], vec![2, 0])?)?; // (B, T) -> (B, T, C)
    let one_hot = tape.input(Tensor::from_vec(&[2, 3], vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0])?);
    let multiplied = tape.matmul(one_hot, w)?; // (B T, V) (V, C) -> (B T, C)
    println!("rows 2 and 0 of the table: {:?}", tape.value(looked_up).data());
    println!("one-hot rows times table:  {:?}", tape.value(multiplied).data());
    Ok(())
}

fn logits_and_nats() -> Result<(), Error> {
    println!("# Logits, probabilities, nats");
    let mut tape = Tape::new();
    let logits = tape.input(Tensor::from_vec(&[1, 3], vec![2.0_f64, 1.0, 0.0])?); // (1, V): any numbers
    let probabilities = tape.softmax(logits)?; // (1, V): positive, and their sum is 1
    for (logit, p) in tape.value(logits).data().iter().zip(tape.value(probabilities).data()) {
        let nats = -p.ln();
        println!("logit {logit}: probability {p:.3}, loss {nats:.3} nats, perplexity {:.2}", nats.exp());
    }
    Ok(())
}

fn bigram() -> Result<(), Error> {
    println!("# The bigram model");
    let v = 8;
    let mut params = Params::new();
    let table = params.add("table", Tensor::<f32>::zeros(&[v, v]))?;
    let x = Tokens::new([1, 4], vec![3, 2, 4, 4])?; // h e l l
    let y = Tokens::new([1, 4], vec![2, 4, 4, 5])?; // e l l o

    let (mut tape, mut grads, mut adamw) = (Tape::new(), Grads::new(), AdamW::new(0.0)); // no weight decay
    for step in 0..=200 {
        let w = tape.param(&params, table);
        let logits = tape.embedding(w, &x)?; // (B, T) -> (B, T, V)
        let loss = tape.cross_entropy(logits, &y)?; // (B, T, V) -> one number
        if step % 50 == 0 {
            println!("step {step:3}: loss {:.3}", tape.value(loss).data()[0]);
        }
        tape.backward(loss, &mut grads)?;
        tape.reset();
        adamw.update(&mut params, &grads, 1.0, 0.1); // 1 times the gradient, eta = 0.1
        grads.clear(&mut tape);
    }
    println!("ln V = {:.3}, the best possible: {:.3}", (v as f64).ln(), 0.5 * 2.0_f64.ln());
    Ok(())
}
