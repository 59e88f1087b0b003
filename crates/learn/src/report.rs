//! What the grader found, in sentences.

use m2g_exercises::Value;
use serde_json::{Value as Json, json};

use crate::compare::{Difference, What, shape};
use crate::evidence::Relation;
use crate::exercise::Exercise;
use crate::failure::Failure;
use crate::grade::{Finding, Problem, Verdict};
use crate::texts::Texts;

/// The finding in sentences, one per line: shapes, the first wrong number, its slope, the mistake.
pub fn sentences(exercise: &Exercise, finding: &Finding, texts: &Texts) -> Vec<String> {
    let inputs: Vec<String> =
        finding.inputs.iter().map(|(name, value)| format!("{name} {}", described(value, texts))).collect();
    let case = (finding.case + 1).to_string();
    let mut lines = Vec::new();
    if !matches!(finding.problem, Problem::Failure(Failure::Gap)) {
        lines.push(texts.say("case", &[("case", &case), ("inputs", &inputs.join(", "))]));
    }
    match &finding.problem {
        Problem::Failure(failure) => lines.extend(texts.failure(failure)),
        Problem::Difference(found) => lines.extend(differs(exercise, found, texts)),
    }
    if let (Some(slope), Problem::Difference(Difference { what: What::Number { actual, .. }, .. })) =
        (finding.slope, &finding.problem)
    {
        lines.push(texts.say("slope", &[("slope", &number(slope)), ("actual", &number(*actual))]));
    }
    match (finding.mistake, &finding.relation) {
        (Some(mistake), _) => {
            lines.push(texts.say("mistake", &[("mistake", texts.mistake(exercise, mistake))]));
        }
        (None, Some(relation)) => lines.push(related(relation, texts)),
        (None, None) => {}
    }
    lines
}

/// The finding for machines.
pub fn json(exercise: &Exercise, verdict: &Verdict, texts: &Texts) -> Json {
    let mut json = json!({
        "event": "graded", "exercise": exercise.name, "passed": matches!(verdict, Verdict::Passed { .. }),
    });
    match verdict {
        Verdict::Passed { cases, printed } => {
            json["cases"] = json!(cases);
            json["printed"] = json!(printed);
        }
        Verdict::Failed(finding) => {
            json["printed"] = json!(finding.printed);
            json["case"] = json!(finding.case + 1);
            let shape = |(name, value): &(&str, Value)| ((*name).to_string(), json!(shape(value)));
            json["inputs"] = finding.inputs.iter().map(shape).collect::<serde_json::Map<_, _>>().into();
            json["mistake"] = json!(finding.mistake);
            json["slope"] = json!(finding.slope);
            json["sentences"] = json!(sentences(exercise, finding, texts));
            match &finding.problem {
                Problem::Failure(failure) => json["failure"] = json!(failure.key()),
                Problem::Difference(Difference { path, what }) => {
                    json["part"] = json!(part_name(exercise, path));
                    match what {
                        What::Shape { expected, actual } => {
                            json["expected_shape"] = json!(expected);
                            json["actual_shape"] = json!(actual);
                        }
                        What::Number { index, expected, actual, .. } => {
                            json["index"] = json!(index);
                            // JSON has no infinity and no NaN.
                            let (expected, actual) = apart(*expected, *actual);
                            (json["expected"], json["actual"]) = (json!(expected), json!(actual));
                        }
                        What::Text { expected, actual } => {
                            json["expected"] = json!(expected);
                            json["actual"] = json!(actual);
                        }
                        What::Type | What::Broken { .. } => {}
                    }
                }
            }
        }
    }
    json
}

/// The most characters of a text that are shown.
const MAX_TEXT: usize = 200;

fn differs(exercise: &Exercise, found: &Difference, texts: &Texts) -> Vec<String> {
    let part = part_name(exercise, &found.path);
    match &found.what {
        What::Type => vec![texts.say("type", &[])],
        What::Broken { shape, elements } => {
            let inserts = [("shape", &*tuple(shape, texts)), ("elements", &elements.to_string())];
            vec![texts.say("broken", &[&[("part", &*part)], &inserts[..]].concat())]
        }
        What::Shape { expected, actual } => {
            let (expected, actual) = (tuple(expected, texts), tuple(actual, texts));
            vec![texts.say("shape", &[("part", &part), ("expected", &expected), ("actual", &actual)])]
        }
        What::Number { index, expected, actual, wrong, total } => {
            let at = index.iter().map(|i| format!("[{i}]")).collect::<String>();
            let (expected, actual) = apart(*expected, *actual);
            let inserts = [("part", format!("{part}{at}")), ("expected", expected), ("actual", actual)];
            let inserts = inserts.each_ref().map(|(name, value)| (*name, value.as_str()));
            let first = texts.say("number", &inserts);
            let (wrong, total_text) = (wrong.to_string(), total.to_string());
            match total {
                0 | 1 => vec![first],
                _ => vec![first, texts.say("wrong", &[("wrong", &wrong), ("total", &total_text)])],
            }
        }
        What::Text { expected, actual } => {
            let shown = |text: &str| format!("{:?}", text.chars().take(MAX_TEXT).collect::<String>());
            let inserts = [("part", &*part), ("expected", &shown(expected)), ("actual", &shown(actual))];
            vec![texts.say("text", &inserts)]
        }
    }
}

fn related(relation: &Relation, texts: &Texts) -> String {
    match relation {
        Relation::Transposed => texts.say("transposed", &[]),
        Relation::Negated => texts.say("negated", &[]),
        Relation::Multiple { factor, size_of: None } => {
            texts.say("multiple", &[("factor", &number(*factor))])
        }
        Relation::Multiple { factor, size_of: Some((name, axis)) } => {
            let size = if *factor < 1.0 { 1.0 / factor } else { *factor };
            let inserts = [("factor", number(*factor)), ("size", number(size)), ("axis", axis.to_string())];
            let inserts = inserts.each_ref().map(|(name, value)| (*name, value.as_str()));
            texts.say("multiple_of_size", &[&[("input", *name)], &inserts[..]].concat())
        }
    }
}

/// The name of a part of the answer: `nabla_w[1]`.
fn part_name(exercise: &Exercise, path: &[usize]) -> String {
    let (name, rest) = match path {
        [first, rest @ ..] if exercise.outputs.len() > 1 => (exercise.outputs.get(*first), rest),
        path => (exercise.outputs.first(), path),
    };
    let rest: String = rest.iter().map(|i| format!("[{i}]")).collect();
    format!("{}{rest}", name.copied().unwrap_or_default())
}

/// The most real numbers, and the most characters of integers and texts, of an argument that is shown as
/// a whole, so that one can work the case out by hand.
const MAX_NUMBERS: usize = 8;
const MAX_CHARACTERS: usize = 120;

/// A matrix with more elements than this is shown by its shape alone.
const MAX_ELEMENTS: usize = 6;

/// An argument if it is short, or else its shape; a small matrix with both.
fn described(value: &Value, texts: &Texts) -> String {
    let short = in_full(value).filter(|text| text.chars().count() <= MAX_CHARACTERS);
    match (value, short) {
        (Value::Matrix(_), Some(text)) => format!("{} = {text}", tuple(&shape(value), texts)),
        (_, Some(text)) => text,
        (_, None) => tuple(&shape(value), texts),
    }
}

/// Numbers, lists and texts as one writes them; `None` for what has too many real numbers.
fn in_full(value: &Value) -> Option<String> {
    let list = |parts: Vec<String>| Some(format!("[{}]", parts.join(", ")));
    match value {
        // One just below 1 is not 1.
        Value::Number(x) => Some(apart(*x, x.round()).0),
        Value::Count(n) => Some(n.to_string()),
        Value::Numbers(xs) if xs.len() <= MAX_NUMBERS => list(xs.iter().map(|x| number(*x)).collect()),
        Value::Ids(ids) => list(ids.iter().map(usize::to_string).collect()),
        Value::Text(text) => Some(format!("{text:?}")),
        Value::List(parts) if parts.iter().all(|part| matches!(part, Value::Ids(_))) => {
            list(parts.iter().map(in_full).collect::<Option<_>>()?)
        }
        Value::Matrix(m) if m.data.len() <= MAX_ELEMENTS => {
            let row = |i| list(m.row(i).iter().map(|x| number(*x)).collect());
            list((0..m.rows).map(row).collect::<Option<_>>()?)
        }
        Value::Numbers(_) | Value::Matrix(_) | Value::List(_) => None,
    }
}

/// A shape as `(2, 3)`.
fn tuple(shape: &[usize], texts: &Texts) -> String {
    match shape {
        [] => texts.say("one_number", &[]),
        shape => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// A number with six significant digits.
pub fn number(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let magnitude = x.abs().log10().floor();
    if !(-4.0..6.0).contains(&magnitude) {
        return format!("{x:.5e}");
    }
    let text = format!("{x:.*}", (5.0 - magnitude) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// Two different numbers, with enough digits to look different.
fn apart(a: f64, b: f64) -> (String, String) {
    let short = (number(a), number(b));
    if short.0 == short.1 { (a.to_string(), b.to_string()) } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn short_arguments_are_shown_as_a_whole() {
        let texts = Language::English.texts();
        let shown = |value: Value| described(&value, &texts);
        assert_eq!(shown(vec![1_usize, 2, 3].into()), "[1, 2, 3]");
        assert_eq!(shown(vec![0.5, -1.0].into()), "[0.5, -1]");
        assert_eq!(shown(Value::Text("a\nb".into())), "\"a\\nb\"");
        let nodes = vec![Value::from(vec![0_usize, 0, 0]), vec![3_usize, 0, 0].into()];
        assert_eq!(shown(Value::List(nodes)), "[[0, 0, 0], [3, 0, 0]]");
        assert_eq!(shown(vec![7_usize; 100].into()), "(100)");
        assert_eq!(shown(vec![0.5; 9].into()), "(9)");
        assert_eq!(shown((1.0 - f64::EPSILON / 2.0).into()), "0.9999999999999999");
        assert_eq!([shown(3.0.into()), shown(0.25.into())], ["3", "0.25"]);
    }

    #[test]
    fn numbers_are_short() {
        let shown =
            [0.5, -1.25, 0.0, 123_456.7, 1e-7, f64::NAN, f64::NEG_INFINITY, 3.0, 1.0 / 3.0].map(number);
        let want = ["0.5", "-1.25", "0", "123457", "1.00000e-7", "NaN", "-inf", "3", "0.333333"];
        assert_eq!(shown, want);
        assert_eq!(number(-0.012_345_678), "-0.0123457");
        assert_eq!(apart(1.0, 1.000_001), ("1".into(), "1.000001".into()));
        assert_eq!(apart(0.25, 0.5), ("0.25".into(), "0.5".into()));
    }
}
