//! The trigrams of a text: each three neighbouring characters, folded so that texts which differ only in
//! case have the same ones. Documents and patterns must be folded alike.

use std::collections::HashSet;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Stands for every cased character beyond ASCII: the regex engine's case folding has more pairs than
/// lower-casing, and a stand-in can only add candidates, never lose one.
pub(crate) const CASED: char = '\u{1}';

/// The folded form of a character.
pub(super) fn fold(char: char) -> char {
    match char {
        _ if char.is_ascii() => char.to_ascii_lowercase(),
        // Fold to ASCII letters: long s and the Kelvin sign.
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => {
            let caseless = char.to_lowercase().eq([char]) && char.to_uppercase().eq([char]);
            if caseless { char } else { CASED }
        }
    }
}

/// The distinct trigrams of a short text, sorted.
pub(super) fn of(text: &str) -> Vec<String> {
    let folded: Vec<char> = text.chars().map(fold).collect();
    let mut trigrams: Vec<String> = folded.windows(3).map(|three| three.iter().collect()).collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    trigrams
}

/// Bits a trigram of ASCII characters takes.
const ASCII_BITS: usize = 21;

/// Emits each trigram of a text once.
#[derive(Clone)]
pub(crate) struct Trigrams {
    token: Token,
    /// One bit for each ASCII trigram: whether the text at hand has it.
    seen: Vec<u64>,
    ascii: Vec<u32>,
    others: HashSet<[char; 3]>,
}

impl Default for Trigrams {
    fn default() -> Self {
        let seen = vec![0; 1 << (ASCII_BITS - 6)];
        Self { token: Token::default(), seen, ascii: Vec::new(), others: HashSet::new() }
    }
}

impl Tokenizer for Trigrams {
    type TokenStream<'text> = TrigramStream<'text>;

    fn token_stream<'text>(&'text mut self, text: &'text str) -> TrigramStream<'text> {
        for code in self.ascii.drain(..) {
            self.seen[code as usize >> 6] &= !(1 << (code & 63));
        }
        self.others.clear();
        self.token.reset();
        let (mut first, mut second) = (None, None);
        for char in text.chars() {
            let third = fold(char);
            if let (Some(first), Some(second)) = (first, second) {
                self.note([first, second, third]);
            }
            (first, second) = (second, Some(third));
        }
        let others = self.others.iter();
        TrigramStream { ascii: self.ascii.iter(), others, position: 0, token: &mut self.token }
    }
}

impl Trigrams {
    fn note(&mut self, three: [char; 3]) {
        if !three.iter().all(char::is_ascii) {
            self.others.insert(three);
            return;
        }
        let code = (three[0] as u32) << 14 | (three[1] as u32) << 7 | three[2] as u32;
        let bit = 1 << (code & 63);
        let word = &mut self.seen[code as usize >> 6];
        if *word & bit == 0 {
            *word |= bit;
            self.ascii.push(code);
        }
    }
}

pub(crate) struct TrigramStream<'text> {
    ascii: std::slice::Iter<'text, u32>,
    others: std::collections::hash_set::Iter<'text, [char; 3]>,
    position: usize,
    token: &'text mut Token,
}

impl TokenStream for TrigramStream<'_> {
    fn advance(&mut self) -> bool {
        self.token.text.clear();
        if let Some(code) = self.ascii.next() {
            let char = |shift: u32| char::from((code >> shift & 127) as u8);
            self.token.text.extend([char(14), char(7), char(0)]);
        } else if let Some(three) = self.others.next() {
            self.token.text.extend(three);
        } else {
            return false;
        }
        self.token.position = self.position;
        self.position += 1;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(tokenizer: &mut Trigrams, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        tokenizer.token_stream(text).process(&mut |token| found.push(token.text.clone()));
        found.sort_unstable();
        found
    }

    #[test]
    fn each_trigram_comes_once_and_a_tokenizer_starts_afresh() {
        let mut tokenizer = Trigrams::default();
        assert_eq!(emitted(&mut tokenizer, "abcABCa"), ["abc", "bca", "cab"]);
        assert_eq!(emitted(&mut tokenizer, "abcd"), ["abc", "bcd"]);
        assert_eq!(emitted(&mut tokenizer, "ab"), Vec::<String>::new());
        assert_eq!(emitted(&mut tokenizer, "漢字x漢字x"), ["x漢字", "字x漢", "漢字x"]);
    }

    #[test]
    fn folding_is_no_finer_than_the_regex_engine() {
        // Every pair that the engine's case-insensitive mode takes for equal must fold alike.
        for char in
            ('\u{80}'..='\u{24ff}').chain('\u{a640}'..='\u{abff}').chain('\u{1f00}'..='\u{1fff}').chain(' '..='~')
        {
            let range = regex_syntax::hir::ClassUnicodeRange::new(char, char);
            let mut class = regex_syntax::hir::ClassUnicode::new([range]);
            class.case_fold_simple();
            for range in class.ranges() {
                for other in range.start()..=range.end() {
                    assert_eq!(fold(char), fold(other), "{char:?} {other:?}");
                }
            }
        }
    }
}
