//! The pictures of note 3: Q, K, V, scores, masks, heads, the residual stream.

use m2g_core::rng::{Streams, normal};

use crate::canvas::Canvas;
use crate::training;

/// Softmax of each row: `(T, T) -> (T, T)`.
fn softmax_rows(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let row = |row: &Vec<f64>| {
        let sum: f64 = row.iter().map(|s| s.exp()).sum();
        row.iter().map(|s| s.exp() / sum).collect()
    };
    rows.iter().map(row).collect()
}

pub fn qkv(c: &mut Canvas) {
    c.start(640.0, 330.0, "Three linear layers make Q, K and V", "Tres capas lineales hacen Q, K y V");
    let cell = 16.0;
    c.matrix((40.0, 125.0), (5, 8), cell, "ink");
    c.styled((104.0, 112.0), "middle", "bold", "x");
    c.styled((104.0, 225.0), "middle", "mono small", "(T, C)");
    let says = [
        ("Q", "W_q", "blue", c.say("what I am looking for", "lo que busco")),
        ("K", "W_k", "green", c.say("what I have to offer", "lo que ofrezco")),
        ("V", "W_v", "red", c.say("what I pass on", "lo que entrego")),
    ];
    for (i, (name, weight, colour, about)) in says.into_iter().enumerate() {
        let y = 15.0 + 105.0 * i as f64;
        c.arrow((172.0, 165.0), (240.0, y + 45.0), "grey");
        c.matrix((250.0, y), (4, 8), 10.0, colour);
        c.styled((290.0, y + 55.0), "middle", "small mono", &format!("{weight} (D, C)"));
        c.arrow((340.0, y + 35.0), (390.0, y + 35.0), colour);
        c.matrix((400.0, y), (5, 4), cell, colour);
        c.styled((475.0, y + 25.0), "start", "bold", name);
        c.styled((475.0, y + 44.0), "start", "mono small", "(T, D)");
        c.styled((475.0, y + 64.0), "start", "small quiet", about);
    }
}

const SCORES: [[f64; 4]; 4] =
    [[0.9, 0.2, -0.4, 0.5], [1.2, 0.4, 0.8, -0.2], [-0.3, 1.6, 0.3, 0.9], [0.1, 0.6, 1.9, 0.4]];

pub fn scores(c: &mut Canvas) {
    c.start(720.0, 280.0, "Scores, mask, weights", "Puntuaciones, máscara, pesos");
    let raw: Vec<Vec<f64>> = SCORES.iter().map(|row| row.to_vec()).collect();
    let mut masked = raw.clone();
    for (i, row) in masked.iter_mut().enumerate() {
        row.iter_mut().skip(i + 1).for_each(|s| *s = f64::NEG_INFINITY);
    }
    let weights = softmax_rows(&masked);
    let names = [
        (c.say("scores", "puntuaciones"), "Q Kᵀ / √D"),
        (c.say("with mask", "con máscara"), c.say("future = −∞", "futuro = −∞")),
        (c.say("weights", "pesos"), c.say("softmax of each row", "softmax de cada fila")),
    ];
    for (i, rows) in [raw, masked, weights].iter().enumerate() {
        let left = 60.0 + 225.0 * i as f64;
        c.heat((left, 60.0), (44.0, 38.0), rows, Some(if i == 2 { 2 } else { 1 }));
        c.styled((left + 88.0, 25.0), "middle", "bold", names[i].0);
        c.styled((left + 88.0, 45.0), "middle", "mono small", names[i].1);
        c.styled((left + 88.0, 232.0), "middle", "mono small", "(T, T)");
        if i < 2 {
            c.arrow((left + 182.0, 136.0), (left + 218.0, 136.0), "ink");
        }
    }
    for t in 0..4 {
        c.styled((52.0, 84.0 + 38.0 * t as f64), "end", "small quiet", &format!("q{t}"));
    }
    let note = c.say(
        "a row for each query, a column for each key; each row of weights has the sum 1",
        "una fila por consulta, una columna por clave; cada fila de pesos suma 1",
    );
    c.styled((360.0, 265.0), "middle", "small quiet", note);
}

/// Whether query i sees key j.
type Sees = fn(usize, usize) -> bool;

pub fn masks(c: &mut Canvas) {
    c.start(720.0, 235.0, "Four masks", "Cuatro máscaras");
    let kinds: [(&str, Sees); 4] = [
        ("causal", |i, j| j <= i),
        (c.say("reversed", "invertida"), |i, j| j >= i),
        (c.say("none", "ninguna"), |_, _| true),
        (c.say("window of 2", "ventana de 2"), |i, j| j <= i && j + 2 > i),
    ];
    for (m, (name, sees)) in kinds.into_iter().enumerate() {
        let left = 30.0 + 175.0 * m as f64;
        for i in 0..6 {
            for j in 0..6 {
                let at = (left + 22.0 * j as f64, 45.0 + 22.0 * i as f64);
                let leak = sees(i, j) && j > i;
                let class = match (sees(i, j), leak) {
                    (_, true) => "red-fill",
                    (true, false) => "blue-fill",
                    _ => "grey-fill pale",
                };
                c.rect(at, (20.0, 20.0), class);
            }
        }
        c.styled((left + 65.0, 28.0), "middle", "bold", name);
    }
    c.rect((150.0, 205.0), (14.0, 14.0), "blue-fill");
    c.styled(
        (170.0, 217.0),
        "start",
        "small",
        c.say("the token itself and the past", "el propio token y el pasado"),
    );
    c.rect((420.0, 205.0), (14.0, 14.0), "red-fill");
    c.styled(
        (440.0, 217.0),
        "start",
        "small",
        c.say("the future: the answer leaks", "el futuro: se filtra la respuesta"),
    );
}

pub fn heads(c: &mut Canvas) {
    c.start(640.0, 290.0, "C channels become H heads of D", "C canales se vuelven H cabezas de D");
    let (cell, colours) = (15.0, ["blue", "green", "red"]);
    for (h, colour) in colours.into_iter().enumerate() {
        c.matrix((40.0 + 60.0 * h as f64, 105.0), (5, 4), cell, colour);
        c.arrow((228.0, 143.0), (285.0, 60.0 + 85.0 * h as f64), "grey");
        c.matrix((292.0, 20.0 + 85.0 * h as f64), (5, 4), cell, colour);
        c.arrow((360.0, 58.0 + 85.0 * h as f64), (412.0, 143.0), "grey");
        c.matrix((420.0 + 60.0 * h as f64, 105.0), (5, 4), cell, colour);
    }
    c.styled((130.0, 92.0), "middle", "small", c.say("Q: (B, T, C)", "Q: (B, T, C)"));
    c.styled((130.0, 205.0), "middle", "mono small", "split_heads");
    c.styled((322.0, 285.0), "middle", "small", "(B, H, T, D)");
    c.styled((510.0, 92.0), "middle", "small", c.say("answers: (B, T, C)", "respuestas: (B, T, C)"));
    c.styled((510.0, 205.0), "middle", "mono small", "merge_heads");
    c.styled((130.0, 230.0), "middle", "small quiet", "C = 12, H = 3, D = 4");
}

pub fn scale(c: &mut Canvas) {
    c.start(640.0, 280.0, "Softmax with and without 1/sqrt(D)", "Softmax con y sin 1/sqrt(D)");
    let mut rng = Streams::new(1).stream("scale", 0);
    let d = 64;
    let q: Vec<f64> = (0..d).map(|_| normal(&mut rng)).collect();
    let scores: Vec<f64> = (0..8).map(|_| q.iter().map(|q| q * normal(&mut rng)).sum()).collect();
    for (i, root) in [1.0, 8.0].into_iter().enumerate() {
        let left = 40.0 + 300.0 * i as f64;
        let p = softmax_rows(&[scores.iter().map(|s| s / root).collect()]).remove(0);
        for (j, (p, s)) in p.iter().zip(&scores).enumerate() {
            let x = left + 31.0 * j as f64;
            c.rect((x, 190.0 - 140.0 * p), (25.0, 140.0 * p), "blue-fill");
            let score = format!("{:.0}", s / root).replace('-', "−");
            c.styled((x + 12.5, 207.0), "middle", "small quiet", if score == "−0" { "0" } else { &score });
        }
        c.line((left - 4.0, 190.0), (left + 254.0, 190.0), "grey thin");
        let name = ["softmax(q · k)", "softmax(q · k / √64)"][i];
        c.styled((left + 125.0, 28.0), "middle", "bold", name);
    }
    let note = c.say(
        "one query, 8 keys of 64 random numbers; below each bar its score, rounded",
        "una consulta y 8 claves de 64 números al azar; bajo cada barra, su puntuación redondeada",
    );
    c.styled((320.0, 245.0), "middle", "small quiet", note);
    let note = c.say(
        "left: one key takes all, and the others get no gradient",
        "izquierda: una clave se lo lleva todo, y las demás no reciben gradiente",
    );
    c.styled((320.0, 265.0), "middle", "small quiet", note);
}

pub fn residual(c: &mut Canvas) {
    c.start(720.0, 240.0, "The residual stream", "La corriente residual");
    c.arrow((30.0, 70.0), (690.0, 70.0), "blue thick");
    c.styled((30.0, 45.0), "start", "bold", "x  (B, T, C)");
    let parts = [(130.0, c.say("attention", "atención")), (430.0, c.say("feed-forward", "feed-forward"))];
    for (x, name) in parts {
        c.arrow((x, 72.0), (x, 128.0), "ink");
        c.labelled((x - 35.0, 130.0), (70.0, 36.0), "green", "norm");
        c.arrow((x + 35.0, 148.0), (x + 62.0, 148.0), "ink");
        c.labelled((x + 64.0, 130.0), (110.0, 36.0), "ink", name);
        c.arrow((x + 200.0, 148.0), (x + 200.0, 84.0), "ink");
        c.line((x + 174.0, 148.0), (x + 200.0, 148.0), "ink");
        c.circle((x + 200.0, 70.0), 13.0, "paper");
        c.circle((x + 200.0, 70.0), 13.0, "blue");
        c.styled((x + 200.0, 75.0), "middle", "bold", "+");
    }
    c.arrow((690.0, 205.0), (30.0, 205.0), "red");
    let note = c.say(
        "backward, the gradient passes every + unchanged",
        "hacia atrás, el gradiente pasa cada + sin cambio",
    );
    c.styled((360.0, 228.0), "middle", "small", note);
}

pub fn cache(c: &mut Canvas) {
    c.start(640.0, 230.0, "The KV cache", "La caché KV");
    for step in 0..4 {
        let left = 40.0 + 150.0 * step as f64;
        let tokens = step + 3;
        for t in 0..tokens {
            let y = 60.0 + 20.0 * t as f64;
            let new = t + 1 == tokens;
            c.rect((left + 34.0, y), (26.0, 17.0), if new { "green-fill" } else { "green-fill pale" });
            c.rect((left + 66.0, y), (26.0, 17.0), if new { "red-fill" } else { "red-fill pale" });
            if new {
                c.rect((left, y), (26.0, 17.0), "blue-fill");
            }
        }
        for (x, name) in [(13.0, "q"), (47.0, "K"), (79.0, "V")] {
            c.styled((left + x, 50.0), "middle", "bold", name);
        }
        c.styled((left + 46.0, 25.0), "middle", "small", &format!("T = {tokens}"));
    }
    let note = c.say(
        "solid: computed for the new token; pale: kept from before",
        "intenso: calculado para el token nuevo; pálido: guardado de antes",
    );
    c.styled((320.0, 212.0), "middle", "small quiet", note);
}

/// The heads of a small GPT that was trained to repeat words.
pub fn head_weights(c: &mut Canvas) {
    c.start(
        720.0,
        365.0,
        "Two heads of a trained GPT on a sentence",
        "Dos cabezas de un GPT entrenado, en una frase",
    );
    let trained = training::repeating();
    for (h, rows) in trained.heads.iter().enumerate() {
        let (left, top, cell) = (85.0 + 345.0 * h as f64, 85.0, 28.0);
        c.heat((left, top), (cell, cell), rows, None);
        for (t, word) in trained.sentence.iter().enumerate() {
            c.styled((left - 8.0, top + 19.0 + cell * t as f64), "end", "small", word);
            let at = (left + 14.0 + cell * t as f64, top - 8.0);
            c.styled(at, "middle", "small quiet", &word.chars().take(3).collect::<String>());
        }
        c.styled((left + 125.0, 35.0), "middle", "bold", &format!("{} {h}", c.say("head", "cabeza")));
        c.styled((left + 125.0, 55.0), "middle", "small quiet", c.say("looks at", "mira a"));
    }
    let note = c.say(
        "a row for each word that looks; after the bar, the words come again in the same order",
        "una fila por palabra que mira; después de la barra, las palabras vuelven en el mismo orden",
    );
    c.styled((360.0, 345.0), "middle", "small quiet", note);
}

pub fn repeating_loss(c: &mut Canvas) {
    c.start(640.0, 290.0, "A GPT learns to look back", "Un GPT aprende a mirar atrás");
    let losses = &training::repeating().losses;
    let steps = losses.len() as f64 - 1.0;
    let axes = crate::canvas::Axes {
        x: (0.0, steps),
        y: (0.0, 2.5),
        left: 50.0,
        top: 35.0,
        width: 560.0,
        height: 200.0,
    };
    let ticks: Vec<f64> = (0..=5).map(|i| (steps / 5.0 * f64::from(i)).round()).collect();
    axes.draw(c, &ticks, &[0.0, 1.0, 2.0], (c.say("step", "paso"), c.say("loss in nats", "pérdida en nats")));
    let (nothing, floor) = training::repeating_bounds();
    axes.level(c, nothing, "grey dash");
    axes.level(c, floor, "grey dash");
    axes.curve(c, losses.iter().enumerate().map(|(i, l)| (i as f64, *l)), "blue thick");
    let text = format!(
        "{}: {nothing:.3}",
        c.say("it knows the words, but does not look back", "conoce las palabras, pero no mira atrás")
    );
    c.text((250.0, axes.at(0.0, nothing).1 - 8.0), &text);
    let text = format!("{}: {floor:.3}", c.say("the best possible", "lo mejor posible"));
    c.text((60.0, axes.at(0.0, floor).1 + 18.0), &text);
}

pub fn cross(c: &mut Canvas) {
    c.start(640.0, 300.0, "Cross-attention", "Atención cruzada");
    c.labelled(
        (30.0, 40.0),
        (238.0, 40.0),
        "green",
        c.say("encoder: the source, S tokens", "codificador: la fuente, S tokens"),
    );
    c.labelled(
        (30.0, 210.0),
        (238.0, 40.0),
        "blue",
        c.say("decoder: the target, T tokens", "decodificador: la meta, T tokens"),
    );
    c.arrow((268.0, 60.0), (440.0, 86.0), "green");
    c.styled((350.0, 62.0), "middle", "small mono", "K, V");
    c.arrow((268.0, 230.0), (384.0, 162.0), "blue");
    c.styled((300.0, 190.0), "middle", "small mono", "Q");
    let source = ["la", "casa", "es", "muy", "vieja"];
    let target = ["the", "house", "is"];
    let rows: Vec<Vec<f64>> = vec![
        vec![0.8, 0.12, 0.03, 0.02, 0.03],
        vec![0.1, 0.82, 0.02, 0.02, 0.04],
        vec![0.03, 0.08, 0.8, 0.05, 0.04],
    ];
    c.heat((430.0, 110.0), (38.0, 30.0), &rows, Some(2));
    for (i, word) in source.iter().enumerate() {
        c.styled((449.0 + 38.0 * i as f64, 100.0), "middle", "small", word);
    }
    for (i, word) in target.iter().enumerate() {
        c.styled((424.0, 130.0 + 30.0 * i as f64), "end", "small", word);
    }
    c.styled((525.0, 222.0), "middle", "mono small", c.say("weights (T, S)", "pesos (T, S)"));
    c.styled(
        (525.0, 246.0),
        "middle",
        "small quiet",
        c.say("drawn by hand, not measured", "dibujados a mano, no medidos"),
    );
    c.styled(
        (320.0, 288.0),
        "middle",
        "small quiet",
        c.say(
            "a row for each target token, a column for each source token; no triangle is hidden",
            "una fila por token de la meta, una columna por token de la fuente; ningún triángulo oculto",
        ),
    );
}
