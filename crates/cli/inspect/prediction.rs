//! Shows what the model says: the digit, or the likeliest next tokens.

use m2g_core::inspect::Prediction;

use crate::terminal::lines::{bar, fold};
use crate::terminal::table::{Narrow, Table};

/// The answers with their probabilities, as a table under a headline.
pub fn text(prediction: &Prediction, columns: usize) -> String {
    let Some((first, probability)) = prediction.ranked.first() else { return String::new() };
    let truth = match &prediction.truth {
        Some(truth) if truth == first => ", which is right".into(),
        Some(truth) => format!(", but it is {truth}"),
        None => String::new(),
    };
    let decimals = decimals(*probability);
    let percent = |p: f64| format!("{:.decimals$} %", 100.0 * p);
    let headline = format!("{}: {first} ({}){truth}", prediction.what, percent(*probability));
    let mut table = Table::new()
        .text(prediction.what, Narrow::Keep)
        .number("probability", Narrow::Keep)
        .text("", Narrow::Drop(1));
    for (name, p) in &prediction.ranked {
        table.row([name.clone(), percent(*p), bar(*p)]);
    }
    format!("{}\n{}", fold(&headline, columns), table.render(columns))
}

/// How many decimals percentages need if this is the largest share: two, or more below 1 %, so that three of its
/// digits show. Of the 50,257 tokens of an untrained GPT-2, none has more than a few thousandths of a percent.
fn decimals(largest: f64) -> usize {
    match 100.0 * largest {
        percent if percent >= 1.0 || percent <= 0.0 => 2,
        percent => (2.0 - percent.log10().floor()).min(9.0) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_names_the_answer_and_the_truth() {
        let mut seven = Prediction::likeliest("digit", &[0.1, 0.7, 0.2], 2, |i| i.to_string());
        assert_eq!(seven.ranked, [("1".to_string(), 0.7), ("2".to_string(), 0.2)]);
        assert!(text(&seven, 80).starts_with("digit: 1 (70.00 %)\ndigit  probability\n1"));
        seven.truth = Some("2".into());
        assert!(text(&seven, 80).starts_with("digit: 1 (70.00 %), but it is 2\n"));
        seven.truth = Some("1".into());
        assert!(text(&seven, 80).starts_with("digit: 1 (70.00 %), which is right\n"));
        assert_eq!(text(&Prediction::likeliest("digit", &[], 2, |i| i.to_string()), 80), "");
        let untrained = Prediction::likeliest("next token", &[2.34567e-5, 2e-5], 2, |i| i.to_string());
        assert!(text(&untrained, 80).starts_with("next token: 0 (0.00235 %)\n"), "{}", text(&untrained, 80));
        assert!(text(&untrained, 80).contains("0.00200 %"));
    }
}
