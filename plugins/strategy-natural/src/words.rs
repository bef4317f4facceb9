//! The words of a query with their places, and phrases among them. Knows no table but those of stop words.

use crate::tables::{ASKING, Phrase, STOP};

/// One word of the query without the punctuation around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// As it stands in the text.
    pub text: &'a str,
    pub lower: String,
    /// Bytes of the text, `end` not included.
    pub start: usize,
    pub end: usize,
}

impl Word<'_> {
    /// Says how somebody asks, not what for.
    pub fn is_stop(&self) -> bool {
        STOP.contains(&self.lower.as_str()) || self.is_asking()
    }

    pub fn is_asking(&self) -> bool {
        ASKING.contains(&self.lower.as_str())
    }

    /// The word itself or its plural.
    pub fn is(&self, word: &str) -> bool {
        let rest = self.lower.strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || (word.len() > 2 && matches!(rest, "s" | "es")))
    }
}

/// In the order of the text; what is only punctuation is no word.
pub fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    for part in text.split_whitespace() {
        let start = at + text[at..].find(part).unwrap_or_default();
        at = start + part.len();
        let word = bare(part);
        if word.chars().any(char::is_alphanumeric) {
            let start = start + part.find(word).unwrap_or_default();
            words.push(Word { text: word, lower: word.to_lowercase(), start, end: start + word.len() });
        }
    }
    words
}

/// Quotes, brackets and full stops around a word go; `parse()`, `c++`, `c#` and `.net` stay whole.
fn bare(part: &str) -> &str {
    let quote = |c: char| matches!(c, '?' | ',' | ';' | '`' | '\'' | '"' | '“' | '”' | '‘' | '’');
    let opening = |c: char| quote(c) || matches!(c, '(' | '[' | '{' | '<' | '*' | '|' | '\\' | '^');
    let closing = |c: char| quote(c) || matches!(c, '.' | ':' | '!' | ']' | '}' | '>' | '*' | '|' | '\\' | '$');
    let part = part.trim_start_matches(opening).trim_end_matches(closing);
    match part.strip_suffix(')') {
        Some(_) if part.ends_with("()") => part,
        Some(rest) if !rest.contains('(') => rest.trim_end_matches(closing),
        _ => part.trim_end_matches('('),
    }
}

/// Whether the phrase begins at the word `at`.
pub fn begins(words: &[Word<'_>], at: usize, phrase: Phrase) -> bool {
    words.get(at..at + phrase.len()).is_some_and(|words| words.iter().zip(phrase).all(|(word, part)| word.is(part)))
}

/// Where phrases begin and how many words they have: the longest at each place, none within another.
pub fn places(words: &[Word<'_>], phrases: &[Phrase]) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let longest = phrases.iter().filter(|phrase| begins(words, at, phrase)).map(|phrase| phrase.len()).max();
        if let Some(length) = longest {
            places.push((at, length));
        }
        at += longest.unwrap_or(1);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn punctuation_around_words_goes_and_the_rest_stays() {
        assert_eq!(texts("what does (x"), ["what", "does", "x"]);
        assert_eq!(texts("where is `parse_query` used?"), ["where", "is", "parse_query", "used"]);
        assert_eq!(texts("call parse(), in c++ or c#."), ["call", "parse()", "in", "c++", "or", "c#"]);
        assert_eq!(texts("(see Query::parse) — \"quoted\" ..."), ["see", "Query::parse", "quoted"]);
        assert_eq!(texts("f(a[0]) foo.* [a-z]+"), ["f(a[0])", "foo", "a-z]+"]);
        assert_eq!(texts("? * ( ("), Vec::<&str>::new());
    }

    #[test]
    fn places_are_bytes_of_the_text() {
        let text = "  größe (des  ÜberBaus)";
        for word in words(text) {
            assert_eq!(&text[word.start..word.end], word.text);
        }
        // Repeated words each have their own place.
        let starts: Vec<usize> = words("a aa a").iter().map(|word| word.start).collect();
        assert_eq!(starts, [0, 2, 5]);
    }

    #[test]
    fn the_longest_phrase_counts_once() {
        let words = words("errors of error handling handlers");
        assert_eq!(places(&words, &[&["error"], &["error", "handling"]]), [(0, 1), (2, 2)]);
        assert!(places(&words, &[&["handl"]]).is_empty());
    }
}
