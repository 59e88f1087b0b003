//! Formats the results of a workload as text.

use super::profile::Profile;
use super::report::{Compared, Figures, Report, Run};
use super::scaled::Scaled;
use super::workload::Scaling;
use crate::output::percent;

/// The machine and its limits.
pub fn machine(run: &Run) -> String {
    let (machine, limits) = (&run.machine, &run.limits);
    format!(
        "{}, {} with {}; {} of {} processors in use, m2g {} ({} build), {}\n\
         peak {:.0} GFLOP/s in f32 products, {:.0} in bf16; memory {:.1} GB/s when copying (bytes read plus bytes written)",
        machine.processor,
        machine.architecture,
        machine.kernels_use,
        limits.threads,
        machine.logical_processors,
        run.version,
        run.build,
        run.date,
        limits.f32_gflops,
        limits.bf16_gflops,
        limits.copy_gb_per_s,
    )
}

/// The results of a workload.
pub fn text(report: &Report<'_>) -> String {
    let Report { workload, what, precision, unit, steps, run, .. } = report;
    let mut lines = vec![
        format!("\n{workload}: {what}; {precision}, {} x {steps} times", run.rounds),
        format!(
            "  {:<21}{:>10}{:>10}{:>9}{unit:>10}{:>9}{:>9}{:>9}",
            "", "median", "minimum", "spread", "GFLOP/s", "of peak", "peak MB"
        ),
    ];
    lines.push(figures(&report.ours));
    lines.extend(report.peers.iter().map(|peer| figures(&peer.figures)));
    let target = match (report.target.seconds, report.target.tokens_per_second) {
        (Some(seconds), _) => format!("at most {}", time(seconds)),
        (None, tokens) => format!("at least {:.0} tokens/s", tokens.unwrap_or_default()),
    };
    lines.push(format!("  target: {target}, {}", met(report.target.met)));
    if let Some(rate) = report.weights_gb_per_s {
        let megabytes = 1e3 * rate / report.ours.per_second;
        lines.push(format!("  each token reads {megabytes:.1} MB of weights: {rate:.1} GB/s"));
    }
    lines.extend(report.peers.iter().map(ratio));
    lines.extend(report.profile.map(|profile| operations(report.recorded, profile)));
    lines.join("\n")
}

/// A workload at several sizes. Times and memory are also given relative to the first.
pub fn scaled(scaled: &Scaled<'_>) -> String {
    let Scaled { workload, precision, points, target, run, .. } = scaled;
    let mut lines = vec![
        format!("\n{workload}: {precision}, median of {} rounds", run.rounds),
        format!(
            "  {:>7}{:>7}{:>7}{:>7}{:>12}{:>9}{:>12}{:>9}{:>9}{:>9}",
            "threads",
            "texts",
            "tokens",
            "steps",
            "a step",
            "spread",
            "a token",
            "of first",
            "peak MB",
            "of first"
        ),
    ];
    let number = |number: Option<f64>, decimals| number.map_or("-".into(), |n| format!("{n:.decimals$}"));
    lines.extend(points.iter().map(|point| {
        format!(
            "  {:>7}{:>7}{:>7}{:>7}{:>12}{:>9}{:>12}{:>9.2}{:>9}{:>9}",
            point.threads,
            point.batch_size,
            point.block_size,
            point.steps,
            time(point.median_seconds),
            format!("{:.1} %", 100.0 * point.spread),
            time(point.seconds_per_token),
            point.relative_time,
            number(point.peak_memory_mb, 0),
            number(point.relative_memory, 2),
        )
    }));
    lines.push(format!("  target: {}: {}, {}", target.what, number(target.value, 2), met(target.met)));
    if let (Scaling::Threads, Some(last)) = (scaled.scaling, points.last()) {
        lines.push(format!(
            "  large matrix products alone, after each measurement: {} times as fast",
            number(last.relative_products, 2)
        ));
    }
    lines.join("\n")
}

fn figures(figures: &Figures) -> String {
    format!(
        "  {:<21}{:>10}{:>10}{:>9}{:>10.0}{:>9.1}{:>9}{:>9}",
        figures.name,
        time(figures.median_seconds),
        time(figures.min_seconds),
        format!("{:.1} %", 100.0 * figures.spread),
        figures.per_second,
        figures.gflops,
        format!("{:.1} %", 100.0 * figures.share_of_peak),
        figures.peak_memory_mb.map_or("-".into(), |mb| format!("{mb:.0}")),
    )
}

/// The ratio of a peer's time to ours.
fn ratio(peer: &Compared) -> String {
    let each: Vec<String> = peer.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let target = match (peer.target_ratio, peer.target_met) {
        (Some(target), Some(is)) => format!("; target {target}, {}", met(is)),
        _ => String::new(),
    };
    format!(
        "  {} takes {:.2} times as long (round by round {}){target}",
        peer.figures.name,
        peer.median_ratio,
        each.join(", ")
    )
}

fn met(is: bool) -> &'static str {
    if is { "reached" } else { "NOT reached" }
}

/// Where the time of the recorded part goes.
fn operations(what: &str, profile: &Profile) -> String {
    let mut lines = vec![
        format!("  {what}, while recorded: {}, the mean of {}", time(profile.seconds), profile.steps),
        format!(
            "  {:<9} {:<22}{:>7}{:>12}{:>10}{:>10}{:>9}",
            "", "op", "calls", "time", "share", "GFLOP/s", "GB/s"
        ),
    ];
    let mut phase = "";
    for op in &profile.ops {
        let first = if phase == op.phase { "" } else { &op.phase };
        phase = &op.phase;
        lines.push(format!(
            "  {first:<9} {:<22}{:>7.0}{:>12}{:>10}{:>10}{:>9}",
            op.op,
            op.calls,
            time(op.seconds),
            percent(op.share),
            rate(op.gflops),
            rate(op.gb_per_s)
        ));
    }
    let outside = (time(profile.outside_seconds), percent(profile.outside_share));
    lines.push(format!("  {:<39}{:>12}{:>10}", "outside all ops", outside.0, outside.1));
    lines.push(format!("  matrix products and attention together: {}", percent(profile.products_share)));
    lines.join("\n")
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("-".into(), |rate| format!("{rate:.1}"))
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
