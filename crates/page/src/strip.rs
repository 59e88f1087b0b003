//! Removes the comments of the page's files. They are for readers of the sources; the program sends every byte to the
//! browser.

/// The text without its lines that are comments alone: `// ..` and `/* .. */`. What is inside a template literal stays.
pub fn without_comments(text: &str) -> String {
    let mut in_template = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        let is_comment = words.starts_with("//") || words.starts_with("/*") && words.ends_with("*/");
        if is_comment && !in_template {
            continue;
        }
        in_template ^= line.matches('`').count() % 2 == 1;
        kept.push_str(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_of_whole_lines_go() {
        let text = "// one\n\n\tlet a = '//'; // stays `x`\n\t/* two */\nb { c: d } /* stays */\n/* e */ f\nurl(//g)\n";
        let kept = "\n\tlet a = '//'; // stays `x`\nb { c: d } /* stays */\n/* e */ f\nurl(//g)\n";
        assert_eq!(without_comments(text), kept);
    }

    #[test]
    fn a_template_literal_stays_whole() {
        let text = "let a = `\n// b\n\n/* c */\n`;\n// d\nlet e = `${`f`}`;\n// g";
        assert_eq!(without_comments(text), "let a = `\n// b\n\n/* c */\n`;\nlet e = `${`f`}`;\n");
    }
}
