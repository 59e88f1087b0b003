//! The pictures of note 1: neurons, layers, descent, backpropagation.

use crate::canvas::{Axes, Canvas, span};

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

pub fn neuron(c: &mut Canvas) {
    c.start(
        640.0,
        240.0,
        "A neuron: a weighted sum, then a sigmoid",
        "Una neurona: una suma ponderada y una sigmoide",
    );
    for (k, y) in [50.0, 120.0, 190.0].into_iter().enumerate() {
        let name = ["x₁", "x₂", "x₃"][k];
        c.circle((60.0, y), 20.0, "ink");
        c.centred((60.0, y + 5.0), name);
        c.arrow((80.0, y), (258.0, 120.0 + (y - 120.0) * 0.12), "blue");
        c.centred((150.0, y - 9.0 + (120.0 - y) * 0.32), ["w₁", "w₂", "w₃"][k]);
    }
    c.circle((285.0, 120.0), 26.0, "ink");
    c.centred((285.0, 126.0), "Σ");
    c.arrow((285.0, 40.0), (285.0, 93.0), "blue");
    c.centred((285.0, 32.0), c.say("b, the bias", "b, el sesgo"));
    c.arrow((312.0, 120.0), (398.0, 120.0), "ink");
    c.centred((352.0, 110.0), "z");
    c.labelled((400.0, 90.0), (110.0, 60.0), "ink", c.say("sigmoid", "sigmoide"));
    c.arrow((510.0, 120.0), (578.0, 120.0), "ink");
    c.circle((600.0, 120.0), 20.0, "ink");
    c.centred((600.0, 125.0), "a");
    c.styled((285.0, 190.0), "middle", "small mono", "z = w₁x₁ + w₂x₂ + w₃x₃ + b");
    c.styled((500.0, 190.0), "middle", "small mono", "a = 1 / (1 + e⁻ᶻ)");
}

pub fn sigmoid_curve(c: &mut Canvas) {
    c.start(640.0, 300.0, "The sigmoid and its slope", "La sigmoide y su pendiente");
    let axes = Axes { x: (-8.0, 8.0), y: (0.0, 1.0), left: 50.0, top: 30.0, width: 560.0, height: 215.0 };
    axes.draw(c, &[-8.0, -4.0, 0.0, 4.0, 8.0], &[0.0, 0.25, 0.5, 1.0], ("z", ""));
    axes.curve(c, span(-8.0, 8.0, 160).map(|z| (z, sigmoid(z))), "blue thick");
    axes.curve(c, span(-8.0, 8.0, 160).map(|z| (z, sigmoid(z) * (1.0 - sigmoid(z)))), "red thick");
    c.text((445.0, 52.0), "s(z)");
    c.text((350.0, 180.0), "s'(z) = s(z) (1 − s(z))");
    let stuck = c.say("slope nearly 0: saturated", "pendiente casi 0: saturada");
    c.styled((600.0, 228.0), "end", "small quiet", stuck);
}

pub fn layer(c: &mut Canvas) {
    c.start(640.0, 250.0, "A layer is a matrix", "Una capa es una matriz");
    let inputs = [50.0, 120.0, 190.0];
    let neurons = [85.0, 155.0];
    for y in inputs {
        for (n, to) in neurons.into_iter().enumerate() {
            let class = if n == 0 { "blue" } else { "grey" };
            c.line((80.0, y), (220.0, to), class);
        }
    }
    for (k, y) in inputs.into_iter().enumerate() {
        c.circle((60.0, y), 20.0, "ink");
        c.centred((60.0, y + 5.0), ["x₁", "x₂", "x₃"][k]);
    }
    for (n, y) in neurons.into_iter().enumerate() {
        c.circle((240.0, y), 20.0, ["blue thick", "ink"][n]);
        c.centred((240.0, y + 5.0), ["z₁", "z₂"][n]);
    }
    let names = [["w₁₁", "w₁₂", "w₁₃"], ["w₂₁", "w₂₂", "w₂₃"]];
    c.matrix((370.0, 70.0), (2, 3), 60.0, "ink");
    c.mark((370.0, 70.0), [0, 1], [0, 3], 60.0, "blue");
    for (n, row) in names.iter().enumerate() {
        for (k, name) in row.iter().enumerate() {
            c.centred((400.0 + 60.0 * k as f64, 105.0 + 60.0 * n as f64), name);
        }
    }
    c.centred((460.0, 55.0), c.say("w: (N, K) = (2, 3)", "w: (N, K) = (2, 3)"));
    c.text((562.0, 105.0), c.say("neuron 1", "neurona 1"));
    c.text((562.0, 165.0), c.say("neuron 2", "neurona 2"));
    c.centred(
        (460.0, 215.0),
        c.say("a row per neuron, a column per input", "una fila por neurona, una columna por entrada"),
    );
}

pub fn batch(c: &mut Canvas) {
    c.start(640.0, 220.0, "A mini-batch in one matrix product", "Un mini-lote en un producto de matrices");
    let (cell, top) = (20.0, 60.0);
    let row = [1, 2];
    c.matrix((40.0, top), (4, 3), cell, "blue");
    c.mark((40.0, top), row, [0, 3], cell, "blue");
    c.styled((140.0, top + 45.0), "middle", "bold", "=");
    c.matrix((180.0, top), (4, 6), cell, "ink");
    c.mark((180.0, top), row, [0, 6], cell, "blue");
    c.styled((335.0, top + 45.0), "middle", "bold", "·");
    c.matrix((370.0, top - 20.0), (6, 3), cell, "green");
    c.styled((470.0, top + 45.0), "middle", "bold", "+");
    c.matrix((510.0, top + 30.0), (1, 3), cell, "green");
    for (x, name, shape) in
        [(70.0, "z", "(B, N)"), (240.0, "x", "(B, K)"), (400.0, "wᵀ", "(K, N)"), (540.0, "b", "(N)")]
    {
        c.styled((x, 25.0), "middle", "bold", name);
        c.styled((x, 185.0), "middle", "mono small", shape);
    }
    let note =
        c.say("each row is an example; B = 4, K = 6, N = 3", "cada fila es un ejemplo; B = 4, K = 6, N = 3");
    c.styled((320.0, 210.0), "middle", "small quiet", note);
}

pub fn network(c: &mut Canvas) {
    c.start(640.0, 300.0, "The network [784, 30, 10]", "La red [784, 30, 10]");
    let columns = [(90.0, 9, "784"), (320.0, 7, "30"), (550.0, 5, "10")];
    let place = |n: usize, i: usize| 145.0 + (i as f64 - (n - 1) as f64 / 2.0) * 26.0;
    for pair in columns.windows(2) {
        let ((x, n, _), (next, m, _)) = (pair[0], pair[1]);
        for i in (0..n).filter(|i| *i != n / 2) {
            for j in (0..m).filter(|j| *j != m / 2) {
                c.line((x + 9.0, place(n, i)), (next - 9.0, place(m, j)), "grey thin");
            }
        }
    }
    for (x, n, count) in columns {
        for i in 0..n {
            match i == n / 2 {
                true => c.styled((x, place(n, i) + 4.0), "middle", "bold", "⋮"),
                false => c.circle((x, place(n, i)), 9.0, "ink"),
            }
        }
        c.styled((x, 282.0), "middle", "bold", count);
    }
    c.styled((205.0, 282.0), "middle", "mono small", "w (30, 784)  b (30)");
    c.styled((435.0, 282.0), "middle", "mono small", "w (10, 30)  b (10)");
    c.styled((90.0, 20.0), "middle", "small quiet", c.say("pixels", "píxeles"));
    c.styled((320.0, 20.0), "middle", "small quiet", c.say("hidden neurons", "neuronas ocultas"));
    c.styled((550.0, 20.0), "middle", "small quiet", c.say("digits 0 to 9", "dígitos del 0 al 9"));
}

/// Descent on `(u^2 + 8 v^2) / 2`, whose gradient is `(u, 8 v)`.
pub fn descent(c: &mut Canvas) {
    c.start(
        640.0,
        320.0,
        "Gradient descent with three learning rates",
        "Descenso de gradiente con tres tasas de aprendizaje",
    );
    let axes = Axes { x: (-4.6, 4.6), y: (-1.9, 1.9), left: 40.0, top: 40.0, width: 460.0, height: 250.0 };
    for level in [0.25, 1.0, 2.5, 5.0, 8.0] {
        let (a, b) = ((2.0_f64 * level).sqrt(), (2.0_f64 * level / 8.0).sqrt());
        let turn = span(0.0, std::f64::consts::TAU, 80);
        axes.curve(c, turn.map(|t| (a * t.cos(), b * t.sin())), "grey thin");
    }
    for (eta, class, y) in [(0.03, "green", 90.0), (0.12, "blue", 150.0), (0.245, "red", 210.0)] {
        let mut at = (-4.0, 1.2);
        let mut points = vec![at];
        for _ in 0..14 {
            at = (at.0 - eta * at.0, at.1 - eta * 8.0 * at.1);
            points.push(at);
        }
        axes.curve(c, points.iter().copied(), class);
        for (u, v) in points {
            c.circle(axes.at(u, v), 3.0, &format!("{class}-fill"));
        }
        c.line((515.0, y), (540.0, y), &format!("{class} thick"));
        c.text((547.0, y + 5.0), &format!("η = {eta}"));
    }
    for (text, y) in [
        (c.say("too small: slow", "muy pequeña: lenta"), 110.0),
        (c.say("good", "buena"), 170.0),
        (c.say("almost too large:", "casi excesiva:"), 230.0),
        (c.say("it leaps across", "salta de lado a lado"), 247.0),
    ] {
        c.styled((515.0, y), "start", "small quiet", text);
    }
    let note = c.say(
        "each line has the same cost; 14 steps from the same start",
        "cada línea tiene el mismo coste; 14 pasos desde el mismo punto",
    );
    c.styled((40.0, 25.0), "start", "small", note);
}

pub fn delta(c: &mut Canvas) {
    c.start(720.0, 250.0, "Forward, and delta flowing back", "Hacia delante, y delta que vuelve");
    let ops = ["linear", "sigmoid", "linear", "sigmoid", c.say("cost", "coste")];
    let shapes = ["x (B, 784)", "z¹ (B, 30)", "a¹ (B, 30)", "z² (B, 10)", "a² (B, 10)"];
    let back = ["", "δ¹ (B, 30)", "∂C/∂a¹", "δ² (B, 10)", "∂C/∂a²"];
    for i in 0..5 {
        let x = 90.0 + 130.0 * i as f64;
        c.labelled((x, 90.0), (76.0, 56.0), "ink", ops[i]);
        c.arrow((x - 54.0, 104.0), (x, 104.0), "blue");
        c.styled((x - 27.0, if i % 2 == 0 { 60.0 } else { 78.0 }), "middle", "small", shapes[i]);
        if i > 0 {
            c.arrow((x, 132.0), (x - 54.0, 132.0), "red");
            c.styled((x - 27.0, if i % 2 == 0 { 182.0 } else { 164.0 }), "middle", "small", back[i]);
        }
    }
    for (i, name) in [(0, "BP3, BP4"), (1, "BP2"), (2, "BP3, BP4"), (3, "BP1")] {
        let x = 128.0 + 130.0 * i as f64;
        c.styled((x, 215.0), "middle", "bold", name);
        c.line((x, 150.0), (x, 200.0), "grey thin dash");
    }
    c.styled((20.0, 30.0), "start", "small", c.say("→ forward: values", "→ hacia delante: valores"));
    c.styled(
        (20.0, 240.0),
        "start",
        "small",
        c.say(
            "← backward: the slope of the cost with respect to the same values",
            "← hacia atrás: la pendiente del coste respecto a los mismos valores",
        ),
    );
}

pub fn bp4(c: &mut Canvas) {
    c.start(
        640.0,
        220.0,
        "BP4: the gradient of a matrix has its shape",
        "BP4: el gradiente de una matriz tiene su forma",
    );
    let cell = 20.0;
    c.matrix((50.0, 60.0), (3, 6), cell, "red");
    c.mark((50.0, 60.0), [1, 2], [2, 3], cell, "red");
    c.styled((205.0, 95.0), "middle", "bold", "=");
    c.matrix((240.0, 60.0), (3, 4), cell, "blue");
    c.mark((240.0, 60.0), [1, 2], [0, 4], cell, "blue");
    c.styled((355.0, 95.0), "middle", "bold", "·");
    c.matrix((390.0, 50.0), (4, 6), cell, "green");
    c.mark((390.0, 50.0), [0, 4], [2, 3], cell, "green");
    for (x, name, shape) in [(110.0, "∂C/∂w", "(N, K)"), (280.0, "δᵀ", "(N, B)"), (450.0, "a", "(B, K)")]
    {
        c.styled((x, 32.0), "middle", "bold", name);
        c.styled((x, 155.0), "middle", "mono small", shape);
    }
    let note = c.say(
        "one weight: the error of its neuron times its input, summed over the B examples",
        "un peso: el error de su neurona por su entrada, sumado sobre los B ejemplos",
    );
    c.styled((320.0, 195.0), "middle", "small quiet", note);
}

pub fn saturation(c: &mut Canvas) {
    c.start(
        640.0,
        290.0,
        "Initial weights decide how steep the sigmoid is",
        "Los pesos iniciales deciden qué pendiente hay",
    );
    let axes = Axes { x: (-30.0, 30.0), y: (0.0, 0.42), left: 45.0, top: 35.0, width: 570.0, height: 200.0 };
    axes.draw(c, &[-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0], &[0.0, 0.25], ("z", ""));
    let bell =
        |sd: f64| move |z: f64| (z, (-z * z / (2.0 * sd * sd)).exp() / (sd * std::f64::consts::TAU.sqrt()));
    axes.curve(c, span(-30.0, 30.0, 300).map(bell(1.0)), "blue thick");
    axes.curve(c, span(-30.0, 30.0, 300).map(bell(10.0)), "red thick");
    axes.curve(c, span(-30.0, 30.0, 300).map(|z| (z, sigmoid(z) * (1.0 - sigmoid(z)))), "green dash");
    c.text((345.0, 60.0), c.say("scaled: standard deviation 1", "escalados: desviación típica 1"));
    c.text((400.0, 205.0), c.say("N(0, 1): standard deviation 10", "N(0, 1): desviación típica 10"));
    c.text((70.0, 115.0), c.say("s'(z): where it learns", "s'(z): donde aprende"));
}
