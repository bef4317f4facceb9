//! Which strings, and so which trigrams, a text must have for a regular expression to match: a necessary condition, so
//! that only few documents need verifying. After Cox, "Regular Expression Matching with a Trigram Index" (2012),
//! simplified: sets of exact strings are carried through concatenations and kept small.

use regex_syntax::hir::{Class, Hir, HirKind};
use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use super::trigram;

/// Alternatives that are carried along; more are cut to a condition.
const MAX_STRINGS: usize = 16;
/// Characters that a class may have to count as alternatives.
const MAX_CLASS: usize = 8;
/// Longer strings add nothing to what their trigrams already demand.
const MAX_LENGTH: usize = 256;

/// A condition on the folded strings of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Any text may match.
    All,
    /// The text has this string, folded as `trigram::fold` does it; never empty.
    Literal(String),
    And(Vec<Plan>),
    Or(Vec<Plan>),
}

impl Plan {
    pub(crate) fn of(hir: &Hir) -> Self {
        let info = analyse(hir);
        match info.exact {
            Some(strings) => strings_plan(&strings),
            None => info.plan,
        }
    }

    /// None when all documents match.
    pub(in crate::index) fn query(&self, field: Field) -> Option<Box<dyn Query>> {
        let join = |queries: Vec<Box<dyn Query>>, occur: Occur| {
            let clauses = queries.into_iter().map(|query| (occur, query)).collect();
            Box::new(BooleanQuery::new(clauses)) as Box<dyn Query>
        };
        let trigram = |text: String| {
            let term = TermQuery::new(Term::from_field_text(field, &text), IndexRecordOption::Basic);
            Box::new(ConstScoreQuery::new(Box::new(term), 0.0)) as Box<dyn Query>
        };
        let demanded: Vec<Box<dyn Query>> = match self {
            Plan::All => return None,
            Plan::Literal(text) => trigram::of(text).into_iter().map(trigram).collect(),
            Plan::And(plans) => plans.iter().filter_map(|plan| plan.query(field)).collect(),
            // One branch that any text may match is enough for all.
            Plan::Or(plans) => {
                let branches: Option<Vec<_>> = plans.iter().map(|plan| plan.query(field)).collect();
                return branches.map(|branches| join(branches, Occur::Should));
            }
        };
        (!demanded.is_empty()).then(|| join(demanded, Occur::Must))
    }

    fn and(plans: Vec<Plan>) -> Self {
        let mut flat: Vec<Plan> = Vec::new();
        for plan in plans {
            match plan {
                Plan::All => {}
                Plan::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Plan::All,
            1 => flat.remove(0),
            _ => Plan::And(flat),
        }
    }

    fn or(mut plans: Vec<Plan>) -> Self {
        if plans.contains(&Plan::All) {
            return Plan::All;
        }
        match plans.len() {
            1 => plans.remove(0),
            _ => Plan::Or(plans),
        }
    }
}

/// What is known of a part of an expression.
struct Info {
    /// All folded strings that it can match, if they are few.
    exact: Option<Vec<String>>,
    /// Holds when `exact` is none.
    plan: Plan,
}

impl Info {
    fn exact(strings: Vec<String>) -> Self {
        Self { exact: Some(strings), plan: Plan::All }
    }

    fn plan(plan: Plan) -> Self {
        Self { exact: None, plan }
    }

    fn into_plan(self) -> Plan {
        match self.exact {
            Some(strings) => strings_plan(&strings),
            None => self.plan,
        }
    }
}

fn analyse(hir: &Hir) -> Info {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Info::exact(vec![String::new()]),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Info::exact(vec![text.chars().map(trigram::fold).collect()]),
            Err(_) => Info::plan(Plan::All),
        },
        HirKind::Class(class) => match class_strings(class) {
            Some(strings) => Info::exact(strings),
            None => Info::plan(Plan::All),
        },
        HirKind::Capture(capture) => analyse(&capture.sub),
        HirKind::Repetition(repetition) => repeated(&repetition.sub, repetition.min, repetition.max),
        HirKind::Concat(parts) => concatenated(parts),
        HirKind::Alternation(branches) => alternated(branches),
    }
}

fn class_strings(class: &Class) -> Option<Vec<String>> {
    let mut strings = Vec::new();
    let mut push = |start: char, end: char| {
        for (count, char) in (start..=end).enumerate() {
            if count >= MAX_CLASS {
                return None;
            }
            let folded = trigram::fold(char).to_string();
            if !strings.contains(&folded) {
                strings.push(folded);
            }
        }
        Some(())
    };
    match class {
        Class::Unicode(class) => class.ranges().iter().try_for_each(|range| push(range.start(), range.end()))?,
        Class::Bytes(class) => {
            class.ranges().iter().try_for_each(|range| push(char::from(range.start()), char::from(range.end())))?;
        }
    }
    (!strings.is_empty() && strings.len() <= MAX_CLASS).then_some(strings)
}

fn repeated(sub: &Hir, min: u32, max: Option<u32>) -> Info {
    let info = analyse(sub);
    match (min, max) {
        (0, Some(0)) => Info::exact(vec![String::new()]),
        (0, Some(1)) => match info.exact {
            Some(mut strings) if strings.len() < MAX_STRINGS => {
                strings.push(String::new());
                Info::exact(strings)
            }
            _ => Info::plan(Plan::All),
        },
        (0, _) => Info::plan(Plan::All),
        (least, most) => {
            let Some(strings) = info.exact else { return Info::plan(info.plan) };
            let mut times = vec![String::new()];
            for _ in 0..least {
                match crossed(&times, &strings) {
                    Some(crossed) => times = crossed,
                    None => return Info::plan(strings_plan(&times)),
                }
            }
            match most == Some(least) {
                true => Info::exact(times),
                false => Info::plan(strings_plan(&times)),
            }
        }
    }
}

fn concatenated(parts: &[Hir]) -> Info {
    let mut plans = Vec::new();
    let mut run = vec![String::new()];
    let mut complete = true;
    for part in parts {
        let info = analyse(part);
        let Some(strings) = info.exact else {
            complete = false;
            plans.push(strings_plan(&run));
            plans.push(info.plan);
            run = vec![String::new()];
            continue;
        };
        run = match crossed(&run, &strings) {
            Some(crossed) => crossed,
            None => {
                complete = false;
                plans.push(strings_plan(&run));
                strings
            }
        };
    }
    if complete {
        return Info::exact(run);
    }
    plans.push(strings_plan(&run));
    Info::plan(Plan::and(plans))
}

fn alternated(branches: &[Hir]) -> Info {
    let infos: Vec<Info> = branches.iter().map(analyse).collect();
    let exact: Option<Vec<&Vec<String>>> = infos.iter().map(|info| info.exact.as_ref()).collect();
    if let Some(strings) = exact.map(|strings| strings.into_iter().flatten().cloned().collect::<Vec<_>>())
        && strings.len() <= MAX_STRINGS
    {
        return Info::exact(strings);
    }
    Info::plan(Plan::or(infos.into_iter().map(Info::into_plan).collect()))
}

/// Each string of the left followed by each of the right; none when they get too many or too long.
fn crossed(left: &[String], right: &[String]) -> Option<Vec<String>> {
    if left.len() * right.len() > MAX_STRINGS {
        return None;
    }
    let strings: Vec<String> =
        left.iter().flat_map(|left| right.iter().map(move |right| format!("{left}{right}"))).collect();
    strings.iter().all(|string| string.len() <= MAX_LENGTH).then_some(strings)
}

fn strings_plan(strings: &[String]) -> Plan {
    let literal = |string: &String| if string.is_empty() { Plan::All } else { Plan::Literal(string.clone()) };
    Plan::or(strings.iter().map(literal).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A plan's trigrams in words: `abc bcd` for and, `(x | y)` for or, `*` for all.
    fn text(plan: &Plan) -> String {
        let texts = |plans: &[Plan]| plans.iter().map(text).collect::<Vec<_>>();
        let all_of = |mut texts: Vec<String>| {
            texts.retain(|text| text != "*");
            if texts.is_empty() { "*".into() } else { texts.join(" ") }
        };
        match plan {
            Plan::All => "*".into(),
            Plan::Literal(text) => all_of(trigram::of(text)),
            Plan::And(plans) => all_of(texts(plans)),
            Plan::Or(plans) if texts(plans).contains(&"*".to_owned()) => "*".into(),
            Plan::Or(plans) => format!("({})", texts(plans).join(" | ")),
        }
    }

    #[test]
    fn patterns_demand_their_trigrams() {
        let check = |pattern: &str, expect: &str| {
            let hir = regex_syntax::ParserBuilder::new().multi_line(true).build().parse(pattern).unwrap();
            assert_eq!(text(&Plan::of(&hir)), expect, "{pattern}");
        };
        check("abcd", "abc bcd");
        check("ab", "*");
        check("(?i)Hello", "ell hel llo");
        check("abc.*def", "abc def");
        check("abc|def", "(abc | def)");
        check("abc|d.", "*");
        check("ab(c|d)e", "(abc bce | abd bde)");
        check("fn [xy]z", "( xz fn  n x |  yz fn  n y)");
        check("abc?", "*");
        check("xabc?", "(abc xab | xab)");
        check("(abc)+", "abc");
        check("(ab){2}", "aba bab");
        check(r"^foo\b$", "foo");
        check(r"\w+foo\d", "foo");
        check("[a-z]{3}", "*");
        check("(foo|ba[rz])qux", "(foo ooq oqu qux | arq bar qux rqu | azq baz qux zqu)");
    }
}
