//! How long a text is for a language model. An estimate: every model has its own vocabulary, and the tokenizer of the
//! built-in one is no better guess for another's than this.
//!
//! tokens = max(1.3 × words, characters / 4), rounded up: words are what prose costs, characters what code, tables
//! and scripts without spaces cost.

/// Estimated tokens of a text.
pub fn count(text: &str) -> usize {
    count_with_breaks(text, 0)
}

/// As `count`, with so many line breaks after the text.
pub fn count_with_breaks(text: &str, breaks: usize) -> usize {
    let mut tally = Tally::default();
    text.chars().chain(std::iter::repeat_n('\n', breaks)).for_each(|letter| tally.add(letter));
    tally.tokens()
}

/// The longest beginning of `text` that costs at most `budget`, ending with a line if it holds a whole one.
pub fn prefix(text: &str, budget: usize) -> &str {
    let (mut tally, mut end, mut line_end) = (Tally::default(), 0, 0);
    for (at, letter) in text.char_indices() {
        tally.add(letter);
        if tally.tokens() > budget {
            return &text[..if line_end > 0 { line_end } else { end }];
        }
        end = at + letter.len_utf8();
        if letter == '\n' {
            line_end = end;
        }
    }
    text
}

#[derive(Default)]
struct Tally {
    words: usize,
    letters: usize,
    in_word: bool,
}

impl Tally {
    fn add(&mut self, letter: char) {
        let in_word = !letter.is_whitespace();
        self.words += usize::from(in_word && !self.in_word);
        self.in_word = in_word;
        self.letters += 1;
    }

    fn tokens(&self) -> usize {
        (self.words * 13).div_ceil(10).max(self.letters.div_ceil(4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_or_letters_whichever_is_more() {
        // 3 words: 3.9; 9 letters: 2.25.
        assert_eq!(count("a bc def\n"), 4);
        // 1 word: 1.3; 16 letters: 4.
        assert_eq!(count("some_identifier("), 4);
        assert_eq!(count("some_identifier()"), 5);
        // 16 letters and two breaks: 4.5.
        assert_eq!(count_with_breaks("some_identifier(", 2), 5);
        assert_eq!(count(""), 0);
        assert_eq!(count("漢字漢字漢字漢字"), 2);
    }

    #[test]
    fn a_beginning_ends_with_a_line_where_there_is_one() {
        let text = "one two\nthree four\nfive\n";
        // Three lines: 5 words, 6.5. Two: 4 words, 5.2. One: 2 words, 2.6.
        assert_eq!(prefix(text, 7), text);
        assert_eq!(prefix(text, 6), "one two\nthree four\n");
        assert_eq!(prefix(text, 5), "one two\n");
        assert_eq!(prefix("abcdefghij", 2), "abcdefgh");
        assert_eq!(prefix("ééééé", 1), "");
        assert_eq!(prefix("ééééé", 2), "ééééé");
        assert_eq!(prefix(text, 0), "");
    }
}
