//! Formats the results of a workload as text.

use super::profile::Profile;
use super::report::{Compared, Figures, Report, Run};
use super::scaled::{Scaled, fewest_and_most_threads};
use super::workload::Scaling;
use crate::output::percent;
use crate::terminal::lines::{counted, wrap};
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::columns;

/// The machine and its limits.
pub fn machine(run: &Run) -> String {
    let (machine, limits) = (&run.machine, &run.limits);
    let text = format!(
        "{}, {} with {}; {} on {}, m2g {} ({} build), {}\n\
         peak {:.0} GFLOP/s in f32 products, {:.0} in bf16; memory {:.1} GB/s when copying (bytes read plus bytes written)",
        machine.processor,
        machine.architecture,
        machine.kernels_use,
        counted(limits.threads, "thread"),
        counted(machine.logical_processors, "processor"),
        run.version,
        run.build,
        run.date,
        limits.f32_gflops,
        limits.bf16_gflops,
        limits.copy_gb_per_s,
    );
    wrap(&text, columns(), 2)
}

/// The results of a workload.
pub fn text(report: &Report<'_>) -> String {
    let Report { workload, what, precision, unit, steps, run, .. } = report;
    let title = format!("{workload}: {what}; {precision}, {} of {steps}", counted(run.rounds, "round"));
    let mut table = Table::new()
        .text("", Narrow::Keep)
        .number("median", Narrow::Keep)
        .number("minimum", Narrow::Drop(4))
        .number("spread", Narrow::Drop(2))
        .number(*unit, Narrow::Keep)
        .number("GFLOP/s", Narrow::Drop(3))
        .number("of peak", Narrow::Keep)
        .number("peak MiB", Narrow::Drop(1));
    table.row(figures(&report.ours));
    report.peers.iter().for_each(|peer| table.row(figures(&peer.figures)));
    let mut lines = vec![format!("\n{}", wrap(&title, columns(), 2)), table.render(columns())];
    if report.ours.share_of_peak > 1.0 || report.peers.iter().any(|peer| peer.figures.share_of_peak > 1.0) {
        let why = "more than 100 % of the peak: other programs kept the machine busy while its peak was measured, so \
                   measure again when it is idle";
        lines.push(wrap(why, columns(), 2));
    }
    let target = match (report.target.seconds, report.target.tokens_per_second) {
        (Some(seconds), _) => format!("at most {}", time(seconds)),
        (None, tokens) => format!("at least {:.0} tokens/s", tokens.unwrap_or_default()),
    };
    lines.push(wrap(&format!("target: {target}, {}", met(report.target.met)), columns(), 2));
    if let Some(rate) = report.weights_gb_per_s {
        let megabytes = 1e3 * rate / report.ours.per_second;
        let reads = format!("each token reads {megabytes:.1} MB of weights: {rate:.1} GB/s");
        lines.push(wrap(&reads, columns(), 2));
    }
    lines.extend(report.peers.iter().map(ratio));
    lines.extend(report.profile.map(|profile| operations(report.recorded, profile)));
    lines.join("\n")
}

/// A workload at several sizes. Times and memory are also given relative to the first.
pub fn scaled(scaled: &Scaled<'_>) -> String {
    let Scaled { workload, precision, points, target, run, .. } = scaled;
    let title = format!("{workload}: {precision}, median of {}", counted(run.rounds, "round"));
    let mut lines = vec![format!("\n{}", wrap(&title, columns(), 2))];
    let mut table = Table::new()
        .text("threads", Narrow::Keep)
        .number("texts", Narrow::Keep)
        .number("tokens", Narrow::Keep)
        .number("steps", Narrow::Drop(3))
        .number("a step", Narrow::Keep)
        .number("spread", Narrow::Drop(2))
        .number("a token", Narrow::Keep)
        .number("of first", Narrow::Keep)
        .number("peak MiB", Narrow::Drop(1))
        .number("of first", Narrow::Keep);
    for point in points {
        table.row([
            point.threads.to_string(),
            point.batch_size.to_string(),
            point.block_size.to_string(),
            point.steps.to_string(),
            time(point.median_seconds),
            format!("{:.1} %", 100.0 * point.spread),
            time(point.seconds_per_token),
            format!("{:.2}", point.relative_time),
            number(point.peak_memory_mb, 0),
            number(point.relative_memory, 2),
        ]);
    }
    lines.push(table.render(columns()));
    if let Some(target) = target {
        let target = format!("target: {}: {}, {}", target.what, number(target.value, 2), met(target.met));
        lines.push(wrap(&target, columns(), 2));
    }
    if let (Scaling::Threads, Some((least, most))) = (scaled.scaling, fewest_and_most_threads(points)) {
        let times = most.relative_products.zip(least.relative_products).map(|(most, least)| most / least);
        let products = format!(
            "large matrix products alone, after each measurement: {} times as fast with {} threads as with {}",
            number(times, 2),
            most.threads,
            least.threads
        );
        lines.push(wrap(&products, columns(), 2));
    }
    lines.join("\n")
}

fn figures(figures: &Figures) -> [String; 8] {
    [
        figures.name.into(),
        time(figures.median_seconds),
        time(figures.min_seconds),
        format!("{:.1} %", 100.0 * figures.spread),
        format!("{:.0}", figures.per_second),
        format!("{:.1}", figures.gflops),
        format!("{:.1} %", 100.0 * figures.share_of_peak),
        number(figures.peak_memory_mb, 0),
    ]
}

/// The ratio of a peer's time to ours.
fn ratio(peer: &Compared) -> String {
    let each: Vec<String> = peer.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let target = match (peer.target_ratio, peer.target_met) {
        (Some(target), Some(is)) => format!("; target {target}, {}", met(is)),
        _ => String::new(),
    };
    let text = format!(
        "{} takes {:.2} times as long (round by round {}){target}",
        peer.figures.name,
        peer.median_ratio,
        each.join(", ")
    );
    wrap(&text, columns(), 2)
}

fn met(is: bool) -> &'static str {
    if is { "reached" } else { "NOT reached" }
}

/// Where the time of the recorded part goes.
fn operations(what: &str, profile: &Profile) -> String {
    let title = format!("{what}, while recorded: {}, the mean of {}", time(profile.seconds), profile.steps);
    let mut table = Table::new()
        .text("", Narrow::Drop(3))
        .text("op", Narrow::Keep)
        .number("calls", Narrow::Drop(1))
        .number("time", Narrow::Keep)
        .number("share", Narrow::Keep)
        .number("GFLOP/s", Narrow::Drop(2))
        .number("GB/s", Narrow::Drop(4));
    let mut phase = "";
    for op in &profile.ops {
        let first = if phase == op.phase { "" } else { &op.phase };
        phase = &op.phase;
        table.row([
            first.into(),
            op.op.clone(),
            format!("{:.0}", op.calls),
            time(op.seconds),
            percent(op.share),
            number(op.gflops, 1),
            number(op.gb_per_s, 1),
        ]);
    }
    let outside = (time(profile.outside_seconds), percent(profile.outside_share));
    let none = String::new;
    table.row([none(), "outside all ops".into(), none(), outside.0, outside.1, none(), none()]);
    let products = format!("matrix products and attention together: {}", percent(profile.products_share));
    [wrap(&title, columns(), 2), table.render(columns()), wrap(&products, columns(), 2)].join("\n")
}

fn number(number: Option<f64>, decimals: usize) -> String {
    number.map_or("-".into(), |number| format!("{number:.decimals$}"))
}

/// A time in a suitable unit.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} us", 1e6 * s),
        s if s < 1.0 => format!("{:.2} ms", 1e3 * s),
        s => format!("{s:.3} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_have_a_suitable_unit() {
        assert_eq!([time(29.04e-6), time(0.024), time(6.5)], ["29.0 us", "24.00 ms", "6.500 s"]);
    }
}
