//! What a GPT predicts next, for any temperature and top-k, and what each of its layers would predict; the table of
//! its positions.

use m2g_core::nn::sinusoidal;
use m2g_core::train::Model as _;
use m2g_text::sampler::softmax;
use m2g_text::tokenizer::readable;
use m2g_text::{Sampler, Sampling, Tokenizer};
use serde_json::{Value, json};

use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::{Opened, State};

/// The most candidates in one answer.
const MOST: usize = 1000;

/// The likeliest next tokens after a position, from the logits that are kept.
pub fn next(state: &State, request: &Request) -> Answer {
    state.opened(&request.part, |opened| candidates(opened, request))
}

fn candidates(opened: &Opened, request: &Request) -> Answer {
    let (_, description) = opened.model.gpt()?;
    let logits = row(opened, request, None)?;
    let temperature: f64 = request.number("temperature", 1.0)?;
    let sampling = Sampling { temperature, top_k: request.optional("top_k")?, ..Sampling::default() };
    let n = request.number("n", 10)?.min(MOST);
    let probabilities = Sampler::new(sampling)?.probabilities(logits)?;
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| {
        probabilities[b].total_cmp(&probabilities[a]).then(logits[b].total_cmp(&logits[a]))
    });
    let kept = probabilities.iter().filter(|&&p| p > 0.0).count();
    let tokenizer = description.tokenizer.as_ref();
    let candidates = order.into_iter().take(n).map(|id| {
        let mut candidate = token(id, tokenizer);
        candidate["logit"] = json!(logits[id]);
        candidate["probability"] = json!(probabilities[id]);
        candidate
    });
    Ok(Reply::Json(json!({"candidates": candidates.collect::<Vec<_>>(), "kept": kept})))
}

/// What the layers up to each block predict after a position.
pub fn lens(state: &State, request: &Request) -> Answer {
    state.opened(&request.part, |opened| by_layer(opened, request))
}

fn by_layer(opened: &Opened, request: &Request) -> Answer {
    let tokenizer = opened.model.gpt()?.1.tokenizer.as_ref();
    let n = request.number("n", 3)?.min(MOST);
    let mut layers = Vec::new();
    for (label, logits) in opened.gpt()?.logit_lens(&opened.inspection.step)? {
        let probabilities = softmax(row(opened, request, Some(logits.data()))?);
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let top = order.into_iter().take(n).map(|id| {
            let mut candidate = token(id, tokenizer);
            candidate["probability"] = json!(probabilities[id]);
            candidate
        });
        layers.push(json!({"after": label, "top": top.collect::<Vec<Value>>()}));
    }
    Ok(Reply::Json(json!({"layers": layers})))
}

/// The row of the logits, `(1, T, V)`, at the wanted position: the last one unless given.
fn row<'a>(opened: &'a Opened, request: &Request, logits: Option<&'a [f32]>) -> Result<&'a [f32], Refusal> {
    let step = &opened.inspection.step;
    let v = opened.gpt()?.config().vocab_size;
    let own = step.labelled("logits").map(|var| step.tape.value(var).data());
    let logits = logits.or(own).ok_or_else(|| Refusal::missing("this step has no logits"))?;
    let t = logits.len() / v.max(1);
    let position = request.number("position", t.saturating_sub(1))?;
    let row = logits.chunks_exact(v).nth(position);
    row.ok_or_else(|| Refusal::missing(format!("the text has the positions 0 to {}", t.saturating_sub(1))))
}

/// A token: its id, as people read it, and its text, which a prompt can go on with.
fn token(id: usize, tokenizer: Option<&Tokenizer>) -> Value {
    let number = u32::try_from(id).unwrap_or(u32::MAX);
    json!({"id": id, "token": readable(number, tokenizer), "text": text(number, tokenizer).unwrap_or_default()})
}

/// The text of a token. A part of a character, such as the byte 0xc3, has none.
fn text(id: u32, tokenizer: Option<&Tokenizer>) -> Option<String> {
    let tokenizer = tokenizer?;
    let is_whole = tokenizer.token(id).is_none_or(|bytes| std::str::from_utf8(&bytes).is_ok());
    is_whole.then(|| tokenizer.decode(&[id]))
}

/// The table of positions, `(block_size, C)`.
pub fn positions(state: &State, request: &Request) -> Answer {
    let model = state.models.open(request.required("model")?)?;
    let (gpt, _) = model.gpt()?;
    let config = gpt.config();
    let (t, c) = (config.block_size, config.n_embd);
    let learned = gpt.params().iter().find(|p| p.name == "wpe.weight");
    match (request.text("kind").unwrap_or("sinusoidal"), learned) {
        ("sinusoidal", _) => {
            let base = config.positions_base;
            Ok(Reply::elements(sinusoidal::<f32>(0, t, c, base).data(), &[t, c]).with("x-base", base))
        }
        ("learned", Some(table)) => Ok(Reply::elements(table.value.data(), &[t, c])),
        ("learned", None) => Err(Refusal::missing("this model has no learned positions")),
        (kind, _) => Err(Refusal::bad(format!("kind is {kind}: choose sinusoidal or learned"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_character_is_no_text() {
        let gpt2 = Tokenizer::gpt2();
        let (mut whole, mut parts) = (0, 0);
        for id in 0..256 {
            let token = token(id, Some(&gpt2));
            let (name, text) = (&token["token"], token["text"].as_str().unwrap_or("?"));
            assert!(!text.contains('\u{fffd}'), "{token}");
            match name.as_str().is_some_and(|name| name.starts_with("\\x")) {
                true => parts += 1,
                false => whole += usize::from(!text.is_empty()),
            }
        }
        assert_eq!((whole, parts), (128, 128));
        assert_eq!(token(11, Some(&gpt2))["text"], ",");
        assert_eq!(token(11, None)["text"], "");
    }
}
