//! What becomes of the tables: changes that come late, twice or cannot be stored, hosts that take over, and a server
//! that goes away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use services::{Postgres, PostgresKind};
use tokio::task::block_in_place;

use super::tests::{documents, open, pattern, version};
use super::{Change, Retrieval};
use crate::index::Searched;
use crate::index::remote::Engine;
use crate::query::{ChunkId, PatternSyntax, RetrievalError, Scope};

fn sums(url: &str) -> String {
    let database = url.rsplit('/').next().unwrap();
    Postgres::shared(PostgresKind::Vector).sql(
        database,
        "SELECT applied, documents, s.chunks, s.vectors, s.body_terms, (SELECT count(*) FROM chunks),
             (SELECT sum(body_terms) FROM chunks), (SELECT count(*) FROM chunk_symbols),
             (SELECT count(*) FROM chunk_terms WHERE body > 0), (SELECT sum(body) FROM chunk_terms)
         FROM retrieval_state s",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn replaying_changes_nothing_and_removing_leaves_nothing() {
    let url = Postgres::shared(PostgresKind::Vector).database();
    let engine = open(&url, "one").await;
    let page = |engine: &Retrieval| -> Vec<Change> {
        let mut page: Vec<Change> = documents().into_iter().map(|version| engine.prepare(version)).collect();
        // The same document twice on one page, and one that is gone again.
        page.push(engine.prepare(version(1000, 1, "odd/new.txt", "all new\n")));
        page.push(engine.prepare(version(1001, 500, "odd/gone.txt", "soon gone\n")));
        page.push(Change::Remove { document: 500, sequence: 1002 });
        page
    };
    block_in_place(|| {
        engine.begin_writing().unwrap();
        engine.apply(page(&engine)).unwrap();
        let once = sums(&url);
        engine.apply(page(&engine)).unwrap();
        assert_eq!(sums(&url), once);
        // Late, and so worth nothing.
        engine.apply(vec![engine.prepare(version(7, 1, "odd/old.txt", "old\n"))]).unwrap();
        engine.apply(vec![Change::Remove { document: 1, sequence: 8 }]).unwrap();
        assert_eq!(sums(&url), once);
        assert_eq!(engine.applied(), 1002);

        let count = documents().len() as u64;
        let gone = (1..=count).map(|document| Change::Remove { document, sequence: 2000 + document });
        engine.apply(gone.collect()).unwrap();
        assert_eq!(sums(&url), format!("{}|0|0|0|0|0||0|0|0", 2000 + count));
    });
}

/// As a limit of the database that we do not know yet would.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_stored_costs_itself() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let engine = open(&url, "one").await;
    Postgres::shared(PostgresKind::Debian).sql(
        url.rsplit('/').next().unwrap(),
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.body LIKE '%monster%' THEN
                 RAISE EXCEPTION 'too large' USING ERRCODE = 'program_limit_exceeded';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON chunks FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    block_in_place(|| {
        engine.begin_writing().unwrap();
        let texts = ["first", "a monster", "third"];
        let page = texts.iter().zip(1..).map(|(text, number)| version(number, number, &format!("{number}.txt"), text));
        engine.apply(page.map(|version| engine.prepare(version)).collect()).unwrap();
        engine.publish(true).unwrap();
        assert_eq!((engine.applied(), engine.stats().documents), (3, 2));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_last_host_that_got_the_right_writes() {
    let url = Postgres::shared(PostgresKind::Vector).database();
    let (one, other) = (open(&url, "one").await, open(&url, "other").await);
    block_in_place(|| {
        one.begin_writing().unwrap();
        one.apply(vec![one.prepare(version(1, 1, "a.txt", "first\n"))]).unwrap();
        other.begin_writing().unwrap();
        assert_eq!(other.applied(), 1);
        let late = one.apply(vec![one.prepare(version(2, 2, "b.txt", "late\n"))]).unwrap_err();
        assert!(late.to_string().contains("another host writes"), "{late}");
        other.apply(vec![other.prepare(version(2, 2, "b.txt", "in time\n"))]).unwrap();
        one.refresh().unwrap();
        assert_eq!(one.generation(), 2);
        let found = Searched::Elsewhere(one.clone()).snapshot().content(2).unwrap();
        assert_eq!(found.as_deref(), Some("in time\n"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_format_are_written_anew() {
    let url = Postgres::shared(PostgresKind::Vector).database();
    let database = url.rsplit('/').next().unwrap();
    let engine = open(&url, "one").await;
    block_in_place(|| {
        engine.begin_writing().unwrap();
        engine.apply(vec![engine.prepare(version(1, 1, "a.txt", "first\n"))]).unwrap();
        Postgres::shared(PostgresKind::Vector).sql(database, "UPDATE retrieval_state SET format = 'older'");
        engine.refresh().unwrap();
        let deadline = Instant::now() + Duration::from_secs(600);
        let probe = pattern("first", PatternSyntax::Literal, true, false, 10);
        let refused = engine.probe(&probe, &Scope::default(), &deadline.into()).unwrap_err();
        assert!(matches!(&refused, RetrievalError::Unavailable(reason) if reason.contains("another version")));
        engine.begin_writing().unwrap();
        assert_eq!((engine.applied(), engine.stats().chunks), (0, 0));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_or_slow_is_an_error_and_not_an_empty_answer() {
    let mut server =
        Postgres::start_with(services::PostgresOptions { kind: PostgresKind::Vector, ..Default::default() });
    let engine = open(&server.database(), "one").await;
    let probe = pattern("first", PatternSyntax::Literal, true, false, 10);
    block_in_place(|| {
        engine.begin_writing().unwrap();
        engine.apply(vec![engine.prepare(version(1, 1, "a.txt", "first\n"))]).unwrap();
        engine.publish(true).unwrap();
        let past = Instant::now();
        assert_eq!(engine.probe(&probe, &Scope::default(), &past.into()), Err(RetrievalError::TimedOut));
        server.pause();
        let soon = Instant::now() + Duration::from_millis(300);
        let stuck = engine.probe(&probe, &Scope::default(), &soon.into()).unwrap_err();
        assert!(matches!(stuck, RetrievalError::TimedOut | RetrievalError::Unavailable(_)), "{stuck}");
        server.resume();
        server.kill();
        let deadline = Instant::now() + Duration::from_secs(20);
        let away = engine.probe(&probe, &Scope::default(), &deadline.into()).unwrap_err();
        assert!(matches!(&away, RetrievalError::Unavailable(reason) if !reason.contains("postgres://")), "{away}");
        assert!(engine.chunks(&[ChunkId::new(1, 0)]).is_err());
        server.restart();
        let mut answer = engine.probe(&probe, &Scope::default(), &deadline.into());
        while answer.is_err() && Instant::now() < deadline {
            answer = engine.probe(&probe, &Scope::default(), &deadline.into());
        }
        assert_eq!(answer.unwrap().len(), 1);
    });
}

/// <https://docs.citusdata.com/en/stable/sharding/data_modeling.html>: the distribution column is in every unique
/// key, and no foreign key leaves a shard.
#[tokio::test(flavor = "multi_thread")]
async fn the_tables_can_be_distributed() {
    let url = Postgres::shared(PostgresKind::Vector).database();
    drop(open(&url, "one").await);
    let without_shard = Postgres::shared(PostgresKind::Vector).sql(
        url.rsplit('/').next().unwrap(),
        "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
             SELECT 1 FROM pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) AND a.attname = 'shard'
         )), (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY(ARRAY[
             'chunks'::regclass, 'chunk_symbols'::regclass, 'chunk_terms'::regclass]))
         FROM pg_index i WHERE i.indisunique AND i.indrelid = ANY(ARRAY[
             'chunks'::regclass, 'chunk_symbols'::regclass, 'chunk_terms'::regclass])",
    );
    assert_eq!(without_shard, "3|0|0");
}
