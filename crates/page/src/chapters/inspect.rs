//! One step of any model: its ops with shapes and statistics, and the elements of any value on demand.

use std::sync::Arc;
use std::time::Instant;

use m2g_core::inspect::{AttentionLayout, Inspection, heads};
use m2g_core::nn::Score;
use m2g_core::{Mask, Tensor, Var};
use m2g_gpt::inspect::default_tokens;
use m2g_gpt::{Gpt, GptConfig};
use m2g_translate::inspect::default_sentence;
use m2g_translate::training::Description;
use serde::Deserialize;
use serde_json::{Value, json};

use super::digits;
use crate::models::Model;
use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::{Opened, State};

/// What to run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    model: String,
    prompt: Option<String>,
    /// A test image, by its index.
    test: Option<usize>,
    /// An image, by its pixels from 0 to 255.
    image: Option<Vec<f64>>,
    label: Option<usize>,
    #[serde(default)]
    backward: bool,
    score: Option<Score>,
    mask: Option<Mask>,
}

/// Runs a step and keeps it.
pub fn inspect(state: &State, request: &Request) -> Answer {
    let started = Instant::now();
    let wanted: Wanted = request.json()?;
    let model = state.models.open(&wanted.model)?;
    let (inspection, changed, left_out) = run(state, &model, &wanted)?;
    let mut answer = describe(&model, &inspection, changed.as_ref());
    answer["model"] = json!(wanted.model);
    answer["left_out"] = json!(left_out);
    let id = state.keep(Opened { inspection, model, changed, updated: None, hidden: None });
    answer["id"] = json!(id);
    answer["seconds"] = json!(started.elapsed().as_secs_f64());
    Ok(Reply::Json(answer))
}

/// A step; the same weights under another score or mask, if it ran with those; and how many tokens at the beginning
/// of the text are more than the model reads.
type Ran = (Inspection, Option<Gpt<f32>>, usize);

fn run(state: &State, model: &Arc<Model>, wanted: &Wanted) -> Result<Ran, Refusal> {
    let prompt = wanted.prompt.as_deref();
    match &**model {
        // A GPT reads spaces as any other token.
        Model::Gpt(..) if prompt.is_some_and(|text| !text.is_empty()) => {}
        _ => check_text(prompt)?,
    }
    match &**model {
        Model::Digits(network, description) => {
            let (pixels, label) = match (&wanted.image, wanted.test) {
                (Some(image), _) => (digits::pixels(image)?, wanted.label),
                (None, test) => {
                    let (tests, index) = (state.tests(description)?, test.unwrap_or(0));
                    if index >= tests.len() {
                        return Err(Refusal::missing(format!("there are {} test images", tests.len())));
                    }
                    let label = wanted.label.unwrap_or(usize::from(tests.labels[index]));
                    (tests.image(index).to_vec(), Some(label))
                }
            };
            Ok((
                network.inspect(&digits::input(&pixels), label, &description.class_names, wanted.backward)?,
                None,
                0,
            ))
        }
        Model::Gpt(gpt, description) => {
            let changed = changed(gpt, wanted)?;
            let gpt = changed.as_ref().unwrap_or(gpt);
            let tokenizer = description.tokenizer.as_ref();
            let most = gpt.config().block_size + usize::from(wanted.backward);
            let ids = match (prompt, tokenizer) {
                (None, _) => default_tokens(tokenizer, gpt.config().vocab_size, most),
                (Some(text), Some(tokenizer)) => tokenizer.encode(text)?,
                (Some(_), None) => {
                    return Err(Refusal::bad("this run has no tokenizer: it cannot read a text"));
                }
            };
            // As in generation, a model reads the end of a text that is longer than its window.
            let left_out = ids.len().saturating_sub(most);
            let inspection = gpt.inspect(tokenizer, &ids[left_out..], wanted.backward)?;
            Ok((inspection, changed, left_out))
        }
        Model::Translate(model, description) => {
            let sentence = sentence_or_default(prompt.map(String::from), description)?;
            Ok((model.inspect(&description.tokenizer, &sentence, wanted.backward)?, None, 0))
        }
    }
}

/// A text that is given has at least one character that is not a space.
pub(super) fn check_text(text: Option<&str>) -> Result<(), Refusal> {
    match text.is_some_and(|text| text.trim().is_empty()) {
        true => Err(Refusal::bad("the text is empty: type at least one character")),
        false => Ok(()),
    }
}

/// The sentence that was given, or one that the model reads.
pub(super) fn sentence_or_default(given: Option<String>, of: &Description) -> Result<String, Refusal> {
    given.or_else(|| default_sentence(of)).ok_or_else(|| {
        Refusal::bad(
            "the data of the run are gone, and its vocabulary has nothing of the usual sentence: type one",
        )
    })
}

/// The same weights under the wanted score and mask, if any is wanted.
fn changed(gpt: &Gpt<f32>, wanted: &Wanted) -> Result<Option<Gpt<f32>>, Refusal> {
    if wanted.score.is_none() && wanted.mask.is_none() {
        return Ok(None);
    }
    let mut config: GptConfig = gpt.config().clone();
    if let Some(score) = wanted.score {
        config.score = score;
    }
    if let Some(mask) = &wanted.mask {
        config.mask = mask.clone();
    }
    Ok(Some(gpt.with_config(config)?))
}

/// Everything but the elements.
pub(super) fn describe(model: &Model, inspection: &Inspection, changed: Option<&Gpt<f32>>) -> Value {
    let Inspection { step, texts, attention, prediction } = inspection;
    let letters = step.letters.iter().map(|l| json!({"name": l.name, "size": l.size, "meaning": l.meaning}));
    let mut answer = json!({
        "kind": model.kind(), "ops": step.ops(None), "letters": letters.collect::<Vec<_>>(), "loss": step.loss,
        "prediction": prediction.as_ref().map(|prediction| prediction.json()), "layers": layers(inspection),
        "config": config(model, changed), "text": text(model, inspection),
    });
    if let Some(text) = texts.first() {
        answer["tokens"] = json!(text.tokens);
        answer["ids"] = json!(text.ids);
    }
    if let Model::Digits(_, description) = model {
        answer["image"] = json!(description.image);
    }
    if let Some(layout) = attention {
        let all: Vec<usize> = (0..layout.heads).collect();
        answer["heads"] = json!(layout.heads);
        answer["mask"] = json!(layout.groups.first().map(|group| &group.mask));
        answer["attention"] = Value::Array(heads(step, layout, None, &all, false));
        answer["groups"] = groups(layout);
    }
    answer
}

/// What was read, as it can be typed; `None` without a tokenizer.
fn text(model: &Model, inspection: &Inspection) -> Option<String> {
    let ids = &inspection.texts.first()?.ids;
    match model {
        Model::Digits(..) => None,
        Model::Gpt(_, description) => Some(description.tokenizer.as_ref()?.decode(ids)),
        // The last token ends the sentence.
        Model::Translate(_, description) => {
            Some(description.tokenizer.decode(&ids[..ids.len().saturating_sub(1)]))
        }
    }
}

/// The numbers of the first and last forward op of each layer.
fn layers(inspection: &Inspection) -> Vec<Value> {
    let of_values = inspection.step.layer_numbers_of_values();
    let mut layers: Vec<(usize, usize, usize)> = Vec::new();
    for (number, record) in inspection.step.records(None) {
        let backward = m2g_core::inspect::direction(record) == "backward";
        let Some(&layer) = record.to.filter(|_| !backward).and_then(|to| of_values.get(&to)) else {
            continue;
        };
        match layers.last_mut().filter(|(known, ..)| *known == layer) {
            Some((_, _, last)) => *last = number,
            None => layers.push((layer, number, number)),
        }
    }
    layers
        .into_iter()
        .map(|(number, first, last)| json!({"number": number, "first": first, "last": last}))
        .collect()
}

/// What attends to what, and the keys that each query sees.
fn groups(layout: &AttentionLayout) -> Value {
    let group = |group: &m2g_core::inspect::AttentionGroup| {
        let seen = (0..group.queries.len()).map(|i| {
            let visible = group.mask.visible(0, i, group.keys.len());
            [visible.start, visible.end]
        });
        json!({
            "kind": group.name, "queries": group.queries, "keys": group.keys, "mask": group.mask,
            "seen": seen.collect::<Vec<_>>(),
            "labels": group.layers.iter().map(|layer| &layer.label).collect::<Vec<_>>(),
        })
    };
    layout.groups.iter().map(group).collect()
}

/// The settings of the model.
fn config(model: &Model, changed: Option<&Gpt<f32>>) -> Value {
    let written = match model {
        Model::Digits(_, description) => serde_json::to_value(&description.config),
        Model::Gpt(gpt, _) => serde_json::to_value(changed.unwrap_or(gpt).config()),
        Model::Translate(model, _) => serde_json::to_value(model.config()),
    };
    written.unwrap_or_default()
}

/// The elements of a value, of one head of it, or of one row; or of its gradient, or of a parameter after the step.
pub fn values(state: &State, request: &Request) -> Answer {
    state.opened(&request.part, |opened| elements(opened, request))
}

fn elements(opened: &Opened, request: &Request) -> Answer {
    let step = &opened.inspection.step;
    let name = request.required("name")?;
    if let Some((_, hidden)) = opened.hidden.as_ref().filter(|(known, _)| known == name) {
        return Ok(Reply::elements(hidden.data(), hidden.shape()));
    }
    let var = match name.strip_prefix('#').map(str::parse::<usize>) {
        Some(Ok(op)) => step.output_of(op),
        _ => step.named(name),
    };
    let var: Var = var.ok_or_else(|| Refusal::missing(format!("no value is called {name}")))?;
    let tensor: &Tensor<f32> = if request.switch("updated") {
        let params =
            opened.updated.as_ref().ok_or_else(|| Refusal::missing("this step updated no parameters"))?;
        let id =
            step.tape.param_at(var).ok_or_else(|| Refusal::missing(format!("{name} is not a parameter")))?;
        &params.get(id).value
    } else if request.switch("gradient") {
        step.gradient(var).ok_or_else(|| Refusal::missing(format!("{name} has no gradient in this step")))?
    } else {
        step.tape.value(var)
    };
    let (mut shape, mut data) = (tensor.shape().to_vec(), tensor.data());
    if let Some(head) = request.optional::<usize>("head")? {
        let &[_, heads, rows, columns] = &shape[..] else {
            return Err(Refusal::bad(format!("{name} has no heads")));
        };
        if head >= heads {
            return Err(Refusal::missing(format!("{name} has the heads 0 to {}", heads - 1)));
        }
        data = &data[head * rows * columns..][..rows * columns];
        shape = vec![rows, columns];
    }
    if let Some(row) = request.optional::<usize>("row")? {
        let &[.., rows, columns] = &shape[..] else {
            return Err(Refusal::bad(format!("{name} has no rows")));
        };
        if row >= rows || data.len() != rows * columns {
            return Err(Refusal::missing(format!("{name} has the rows 0 to {}", rows.saturating_sub(1))));
        }
        data = &data[row * columns..][..columns];
        shape = vec![columns];
    }
    Ok(Reply::elements(data, &shape))
}
