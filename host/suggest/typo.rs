//! Beginnings with one typing error: which keys of an automaton begin with a text but for one letter that is wrong,
//! missing, too much, or swapped with its neighbour. Knows nothing of what the keys stand for.

use std::ops::Range;
use std::sync::LazyLock;

use fst::raw::{Fst, Output};
use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};

use super::dictionary::span;

/// Shorter texts are one letter away from too much.
const SHORTEST: usize = 3;
/// The automaton of a longer text takes longer to build than anybody waits for a completion.
const LONGEST: usize = 48;

/// Positions of the keys that begin with `prefix` but for one error, apart from each other; those that begin with it
/// without any are left out. The first letter must be right.
pub(super) fn ranges(keys: &Fst<Vec<u8>>, prefix: &str) -> Vec<Range<u32>> {
    static ONE_ERROR: LazyLock<LevenshteinAutomatonBuilder> =
        LazyLock::new(|| LevenshteinAutomatonBuilder::new(1, true));
    if !(SHORTEST..=LONGEST).contains(&prefix.chars().count()) {
        return vec![];
    }
    let errors = ONE_ERROR.build_prefix_dfa(prefix);
    let mut found = Vec::new();
    let Some(start) = after_first_letter(keys, &errors, prefix) else { return found };
    let mut open = vec![start];
    while let Some((address, state, value)) = open.pop() {
        let node = keys.node(address);
        let near = errors.distance(state) == Distance::Exact(1);
        if is_settled(&errors, state) {
            found.extend(span(keys, node, value).filter(|_| near));
            continue;
        }
        // What comes may still lessen the distance, but this key ends here.
        if near && node.is_final() {
            let position = value.cat(node.final_output()).value() as u32;
            found.push(position..position + 1);
        }
        for transition in node.transitions() {
            let next = errors.transition(state, transition.inp);
            if next != SINK_STATE {
                open.push((transition.addr, next, value.cat(transition.out)));
            }
        }
    }
    found
}

/// Address, state of the errors, and value.
type Place = (usize, u32, Output);

fn after_first_letter(keys: &Fst<Vec<u8>>, errors: &DFA, prefix: &str) -> Option<Place> {
    let first = prefix.chars().next()?.len_utf8();
    let (mut node, mut state, mut value) = (keys.root(), errors.initial_state(), Output::zero());
    for byte in prefix.bytes().take(first) {
        let transition = node.transition(node.find_input(byte)?);
        (node, value) = (keys.node(transition.addr), value.cat(transition.out));
        state = errors.transition(state, byte);
    }
    Some((node.addr(), state, value))
}

/// The distance does not depend on what comes: only such states lead to themselves.
fn is_settled(errors: &DFA, state: u32) -> bool {
    errors.transition(state, 0) == state
}
