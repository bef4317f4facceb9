#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const MODEL: &str = "00ff";

fn open(path: &Path) -> Ledger {
    Ledger::open(path, MODEL, 3).unwrap()
}

/// A file with the vectors of `a`, `b`, `c`.
fn filled(path: &Path) -> u64 {
    let mut ledger = open(path);
    for (text, codes) in [("a", [1, 2, 3]), ("b", [-4, 5, -128]), ("c", [0, 0, 0])] {
        ledger.put(digest_of(text), &codes, 0.5).unwrap();
    }
    std::fs::metadata(path).unwrap().len()
}

fn get(ledger: &mut Ledger, text: &str) -> Option<(Vec<i8>, f32)> {
    ledger.get(&digest_of(text)).unwrap()
}

#[test]
fn what_was_put_in_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    // Header of 16 + 8 + 4 bytes, records of 16 + 4 + 3 + 4.
    assert_eq!(filled(&path), 28 + 3 * 27);
    let mut ledger = open(&path);
    assert_eq!(ledger.len(), 3);
    assert_eq!(get(&mut ledger, "a"), Some((vec![1, 2, 3], 0.5)));
    assert_eq!(get(&mut ledger, "b"), Some((vec![-4, 5, -128], 0.5)));
    assert_eq!(get(&mut ledger, "d"), None);
}

#[test]
fn a_file_of_another_model_or_dimension_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    filled(&path);
    assert_eq!(Ledger::open(&path, "00fe", 3).unwrap().len(), 0);
    filled(&path);
    assert_eq!(Ledger::open(&path, MODEL, 4).unwrap().len(), 0);
    std::fs::write(&path, "something else").unwrap();
    assert_eq!(filled(&path), 28 + 3 * 27);
}

#[test]
fn a_sweep_keeps_what_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    filled(&path);
    let mut ledger = open(&path);
    let alive: HashSet<TextDigest> = ["b", "c"].map(digest_of).into();
    ledger.sweep(&alive).unwrap();
    assert_eq!(ledger.len(), 3, "one dead record is not worth it");
    for number in 0..=FEW {
        assert!(!ledger.is_worn(2), "{number}");
        ledger.put(digest_of(&number.to_string()), &[7, 7, 7], 1.0).unwrap();
    }
    assert!(ledger.is_worn(FEW) && !ledger.is_worn(FEW + 1));
    ledger.sweep(&alive).unwrap();
    assert!(!ledger.is_worn(2));
    ledger.put(digest_of("e"), &[9, 8, 7], 2.0).unwrap();
    for mut ledger in [ledger, open(&path)] {
        assert_eq!(ledger.len(), 3);
        assert_eq!(get(&mut ledger, "a"), None);
        assert_eq!(get(&mut ledger, "b"), Some((vec![-4, 5, -128], 0.5)));
        assert_eq!(get(&mut ledger, "e"), Some((vec![9, 8, 7], 2.0)));
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 28 + 3 * 27);
}

proptest! {
    /// Wherever a file is cut, or a byte of it is wrong: what it still answers is right, and it takes more in.
    #[test]
    fn damage_is_never_an_answer(cut in 0_u64..=109, wrong in proptest::option::of(0_usize..109)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        prop_assert_eq!(filled(&path), 109);
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(wrong) = wrong {
            bytes[wrong] ^= 64;
        }
        bytes.truncate(cut as usize);
        std::fs::write(&path, bytes).unwrap();
        let mut ledger = open(&path);
        for (text, codes, from) in [("a", vec![1, 2, 3], 28), ("b", vec![-4, 5, -128], 55), ("c", vec![0, 0, 0], 82)] {
            let is_whole = cut >= from + 27 && wrong.is_none_or(|wrong| wrong >= 28 && !(from..from + 27).contains(&(wrong as u64)));
            prop_assert_eq!(get(&mut ledger, text), is_whole.then_some((codes, 0.5)));
        }
        ledger.put(digest_of("d"), &[1, 1, 1], 3.0).unwrap();
        prop_assert_eq!(get(&mut open(&path), "d"), Some((vec![1, 1, 1], 3.0)));
    }
}
