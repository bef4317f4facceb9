//! What a query looks like. Decisions on its characters alone: no index, no word list but the file
//! extensions of code and prose.

/// How a person seems to mean a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Within double quotes; the words between them.
    Phrase(String),
    /// A file or folder, or a part of one.
    Path,
    /// A name out of code: the name itself without call brackets, and its last part.
    Identifier {
        whole: String,
        last: String,
    },
    Regex,
    /// Words.
    Language,
}

/// The shape of a whole query; surrounding white space does not matter.
pub fn shape(text: &str) -> Shape {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let inner = inner.trim();
        if !inner.is_empty() && !inner.contains('"') {
            return Shape::Phrase(inner.into());
        }
    }
    if looks_like_regex(text) {
        Shape::Regex
    } else if is_path(text) {
        Shape::Path
    } else if let Some((whole, last)) = identifier(text) {
        Shape::Identifier { whole: whole.into(), last: last.into() }
    } else {
        Shape::Language
    }
}

/// Endings that make a single word a file name. `a.go` is a file, `a.b` is a member.
const EXTENSIONS: [&str; 36] = [
    "c", "cc", "cfg", "cpp", "cs", "css", "csv", "go", "h", "hpp", "html", "ini", "java", "js", "json", "jsx", "kt",
    "lock", "md", "php", "proto", "py", "rb", "rs", "rst", "sh", "sql", "svelte", "swift", "toml", "ts", "tsx", "txt",
    "wit", "yaml", "yml",
];

fn is_path(text: &str) -> bool {
    if text.contains(char::is_whitespace) || text.contains("://") {
        return false;
    }
    let extension = text.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let known = extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()));
    let name = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '@' | '+' | '~');
    (known || text.contains('/')) && text.chars().all(name) && text.chars().any(char::is_alphanumeric)
}

/// One word that code would be written with: `parse_query`, `parseQuery`, `Query::parse`, `parse()`,
/// `self.parse`. A plain word such as `index` may be either and is not one.
pub fn identifier(text: &str) -> Option<(&str, &str)> {
    let call = text.strip_suffix("()");
    let whole = call.unwrap_or(text).trim_start_matches(['&', '*', '@', '$', '#']).trim_end_matches('!');
    let last = whole.rsplit([':', '.']).next().unwrap_or(whole);
    let starts = whole.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '$');
    if !starts || last.is_empty() || !whole.chars().all(part) {
        return None;
    }
    let hump = whole.chars().zip(whole.chars().skip(1)).any(|(one, next)| one.is_lowercase() && next.is_uppercase());
    let marked = call.is_some() || hump || whole.contains('_') || whole.contains('.') || whole.contains("::");
    marked.then_some((whole, last))
}

/// Metacharacters in places where prose and code rarely have them. Calls (`f()`), indexing (`a[0]`),
/// generics, `c++` and a question mark at the end are not signs of a regular expression.
pub fn looks_like_regex(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let at = |place: usize| chars.get(place).copied().unwrap_or(' ');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if chars.len() > 1 && (chars[0] == '^' || (at(chars.len() - 1) == '$' && word(at(chars.len() - 2)))) {
        return true;
    }
    (0..chars.len()).any(|i| {
        let (before, next) = (if i == 0 { ' ' } else { at(i - 1) }, at(i + 1));
        match chars[i] {
            '\\' => "wWdDsSbB.()[]{}+*?^$|\\".contains(next),
            '.' => next == '*' || (next == '+' && before != '.'),
            '(' => next == '?',
            '|' => {
                (word(before) || matches!(before, ')' | ']' | '*' | '+'))
                    && (word(next) || matches!(next, '(' | '[' | '\\' | '^'))
            }
            '[' => class_ends(&chars[i + 1..]).is_some_and(|(class, rest)| {
                class[0] == '^'
                    || class.windows(3).any(|range| range[1] == '-' && word(range[0]) && word(range[2]))
                    || matches!(rest, Some('*' | '+'))
            }),
            '{' => i > 0 && before != ' ' && counts(&chars[i + 1..]),
            _ => false,
        }
    })
}

/// The characters of a class up to its `]`, and what follows it.
fn class_ends(rest: &[char]) -> Option<(&[char], Option<char>)> {
    let end = rest.iter().position(|c| *c == ']').filter(|end| *end > 0)?;
    Some((&rest[..end], rest.get(end + 1).copied()))
}

/// `3}`, `3,}` or `3,5}`.
fn counts(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|c| *c == '}') else { return false };
    let inner = &rest[..end];
    inner.first().is_some_and(char::is_ascii_digit)
        && inner.iter().all(|c| c.is_ascii_digit() || *c == ',')
        && inner.iter().filter(|c| **c == ',').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_are_told_from_prose_and_code() {
        let regexes = [
            r"fn \w+",
            "foo.*bar",
            "[a-z]+_id",
            "^pub fn",
            "unwrap$",
            "get|set",
            r"\.unwrap\(",
            "(?i)todo",
            "a{2,3}",
            "[^)]x",
            "x.+y",
            "(foo|bar)baz",
            r"\bfn\b",
            "[xyz]*",
        ];
        for text in regexes {
            assert!(looks_like_regex(text), "{text}");
        }
        let plain = [
            "how does this work?",
            "f()?",
            "a[0]",
            "vec![1, 2]",
            "c++",
            "a || b",
            "Vec<String>",
            "node.js",
            "1..=3",
            "#[derive(Debug)]",
            "costs $5",
            "C:\\temp",
            "x + y * z",
            "{ 3 }",
            "what is this ...",
            "map(|x| x + 1)",
            "fn main() {}",
            "^",
            "$",
        ];
        for text in plain {
            assert!(!looks_like_regex(text), "{text}");
        }
    }

    #[test]
    fn shapes() {
        let name = |whole: &str, last: &str| Shape::Identifier { whole: whole.into(), last: last.into() };
        let cases = [
            ("\"exact words\"", Shape::Phrase("exact words".into())),
            ("\"\"", Shape::Language),
            ("say \"exact words\"", Shape::Language),
            ("src/main.rs", Shape::Path),
            ("host/index", Shape::Path),
            ("Cargo.toml", Shape::Path),
            ("https://example.org/a", Shape::Language),
            ("read or/and write", Shape::Language),
            ("parse_query", name("parse_query", "parse_query")),
            ("parseQuery", name("parseQuery", "parseQuery")),
            ("Query::parse", name("Query::parse", "parse")),
            ("parse()", name("parse", "parse")),
            ("self.parse()", name("self.parse", "parse")),
            ("assert_eq!", name("assert_eq", "assert_eq")),
            ("index", Shape::Language),
            ("Help!", Shape::Language),
            ("what?", Shape::Language),
            ("e.g.", Shape::Language),
            ("how does the borrow checker work", Shape::Language),
            (r"fn \w+", Shape::Regex),
            ("  parse_query  ", name("parse_query", "parse_query")),
            ("größe_von", name("größe_von", "größe_von")),
        ];
        for (text, expected) in cases {
            assert_eq!(shape(text), expected, "{text}");
        }
    }
}
