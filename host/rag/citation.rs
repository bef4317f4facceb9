//! Which sources an answer cites: `[1]`, `[1, 3]`. What stands between backticks is code, where `[0]` is an index.

/// Bytes between brackets that are looked at; more are no citation.
const LONGEST: usize = 200;
/// Numbers without a source that are told: each is compared with those before, and a model may count for ever.
const MOST_UNKNOWN: usize = 100;

/// What an answer's brackets say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cited {
    /// Numbers of sources, each once, in the order of their first mention.
    pub numbers: Vec<u32>,
    /// Numbers that no source has: the model made them up. The first hundred.
    pub unknown: Vec<u32>,
}

/// Reads the citations of an answer that had `sources` numbered sources, from 1.
pub fn cited(answer: &str, sources: u32) -> Cited {
    let mut cited = Cited::default();
    let mut rest = answer;
    while let Some(at) = rest.find(['`', '[']) {
        rest = &rest[at..];
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        if ticks > 0 {
            rest = after_code(&rest[ticks..], ticks);
            continue;
        }
        rest = &rest[1..];
        let end = rest.bytes().take(LONGEST).position(|byte| byte == b']');
        for number in end.and_then(|end| numbers(&rest[..end])).unwrap_or_default() {
            let (list, most) = match (1..=sources).contains(&number) {
                true => (&mut cited.numbers, usize::MAX),
                false => (&mut cited.unknown, MOST_UNKNOWN),
            };
            if list.len() < most && !list.contains(&number) {
                list.push(number);
            }
        }
    }
    cited
}

/// What is left after the code that a run of `ticks` backticks opened: only a run of the same length closes it. What
/// nothing closes is code to the end if it is a fence, else the run is a letter like others.
fn after_code(text: &str, ticks: usize) -> &str {
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        rest = &rest[at..];
        let run = rest.len() - rest.trim_start_matches('`').len();
        rest = &rest[run..];
        if run == ticks {
            return rest;
        }
    }
    if ticks < 3 { text } else { "" }
}

/// None for brackets that hold anything else than numbers.
fn numbers(inside: &str) -> Option<Vec<u32>> {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    inside.split(',').map(str::trim).map(|part| part.parse().ok().filter(|_| plain(part))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, numbers: &[u32], unknown: &[u32]) {
        let expected = Cited { numbers: numbers.to_vec(), unknown: unknown.to_vec() };
        assert_eq!(cited(answer, 3), expected, "{answer}");
    }

    #[test]
    fn numbers_in_brackets_are_citations() {
        check("It is so [2], as stated[1][2].", &[2, 1], &[]);
        check("Both [1, 3] and [1,2 ].", &[1, 3, 2], &[]);
        check("[4] does not exist, nor does [0].", &[], &[4, 0]);
        check("no [a], [], [1, b], [-1], [1", &[], &[]);
        check("[[3]] and [99999999999]", &[3], &[]);
    }

    #[test]
    fn a_model_that_only_counts_is_cut_short() {
        let answer: String = (4..10_000).map(|number| format!("[{number}]")).collect();
        check(&format!("{answer}[2]"), &[2], &(4..104).collect::<Vec<u32>>());
    }

    #[test]
    fn code_has_indexes_and_no_citations() {
        check("`list[1]` is the second [2]", &[2], &[]);
        check("```\na[1] = `b[1]`\n``` [3]", &[3], &[]);
        check("``a[1] ` b[1]`` [3]", &[3], &[]);
        check("[3] ```\na[1] = `b[2]`", &[3], &[]);
        // Closed by nothing, a backtick is none of code.
        check("It`s so [1], ``and so [2].", &[1, 2], &[]);
    }
}
