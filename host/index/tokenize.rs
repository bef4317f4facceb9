//! The analysis of text for the text index, the same for documents and queries. Knows words and
//! identifiers; nothing of fields or queries.
//!
//! A word is a run of letters, digits and underscores. A word of several parts (`getUserName`,
//! `snake_case`, `utf8`) gives itself as a whole, at the position of its first part, and its parts at
//! following positions; a plain word gives one token. Everything is lower-cased and reduced by the
//! English Snowball stemmer. Stop words stay: they make phrases exact, their weight in a ranking is next
//! to nothing, and many are keywords (leaving out `if` and `not` costs .01 nDCG@10 on CoSQA). Ideographs and kana are parts of their own, as they have no word borders.

use std::collections::HashSet;

use tantivy::tokenizer::{Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer};

/// Longer terms are no words (hashes, encoded data) and are dropped.
const MAX_TERM_BYTES: usize = 64;

/// The analyzer of all text fields.
pub(crate) fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(CodeTokenizer::default()).filter(Stemmer::default()).build()
}

/// One word of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The identifier as a whole, when it has several parts.
    pub(crate) whole: Option<String>,
    /// At least one part unless the whole stands alone; with positions for phrases.
    pub(crate) parts: Vec<(usize, String)>,
}

/// The words of a text with their parts, in order.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut analyzer = analyzer();
    let mut stream = analyzer.token_stream(text);
    let mut words: Vec<Word> = Vec::new();
    // Parts of the compound read last that are still to come.
    let mut remaining = 0;
    while let Some(token) = stream.next() {
        let part = (token.position, token.text.clone());
        if token.offset_from == token.offset_to {
            // The tokenizer's mark of a whole: see `CodeStream::push_word`.
            remaining = token.position_length;
            words.push(Word { whole: Some(part.1), parts: Vec::new() });
        } else if let (1.., Some(word)) = (remaining, words.last_mut()) {
            remaining -= 1;
            word.parts.push(part);
        } else {
            words.push(Word { whole: None, parts: vec![part] });
        }
    }
    words
}

/// Byte ranges of the words and parts of words that have one of `terms`, or, with `prefix`, a term that
/// begins with it; in order, at most `limit`.
pub(crate) fn occurrences(
    text: &str,
    terms: &HashSet<String>,
    prefix: Option<&str>,
    limit: usize,
) -> Vec<std::ops::Range<usize>> {
    let initials: HashSet<char> =
        terms.iter().map(String::as_str).chain(prefix).filter_map(|term| term.chars().next()).collect();
    let mut stemmer = analyzer();
    let mut stem = |word: &str| stemmer.token_stream(word).next().map(|token| token.text.clone());
    let mut tokenizer = CodeTokenizer::default();
    let mut stream = tokenizer.token_stream(text);
    let mut found = Vec::new();
    while found.len() < limit && stream.advance() {
        let token = stream.token();
        // A stem begins like its word, and stemming is most of the work. A whole has no range of its own.
        let may_match = token.text.chars().next().is_some_and(|initial| initials.contains(&initial));
        if may_match
            && token.offset_from < token.offset_to
            && let Some(term) = stem(&token.text)
            && (terms.contains(&term) || prefix.is_some_and(|prefix| term.starts_with(prefix)))
        {
            found.push(token.offset_from..token.offset_to);
        }
    }
    found
}

/// The distinct terms of a text in the order of their first appearance.
pub(crate) fn terms(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut terms = Vec::new();
    analyzer().token_stream(text).process(&mut |token| {
        if seen.insert(token.text.clone()) {
            terms.push(token.text.clone());
        }
    });
    terms
}

/// Splits text into lower-cased words and their parts; the stemmer comes after it.
#[derive(Clone, Default)]
pub(crate) struct CodeTokenizer {
    token: Token,
    pending: Vec<Piece>,
}

#[derive(Clone, Default)]
struct Piece {
    from: usize,
    to: usize,
    /// Offset of `position` against the first part of its word.
    position: usize,
    /// Number of parts of the word that it is the whole of, else 0.
    whole_of: usize,
}

impl Tokenizer for CodeTokenizer {
    type TokenStream<'text> = CodeStream<'text>;

    fn token_stream<'text>(&'text mut self, text: &'text str) -> CodeStream<'text> {
        self.token.reset();
        self.pending.clear();
        CodeStream { text, at: 0, position: 0, next: 0, pending: &mut self.pending, token: &mut self.token }
    }
}

pub(crate) struct CodeStream<'text> {
    text: &'text str,
    /// Where the text is read on.
    at: usize,
    /// Of the next part.
    position: usize,
    /// Index into `pending` of what comes next.
    next: usize,
    pending: &'text mut Vec<Piece>,
    token: &'text mut Token,
}

impl TokenStream for CodeStream<'_> {
    fn advance(&mut self) -> bool {
        loop {
            if let Some(piece) = self.pending.get(self.next) {
                let piece = piece.clone();
                self.next += 1;
                self.emit(&piece);
                return true;
            }
            if !self.read_word() {
                return false;
            }
        }
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

impl CodeStream<'_> {
    /// Reads the next word and queues its tokens; false at the end of the text.
    fn read_word(&mut self) -> bool {
        self.pending.clear();
        self.next = 0;
        let rest = &self.text[self.at..];
        let Some((start, _)) = rest.char_indices().find(|(_, char)| is_word(*char)) else {
            self.at = self.text.len();
            return false;
        };
        let length = rest[start..].find(|char| !is_word(char)).unwrap_or(rest.len() - start);
        let from = self.at + start;
        self.at = from + length;
        self.push_word(from, from + length);
        true
    }

    /// Queues the whole (as an empty range of offsets, which is how `words` tells it from a part) and
    /// the parts of the word in `from..to`.
    fn push_word(&mut self, from: usize, to: usize) {
        let word = &self.text[from..to];
        let (mut start, mut previous, mut ideographic) = (None, Class::Underscore, false);
        let mut chars = word.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            let class = Class::of(char);
            ideographic |= class == Class::Ideograph;
            let next = chars.peek().map(|(_, next)| Class::of(*next));
            if start.is_some() && class.begins_part(previous, next) {
                self.push_part(from, start.take(), at);
            }
            if class != Class::Underscore && start.is_none() {
                start = Some(at);
            }
            previous = class;
        }
        self.push_part(from, start, word.len());
        let compound = match self.pending.as_slice() {
            [] => false,
            [only] => only.to - only.from < word.len(),
            _ => !ideographic,
        };
        let parts = self.pending.len();
        if compound && word.len() <= MAX_TERM_BYTES {
            self.pending.insert(0, Piece { from, to, position: 0, whole_of: parts });
        }
        for piece in self.pending.iter_mut() {
            piece.position += self.position;
        }
        self.position += parts;
    }

    fn push_part(&mut self, from: usize, start: Option<usize>, end: usize) {
        if let Some(start) = start.filter(|start| end - start <= MAX_TERM_BYTES) {
            let position = self.pending.len();
            self.pending.push(Piece { from: from + start, to: from + end, position, whole_of: 0 });
        }
    }

    fn emit(&mut self, piece: &Piece) {
        let text = &self.text[piece.from..piece.to];
        self.token.text.clear();
        if text.is_ascii() {
            self.token.text.push_str(text);
            self.token.text.make_ascii_lowercase();
        } else {
            self.token.text.extend(text.chars().flat_map(char::to_lowercase));
        }
        self.token.offset_from = piece.from;
        self.token.offset_to = if piece.whole_of > 0 { piece.from } else { piece.to };
        self.token.position = piece.position;
        self.token.position_length = piece.whole_of.max(1);
    }
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Underscore,
    Lower,
    Upper,
    Digit,
    Ideograph,
}

impl Class {
    fn of(char: char) -> Self {
        match char {
            '_' => Class::Underscore,
            'a'..='z' => Class::Lower,
            'A'..='Z' => Class::Upper,
            '0'..='9' => Class::Digit,
            // Kana, unified ideographs with their extensions, compatibility ideographs.
            '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' => {
                Class::Ideograph
            }
            _ if char.is_uppercase() => Class::Upper,
            _ if char.is_numeric() => Class::Digit,
            _ => Class::Lower,
        }
    }

    /// Whether a part ends before a character of this class: at an underscore, between letters and
    /// digits, at each ideograph, and where a capital begins a word (`userName`, `HTMLParser`).
    fn begins_part(self, previous: Class, next: Option<Class>) -> bool {
        match (previous, self) {
            (Class::Ideograph, _) | (_, Class::Ideograph) => true,
            (Class::Upper, Class::Upper) => next == Some(Class::Lower),
            (Class::Upper, Class::Lower) => false,
            (previous, this) => previous != this,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// `position:term` of each token.
    fn tokens(text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        analyzer().token_stream(text).process(&mut |token| tokens.push(format!("{}:{}", token.position, token.text)));
        tokens
    }

    #[test]
    fn identifiers_stay_whole_and_are_split() {
        let check = |text: &str, expect: &[&str]| assert_eq!(tokens(text), expect, "{text}");
        check("getUserName", &["0:getusernam", "0:get", "1:user", "2:name"]);
        check("snake_case x", &["0:snake_cas", "0:snake", "1:case", "2:x"]);
        check("HTMLParser", &["0:htmlparser", "0:html", "1:parser"]);
        check("utf8", &["0:utf8", "0:utf", "1:8"]);
        check("__init__", &["0:__init__", "0:init"]);
        check("MAX_SIZE", &["0:max_siz", "0:max", "1:size"]);
        check("Vec<u8>", &["0:vec", "1:u8", "1:u", "2:8"]);
        check("___ - \u{301}", &[]);
    }

    #[test]
    fn a_plain_word_is_one_token() {
        // Stems by the Snowball English algorithm's published vocabulary.
        assert_eq!(tokens("The boundary layers, flowing."), ["0:the", "1:boundari", "2:layer", "3:flow"]);
        assert_eq!(tokens("Größe ΣΊΣΥΦΟΣ"), ["0:größe", "1:σίσυφοσ"]);
    }

    #[test]
    fn ideographs_are_single_terms() {
        assert_eq!(tokens("検索api"), ["0:検", "1:索", "2:api"]);
    }

    #[test]
    fn overlong_terms_are_dropped() {
        let long = "a".repeat(65);
        assert_eq!(
            tokens(&format!("{long} ok {}", "b".repeat(64))),
            ["0:ok".to_owned(), format!("1:{}", "b".repeat(64))]
        );
    }

    #[test]
    fn words_tell_wholes_from_parts() {
        let part = |position, text: &str| (position, text.to_owned());
        let found = words("open getUser __init__");
        assert_eq!(found[0], Word { whole: None, parts: vec![part(0, "open")] });
        assert_eq!(found[1], Word { whole: Some("getus".into()), parts: vec![part(1, "get"), part(2, "user")] });
        assert_eq!(found[2], Word { whole: Some("__init__".into()), parts: vec![part(3, "init")] });
    }
}
