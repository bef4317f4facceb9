//! Which columns a condition of a plan compares, so that an index could answer it. Reads the expressions that
//! EXPLAIN VERBOSE prints, where every column has its table's alias in front; what it does not understand it leaves
//! out. Knows nothing of plans or indexes.

/// One comparison of a bare column with something that does not depend on its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) column: String,
    pub(super) comparison: Comparison,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    /// With any of several values.
    AnyEqual,
    /// Less or greater.
    Range,
}

impl Comparison {
    /// Whether columns after this one still narrow a B-tree scan.
    pub(super) fn is_equality(self) -> bool {
        self != Self::Range
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or key word, without its quotes.
    Word(String),
    Operator(String),
    Open,
    Close,
    /// Literals, parameters, numbers, commas: never part of a column.
    Other,
}

/// The comparisons of a table's columns that all must hold.
pub(super) fn conditions(expression: &str, alias: &str) -> Vec<Condition> {
    let tokens = tokens(expression);
    let mut found = Vec::new();
    for conjunct in conjuncts(&tokens) {
        found.extend(condition(conjunct, alias));
    }
    found
}

/// `alias.column`, with or without quotes and `DESC`, as in a sort key.
pub(super) fn sort_column(key: &str, alias: &str) -> Option<(String, bool)> {
    let tokens = tokens(key);
    let word = |token: Option<&Token>, word: &str| matches!(token, Some(Token::Word(last)) if last == word);
    match tokens.split_last() {
        Some((last, column)) if word(Some(last), "DESC") => Some((column_of(column, alias)?, true)),
        _ => Some((column_of(&tokens, alias)?, false)),
    }
}

fn condition(tokens: &[Token], alias: &str) -> Option<Condition> {
    let tokens = unwrapped(tokens);
    let (at, operator) = outside(tokens).find_map(|(at, token)| match token {
        Token::Operator(operator) if operator != "::" && operator != "." => Some((at, operator.as_str())),
        _ => None,
    })?;
    let (left, right) = (&tokens[..at], &tokens[at + 1..]);
    let any = matches!(right.first(), Some(Token::Word(word)) if word == "ANY");
    let comparison = match operator {
        "=" if any => Comparison::AnyEqual,
        "=" => Comparison::Equal,
        "<" | ">" | "<=" | ">=" if !any => Comparison::Range,
        _ => return None,
    };
    let (column, other) = match (column_of(left, alias), column_of(right, alias)) {
        (Some(column), None) => (column, right),
        (None, Some(column)) => (column, left),
        _ => return None,
    };
    (!mentions(other, alias)).then_some(Condition { column, comparison })
}

/// The column, if the tokens are nothing but it. A cast to text is none for an index on `varchar`.
fn column_of(tokens: &[Token], alias: &str) -> Option<String> {
    let mut tokens = unwrapped(tokens);
    if let [head @ .., Token::Operator(cast), Token::Word(kind)] = tokens
        && cast == "::"
        && kind == "text"
    {
        tokens = unwrapped(head);
    }
    match tokens {
        [Token::Word(table), Token::Operator(dot), Token::Word(column)] if table == alias && dot == "." => {
            Some(column.clone())
        }
        _ => None,
    }
}

fn mentions(tokens: &[Token], alias: &str) -> bool {
    tokens
        .windows(2)
        .any(|pair| matches!(pair, [Token::Word(table), Token::Operator(dot)] if table == alias && dot == "."))
}

/// Without the parentheses around the whole.
fn unwrapped(mut tokens: &[Token]) -> &[Token] {
    while let [Token::Open, inner @ .., Token::Close] = tokens {
        let mut depth = 0_i32;
        let closes_early = inner.iter().any(|token| {
            depth += match token {
                Token::Open => 1,
                Token::Close => -1,
                _ => 0,
            };
            depth < 0
        });
        if closes_early {
            break;
        }
        tokens = inner;
    }
    tokens
}

/// Tokens outside of all parentheses, with their places.
fn outside(tokens: &[Token]) -> impl Iterator<Item = (usize, &Token)> {
    let mut depth = 0_i32;
    tokens.iter().enumerate().filter(move |(_, token)| match token {
        Token::Open => {
            depth += 1;
            false
        }
        Token::Close => {
            depth -= 1;
            false
        }
        _ => depth == 0,
    })
}

fn conjuncts(tokens: &[Token]) -> Vec<&[Token]> {
    let tokens = unwrapped(tokens);
    let is_word = |token: &Token, word: &str| matches!(token, Token::Word(name) if name == word);
    if outside(tokens).any(|(_, token)| is_word(token, "OR")) {
        return vec![];
    }
    let ends = outside(tokens).filter(|(_, token)| is_word(token, "AND")).map(|(at, _)| at);
    let mut parts = Vec::new();
    let mut begin = 0;
    for end in ends.collect::<Vec<_>>() {
        parts.push(&tokens[begin..end]);
        begin = end + 1;
    }
    parts.push(&tokens[begin..]);
    parts
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            '"' | '\'' => {
                let mut quoted = String::new();
                while let Some(inner) = rest.next() {
                    // A quote within is doubled.
                    if inner == character && rest.next_if_eq(&character).is_none() {
                        break;
                    }
                    quoted.push(inner);
                }
                found.push(if character == '"' { Token::Word(quoted) } else { Token::Other });
            }
            _ if character.is_alphabetic() || character == '_' => {
                let mut word = String::from(character);
                let in_word = |next: &char| next.is_alphanumeric() || *next == '_' || *next == '$';
                word.extend(std::iter::from_fn(|| rest.next_if(in_word)));
                found.push(Token::Word(word));
            }
            '.' => found.push(Token::Operator(".".into())),
            _ if "=<>!~+-*/%^&|#@?:".contains(character) => {
                let mut operator = String::from(character);
                operator.extend(std::iter::from_fn(|| rest.next_if(|next| "=<>!~+-*/%^&|#@?:".contains(*next))));
                found.push(Token::Operator(operator));
            }
            '$' | '0'..='9' => {
                while rest.next_if(|next| next.is_ascii_digit() || *next == '.').is_some() {}
                found.push(Token::Other);
            }
            _ if character.is_whitespace() => (),
            _ => found.push(Token::Other),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn shown(expression: &str, alias: &str) -> String {
        let names = conditions(expression, alias).into_iter().map(|found| {
            let sign = match found.comparison {
                Comparison::Equal => "=",
                Comparison::AnyEqual => "=any",
                Comparison::Range => "<>",
            };
            format!("{}{sign}", found.column)
        });
        names.collect::<Vec<_>>().join(" ")
    }

    /// As PostgreSQL 15 prints them.
    #[test]
    fn comparisons_are_found_in_what_the_server_prints() {
        let filter = r#"((d.seq > $3) AND ((d.path)::text = $2) AND (d.root = ANY ('{1,2,3}'::bigint[])) AND ((d.shard = 3) OR (d.shard = 5)) AND (lower((d.path)::text) = $4) AND (d."Order" = ANY ($1)))"#;
        assert_eq!(shown(filter, "d"), "seq<> path= root=any Order=any");
        let filter = "((c.body IS NOT NULL) AND (c.shard >= 2) AND (c.shard <= 5) AND (5 < c.seq) AND (c.root = $2))";
        assert_eq!(shown(filter, "c"), "shard<> shard<> seq<> root=");
        let join = "((c.shard = u.s) AND (c.root = u.r) AND ((c.path)::text = u.p))";
        assert_eq!((shown(join, "c").as_str(), shown(join, "u").as_str()), ("shard= root= path=", "s= r= p="));
    }

    #[test]
    fn what_an_index_cannot_answer_is_left_out() {
        for expression in [
            "(d.path ~~ $1)",
            "(d.a = d.b)",
            "(d.a = (d.b + 1))",
            "(d.a <> $1)",
            "(NOT d.live)",
            "d.live",
            "((d.a = 1) OR (d.b = 2))",
            "((d.a)::numeric = $1)",
            "(d.a > ANY ($1))",
            "((d.a + 1) = $1)",
            "(hashed SubPlan 1)",
            "('d.a = (' = $1)",
            "",
            "((((",
            "\"",
        ] {
            assert_eq!(shown(expression, "d"), "", "{expression}");
        }
        assert_eq!(shown("(dd.a = $1)", "d"), "");
        assert_eq!(shown("(d.name = 'it''s ) AND (d.b = 1'::text)", "d"), "name=");
    }

    #[test]
    fn sort_keys_are_columns_with_a_direction() {
        assert_eq!(sort_column("c.seq", "c"), Some(("seq".into(), false)));
        assert_eq!(sort_column("c.\"Order\" DESC", "c"), Some(("Order".into(), true)));
        for other in ["lower(c.path)", "u.seq", "c.seq DESC NULLS LAST"] {
            assert_eq!(sort_column(other, "c"), None, "{other}");
        }
    }
}
