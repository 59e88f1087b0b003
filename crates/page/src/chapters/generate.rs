//! A text that a GPT writes, token by token: the same as `m2g gpt sample` for the same seed.

use std::sync::Arc;
use std::time::Instant;

use m2g_core::Error;
use m2g_gpt::continuation::{Until, continue_until};
use m2g_gpt::{GenerateOptions, Generator};
use m2g_text::Sampling;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};

use crate::models::Model;
use crate::server::reply::{Answer, Refusal, Reply, event};
use crate::server::request::Request;
use crate::state::State;

/// The most tokens of a text.
const MOST_TOKENS: usize = 10_000;
/// Events that wait for the reader.
const WAITING: usize = 64;

/// What to write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    model: String,
    #[serde(default)]
    prompt: String,
    #[serde(default = "tokens")]
    tokens: usize,
    #[serde(default = "temperature")]
    temperature: f64,
    #[serde(default = "top_k")]
    top_k: Option<usize>,
    #[serde(default)]
    greedy: bool,
    #[serde(default = "seed")]
    seed: u64,
}

fn tokens() -> usize {
    100
}

/// The defaults of `m2g gpt sample`.
fn temperature() -> f64 {
    Sampling::WRITING.temperature
}

fn top_k() -> Option<usize> {
    Sampling::WRITING.top_k
}

fn seed() -> u64 {
    1
}

/// Streams the text.
pub fn answer(state: &State, request: &Request) -> Answer {
    let wanted: Wanted = request.json()?;
    if wanted.tokens > MOST_TOKENS {
        return Err(Refusal::bad(format!("at most {MOST_TOKENS} tokens at a time")));
    }
    let model = state.models.open(&wanted.model)?;
    let (gpt, description) = model.gpt()?;
    let start = match (&description.tokenizer, wanted.prompt.as_str()) {
        (Some(tokenizer), "") => tokenizer.start_of_text(),
        (None, "") => vec![0],
        (Some(tokenizer), text) => tokenizer.encode(text)?,
        (None, _) => return Err(Refusal::bad("this run has no tokenizer: it cannot read a text")),
    };
    // Refuses wrong options before the stream begins.
    Generator::new(gpt, &wanted.options(), &start, 0)?;
    let (sender, receiver) = channel(WAITING);
    std::thread::Builder::new().name("generate".into()).spawn(move || {
        if let Err(error) = write(&model, &wanted, &start, &sender) {
            let _ = sender.blocking_send(event("failed", &json!({"error": error.to_string()})));
        }
    })?;
    Ok(Reply::Events(receiver))
}

impl Wanted {
    fn options(&self) -> GenerateOptions {
        let sampling = Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            greedy: self.greedy,
            ..Sampling::default()
        };
        GenerateOptions { sampling, seed: self.seed, ..GenerateOptions::default() }
    }
}

/// Writes the text into the stream, until it ends or nobody reads it.
fn write(model: &Arc<Model>, wanted: &Wanted, start: &[u32], to: &Sender<bytes::Bytes>) -> Result<(), Error> {
    let started = Instant::now();
    let Model::Gpt(gpt, description) = &**model else { return Ok(()) };
    let tokenizer = description.tokenizer.as_ref();
    let mut generator = Generator::new(gpt, &wanted.options(), start, 0)?.only_tokens_of(tokenizer);
    let until = Until { tokens: wanted.tokens, ..Until::default() };
    let send = |name: &str, data: &Value| to.blocking_send(event(name, data)).is_ok();
    let mut show = |text: &str| Ok::<_, Error>(send("token", &json!({"text": text})));
    let all = continue_until(&mut generator, tokenizer, &until, &[], &mut show)?;
    send(
        "done",
        &json!({
            "text": all.text, "tokens": all.tokens.len(), "ids": all.tokens, "stop_reason": all.reason.name(),
            "seed": wanted.seed, "seconds": started.elapsed().as_secs_f64(),
        }),
    );
    Ok(())
}
