//! The vector index as a whole: exact scans, the graph, scopes, damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::index::DocumentInfo;
use crate::index::chunk::Chunk;

const DIMENSION: usize = 32;

/// Numbers from a fixed seed (xorshift), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn unit(&mut self) -> Vec<f32> {
        let vector: Vec<f32> = (0..DIMENSION).map(|_| self.next()).collect();
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.into_iter().map(|value| value / length).collect()
    }
}

fn entry(sequence: u64, path: &str, vectors: &[Vec<f32>]) -> Arc<Entry> {
    let mut embeddings = Embeddings::new(DIMENSION, 0);
    vectors.iter().for_each(|vector| embeddings.push(vector));
    let chunk = |at: usize| Chunk {
        first_line: at as u32 + 1,
        last_line: at as u32 + 1,
        start: 0,
        end: 0,
        parents: vec![],
        symbols: vec![],
    };
    let info = DocumentInfo {
        sequence,
        document: sequence,
        root: 0,
        path: path.into(),
        language: None,
        title: None,
        modified: 0,
        size: 0,
        chunks: vectors.len() as u32,
    };
    Arc::new(Entry { info: Arc::new(info), chunks: (0..vectors.len()).map(chunk).collect(), embeddings })
}

fn vectors(folder: &std::path::Path, catalogue: &Catalogue) -> Vectors {
    Vectors { graph: Arc::new(Graph::open(folder, DIMENSION, catalogue).unwrap()) }
}

#[test]
fn eight_bits_keep_the_vector() {
    let mut numbers = Numbers(7);
    for _ in 0..50 {
        let vector = numbers.unit();
        let mut embeddings = Embeddings::new(DIMENSION, 0);
        embeddings.push(&vector);
        let mut decoded = vec![0.0; DIMENSION];
        embeddings.decode_into(0, &mut decoded);
        let cosine: f32 = vector.iter().zip(&decoded).map(|(left, right)| left * right).sum();
        let length: f32 = decoded.iter().map(|value| value * value).sum();
        assert!(cosine > 0.9995 && (length - 1.0).abs() < 1e-4, "{cosine} {length}");
    }
}

#[test]
fn a_chunk_without_embedding_is_never_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalogue = Catalogue::default();
    let zeros = vec![0.0; DIMENSION];
    let vector = Numbers(3).unit();
    catalogue.insert(entry(1, "a", &[zeros.clone(), vector.clone()]));
    assert_eq!(catalogue.vectors(), 1);
    let vectors = vectors(folder.path(), &catalogue);
    let probe = |query: &[f32], least| vectors.probe(&catalogue, query, 10, least, &Scope::default()).unwrap();
    let hits = probe(&vector, None);
    assert_eq!((hits.chunks.as_slice(), hits.lines.as_slice()), ([ChunkId::new(1, 1)].as_slice(), [2].as_slice()));
    assert!(hits.scores[0] > 0.999);
    assert!(probe(&zeros, None).is_empty());
    assert!(probe(&vector, Some(1.1)).is_empty());
}

#[test]
fn scanning_gives_the_exact_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(11);
    let all: Vec<Vec<f32>> = (0..2000).map(|_| numbers.unit()).collect();
    let mut catalogue = Catalogue::default();
    for (at, pair) in all.chunks(2).enumerate() {
        catalogue.insert(entry(at as u64 + 1, if at % 10 == 0 { "few/a.rs" } else { "many/b.py" }, pair));
    }
    let vectors = vectors(folder.path(), &catalogue);
    let query = numbers.unit();
    let cosine = |vector: &Vec<f32>| vector.iter().zip(&query).map(|(left, right)| left * right).sum::<f32>();
    let mut expect: Vec<(f32, ChunkId)> = all
        .iter()
        .enumerate()
        .map(|(at, vector)| (cosine(vector), ChunkId::new(at as u64 / 2 + 1, at as u16 % 2)))
        .collect();
    expect.sort_by(|left, right| right.0.total_cmp(&left.0));
    let hits = vectors.probe(&catalogue, &query, 10, None, &Scope::default()).unwrap();
    assert!(hits.truncated);
    // Eight bits may swap what is all but equal: the scores must be the best ones.
    for (score, (best, _)) in hits.scores.iter().zip(&expect) {
        assert!((score - best).abs() < 0.01, "{score} {best}");
    }
    assert_eq!(hits.chunks[0], expect[0].1);
    let few = Scope { file_types: vec!["rs".into()], directories: vec![] };
    let hits = vectors.probe(&catalogue, &query, 1000, None, &few).unwrap();
    assert_eq!((hits.len(), hits.truncated), (200, false));
    assert!(hits.chunks.iter().all(|id| (id.sequence() - 1) % 10 == 0));
}

/// Clusters, as texts have them: random points alone have no near neighbours worth the name.
fn clustered(count: usize) -> (Catalogue, Vec<Vec<f32>>) {
    let mut numbers = Numbers(23);
    let centres: Vec<Vec<f32>> = (0..200).map(|_| numbers.unit()).collect();
    let mut near = |at: usize| -> Vec<f32> {
        centres[at % centres.len()].iter().map(|value| value + 0.12 * numbers.next()).collect()
    };
    let mut catalogue = Catalogue::default();
    for document in 0..count / 10 {
        let vectors: Vec<Vec<f32>> = (0..10).map(|part| near(document * 7 + part)).collect();
        catalogue.insert(entry(document as u64 + 1, "a/b.rs", &vectors));
    }
    let queries = (0..40).map(|at| near(at * 5)).collect();
    (catalogue, queries)
}

#[test]
fn the_graph_finds_nearly_what_a_scan_finds_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut catalogue, queries) = clustered(SCAN_LIMIT as usize + 2000);
    let probe = |vectors: &Vectors, catalogue: &Catalogue| -> Vec<Hits> {
        queries.iter().map(|query| vectors.probe(catalogue, query, 10, None, &Scope::default()).unwrap()).collect()
    };
    let recall = |found: &[Hits], expect: &[Hits]| {
        let same =
            |(found, expect): (&Hits, &Hits)| found.chunks.iter().filter(|id| expect.chunks.contains(id)).count();
        found.iter().zip(expect).map(same).sum::<usize>() as f32 / (10 * queries.len()) as f32
    };
    let built = vectors(folder.path(), &catalogue);
    assert!(!built.graph.covers(catalogue.vectors()));
    let expect = probe(&built, &catalogue);
    built.graph.grow_fully();
    assert!(built.graph.covers(catalogue.vectors()) && built.graph.pending().is_empty());
    let found = recall(&probe(&built, &catalogue), &expect);
    assert!(found >= 0.95, "{found}");

    // What came since is scanned, what went is not found, though the graph knows neither.
    let gone = expect[0].chunks[0];
    catalogue.remove(gone.sequence());
    let added = entry(1_000_000, "c.rs", &queries[..1]);
    catalogue.insert(Arc::clone(&added));
    built.graph.update(&catalogue, &[added], &[gone.sequence()]);
    let hits = probe(&built, &catalogue);
    assert_eq!(hits[0].chunks[0], ChunkId::new(1_000_000, 0));
    assert!(!hits[0].chunks.contains(&gone));

    built.graph.save_now(folder.path());
    let opened = vectors(folder.path(), &catalogue);
    assert!(opened.graph.covers(catalogue.vectors()));
    assert_eq!(opened.graph.pending().len(), 1);
    assert!(recall(&probe(&opened, &catalogue), &hits) >= 0.95);

    let file = folder.path().join("graph.usearch");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let damaged = vectors(folder.path(), &catalogue);
    assert!(!damaged.graph.covers(catalogue.vectors()));
    assert_eq!(damaged.graph.pending().len() as u64, catalogue.documents());
}
