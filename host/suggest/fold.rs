//! How texts are compared: without case, and where the words inside a name begin. Knows letters only.

/// Words inside one text that are remembered; longer paths and names are found by their last ones.
const MAX_STARTS: usize = 6;

/// Without case. Letter by letter, so that the fold of a beginning is the beginning of the fold: the lower case of a
/// whole word is not so, because a final sigma is written in another way.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// As `fold`, behind what is there.
pub(super) fn fold_into(text: &str, folded: &mut String) {
    if text.is_ascii() {
        let from = folded.len();
        folded.push_str(text);
        if let Some(new) = folded.get_mut(from..) {
            new.make_ascii_lowercase();
        }
    } else {
        text.chars().for_each(|letter| fold_letter(letter, folded));
    }
}

fn fold_letter(letter: char, folded: &mut String) {
    folded.extend(letter.to_lowercase().map(|letter| if letter == 'ς' { 'σ' } else { letter }));
}

/// Where the second word and those after it begin in the fold of a text, such as 3 and 7 for `getUserName`; the last
/// few when there are many.
pub(super) fn inner_starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut folded = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(letter) = letters.next() {
        if let Some(before) = before
            && begins_word(before, letter, letters.peek().copied())
        {
            starts.push(folded.len());
        }
        fold_letter(letter, &mut folded);
        before = Some(letter);
    }
    starts.split_off(starts.len().saturating_sub(MAX_STARTS))
}

fn begins_word(before: char, letter: char, after: Option<char>) -> bool {
    if !letter.is_alphanumeric() {
        return false;
    }
    match (before.is_alphanumeric(), before.is_uppercase(), letter.is_uppercase()) {
        (false, ..) => true,
        // `getUser`
        (true, false, true) => true,
        // `HTTPServer`
        (true, true, true) => after.is_some_and(char::is_lowercase),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fold_of_a_beginning_is_the_beginning_of_the_fold() {
        for text in ["ΣΊΣΥΦΟΣ", "Größe", "İstanbul", "ǅungla", "getUserName"] {
            let whole = fold(text);
            for (end, _) in text.char_indices() {
                assert!(whole.starts_with(&fold(&text[..end])), "{text} {end}");
            }
            assert_eq!(fold(&whole), whole);
        }
        assert_eq!(fold("Σίσυφος"), fold("ΣΊΣΥΦΟΣ"));
    }

    #[test]
    fn words_begin_where_readers_see_them_begin() {
        let words = |text: &str| -> Vec<String> {
            let folded = fold(text);
            inner_starts(text).into_iter().map(|start| folded[start..].to_owned()).collect()
        };
        assert_eq!(words("getUserName"), ["username", "name"]);
        assert_eq!(words("HTTPServer"), ["server"]);
        assert_eq!(words("config_parse"), ["parse"]);
        assert_eq!(words("__init__"), ["init__"]);
        assert_eq!(words("host/http/search.rs"), ["http/search.rs", "search.rs", "rs"]);
        assert_eq!(words("İstanbulGrößeÄpfel"), ["größeäpfel", "äpfel"]);
        assert_eq!(words("utf8"), [""; 0]);
        assert_eq!(words("a.b.c.d.e.f.g.h"), ["c.d.e.f.g.h", "d.e.f.g.h", "e.f.g.h", "f.g.h", "g.h", "h"]);
    }
}
