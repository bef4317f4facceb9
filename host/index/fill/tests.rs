//! Two spaces side by side: which one answers, and that it answers alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::index::{Change, DocumentVersion, Index, Snapshot};
use crate::query::{Probe, Scope, VectorProbe};

const DOCUMENTS: [&str; 5] = ["red apple", "blue sky", "red brick", "blue whale", "blue ink"];

/// A model of the test's own.
struct Fake {
    digest: String,
    /// What is asked for is the opposite of what a text says.
    contrary: bool,
    /// Chunks that it still embeds; it panics on the next one.
    strength: AtomicUsize,
    /// Chunks that it embedded.
    embedded: AtomicUsize,
}

impl Fake {
    fn new(digest: &str, contrary: bool) -> Arc<Self> {
        Self::tiring(digest, contrary, usize::MAX)
    }

    fn tiring(digest: &str, contrary: bool, strength: usize) -> Arc<Self> {
        let (strength, embedded) = (AtomicUsize::new(strength), AtomicUsize::default());
        Arc::new(Self { digest: digest.repeat(64), contrary, strength, embedded })
    }

    fn embedded(&self) -> usize {
        self.embedded.load(Ordering::SeqCst)
    }
}

impl Embedder for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn dimension(&self) -> usize {
        3
    }

    /// Red, blue, and a little of its own.
    fn embed(&self, text: &str) -> Vec<f32> {
        // Only what stands for a chunk has a second line.
        let is_chunk = text.contains('\n');
        if is_chunk {
            let left = self.strength.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            left.expect("it is tired");
            self.embedded.fetch_add(1, Ordering::SeqCst);
        }
        let own = f32::from(blake3::hash(text.as_bytes()).as_bytes()[0]) / 1000.0;
        let (red, blue) = (text.matches("red").count() as f32, text.matches("blue").count() as f32);
        let vector = if self.contrary && !is_chunk { [blue, red, own] } else { [red, blue, own] };
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.map(|number| if length > 0.0 { number / length } else { 0.0 }).to_vec()
    }
}

fn version(sequence: u64, document: u64, content: &str) -> DocumentVersion {
    DocumentVersion {
        sequence,
        document,
        root: 1,
        path: format!("{document}.txt"),
        language: None,
        title: None,
        modified: 0,
        content: content.to_owned(),
    }
}

fn put(index: &Index, sequence: u64, document: u64, content: &str) {
    let change = Change::Upsert(Box::new(index.prepare(version(sequence, document, content))));
    index.apply(vec![change]).unwrap();
}

fn open(folder: &Path, model: &Arc<Fake>) -> Index {
    Index::open_with(folder, Some(BetterModel { embedder: model.clone(), core_percent: 100 })).unwrap()
}

/// All documents, numbered from 1, of one chunk each.
fn fill(index: &Index) {
    for (content, number) in DOCUMENTS.iter().zip(1..) {
        put(index, number, number, content);
    }
    index.commit(5).unwrap();
}

/// Documents in the order of their likeness, with it.
fn ask(snapshot: &Snapshot, text: &str) -> Vec<(u64, f32)> {
    let probe = Probe::Vector(VectorProbe { text: text.to_owned(), min_similarity: None, limit: 100 });
    let hits = snapshot.probe(&probe, &Scope::default(), Instant::now() + Duration::from_secs(3600)).unwrap();
    let chunks = snapshot.chunks(&hits.chunks).unwrap();
    chunks.into_iter().zip(hits.scores).map(|(chunk, score)| (chunk.unwrap().document.document, score)).collect()
}

/// The documents that are more like `text` than 0.9.
fn alike(snapshot: &Snapshot, text: &str) -> Vec<u64> {
    let mut found: Vec<u64> =
        ask(snapshot, text).into_iter().filter(|(_, score)| *score > 0.9).map(|(document, _)| document).collect();
    found.sort_unstable();
    found
}

/// Embedded, backlog, whether it answers.
fn figures(snapshot: &Snapshot) -> [(u64, u64, bool); 2] {
    let models = snapshot.stats().models;
    assert_eq!(models.len(), 2);
    [0, 1].map(|at: usize| (models[at].embedded, models[at].backlog, models[at].answers))
}

#[test]
fn the_better_model_answers_when_it_has_every_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let model = Fake::tiring("a", false, 4);
    let index = open(folder.path(), &model);
    assert_eq!(figures(&index.snapshot())[1].0, 0);
    fill(&index);
    let error = index.wait_for_model().unwrap_err().to_string();
    assert!(error.contains("panicked"), "{error}");

    // One chunk is missing: the built-in model answers, for all.
    let before = index.snapshot();
    assert_eq!(figures(&before), [(5, 0, true), (4, 1, false)]);
    let better = &before.stats().models[1];
    assert_eq!((better.name.as_str(), better.dimension, better.coverage()), ("fake", 3, 0.8));
    assert!(better.failure.as_deref().unwrap().contains("panicked"));
    assert_eq!((before.stats().dimension, before.stats().vectors), (256, 5));
    assert_eq!((ask(&before, "red").len(), before.embedder().dimension()), (5, 256));

    model.strength.store(1, Ordering::SeqCst);
    index.commit(6).unwrap();
    put(&index, 7, 9, "");
    index.apply(vec![Change::Remove { document: 9, sequence: 8 }]).unwrap();
    index.commit(8).unwrap();
    while index.snapshot().stats().models[1].failure.is_some() {
        std::thread::yield_now();
    }
    index.wait_for_model().unwrap();
    let after = index.snapshot();
    assert_eq!(figures(&after), [(5, 0, false), (5, 0, true)]);
    assert_eq!((after.stats().dimension, after.stats().vectors), (3, 5));
    assert_eq!((alike(&after, "red"), alike(&after, "blue")), (vec![1, 3], vec![2, 4, 5]));
    assert_eq!(model.embedded(), 5);

    // A query that began with the one space ends with it.
    assert_eq!(before.embedder().dimension(), 256);
    let ids = before.chunks(&[]).map(|_| crate::query::ChunkId::new(1, 0)).unwrap();
    assert_eq!((before.embeddings(&[ids]).unwrap().0, after.embeddings(&[ids]).unwrap().0), (256, 3));
    assert_ne!(before.embedder().digest(), after.embedder().digest());
}

#[test]
fn filling_goes_on_after_a_restart_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let first = Fake::tiring("a", false, 2);
    let index = open(folder.path(), &first);
    fill(&index);
    index.wait_for_model().unwrap_err();
    drop(index);
    let second = Fake::new("a", false);
    let index = open(folder.path(), &second);
    index.wait_for_model().unwrap();
    assert_eq!((first.embedded(), second.embedded()), (2, 3));
    assert_eq!(alike(&index.snapshot(), "red"), [1, 3]);
    drop(index);
    // Whole: nothing is left to embed, and the order is the same.
    let third = Fake::tiring("a", false, 0);
    let index = open(folder.path(), &third);
    index.wait_for_model().unwrap();
    assert_eq!((third.embedded(), alike(&index.snapshot(), "red")), (0, vec![1, 3]));
}

#[test]
fn vectors_outlive_an_index_that_is_derived_again() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), &Fake::new("a", false));
    fill(&index);
    index.wait_for_model().unwrap();
    drop(index);
    std::fs::write(folder.path().join("format.json"), "of another time").unwrap();
    let model = Fake::tiring("a", false, 0);
    let index = open(folder.path(), &model);
    assert_eq!(index.applied(), 0);
    // The same numbers for other contents: the texts decide.
    for (content, number) in DOCUMENTS.iter().rev().zip(1..) {
        put(&index, number, 6 - number, content);
    }
    index.commit(5).unwrap();
    index.wait_for_model().unwrap();
    assert_eq!((model.embedded(), alike(&index.snapshot(), "red")), (0, vec![1, 3]));
}

#[test]
fn an_index_that_is_still_empty_throws_no_vectors_away() {
    let folder = tempfile::tempdir().unwrap();
    // More than must be dead before a file is written anew.
    let fill = |index: &Index| {
        let versions = (1..=1100).map(|number| version(number, number, &format!("red {number}")));
        index.apply(versions.map(|version| Change::Upsert(Box::new(index.prepare(version)))).collect()).unwrap();
        index.commit(1100).unwrap();
        index.wait_for_model().unwrap();
    };
    let index = open(folder.path(), &Fake::new("a", false));
    fill(&index);
    drop(index);
    std::fs::write(folder.path().join("format.json"), "of another time").unwrap();
    let model = Fake::tiring("a", false, 0);
    let index = open(folder.path(), &model);
    index.wait_for_model().unwrap();
    fill(&index);
    assert_eq!((model.embedded(), figures(&index.snapshot())[1]), (0, (1100, 0, true)));
}

/// The second model likes what the first one does not.
#[test]
fn a_change_of_the_model_mixes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), &Fake::new("a", false));
    fill(&index);
    index.wait_for_model().unwrap();
    assert_eq!(alike(&index.snapshot(), "red"), [1, 3]);
    drop(index);

    let contrary = Fake::tiring("b", true, 2);
    let index = open(folder.path(), &contrary);
    index.wait_for_model().unwrap_err();
    let snapshot = index.snapshot();
    assert_eq!((snapshot.embedder().dimension(), figures(&snapshot)), (256, [(5, 0, true), (2, 3, false)]));
    drop(index);

    let contrary = Fake::new("b", true);
    let index = open(folder.path(), &contrary);
    index.wait_for_model().unwrap();
    assert_eq!((contrary.embedded(), alike(&index.snapshot(), "red")), (3, vec![2, 4, 5]));
    drop(index);

    // What the first one made is gone, files too.
    let again = Fake::new("a", false);
    let index = open(folder.path(), &again);
    index.wait_for_model().unwrap();
    assert_eq!((again.embedded(), alike(&index.snapshot(), "red")), (5, vec![1, 3]));
    let kept: Vec<_> = std::fs::read_dir(folder.path().join("models")).unwrap().flatten().collect();
    assert_eq!(kept.len(), 1);
    drop(index);

    let without = Index::open(folder.path()).unwrap();
    assert_eq!((without.snapshot().stats().models.len(), without.snapshot().stats().dimension), (1, 256));
    without.wait_for_model().unwrap();
}

#[test]
fn an_edit_costs_its_own_chunks_and_a_removal_none() {
    let folder = tempfile::tempdir().unwrap();
    let model = Fake::new("a", false);
    let index = open(folder.path(), &model);
    let chapter = |title: &str, colour: &str| format!("# {title}\n\n{}\n\n", format!("{colour} paint. ").repeat(400));
    let content = |first: &str| chapter("One", first) + &chapter("Two", "blue") + &chapter("Three", "blue");
    fill(&index);
    put(&index, 6, 6, &content("red"));
    index.commit(6).unwrap();
    index.wait_for_model().unwrap();
    let chunks = index.snapshot().stats().chunks as usize;
    assert!(chunks >= 5 + 3, "{chunks}");
    assert!(model.embedded() <= chunks);

    let before = model.embedded();
    put(&index, 7, 6, &content("green"));
    index.commit(7).unwrap();
    index.wait_for_model().unwrap();
    let edited = model.embedded() - before;
    assert!((1..chunks - 5).contains(&edited), "{edited} of {} chunks", chunks - 5);

    // It goes on answering without a moment of the other model, and without asking this one.
    model.strength.store(0, Ordering::SeqCst);
    index.apply(vec![Change::Remove { document: 3, sequence: 8 }]).unwrap();
    index.commit(8).unwrap();
    assert_eq!((index.snapshot().embedder().dimension(), index.snapshot().generation()), (3, 8));
    assert!(ask(&index.snapshot(), "red").iter().all(|(document, _)| *document != 3));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u64, u8),
    Remove(u64),
    Commit,
    /// The model tires after so many chunks.
    Tire(usize),
    /// Wait until it answers, or cannot.
    Wait,
    /// Close and open with this model.
    Reopen(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..6_u64, any::<u8>()).prop_map(|(document, word)| Step::Put(document, word)),
        1 => (1..6_u64).prop_map(Step::Remove),
        3 => Just(Step::Commit),
        1 => (0..4_usize).prop_map(Step::Tire),
        2 => Just(Step::Wait),
        1 => any::<bool>().prop_map(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens, each view finds every live document, and each score is the cosine of the vectors that one
    /// and the same model gives the query and the chunk.
    #[test]
    fn every_answer_is_of_one_model(steps in proptest::collection::vec(step(), 1..24)) {
        let folder = tempfile::tempdir().unwrap();
        let models = |contrary: bool| Fake::new(if contrary { "b" } else { "a" }, contrary);
        let mut model = models(false);
        let mut index = open(folder.path(), &model);
        let (mut sequence, mut written, mut seen) = (0, HashMap::new(), HashMap::new());
        for step in steps {
            sequence += 1;
            match step {
                Step::Put(document, word) => {
                    let content = format!("{} {word}", if word % 2 == 0 { "red" } else { "blue" });
                    put(&index, sequence, document, &content);
                    written.insert(document, content);
                }
                Step::Remove(document) => {
                    index.apply(vec![Change::Remove { document, sequence }]).unwrap();
                    written.remove(&document);
                }
                Step::Commit => {
                    index.commit(sequence).unwrap();
                    seen = written.clone();
                }
                Step::Tire(strength) => model.strength.store(strength, Ordering::SeqCst),
                Step::Wait => drop(index.wait_for_model()),
                Step::Reopen(contrary) => {
                    index.commit(sequence).unwrap();
                    seen = written.clone();
                    drop(index);
                    model = models(contrary);
                    index = open(folder.path(), &model);
                }
            }
            let snapshot = index.snapshot();
            let embedder: Arc<dyn Embedder> = match snapshot.embedder() {
                // Apart from the one that fills, which may be tired.
                answering if answering.dimension() == 3 => {
                    prop_assert_eq!(answering.digest(), model.digest());
                    models(model.contrary)
                }
                answering => answering,
            };
            let found: HashMap<u64, f32> = ask(&snapshot, "red 7").into_iter().collect();
            let query = embedder.embed("red 7");
            prop_assert_eq!(found.len(), seen.len());
            for (document, content) in &seen {
                let chunk = embedder.embed(&format!("{document}.txt\n{content}"));
                let cosine: f32 = query.iter().zip(chunk).map(|(left, right)| left * right).sum();
                prop_assert!((found[document] - cosine).abs() < 0.02, "{document}: {} {cosine}", found[document]);
            }
        }
    }
}
