//! The pictures of note 13: what makes training fast.

use m2g_core::optim::{Decay, Schedule};

use crate::canvas::{Axes, Canvas, span};

/// The singular values after the rounds of Muon's iteration, as functions of those before.
pub fn singular_values(c: &mut Canvas) {
    c.start(
        640.0,
        300.0,
        "A singular value after one, two and five rounds",
        "Un valor singular tras una, dos y cinco rondas",
    );
    let axes = Axes { x: (0.0, 1.0), y: (0.0, 1.3), left: 50.0, top: 30.0, width: 560.0, height: 215.0 };
    axes.draw(
        c,
        &[0.0, 0.25, 0.5, 0.75, 1.0],
        &[0.0, 0.5, 1.0],
        (c.say("before", "antes"), c.say("after", "después")),
    );
    let round = |s: f64| 3.4445 * s - 4.775 * s.powi(3) + 2.0315 * s.powi(5);
    for (rounds, class) in [(1, "green thick"), (2, "blue thick"), (5, "red thick")] {
        let after = |s: f64| (0..rounds).fold(s, |s, _| round(s));
        axes.curve(c, span(0.0, 1.0, 400).map(|s| (s, after(s))), class);
    }
    let names = [
        (c.say("1 round", "1 ronda"), "green"),
        (c.say("2 rounds", "2 rondas"), "blue"),
        (c.say("5 rounds", "5 rondas"), "red"),
    ];
    for (i, (text, class)) in names.into_iter().enumerate() {
        let y = 175.0 + 22.0 * i as f64;
        c.line((470.0, y), (495.0, y), &format!("{class} thick"));
        c.text((505.0, y + 5.0), text);
    }
}

/// The three ways in which a learning rate falls, after a short warm-up.
pub fn decays(c: &mut Canvas) {
    c.start(640.0, 300.0, "Cosine, linear and trapezoid", "Coseno, recta y trapecio");
    let axes = Axes { x: (0.0, 100.0), y: (0.0, 1.1), left: 50.0, top: 30.0, width: 560.0, height: 215.0 };
    axes.draw(
        c,
        &[0.0, 25.0, 50.0, 75.0, 100.0],
        &[0.0, 0.5, 1.0],
        (c.say("% of the steps", "% de los pasos"), c.say("factor", "factor")),
    );
    for (decay, floor, class) in [
        (Decay::Cosine, 0.1, "green thick"),
        (Decay::Linear, 0.0, "blue thick"),
        (Decay::Trapezoid, 0.0, "red thick"),
    ] {
        let schedule = Schedule::Warmup { warmup: 50, end: 1000, floor, decay };
        let points = (0..=1000).step_by(10);
        axes.curve(c, points.map(|step| (step as f64 / 10.0, schedule.factor(step, 1000, 0))), class);
    }
    let names = [
        (c.say("half a cosine to a tenth", "medio coseno hasta un décimo"), "green"),
        (c.say("a line to 0", "una recta hasta 0"), "blue"),
        (c.say("a trapezoid", "un trapecio"), "red"),
    ];
    for (i, (text, class)) in names.into_iter().enumerate() {
        let y = 185.0 + 22.0 * i as f64;
        c.line((80.0, y), (105.0, y), &format!("{class} thick"));
        c.text((115.0, y + 5.0), text);
    }
}
