//! The pictures of the experiments and the questions. Measured figures come from the tables of the
//! notes, where the commands that measured them stand.

use crate::canvas::{Axes, Canvas, span};
use crate::training;

const SCORE: &str = include_str!("../../06-what-if-score.md");
const MASK: &str = include_str!("../../07-what-if-mask.md");
const POSITIONS: &str = include_str!("../../08-what-if-positions.md");
const ABLATION: &str = include_str!("../../09-what-if-ablation.md");
const DIGITS: &str = include_str!("../../10-what-if-digits.md");
const TRANSLATION: &str = include_str!("../../12-translation.md");
const FASTER: &str = include_str!("../../13-faster.md");

/// The cells of the rows of the `nth` table whose first cell is `first`.
fn rows(note: &'static str, first: &str, nth: usize) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('*')).collect()
    };
    let mut tables = note.lines().map(|line| if line.starts_with('|') { cells(line) } else { Vec::new() });
    for _ in 0..=nth {
        tables.by_ref().find(|row| row.first().is_some_and(|cell| *cell == first));
    }
    tables.skip(1).take_while(|row| !row.is_empty()).collect()
}

fn number(cell: &str) -> f64 {
    cell.trim_end_matches(['%', ' ']).parse().expect("the tables of the notes hold numbers")
}

/// A dot with its standard deviation, if several seeds show one, for each arm; what lies beyond the axis is an arrow.
fn dots(c: &mut Canvas, rows: &[Vec<&str>], (low, high): (f64, f64), ticks: &[f64], label: &str) {
    let height = 26.0 * rows.len() as f64;
    let axes = Axes { x: (low, high), y: (0.0, 1.0), left: 160.0, top: 40.0, width: 380.0, height };
    axes.draw(c, ticks, &[], (label, ""));
    let standard = number(rows[0][1]);
    if (low..=high).contains(&standard) {
        c.line(axes.at(standard, 0.0), axes.at(standard, 1.0), "blue dash");
    }
    for (i, row) in rows.iter().enumerate() {
        let (y, mean) = (53.0 + 26.0 * i as f64, number(row[1]));
        let sd = if row[2] == "-" { 0.0 } else { number(row[2]) };
        c.styled((150.0, y + 5.0), "end", "small", row[0]);
        let class = if i == 0 { "blue" } else { "red" };
        match mean <= high && mean >= low {
            true => {
                let x = axes.at(mean, 0.0).0;
                let [from, to] = [mean - sd, mean + sd].map(|v| axes.at(v.clamp(low, high), 0.0).0);
                c.line((from, y), (to, y), class);
                c.circle((x, y), 5.0, &format!("{class}-fill"));
            }
            false if mean > high => c.arrow((505.0, y), (538.0, y), class),
            false => c.arrow((195.0, y), (162.0, y), class),
        }
        c.styled((555.0, y + 5.0), "start", "small", row[1]);
    }
}

fn size(rows: usize) -> f64 {
    26.0 * rows as f64 + 95.0
}

pub fn what_if_score(c: &mut Canvas) {
    let rows = rows(SCORE, "arm", 0);
    c.start(
        640.0,
        size(rows.len()),
        "The validation loss of each score",
        "La pérdida de validación de cada puntuación",
    );
    dots(
        c,
        &rows,
        (1.9, 2.25),
        &[1.9, 2.0, 2.1, 2.2],
        c.say("validation loss; less is better", "pérdida de validación; menos es mejor"),
    );
}

pub fn what_if_mask(c: &mut Canvas) {
    let rows = rows(MASK, "arm", 0);
    c.start(640.0, size(rows.len()) + 30.0, "Two losses of each mask", "Dos pérdidas de cada máscara");
    dots(
        c,
        &rows,
        (0.0, 7.5),
        &[0.0, 2.0, 4.0, 6.0],
        c.say("loss in nats per character", "pérdida en nats por carácter"),
    );
    let axes = Axes { x: (0.0, 7.5), y: (0.0, 1.0), left: 160.0, top: 0.0, width: 380.0, height: 1.0 };
    for (i, row) in rows.iter().enumerate() {
        c.circle((axes.at(number(row[4]), 0.0).0, 53.0 + 26.0 * i as f64), 5.0, "green");
    }
    let y = size(rows.len()) + 12.0;
    c.circle((170.0, y - 4.0), 5.0, "red-fill");
    c.text((182.0, y), c.say("as it writes", "al escribir"));
    c.circle((330.0, y - 4.0), 5.0, "green");
    c.text((342.0, y), c.say("as in training: it can peek", "como al entrenar: puede mirar"));
}

pub fn what_if_positions(c: &mut Canvas) {
    let rows = rows(POSITIONS, "arm", 0);
    c.start(
        640.0,
        size(rows.len()),
        "Six ways to learn positions, on text",
        "Seis maneras de saber la posición, en texto",
    );
    dots(
        c,
        &rows,
        (1.85, 2.35),
        &[1.9, 2.0, 2.1, 2.2, 2.3],
        c.say("validation loss on text", "pérdida de validación en texto"),
    );
}

pub fn what_if_copy(c: &mut Canvas) {
    let rows = rows(POSITIONS, "arm", 1);
    c.start(
        640.0,
        size(rows.len()),
        "Six ways to learn positions, on copying",
        "Seis maneras de saber la posición, al copiar",
    );
    dots(
        c,
        &rows,
        (0.8, 2.2),
        &[0.9747, 1.5, 2.0],
        c.say(
            "validation loss on copying; 0.9747 is the lowest possible",
            "pérdida al copiar; 0.9747 es la menor posible",
        ),
    );
}

pub fn what_if_ablation(c: &mut Canvas) {
    let rows = rows(ABLATION, "arm", 0);
    c.start(640.0, size(rows.len()), "A block without one of its parts", "Un bloque sin una de sus partes");
    dots(c, &rows, (1.8, 4.4), &[2.0, 3.0, 4.0], c.say("validation loss", "pérdida de validación"));
}

pub fn what_if_digits(c: &mut Canvas) {
    let rows = rows(DIGITS, "arm", 0);
    c.start(640.0, size(rows.len()), "Thirteen digit networks", "Trece redes de dígitos");
    dots(
        c,
        &rows,
        (90.0, 99.0),
        &[92.0, 94.0, 96.0, 98.0],
        c.say("test accuracy in %; more is better", "aciertos en % en la prueba; más es mejor"),
    );
}

pub fn ladder(c: &mut Canvas) {
    let rows = rows(FASTER, "arm", 0);
    c.start(640.0, size(rows.len()), "The ladder, rung by rung", "La escalera, peldaño a peldaño");
    let range = (1.42, 1.62);
    let label = c.say(
        "validation loss; dashed: nanoGPT on a GPU",
        "pérdida de validación; a trazos: nanoGPT en una GPU",
    );
    dots(c, &rows, range, &[1.45, 1.5, 1.55, 1.6], label);
    let height = 26.0 * rows.len() as f64;
    let axes = Axes { x: range, y: (0.0, 1.0), left: 160.0, top: 40.0, width: 380.0, height };
    c.line(axes.at(1.4697, 0.0), axes.at(1.4697, 1.0), "green dash");
}

pub fn sabia(c: &mut Canvas) {
    let rows = rows(TRANSLATION, "word", 0);
    c.start(
        640.0,
        320.0,
        "Where sabía looks, in the encoder and in cross-attention",
        "Adónde mira sabía, en el codificador y en la atención cruzada",
    );
    let most = 50.0;
    let axes = Axes { x: (0.0, 1.0), y: (0.0, most), left: 50.0, top: 40.0, width: 570.0, height: 220.0 };
    axes.draw(c, &[], &[0.0, 10.0, 20.0, 30.0, 40.0, most], ("", "%"));
    for (i, row) in rows.iter().enumerate() {
        let x = 68.0 + 71.0 * i as f64;
        for (j, colour) in ["blue-fill", "red-fill"].into_iter().enumerate() {
            let share = number(row[j + 1]);
            assert!(share <= most, "{share} % for {} is above the axis", row[0]);
            let (_, top) = axes.at(0.0, share);
            c.rect((x + 22.0 * j as f64, top), (20.0, 260.0 - top), colour);
        }
        c.centred((x + 21.0, 280.0), row[0]);
    }
    c.rect((70.0, 295.0), (14.0, 14.0), "blue-fill");
    c.text((90.0, 307.0), c.say("sabía, in the encoder", "sabía, en el codificador"));
    c.rect((340.0, 295.0), (14.0, 14.0), "red-fill");
    c.text((360.0, 307.0), c.say("\"tasted\", at the source", "«tasted», a la fuente"));
}

pub fn xor_losses(c: &mut Canvas) {
    c.start(640.0, 300.0, "XOR learned at three rates", "XOR aprendido a tres tasas");
    let axes = Axes { x: (0.0, 5000.0), y: (0.0, 0.2), left: 50.0, top: 35.0, width: 560.0, height: 210.0 };
    axes.draw(
        c,
        &[0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0],
        &[0.0, 0.05, 0.1, 0.15, 0.2],
        (c.say("step", "paso"), c.say("cost", "coste")),
    );
    for (eta, class) in [(0.3, "green thick"), (1.0, "blue thick"), (3.0, "red thick")] {
        let costs = training::xor(eta, 5000);
        axes.curve(c, costs.iter().enumerate().step_by(25).map(|(i, cost)| (i as f64, *cost)), class);
    }
    for (i, (text, class)) in
        [("η = 0.3", "green"), ("η = 1", "blue"), ("η = 3", "red")].into_iter().enumerate()
    {
        let y = 60.0 + 22.0 * i as f64;
        c.line((500.0, y), (525.0, y), &format!("{class} thick"));
        c.text((535.0, y + 5.0), text);
    }
}

pub fn score_functions(c: &mut Canvas) {
    c.start(640.0, 300.0, "Three scores of one product", "Tres puntuaciones de un producto");
    let axes = Axes { x: (-3.0, 3.0), y: (-4.0, 4.0), left: 50.0, top: 30.0, width: 560.0, height: 215.0 };
    axes.draw(
        c,
        &[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
        &[-4.0, 0.0, 4.0],
        ("q k", c.say("score", "puntuación")),
    );
    axes.level(c, 0.0, "grey thin");
    axes.curve(c, span(-3.0, 3.0, 2).map(|x| (x, x)), "blue thick");
    axes.curve(c, span(-2.0, 2.0, 80).map(|x| (x, x * x)), "green thick");
    axes.curve(c, span(-3.0, -0.25, 80).map(|x| (x, 1.0 / x)), "red thick");
    axes.curve(c, span(0.25, 3.0, 80).map(|x| (x, 1.0 / x)), "red thick");
    c.text((565.0, 62.0), "q k");
    c.text((205.0, 60.0), c.say("(q k)²: no sign", "(q k)²: sin signo"));
    c.text((350.0, 225.0), c.say("1 / (q k): a cliff at 0", "1 / (q k): un precipicio en 0"));
}

pub fn similarity(c: &mut Canvas) {
    c.start(640.0, 330.0, "A query and four keys", "Una consulta y cuatro claves");
    let axes = Axes { x: (-3.4, 4.6), y: (-1.6, 2.6), left: 30.0, top: 20.0, width: 580.0, height: 280.0 };
    axes.level(c, 0.0, "grey thin");
    c.line(axes.at(0.0, -1.6), axes.at(0.0, 2.6), "grey thin");
    let keys = [
        ((4.0, 2.0), c.say("longer: dot 10, cosine 1", "más larga: producto 10, coseno 1"), (-235.0, -4.0)),
        ((-1.0, 2.0), c.say("at a right angle: 0", "en ángulo recto: 0"), (-150.0, -8.0)),
        ((-2.0, -1.0), c.say("opposite: −5, −1", "opuesta: −5, −1"), (20.0, 18.0)),
    ];
    for ((x, y), text, (dx, dy)) in keys {
        c.arrow(axes.at(0.0, 0.0), axes.at(x, y), "red thick");
        let at = axes.at(x, y);
        c.text((at.0 + dx, at.1 + dy), text);
    }
    c.arrow(axes.at(0.0, 0.0), axes.at(2.0, 1.0), "blue thick");
    let at = axes.at(2.0, 1.0);
    let equal = c.say("q, and an equal key: 5, 1", "q, y una clave igual: 5, 1");
    c.styled((625.0, at.1 + 26.0), "end", "", equal);
    c.styled(
        (320.0, 322.0),
        "middle",
        "small quiet",
        c.say(
            "the dot product is the length of q, times the length of k, times the cosine of the angle",
            "el producto es la longitud de q, por la de k, por el coseno del ángulo",
        ),
    );
}

pub fn digits_and_gpt(c: &mut Canvas) {
    c.start(
        720.0,
        420.0,
        "The digit network and the GPT side by side",
        "La red de dígitos y el GPT, lado a lado",
    );
    let rows: [(&str, &str, bool); 7] = [
        (c.say("784 pixels", "784 píxeles"), c.say("T token ids", "T números de token"), false),
        ("linear (30, 784)", "embedding (V, C)", true),
        (
            "",
            c.say("attention: tokens exchange information", "atención: los tokens se informan entre sí"),
            false,
        ),
        ("sigmoid", c.say("feed-forward: linear, GELU, linear", "feed-forward: linear, GELU, linear"), true),
        ("linear (10, 30)", "linear (V, C)", true),
        (c.say("cost", "coste"), c.say("cross-entropy", "entropía cruzada"), true),
        ("Tape::backward, Stepper::step", "Tape::backward, Stepper::step", true),
    ];
    c.styled((175.0, 26.0), "middle", "bold", c.say("digits", "dígitos"));
    c.styled((525.0, 26.0), "middle", "bold", "GPT");
    for (i, (left, right, same)) in rows.into_iter().enumerate() {
        let y = 42.0 + 50.0 * i as f64;
        let class = if same { "blue" } else { "ink" };
        if !left.is_empty() {
            c.labelled((50.0, y), (250.0, 34.0), class, left);
        }
        c.labelled((370.0, y), (310.0, 34.0), if i == 2 { "red thick" } else { class }, right);
        if same {
            c.line((300.0, y + 17.0), (370.0, y + 17.0), "blue");
        }
    }
    c.styled(
        (360.0, 408.0),
        "middle",
        "small quiet",
        c.say(
            "blue: the same idea, mostly the same function of the core; red: the new idea",
            "azul: la misma idea, casi siempre la misma función del núcleo; rojo: la idea nueva",
        ),
    );
}
