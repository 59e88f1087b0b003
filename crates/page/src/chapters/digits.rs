//! Digits: a drawing, a photo, the test images and the worst mistakes, the weights of a neuron.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use m2g_core::inspect::Step;
use m2g_core::{Tensor, unit_interval};
use m2g_digits::Network;
use m2g_digits::normalise::{Candidate, NormaliseError, PIXELS, Picture, SIDE, Samples, digits};
use m2g_digits::photo;
use m2g_digits::reading::{Doubt, MIN_CONFIDENCE, ReadDigit, shares};
use m2g_digits::test_report::measure;
use m2g_digits::training::Description;
use serde_json::{Value, json};

use crate::models::Model;
use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::State;

/// The sides of a drawing in pixels.
const SIDES: std::ops::RangeInclusive<usize> = SIDE..=112;
/// The most test images in one answer.
const MOST_IMAGES: usize = 200;

/// The digit network that a request names.
pub(super) fn model(state: &State, request: &Request) -> Result<Arc<Model>, Refusal> {
    state.models.open(request.text("model").unwrap_or("digits"))
}

/// Reads a drawing.
pub fn draw(state: &State, request: &Request) -> Answer {
    let started = Instant::now();
    let side: usize = request.number("side", *SIDES.end())?;
    if !SIDES.contains(&side) || request.body.len() != side * side {
        return Err(Refusal::bad(format!(
            "a drawing is side x side bytes, with a side from {} to {}",
            SIDES.start(),
            SIDES.end()
        )));
    }
    let model = model(state, request)?;
    let (network, description) = model.digits()?;
    if request.body.iter().all(|&ink| ink == request.body[0]) {
        return Ok(Reply::Json(json!({"found": 0})));
    }
    let picture = Picture::new(side, side, Samples::Gray, &request.body)?;
    let found = match digits(&picture) {
        Ok(found) => found,
        // Too little is drawn yet.
        Err(error) => return Ok(Reply::Json(json!({"found": 0, "why": error.to_string()}))),
    };
    let size = |candidate: &Candidate| candidate.area.width * candidate.area.height;
    let count = found.len();
    let Some(largest) = found.into_iter().max_by_key(size) else {
        return Ok(Reply::Json(json!({"found": 0})));
    };
    let mut read = read(network, description, largest)?;
    read["found"] = json!(count);
    read["seconds"] = json!(started.elapsed().as_secs_f64());
    Ok(Reply::Json(read))
}

/// Reads every digit in a photo.
pub fn photo(state: &State, request: &Request) -> Answer {
    let model = model(state, request)?;
    let (network, description) = model.digits()?;
    let picture = photo::parse("the picture", &request.body)?;
    let found = digits(&picture).map_err(|error: NormaliseError| Refusal::bad(error.to_string()))?;
    let all = found.into_iter().map(|candidate| read(network, description, candidate));
    Ok(Reply::Json(json!({"digits": all.collect::<Result<Vec<_>, _>>()?})))
}

/// What a network reads in an image, with the values of its layers.
fn read(network: &Network<f32>, description: &Description, candidate: Candidate) -> Result<Value, Refusal> {
    check_size(description)?;
    let image = candidate.image;
    let names: Arc<[String]> = description.all_class_names().into();
    let digit = ReadDigit::new(network, &names, candidate)?;
    let mut read = digit.json();
    read["doubt"] = match digit.only_doubt() {
        Some(Doubt::Wide) => json!("wide"),
        Some(Doubt::Tiny) => json!("tiny"),
        None => Value::Null,
    };
    add_layers(&mut read, network, description, &image)?;
    Ok(read)
}

fn check_size(description: &Description) -> Result<(), Refusal> {
    match description.image == (SIDE, SIDE) {
        true => Ok(()),
        false => Err(Refusal::bad("this network was trained on images of another size than 28x28")),
    }
}

/// Adds the z and a of every layer for an image.
fn add_layers(
    read: &mut Value,
    network: &Network<f32>,
    description: &Description,
    image: &[u8],
) -> Result<(), Refusal> {
    let step = network.inspect(&input(image), None, &[], false)?.step;
    let (rows, cols) = description.image;
    read["classes"] = json!(description.all_class_names());
    read["rows"] = json!(rows);
    read["cols"] = json!(cols);
    read["layers"] =
        Value::Array(network.layers().enumerate().map(|(l, (w, _))| layer(&step, l + 1, w)).collect());
    Ok(())
}

/// An image as the network's input, `(1, pixels)`.
pub(super) fn input(image: &[u8]) -> Tensor<f32> {
    let mut x = Tensor::zeros(&[1, image.len()]);
    unit_interval(x.data_mut(), image);
    x
}

/// A layer of a recorded step.
fn layer(step: &Step, number: usize, w: &Tensor<f32>) -> Value {
    let var = |name: &str| step.labelled(&format!("layer{number}.{name}"));
    let values = |name: &str| var(name).map(|var| step.tape.value(var).data());
    let by = var("a").and_then(|a| step.tape.trace.records().iter().find(|record| record.to == Some(a)));
    json!({
        "number": number, "outputs": w.shape()[0], "inputs": w.shape()[1],
        "activation": by.map(|record| record.name), "z": values("z"), "a": values("a"),
    })
}

/// Some test images.
pub fn test_images(state: &State, request: &Request) -> Answer {
    let model = model(state, request)?;
    let (_, description) = model.digits()?;
    let tests = state.tests(description)?;
    let from: usize = request.number("from", 0)?;
    let n = request.number("n", 60)?.min(MOST_IMAGES);
    let images = (from.min(tests.len())..from.saturating_add(n).min(tests.len())).map(|index| {
        json!({
            "index": index, "label": tests.labels[index], "name": description.class_name(tests.labels[index].into()),
            "pixels": STANDARD.encode(tests.image(index)),
        })
    });
    Ok(Reply::Json(json!({
        "total": tests.len(), "rows": tests.rows, "cols": tests.cols, "images": images.collect::<Vec<_>>(),
    })))
}

/// What the network reads in one test image, which is not normalised again.
pub fn test_image(state: &State, request: &Request) -> Answer {
    let model = model(state, request)?;
    let (network, description) = model.digits()?;
    let tests = state.tests(description)?;
    let index: usize = request.part.parse().unwrap_or(usize::MAX);
    if index >= tests.len() {
        return Err(Refusal::missing(format!("there are {} test images", tests.len())));
    }
    let image = tests.image(index);
    let (outputs, answers) = network.read(&tests.slice(index..index + 1))?;
    let (probabilities, said) = (shares(outputs.data()), answers[0]);
    let others = (0..probabilities.len()).filter(|&class| class != said);
    let next = others.max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap_or(0);
    let mut read = json!({
        "found": 1, "index": index, "label": tests.labels[index], "digit": said, "class": description.class_name(said),
        "confidence": probabilities[said], "sure": probabilities[said] >= MIN_CONFIDENCE, "box": null, "image": image,
        "name": description.class_name(tests.labels[index].into()),
        "runner_up": {"digit": next, "confidence": probabilities[next]}, "probabilities": probabilities,
    });
    add_layers(&mut read, network, description, image)?;
    Ok(Reply::Json(read))
}

/// The test images that the network reads wrongly, the most confident mistakes first.
pub fn mistakes(state: &State, request: &Request) -> Answer {
    let model = model(state, request)?;
    let (network, description) = model.digits()?;
    let tests = state.tests(description)?;
    let n = request.number("n", 30)?.min(MOST_IMAGES);
    let report = measure(network, &tests)?;
    let shown = report.mistakes.iter().take(n).map(|mistake| {
        json!({
            "index": mistake.index, "label": mistake.label, "said": mistake.said, "activity": mistake.activity,
            "name": description.class_name(mistake.label), "said_name": description.class_name(mistake.said),
            "pixels": STANDARD.encode(tests.image(mistake.index)),
        })
    });
    Ok(Reply::Json(json!({
        "images": report.images, "correct": report.correct, "rows": tests.rows, "cols": tests.cols,
        "test_accuracy": report.correct as f64 / report.images.max(1) as f64, "mistakes": shown.collect::<Vec<_>>(),
    })))
}

/// The weights of a layer `(N, K)`, or of one of its neurons `(K)`.
pub fn weights(state: &State, request: &Request) -> Answer {
    let model = model(state, request)?;
    let (network, _) = model.digits()?;
    let number: usize = request.number("layer", 1)?;
    let found = number.checked_sub(1).and_then(|i| network.layers().nth(i));
    let (w, b) = found.ok_or_else(|| Refusal::missing(format!("the network has no layer {number}")))?;
    let (n, k) = (w.shape()[0], w.shape()[1]);
    match request.optional::<usize>("neuron")? {
        None => Ok(Reply::elements(w.data(), &[n, k])),
        Some(neuron) if neuron < n => {
            let row = &w.data()[neuron * k..(neuron + 1) * k];
            Ok(Reply::elements(row, &[k]).with("x-bias", b.data()[neuron]))
        }
        Some(_) => Err(Refusal::missing(format!("layer {number} has {n} neurons"))),
    }
}

/// The pixels of an image in a request, 0 to 255, as bytes.
pub(super) fn pixels(image: &[f64]) -> Result<Vec<u8>, Refusal> {
    let fits = image.len() == PIXELS && image.iter().all(|p| (0.0..=255.0).contains(p));
    match fits {
        true => Ok(image.iter().map(|p| p.round() as u8).collect()),
        false => Err(Refusal::bad(format!("an image has {PIXELS} pixels from 0 to 255"))),
    }
}
