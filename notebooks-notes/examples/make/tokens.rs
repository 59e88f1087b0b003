//! The pictures of note 2: tokens, embeddings, probabilities.

use crate::canvas::{Axes, Canvas, span};
use crate::training;

const HELLO: [&str; 5] = ["h", "e", "l", "l", "o"];
const IDS: [usize; 5] = [3, 2, 4, 4, 5];
pub const VOCABULARY: [&str; 8] = ["␣", "d", "e", "h", "l", "o", "r", "w"];

/// `(V) -> (V)`.
fn softmax(z: &[f64]) -> Vec<f64> {
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    z.iter().map(|z| z.exp() / sum).collect()
}

pub fn tokens(c: &mut Canvas) {
    c.start(640.0, 290.0, "From characters to one-hot rows", "De los caracteres a filas one-hot");
    for (t, (letter, id)) in HELLO.iter().zip(IDS).enumerate() {
        let y = 60.0 + 42.0 * t as f64;
        c.labelled((40.0, y), (40.0, 34.0), "ink", letter);
        c.arrow((84.0, y + 17.0), (142.0, y + 17.0), "ink");
        c.labelled((146.0, y), (40.0, 34.0), "blue", &id.to_string());
        c.arrow((190.0, y + 17.0), (256.0, y + 17.0), "ink");
        for v in 0..8 {
            let at = (262.0 + 42.0 * v as f64, y);
            let hit = v == id;
            c.rect(at, (38.0, 34.0), if hit { "blue-fill pale" } else { "grey-fill pale" });
            c.styled(
                (at.0 + 19.0, y + 22.0),
                "middle",
                if hit { "bold" } else { "quiet" },
                if hit { "1" } else { "0" },
            );
        }
    }
    c.styled((60.0, 40.0), "middle", "small", c.say("text", "texto"));
    c.styled((166.0, 40.0), "middle", "small", c.say("token id", "número"));
    for (v, letter) in VOCABULARY.iter().enumerate() {
        c.styled((281.0 + 42.0 * v as f64, 50.0), "middle", "small", letter);
    }
    c.styled((430.0, 28.0), "middle", "small", c.say("one-hot: (T, V) = (5, 8)", "one-hot: (T, V) = (5, 8)"));
}

pub fn targets(c: &mut Canvas) {
    c.start(640.0, 200.0, "Each position is an example", "Cada posición es un ejemplo");
    for (t, letter) in HELLO[..4].iter().enumerate() {
        let x = 150.0 + 110.0 * t as f64;
        c.labelled((x, 40.0), (60.0, 36.0), "blue", letter);
        c.labelled((x, 130.0), (60.0, 36.0), "green", HELLO[t + 1]);
        c.arrow((x + 30.0, 78.0), (x + 30.0, 128.0), "ink");
        for before in 0..t {
            let from = 180.0 + 110.0 * before as f64;
            c.line((from, 76.0), (x + 26.0, 126.0), "grey thin dash");
        }
    }
    c.text((30.0, 63.0), "x  (B, T)");
    c.text((30.0, 153.0), "y  (B, T)");
    let note = c.say(
        "solid: what a bigram sees; dashed: what a GPT sees as well",
        "continua: lo que ve un bigrama; a trazos: lo que además ve un GPT",
    );
    c.styled((320.0, 190.0), "middle", "small quiet", note);
}

pub fn embedding(c: &mut Canvas) {
    c.start(640.0, 230.0, "An embedding looks a row up", "Un embedding busca una fila");
    let cell = 20.0;
    c.matrix((40.0, 75.0), (4, 6), cell, "ink");
    for (t, v) in [3, 1, 3, 5].into_iter().enumerate() {
        c.styled((40.0 + cell * (v as f64 + 0.5), 90.0 + cell * t as f64), "middle", "small bold", "1");
    }
    c.mark((40.0, 75.0), [1, 2], [0, 6], cell, "blue");
    c.styled((190.0, 120.0), "middle", "bold", "·");
    c.matrix((220.0, 55.0), (6, 5), cell, "green");
    c.mark((220.0, 55.0), [1, 2], [0, 5], cell, "blue");
    c.styled((355.0, 120.0), "middle", "bold", "=");
    c.matrix((390.0, 75.0), (4, 5), cell, "blue");
    c.mark((390.0, 75.0), [1, 2], [0, 5], cell, "blue");
    for (x, name, shape) in [
        (100.0, c.say("one-hot rows", "filas one-hot"), "(T, V)"),
        (270.0, c.say("table", "tabla"), "(V, C)"),
        (440.0, c.say("embeddings", "embeddings"), "(T, C)"),
    ] {
        c.styled((x, 30.0), "middle", "bold", name);
        c.styled((x, 200.0), "middle", "mono small", shape);
    }
    for (text, y) in [
        (c.say("A 1 at place 1", "Un 1 en el lugar 1"), 100.0),
        (c.say("picks row 1.", "elige la fila 1."), 118.0),
        (c.say("Nobody multiplies", "Nadie multiplica"), 142.0),
        (c.say("the zeros.", "los ceros."), 160.0),
    ] {
        c.styled((515.0, y), "start", "small quiet", text);
    }
}

pub fn bigram_table(c: &mut Canvas) {
    c.start(
        640.0,
        330.0,
        "What a bigram model has learned from hello",
        "Lo que un modelo de bigramas aprendió de hello",
    );
    let rows: Vec<Vec<f64>> = training::bigram().table.iter().map(|row| softmax(row)).collect();
    let (left, top) = (130.0, 60.0);
    c.heat((left, top), (46.0, 30.0), &rows, Some(2));
    for (v, letter) in VOCABULARY.iter().enumerate() {
        c.styled((left - 12.0, top + 20.0 + 30.0 * v as f64), "end", "", letter);
        c.centred((left + 23.0 + 46.0 * v as f64, top - 8.0), letter);
    }
    c.styled(
        (left + 184.0, 28.0),
        "middle",
        "small",
        c.say("probability of the next character", "probabilidad del carácter siguiente"),
    );
    c.styled((30.0, top + 120.0), "start", "small", c.say("after", "después de"));
    let note = c.say(
        "rows that never occurred are still even: 1/8",
        "las filas que nunca aparecieron siguen iguales: 1/8",
    );
    c.styled((left + 184.0, 320.0), "middle", "small quiet", note);
}

pub fn bigram_loss(c: &mut Canvas) {
    c.start(640.0, 290.0, "The loss of the bigram model", "La pérdida del modelo de bigramas");
    let axes = Axes { x: (0.0, 200.0), y: (0.0, 2.2), left: 50.0, top: 35.0, width: 560.0, height: 200.0 };
    axes.draw(
        c,
        &[0.0, 50.0, 100.0, 150.0, 200.0],
        &[0.0, 1.0, 2.0],
        (c.say("step", "paso"), c.say("loss in nats", "pérdida en nats")),
    );
    let (know_nothing, best) = (8.0_f64.ln(), 0.5 * 2.0_f64.ln());
    axes.level(c, know_nothing, "grey dash");
    axes.level(c, best, "grey dash");
    axes.curve(c, training::bigram().losses.iter().enumerate().map(|(i, l)| (i as f64, *l)), "blue thick");
    c.text(
        (330.0, axes.at(0.0, know_nothing).1 + 18.0),
        c.say("ln 8 = 2.079: it knows nothing", "ln 8 = 2.079: no sabe nada"),
    );
    c.text(
        (330.0, axes.at(0.0, best).1 - 8.0),
        c.say("½ ln 2 = 0.347: the best possible", "½ ln 2 = 0.347: lo mejor posible"),
    );
}

pub fn temperature(c: &mut Canvas) {
    c.start(640.0, 260.0, "The same logits at three temperatures", "Los mismos logits a tres temperaturas");
    let logits = [2.0, 1.0, 0.0, -1.0];
    for (i, t) in [0.5, 1.0, 2.0].into_iter().enumerate() {
        let left = 50.0 + 200.0 * i as f64;
        let p = softmax(&logits.map(|z| z / t));
        for (j, p) in p.iter().enumerate() {
            let (x, height) = (left + 40.0 * j as f64, 150.0 * p);
            c.rect((x, 200.0 - height), (30.0, height), "blue-fill");
            c.styled((x + 15.0, 192.0 - height), "middle", "small", &format!("{p:.2}"));
            c.styled((x + 15.0, 218.0), "middle", "small quiet", &format!("{}", logits[j]).replace('-', "−"));
        }
        c.line((left - 8.0, 200.0), (left + 158.0, 200.0), "grey thin");
        c.styled((left + 75.0, 24.0), "middle", "bold", &format!("T = {t}"));
    }
    let note = c.say(
        "below each bar its logit: p = softmax(logits / T)",
        "bajo cada barra, su logit: p = softmax(logits / T)",
    );
    c.styled((320.0, 246.0), "middle", "small quiet", note);
}

pub fn nats(c: &mut Canvas) {
    c.start(
        640.0,
        310.0,
        "The loss is minus the logarithm of the probability",
        "La pérdida es menos el logaritmo de la probabilidad",
    );
    let axes = Axes { x: (0.0, 1.0), y: (0.0, 5.0), left: 50.0, top: 35.0, width: 560.0, height: 220.0 };
    let labels = (
        c.say("probability of the right token", "probabilidad del token correcto"),
        c.say("loss in nats", "pérdida en nats"),
    );
    axes.draw(c, &[0.0, 0.25, 0.5, 0.75, 1.0], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], labels);
    axes.curve(c, span(0.0, 5.0, 150).map(|loss| ((-loss).exp(), loss)), "blue thick");
    let points: [(f64, &str, &str); 4] = [
        (1.0 / 65.0, "1 of 65: 4.17, as if choosing among 65", "1 de 65: 4.17, como elegir entre 65"),
        (0.125, "1 of 8: 2.08, among 8", "1 de 8: 2.08, entre 8"),
        (0.5, "1 of 2: 0.69, among 2", "1 de 2: 0.69, entre 2"),
        (1.0, "sure: 0", "seguro: 0"),
    ];
    for (p, english, spanish) in points {
        let at = axes.at(p, -p.ln());
        c.circle(at, 5.0, "red-fill");
        match p < 1.0 {
            true => c.text((at.0 + 10.0, at.1 - 6.0), c.say(english, spanish)),
            false => c.styled((at.0 - 10.0, at.1 - 10.0), "end", "", c.say(english, spanish)),
        }
    }
}
