//! The page shows what the other commands print.

use std::path::Path;
use std::time::Instant;

use m2g_digits::reading::MIN_CONFIDENCE;
use serde_json::{Value, json};

use super::served::Served;
use crate::support::{TINY_GPT, last_json, ok, root, small_mnist, with_text};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5
}

/// Everything of `m2g inspect --json` but what depends on the moment.
fn op(op: &Value) -> Value {
    let mut op = op.clone();
    op["statistics"] = Value::Null;
    op
}

/// A drawing of a test digit, `scale` times as large, with its corner at a place of a square of 112 pixels.
fn drawing(pixels: &[f64], scale: usize, (left, top): (usize, usize)) -> Vec<u8> {
    let mut drawn = vec![0; 112 * 112];
    for y in 0..28 * scale {
        for x in 0..28 * scale {
            drawn[(top + y) * 112 + left + x] = pixels[y / scale * 28 + x / scale] as u8;
        }
    }
    drawn
}

/// What `digits predict` says of a drawing.
fn predicted(dir: &Path, drawn: &[u8]) -> Value {
    let file = dir.join("drawn.png");
    image::GrayImage::from_raw(112, 112, drawn.to_vec()).unwrap().save(&file).unwrap();
    last_json(&ok(dir, &["digits", "predict", "d", "drawn.png", "--json"]))
}

#[test]
fn digits_are_read_as_the_command_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let small = small_mnist(dir.path(), 3000, 200);
    let train = [
        "digits",
        "train",
        "--epochs",
        "5",
        "--run",
        "d",
        "--data",
        small.to_str().unwrap(),
        "--train-on-all",
    ];
    ok(dir.path(), &train);
    let served = Served::start(dir.path(), &["d"]);

    let about = served.got("/api/about");
    assert_eq!(about["models"][0]["name"], "d");
    assert_eq!(about["models"].as_array().unwrap().len(), 4);
    // Each test image as it is, with the values of its layers.
    let shown = served.got("/api/digits/test?model=d&from=190&n=50");
    assert_eq!((shown["total"].as_u64(), shown["images"].as_array().unwrap().len()), (Some(200), 10));
    let report = served.got("/api/digits/mistakes?model=d&n=5");
    let eval = last_json(&ok(dir.path(), &["digits", "eval", "d", "--json"]));
    assert_eq!(report["correct"], eval["correct"]);
    for (i, mistake) in report["mistakes"].as_array().unwrap().iter().enumerate() {
        for field in ["index", "label", "said"] {
            assert_eq!(mistake[field], eval["mistakes"][i][field]);
        }
    }

    let mut same = 0;
    for index in 0..10 {
        let test = served.got(&format!("/api/digits/test/{index}?model=d"));
        let pixels = numbers(&test["image"]);
        let layer = &test["layers"][0];
        let (z, a) = (numbers(&layer["z"]), numbers(&layer["a"]));
        assert!(z.len() == 30 && z.iter().zip(&a).all(|(z, a)| close(1.0 / (1.0 + (-z).exp()), *a)));
        // The weights of one neuron give its z.
        let weights = served.get("/api/digits/weights?model=d&layer=1&neuron=3");
        let bias: f64 = weights.header("x-bias").parse().unwrap();
        let own =
            weights.floats().iter().zip(&pixels).map(|(w, p)| f64::from(*w) * p / 255.0).sum::<f64>() + bias;
        assert!((own - z[3]).abs() < 1e-3, "{own} {}", z[3]);
        // Large, small, in a corner: what the command says of the same picture.
        let mut read = Vec::new();
        for (scale, place) in [(4, (0, 0)), (2, (50, 4)), (1, (2, 80))] {
            let drawn = drawing(&pixels, scale, place);
            let page = served.post_bytes("/api/digits/draw?model=d", &drawn).json();
            let command = predicted(dir.path(), &drawn);
            if page["found"] == json!(1) {
                assert_eq!(page["digit"], command["digit"]);
                assert_eq!(page["image"], command["image"]);
                let [a, b] = [&page, &command].map(|answer| numbers(&answer["probabilities"]));
                assert!(a.iter().zip(&b).all(|(a, b)| close(*a, *b)), "{a:?} {b:?}");
            }
            read.push(page["digit"].clone());
        }
        same += usize::from(read[0] == test["digit"] && read[1] == read[0]);
    }
    assert!(same >= 8, "a drawn test digit is read as the test digit: {same} of 10");
    assert_eq!(served.post_bytes("/api/digits/draw?model=d", &[0; 112 * 112]).json()["found"], 0);
    assert_eq!(served.post_bytes("/api/digits/draw?model=d", &[0; 7]).status, 400);
    doubts_are_said(&served);
    let photo = std::fs::read(dir.path().join("drawn.png")).unwrap();
    assert!(served.post_bytes("/api/digits/photo?model=d", &photo).status == 200);
    // Each digit of a photo is read for itself: none is the largest of several, as in a drawing.
    let many = std::fs::read(root().join("tests/data/digits/many.jpg")).unwrap();
    let read = served.post_bytes("/api/digits/photo?model=d", &many).json();
    let read = read["digits"].as_array().unwrap();
    assert!(read.len() == 10 && read.iter().all(|digit| digit["found"].is_null()));
    assert_eq!(served.post_bytes("/api/digits/photo?model=d", b"no picture").status, 400);
    // A drawing is answered while the hand moves.
    let drawn = drawing(&numbers(&served.got("/api/digits/test/0?model=d")["image"]), 3, (10, 10));
    let started = Instant::now();
    (0..20).for_each(|_| drop(served.post_bytes("/api/digits/draw?model=d", &drawn)));
    println!("a drawing: {:?}", started.elapsed() / 20);

    // Shapes of a step are those of the command, with gradients.
    let page = served.posted("/api/inspect", json!({"model": "d", "test": 0, "backward": true}));
    let command = last_json(&ok(dir.path(), &["inspect", "d", "--json", "--backward"]));
    let [a, b] =
        [&page, &command].map(|answer| answer["ops"].as_array().unwrap().iter().map(op).collect::<Vec<_>>());
    assert!(a.len() > 4, "{a:?}");
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a, b);
    }
    let (delta, shape) = served
        .values(&format!("/api/inspect/{}/values?name=layer2.z&gradient=1", page["id"].as_str().unwrap()));
    assert!(shape == [1, 10] && delta.iter().any(|x| *x != 0.0));

    // One step opened: every line has its matrix, and the update is w - eta dC/dw.
    let step = served.posted("/api/digits/step", json!({"model": "d"}));
    let id = step["id"].as_str().unwrap();
    for line in step["lines"].as_array().unwrap() {
        let (gradient, update) = (line["gradient"] == json!(true), line["update"] == json!(true));
        let name = line["value"].as_str().unwrap();
        let query = format!("name={name}&gradient={}&updated={}", u8::from(gradient), u8::from(update));
        let (_, shape) = served.values(&format!("/api/inspect/{id}/values?{query}"));
        assert_eq!(json!(shape), line["shape"], "{name}");
    }
    let value = |query: &str| served.values(&format!("/api/inspect/{id}/values?name=layer2.weight{query}")).0;
    let (w, gradient, updated) = (value(""), value("&gradient=1"), value("&updated=1"));
    let eta = step["learning_rate"].as_f64().unwrap() as f32;
    assert!(w.iter().zip(&gradient).zip(&updated).all(|((w, g), u)| (w - eta * g - u).abs() < 1e-6));
}

/// A small share, a wide figure and a dot are no sure digits, and the answer says which of these it is.
fn doubts_are_said(served: &Served) {
    let mut unsure = 0;
    for model in ["d", "digits"] {
        for index in 0..20 {
            let test = served.got(&format!("/api/digits/test/{index}?model={model}"));
            let is_clear = test["confidence"].as_f64().unwrap() as f32 >= MIN_CONFIDENCE;
            assert_eq!(test["sure"], json!(is_clear), "{test}");
            unsure += usize::from(test["sure"] == json!(false));
        }
    }
    assert!((20..40).contains(&unsure), "{unsure}");
    // A zigzag, twice as wide as high.
    let mut wide = vec![0; 112 * 112];
    for x in 16..96_usize {
        let middle = 40 + ((x - 16) % 40).abs_diff(20) * 3 / 2;
        (middle - 4..middle + 4).for_each(|y| wide[y * 112 + x] = 255);
    }
    let read = |drawn: &[u8]| served.post_bytes("/api/digits/draw?model=d", drawn).json();
    let zigzag = read(&wide);
    // Without a clear answer, the runner-up is the doubt.
    let clear = |read: &Value| read["confidence"].as_f64().unwrap() as f32 >= MIN_CONFIDENCE;
    let doubt = if clear(&zigzag) { json!("wide") } else { Value::Null };
    assert_eq!((&zigzag["sure"], &zigzag["doubt"]), (&json!(false), &doubt), "{zigzag}");
    // Test digits four times as wide as they are high: some are read clearly, and all the same are not sure.
    let mut clear_and_wide = 0;
    for index in 0..40 {
        let pixels = numbers(&served.got(&format!("/api/digits/test/{index}?model=d"))["image"]);
        let mut drawn = vec![0; 112 * 112];
        for (i, pixel) in drawn[40 * 112..68 * 112].iter_mut().enumerate() {
            *pixel = pixels[i / 112 * 28 + i % 112 / 4] as u8;
        }
        let answer = read(&drawn);
        let side = |name: &str| answer["box"][name].as_f64().unwrap_or_default();
        if answer["found"] == json!(1) && clear(&answer) && side("width") > 1.5 * side("height") {
            assert_eq!((&answer["sure"], &answer["doubt"]), (&json!(false), &json!("wide")), "{answer}");
            clear_and_wide += 1;
        }
    }
    assert!(clear_and_wide >= 3, "{clear_and_wide}");
    // A dot is no digit. Of a small one, the doubt has a test beside the command that prints it.
    let mut dot = vec![0; 112 * 112];
    dot[50 * 112 + 50] = 255;
    let dot = read(&dot);
    assert!(dot["why"].is_string(), "{dot}");
}

#[test]
fn a_gpt_shows_what_inspect_sample_and_compare_print() {
    let dir = with_text();
    let tiny = TINY_GPT.replace("--n-layer 1", "--n-layer 2");
    let train = [vec!["gpt", "train", "--max-iters", "60", "--run", "g"], tiny.split(' ').collect()].concat();
    ok(dir.path(), &train);
    let served = Served::start(dir.path(), &[]);
    let prompt = "12 times 7 is";
    let page = served.posted("/api/inspect", json!({"model": "g", "prompt": prompt}));
    let command = last_json(&ok(dir.path(), &["inspect", "g", "--json", "--prompt", prompt]));
    let [a, b] =
        [&page, &command].map(|answer| answer["ops"].as_array().unwrap().iter().map(op).collect::<Vec<_>>());
    assert!(a.len() > 20 && a == b);
    for field in ["tokens", "ids", "mask", "attention", "prediction"] {
        assert_eq!(page[field], command[field], "{field}");
    }
    // Without a text, one that the model can read; of a long one, the end.
    let own = served.posted("/api/inspect", json!({"model": "g"}));
    let again = served.posted("/api/inspect", json!({"model": "g", "prompt": own["text"]}));
    assert_eq!(own["ids"], again["ids"]);
    let long = served.posted("/api/inspect", json!({"model": "g", "prompt": prompt.repeat(40)}));
    assert!(long["left_out"].as_u64() > Some(0) && long["tokens"].as_array().unwrap().len() > 4, "{long}");
    // Every row of weights sums to 1, and what is masked is exactly 0.
    let id = page["id"].as_str().unwrap();
    let t = page["ids"].as_array().unwrap().len();
    let weights = |id: &str, head: usize| {
        served.values(&format!("/api/inspect/{id}/values?name=h.1.attn.weights&head={head}"))
    };
    let upper = |weights: &[f32]| (0..t).all(|i| (i + 1..t).all(|j| weights[i * t + j] == 0.0));
    let lower = |weights: &[f32]| (0..t).all(|i| (0..i).all(|j| weights[i * t + j] == 0.0));
    for head in 0..2 {
        let (weights, shape) = weights(id, head);
        assert_eq!(shape, [t, t]);
        assert!(weights.chunks(t).all(|row| close(row.iter().map(|&w| f64::from(w)).sum(), 1.0)));
        assert!(upper(&weights) && !lower(&weights));
    }
    // The same weights under the reversed mask and another score.
    let reversed = served.posted("/api/inspect", json!({"model": "g", "prompt": prompt, "mask": "reversed"}));
    let (flipped, _) = weights(reversed["id"].as_str().unwrap(), 0);
    assert!(lower(&flipped) && !upper(&flipped));
    assert_eq!(reversed["mask"], "reversed");
    let dot = served.posted("/api/inspect", json!({"model": "g", "prompt": prompt, "score": "dot"}));
    assert_ne!(dot["ops"], page["ops"]);
    assert_eq!(served.post("/api/inspect", json!({"model": "g", "score": "additive"})).status, 400);
    let choices = served.got("/api/what-if?model=g");
    assert_eq!(
        choices["scores"].as_array().unwrap().iter().filter(|score| score["own"] == json!(true)).count(),
        1
    );

    // The next tokens: those of the command, and for any temperature from the same logits.
    let next = served.got(&format!("/api/inspect/{id}/next?n=10"));
    for (a, b) in
        next["candidates"].as_array().unwrap().iter().zip(command["prediction"]["ranked"].as_array().unwrap())
    {
        assert!(close(a["probability"].as_f64().unwrap(), b["probability"].as_f64().unwrap()));
    }
    let (logits, _) = served.values(&format!("/api/inspect/{id}/values?name=logits&row={}", t - 1));
    let cold = served.got(&format!("/api/inspect/{id}/next?temperature=0.5&top_k=3&n=5"));
    assert_eq!(cold["kept"], 3);
    let mut sorted = logits.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let exps: Vec<f64> = sorted[..3].iter().map(|z| (f64::from(z - sorted[0]) / 0.5).exp()).collect();
    for (candidate, exp) in cold["candidates"].as_array().unwrap().iter().zip(&exps) {
        assert!(close(candidate["probability"].as_f64().unwrap(), exp / exps.iter().sum::<f64>()));
    }
    // All layers together predict what the model predicts.
    let lens = served.got(&format!("/api/inspect/{id}/lens?n=1"));
    let layers = lens["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 3);
    assert_eq!(layers[2]["top"][0]["id"], next["candidates"][0]["id"]);

    // The same seed writes the same text.
    let mut wanted = json!({"model": "g", "prompt": prompt, "tokens": 50, "seed": 7});
    writes_the_same(&served, dir.path(), &wanted, &[]);
    // As the page asks for it.
    (wanted["temperature"], wanted["top_k"]) = (json!(1), Value::Null);
    writes_the_same(&served, dir.path(), &wanted, &["--temperature", "1", "--top-k", "1000"]);

    // One core: what `compare` prints, but for the time it took; each place opens its line.
    let page = served.got("/api/compare?a=digits&b=g");
    let command = last_json(&ok(dir.path(), &["compare", "digits", "g", "--json"]));
    let shared = |answer: &Value| {
        let functions = answer["functions"].as_array().unwrap().iter();
        functions
            .map(|f| [f["name"].clone(), f["stage"].clone(), f["shared"].clone(), f["place"].clone()])
            .collect::<Vec<_>>()
    };
    assert_eq!(shared(&page), shared(&command));
    assert_eq!(page["shared_functions"], command["shared_functions"]);
    for function in page["functions"].as_array().unwrap() {
        let open = |place: &Value, more: &str| {
            let (file, line) = (place["file"].as_str().unwrap(), &place["line"]);
            served.got(&format!("/api/source?file={file}&line={line}{more}"))
        };
        let source = open(&function["place"], "");
        assert!(source["lines"][0].as_str().unwrap().contains("fn "), "{source}");
        for run in function["runs"].as_array().unwrap().iter().filter(|run| !run.is_null()) {
            let caller = open(&run["callers"][0]["place"], "&caller=1");
            assert!(caller["lines"].as_array().unwrap().len() >= 4, "{caller}");
        }
    }
    for lang in ["en", "es"] {
        let notes = served.got(&format!("/api/notes?lang={lang}"));
        for note in notes["notes"].as_array().unwrap() {
            let name = note["name"].as_str().unwrap().replace('/', "%2F");
            let note = served.got(&format!("/api/notes/{name}?lang={lang}"));
            assert!(note["blocks"].as_array().unwrap().len() > 3);
        }
    }
}

/// Expects that the page writes what `gpt sample` writes with these flags.
fn writes_the_same(served: &Served, dir: &Path, wanted: &Value, flags: &[&str]) {
    let mut done = Value::Null;
    let mut shown = String::new();
    served.events("POST", "/api/generate", &wanted.to_string(), |name, data| {
        match name {
            "token" => shown += data["text"].as_str().unwrap(),
            _ => done = data.clone(),
        }
        name == "done" || name == "failed"
    });
    let prompt = wanted["prompt"].as_str().unwrap();
    let sample = ["gpt", "sample", "g", "--prompt", prompt, "--tokens", "50", "--seed", "7", "--json"];
    let sample = ok(dir, &[&sample[..], flags].concat());
    let sample: Value = serde_json::from_str(sample.lines().next().unwrap()).unwrap();
    assert_eq!(done["text"], sample["text"]);
    assert_eq!(done["text"], shown);
    assert_eq!(done["ids"], sample["tokens"]);
}

#[test]
fn positions_have_the_base_of_the_model_and_a_space_is_a_text() {
    let dir = with_text();
    let flags = "gpt train --max-iters 1 --run g --positions sinusoidal --positions-base 100";
    ok(dir.path(), &flags.split(' ').chain(TINY_GPT.split(' ')).collect::<Vec<_>>());
    let served = Served::start(dir.path(), &[]);
    let table = served.get("/api/positions?model=g");
    assert_eq!((table.status, table.header("x-base")), (200, "100"));
    let want = (1.0 / 100_f64.powf(2.0 / 16.0)).sin();
    assert!(close(f64::from(table.floats()[16 + 2]), want), "{want}");
    // A GPT reads a space; nothing else does.
    let status = |model: &str, prompt: &str| {
        served.post("/api/inspect", json!({"model": model, "prompt": prompt})).status
    };
    assert_eq!([status("g", " "), status("g", ""), status("translate", " ")], [200, 400, 400]);
}

#[test]
fn four_layers_of_64_tokens_are_shown_at_once() {
    let dir = with_text();
    let flags = "gpt train --data a.txt --n-layer 4 --n-head 4 --n-embd 128 --block-size 64 --batch-size 2 --max-iters 1 \
                 --eval-interval 1 --eval-iters 1 --run g";
    ok(dir.path(), &flags.split_whitespace().collect::<Vec<_>>());
    let served = Served::start(dir.path(), &[]);
    let prompt: String = "1 times 7 is 7. ".repeat(4);
    let ask = || served.posted("/api/inspect", json!({"model": "g", "prompt": prompt}));
    ask();
    let seconds: Vec<f64> = (0..5).map(|_| ask()["seconds"].as_f64().unwrap()).collect();
    let fastest = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    println!("4 layers, 64 tokens: {seconds:?} s");
    // 0.05 s on a machine with nothing else to do; the tests share few cores, and are less optimised.
    assert!(fastest < 0.25, "{seconds:?}");
}
