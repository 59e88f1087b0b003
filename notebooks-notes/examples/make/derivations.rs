//! The pictures of the derivations: the tape, softmax, layer norm, attention backward, positions.

use std::f64::consts::TAU;

use m2g_core::Tensor;
use m2g_core::nn::sinusoidal;

use crate::canvas::{Axes, Canvas, span};

/// z = w x + b, a = s(z), C = (a - y)^2 / 2 with w = 2, x = 1, b = -0.5, y = 0.
pub fn tape(c: &mut Canvas) {
    c.start(720.0, 270.0, "Values forward, slopes backward", "Valores hacia delante, pendientes hacia atrás");
    let (w, x, b, y) = (2.0, 1.0, -0.5, 0.0_f64);
    let product = w * x;
    let z: f64 = product + b;
    let a = 1.0 / (1.0 + (-z).exp());
    let cost = (a - y).powi(2) / 2.0;
    let da = a - y;
    let dz = da * a * (1.0 - a);
    let nodes = [
        ((65.0, 50.0), "w", w, dz * x),
        ((65.0, 130.0), "x", x, dz * w),
        ((210.0, 90.0), "w·x", product, dz),
        ((210.0, 190.0), "b", b, dz),
        ((355.0, 130.0), "z", z, dz),
        ((500.0, 130.0), "a = s(z)", a, da),
        ((645.0, 130.0), "C", cost, 1.0),
    ];
    for (from, to) in [(0, 2), (1, 2), (2, 4), (3, 4), (4, 5), (5, 6)] {
        let (start, end) = (nodes[from].0, nodes[to].0);
        c.arrow((start.0 + 48.0, start.1), (end.0 - 48.0, end.1), "grey");
    }
    let minus = |text: String| text.replace('-', "−");
    for ((cx, cy), name, value, slope) in nodes {
        c.rect((cx - 47.0, cy - 30.0), (94.0, 60.0), "ink");
        c.styled((cx, cy - 12.0), "middle", "bold", name);
        c.styled((cx, cy + 6.0), "middle", "small", &minus(format!("{value:.3}")));
        c.styled((cx, cy + 23.0), "middle", "small", &minus(format!("∂C: {slope:.3}")));
    }
    let note = c.say("w = 2, x = 1, b = −0.5, y = 0, C = (a − y)² / 2; under each value ∂C, the slope of C with respect to it", "w = 2, x = 1, b = −0.5, y = 0, C = (a − y)² / 2; bajo cada valor ∂C, la pendiente de C respecto a él");
    c.styled((360.0, 255.0), "middle", "small quiet", note);
}

pub fn softmax_gradient(c: &mut Canvas) {
    c.start(
        640.0,
        270.0,
        "The gradient of softmax with cross-entropy: p minus y",
        "El gradiente de softmax con entropía cruzada: p menos y",
    );
    let z = [0.5_f64, -1.0, 2.0, 1.0];
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    let p = z.map(|z| z.exp() / sum);
    let y = [1.0, 0.0, 0.0, 0.0];
    let kinds = [
        (c.say("p, the model", "p, el modelo"), p),
        (c.say("y, the truth", "y, la verdad"), y),
        ("p − y", [p[0] - y[0], p[1] - y[1], p[2] - y[2], p[3] - y[3]]),
    ];
    for (i, (name, values)) in kinds.into_iter().enumerate() {
        let left = 50.0 + 200.0 * i as f64;
        for (j, v) in values.into_iter().enumerate() {
            let (x, height) = (left + 40.0 * j as f64, 78.0 * v.abs());
            let top = if v < 0.0 { 150.0 } else { 150.0 - height };
            c.rect((x, top), (30.0, height), if v < 0.0 { "red-fill" } else { "blue-fill" });
            let at = if v < 0.0 { 150.0 + height + 15.0 } else { 142.0 - height };
            c.styled((x + 15.0, at), "middle", "small", &format!("{v:.2}").replace('-', "−"));
        }
        c.line((left - 8.0, 150.0), (left + 158.0, 150.0), "grey thin");
        c.styled((left + 75.0, 24.0), "middle", "bold", name);
    }
    let note = c.say(
        "a step against the gradient raises the logit of the right token and lowers all others",
        "un paso contra el gradiente sube el logit del token correcto y baja todos los demás",
    );
    c.styled((320.0, 258.0), "middle", "small quiet", note);
}

pub fn layer_norm(c: &mut Canvas) {
    c.start(640.0, 240.0, "Layer norm moves and stretches a row", "Layer norm desplaza y estira una fila");
    let row = [5.2_f64, 6.0, 3.1, 4.4, 7.8, 5.5];
    let mean = row.iter().sum::<f64>() / 6.0;
    let sd = (row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 6.0).sqrt();
    let steps = [
        ("x", row),
        (c.say("x − mean", "x − media"), row.map(|x| x - mean)),
        (c.say("/ standard deviation", "/ desviación típica"), row.map(|x| (x - mean) / sd)),
    ];
    for (i, (name, values)) in steps.iter().enumerate() {
        let y = 50.0 + 65.0 * i as f64;
        let at = |x: f64| 250.0 + 42.0 * x;
        c.line((at(-3.2), y), (at(8.6), y), "grey thin");
        for tick in -3..=8 {
            c.line((at(f64::from(tick)), y), (at(f64::from(tick)), y + 4.0), "grey thin");
            if i == 2 || tick == 0 {
                c.styled(
                    (at(f64::from(tick)), y + 18.0),
                    "middle",
                    "small quiet",
                    &format!("{tick}").replace('-', "−"),
                );
            }
        }
        for v in values {
            c.circle((at(*v), y), 5.0, "blue-fill");
        }
        c.styled((10.0, y - 14.0), "start", "small bold", name);
    }
    let note = c.say(
        "the result has the mean 0 and the variance 1, whatever x was",
        "el resultado tiene media 0 y varianza 1, fuera x lo que fuera",
    );
    c.styled((320.0, 225.0), "middle", "small quiet", note);
}

pub fn attention_backward(c: &mut Canvas) {
    c.start(720.0, 270.0, "Attention, forward and backward", "La atención, hacia delante y hacia atrás");
    let boxes = [
        ((40.0, 30.0), "Q", "dQ = dS K / √D"),
        ((40.0, 110.0), "K", "dK = dSᵀ Q / √D"),
        ((240.0, 70.0), "S = Q Kᵀ / √D", "dS = P ∗ (dP − Σ)"),
        ((440.0, 70.0), "P = softmax(S)", "dP = dY Vᵀ"),
        ((40.0, 190.0), "V", "dV = Pᵀ dY"),
        ((580.0, 160.0), "Y = P V", "dY"),
    ];
    for (from, to) in [
        ((160.0, 55.0), (238.0, 85.0)),
        ((160.0, 135.0), (238.0, 105.0)),
        ((370.0, 95.0), (438.0, 95.0)),
        ((570.0, 110.0), (620.0, 158.0)),
        ((160.0, 215.0), (578.0, 190.0)),
    ] {
        c.arrow(from, to, "grey");
    }
    for ((x, y), forward, backward) in boxes {
        let width = if x > 500.0 {
            100.0
        } else if x < 100.0 {
            120.0
        } else {
            130.0
        };
        c.rect((x, y), (width, 50.0), "ink");
        c.styled((x + width / 2.0, y + 20.0), "middle", "small bold", forward);
        c.styled((x + width / 2.0, y + 40.0), "middle", "small mono", backward);
    }
    let note = c.say(
        "Σ: for each row, the sum of dP ∗ P. The slopes flow against the arrows.",
        "Σ: en cada fila, la suma de dP ∗ P. Las pendientes fluyen contra las flechas.",
    );
    c.styled((360.0, 260.0), "middle", "small quiet", note);
}

pub fn variance(c: &mut Canvas) {
    c.start(
        640.0,
        280.0,
        "The larger D, the wider the scores",
        "Cuanto mayor D, más anchas las puntuaciones",
    );
    let axes = Axes { x: (-24.0, 24.0), y: (0.0, 0.42), left: 45.0, top: 35.0, width: 570.0, height: 190.0 };
    axes.draw(c, &[-24.0, -16.0, -8.0, 0.0, 8.0, 16.0, 24.0], &[0.0, 0.25], ("q · k", ""));
    for (sd, class) in [(1.0_f64, "ink dash"), (2.0, "green"), (4.0, "blue"), (8.0, "red")] {
        let bell = |x: f64| (x, (-x * x / (2.0 * sd * sd)).exp() / (sd * TAU.sqrt()));
        axes.curve(c, span(-24.0, 24.0, 240).map(bell), class);
    }
    c.text((346.0, 62.0), c.say("divided by √D: 1 for every D", "dividido por √D: 1 con todo D"));
    c.text((370.0, 145.0), c.say("D = 4: standard deviation 2", "D = 4: desviación típica 2"));
    c.text((395.0, 180.0), "D = 16: 4");
    c.text((455.0, 206.0), "D = 64: 8");
}

/// sin and cos, `(T, C)` as rows.
fn table(t: usize, c: usize) -> Vec<Vec<f64>> {
    let table: Tensor<f64> = sinusoidal(0, t, c, 10_000.0);
    table.data().chunks(c).map(<[f64]>::to_vec).collect()
}

pub fn positions_table(c: &mut Canvas) {
    c.start(640.0, 380.0, "The table of sines and cosines", "La tabla de senos y cosenos");
    let rows = table(32, 32);
    c.heat((70.0, 45.0), (15.0, 9.0), &rows, None);
    for p in [0, 8, 16, 24, 31] {
        c.styled((62.0, 54.0 + 9.0 * f64::from(p)), "end", "small quiet", &p.to_string());
    }
    for i in [0, 8, 16, 24, 31] {
        c.styled((77.0 + 15.0 * f64::from(i), 350.0), "middle", "small quiet", &i.to_string());
    }
    c.styled(
        (70.0, 30.0),
        "start",
        "small",
        c.say(
            "a row for each position, a column for each channel; blue above 0, red below",
            "una fila por posición, una columna por canal; azul sobre 0, rojo bajo 0",
        ),
    );
    c.styled(
        (310.0, 372.0),
        "middle",
        "small quiet",
        c.say(
            "left the fast clocks, right the slow ones",
            "a la izquierda los relojes rápidos, a la derecha los lentos",
        ),
    );
}

pub fn clocks(c: &mut Canvas) {
    c.start(
        700.0,
        330.0,
        "Each pair of columns is the hand of a clock",
        "Cada par de columnas es la aguja de un reloj",
    );
    for (row, divisor) in [1.0, 3.0, 9.0].into_iter().enumerate() {
        let y = 70.0 + 90.0 * row as f64;
        c.styled((20.0, y + 5.0), "start", "small", &format!("w = 1/{divisor}"));
        for p in 0..7 {
            let x = 125.0 + 85.0 * f64::from(p);
            let angle = f64::from(p) / divisor;
            c.circle((x, y), 32.0, "grey");
            c.arrow((x, y), (x + 30.0 * angle.sin(), y - 30.0 * angle.cos()), "blue");
            if row == 0 {
                c.styled((x, 22.0), "middle", "small quiet", &format!("p = {p}"));
            }
        }
    }
    let note = c.say(
        "one step to the right turns a hand by w, wherever it stands: a shift is a rotation",
        "un paso a la derecha gira la aguja w, esté donde esté: un desplazamiento es un giro",
    );
    c.styled((350.0, 315.0), "middle", "small quiet", note);
}

pub fn distance(c: &mut Canvas) {
    c.start(
        640.0,
        290.0,
        "The dot product of two rows depends on their distance",
        "El producto de dos filas depende de su distancia",
    );
    let rows = table(97, 32);
    let dot = |p: usize, q: usize| rows[p].iter().zip(&rows[q]).map(|(a, b)| a * b).sum::<f64>();
    let axes = Axes { x: (0.0, 64.0), y: (0.0, 17.0), left: 50.0, top: 35.0, width: 560.0, height: 200.0 };
    axes.draw(
        c,
        &[0.0, 16.0, 32.0, 48.0, 64.0],
        &[0.0, 8.0, 16.0],
        (c.say("distance", "distancia"), "PE[p] · PE[p + k]"),
    );
    axes.curve(c, (0..=64).map(|k| (k as f64, dot(0, k))), "blue thick");
    for k in (0..=64).step_by(4) {
        c.circle(axes.at(k as f64, dot(32, 32 + k)), 4.0, "red-fill");
    }
    c.text(
        (310.0, 65.0),
        c.say("line: from p = 0; dots: from p = 32", "línea: desde p = 0; puntos: desde p = 32"),
    );
}
