//! Statistics of a few training runs: mean, deviation, confidence interval of a difference.

/// The mean and, for at least two values, the sample standard deviation (divided by n - 1).
pub fn mean_and_deviation(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

/// The mean difference of pairs, and half the width of its 95 % confidence interval (Student
/// 1908). Pairs that share a seed share their data and much of their randomness.
pub fn paired_difference(values: &[f64], standard: &[f64]) -> (f64, Option<f64>) {
    let differences: Vec<f64> = values.iter().zip(standard).map(|(a, b)| a - b).collect();
    mean_and_interval(&differences)
}

/// The mean and half the width of its 95 % confidence interval: `t s / sqrt(n)`, with the standard deviation
/// `s` of the n values.
pub fn mean_and_interval(values: &[f64]) -> (f64, Option<f64>) {
    let (mean, deviation) = mean_and_deviation(values);
    let n = values.len();
    (mean, deviation.map(|s| student(n - 1) * s / (n as f64).sqrt()))
}

/// The 97.5 % quantile of Student's t distribution with this many degrees of freedom.
fn student(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    match degrees {
        0 => f64::INFINITY,
        n if n <= TABLE.len() => TABLE[n - 1],
        // Beyond the table: the first terms of Cornish and Fisher, within 0.0001 of it.
        n => 1.96 + 2.372 / n as f64 + 2.82 / (n * n) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_match_hand_computed_values() {
        assert_eq!(mean_and_deviation(&[1.0, 2.0, 3.0]), (2.0, Some(1.0)));
        assert_eq!(mean_and_deviation(&[5.0]), (5.0, None));
        // Differences 1, 2, 3: mean 2, deviation 1, and 4.303 / sqrt(3).
        let (mean, half) = paired_difference(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0]);
        assert!(mean == 2.0 && (half.unwrap_or(0.0) - 2.4843).abs() < 1e-4);
        assert_eq!(paired_difference(&[1.0], &[0.5]), (0.5, None));
        assert!((student(40) - 2.021).abs() < 1e-3 && (student(1000) - 1.962).abs() < 1e-3);
    }
}
