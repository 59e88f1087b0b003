//! Speed of the tokenizers: `cargo run --release -p m2g-text --example tokenizer_speed FILE`.

use std::time::Instant;

use m2g_text::Tokenizer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: tokenizer_speed FILE")?;
    let text = std::fs::read_to_string(file)?;
    let megabytes = text.len() as f64 / 1e6;
    Tokenizer::gpt2().encode("the first use builds the vocabulary")?;
    for _ in 0..3 {
        let start = Instant::now();
        let ids = Tokenizer::gpt2().encode(&text)?;
        let seconds = start.elapsed().as_secs_f64();
        println!("gpt2: {} tokens, {:.1} MB/s", ids.len(), megabytes / seconds);
    }
    let start = Instant::now();
    let bpe = Tokenizer::bpe(&text, 1000)?;
    println!("bpe:1000: learned in {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let ids = bpe.encode(&text)?;
    println!("bpe:1000: {} tokens, {:.1} MB/s", ids.len(), megabytes / start.elapsed().as_secs_f64());
    Ok(())
}
