//! Changes, as transactions: the rows of a page of changes, the sums over them and how far they reach become visible
//! together, so that a crash neither loses nor doubles. Who writes without being the last who got the right to is
//! refused by the epoch.

use std::collections::HashMap;

use sqlx::{Connection, PgConnection, Row};

use super::rows::{ChunkRow, Rows, SEPARATOR};
use super::schema;
use super::state::State;
use super::{Asking, Retrieval};
use crate::index::remote::terms::{self, FIELDS};
use crate::index::{DocumentVersion, IndexError};

/// Rows that one statement inserts.
const BATCH: usize = 500;

/// From so many vectors on, a graph of neighbours is worth its upkeep; below, all are compared.
pub(super) const GRAPH_FROM: u64 = 5_000;

/// A change ready to be written.
pub enum Change {
    Upsert(Box<Rows>),
    /// The document is gone as of `sequence`.
    Remove {
        document: u64,
        sequence: u64,
    },
}

impl Change {
    fn document(&self) -> i64 {
        match self {
            Self::Upsert(rows) => rows.document,
            Self::Remove { document, .. } => document.cast_signed(),
        }
    }

    fn sequence(&self) -> i64 {
        match self {
            Self::Upsert(rows) => rows.sequence,
            Self::Remove { sequence, .. } => sequence.cast_signed(),
        }
    }
}

/// What a page of changes adds to the sums; negative for what it takes away.
#[derive(Default)]
struct Sums {
    documents: i64,
    chunks: i64,
    content_bytes: i64,
    vectors: i64,
    terms: [i64; FIELDS],
    /// By key, with the term where it is known.
    frequencies: HashMap<u32, (String, [i64; FIELDS])>,
}

impl Retrieval {
    /// All the costly work that a change needs alone; safe to call from many threads at once.
    pub fn prepare(&self, version: DocumentVersion) -> Change {
        let document = self.analysis.document(version);
        Change::Upsert(Box::new(Rows::of(document, self.analysis.dimension())))
    }

    /// Writes changes, in sequence order, in one transaction; searches see them from then on. A change that is older
    /// than what is known of its document is left out, so replaying is harmless. An error after another host got
    /// the right to write.
    pub fn apply(&self, changes: Vec<Change>) -> Result<(), IndexError> {
        let Some(last) = changes.last().map(Change::sequence) else { return Ok(()) };
        let epoch = self.written.lock().epoch;
        let vectors = self.extensions.vector;
        let work = async |asking: &mut Asking<'_>| {
            let connection = &mut *asking.connection;
            match transact(connection, &changes, (epoch, last), vectors).await {
                Err(error) if is_refusal(&error) => {}
                outcome => return outcome,
            }
            // One of them cannot be stored: it shall cost itself, not all others and those to come.
            let mut state = None;
            for change in &changes {
                let (sequence, document) = (change.sequence(), change.document());
                let alone = std::slice::from_ref(change);
                state = match transact(connection, alone, (epoch, sequence), vectors).await {
                    Err(error) if is_refusal(&error) => {
                        let reason = super::reason(&error);
                        tracing::error!(
                            document,
                            sequence,
                            reason,
                            "a document cannot be stored and is not searchable"
                        );
                        let removed =
                            Change::Remove { document: document.cast_unsigned(), sequence: sequence.cast_unsigned() };
                        transact(connection, &[removed], (epoch, sequence), vectors).await?
                    }
                    outcome => outcome?,
                };
                if state.is_none() {
                    break;
                }
            }
            Ok(state)
        };
        match self.run(super::WRITE, work).map_err(IndexError::Write)? {
            Some(state) => *self.written.lock() = state,
            None => return Err(IndexError::Write("another host writes the tables now".to_owned())),
        }
        Ok(())
    }

    /// Publishes what was written. `caught_up`: there is nothing more to write at present, which is the time to build
    /// what is quicker to build at once.
    pub fn publish(&self, caught_up: bool) -> Result<(), IndexError> {
        let vectors = self.written.lock().vectors;
        if caught_up && self.extensions.vector && vectors >= GRAPH_FROM {
            let build = async |asking: &mut Asking<'_>| match schema::has_graph(asking.connection).await? {
                true => Ok(()),
                false => schema::build_graph(asking.connection).await,
            };
            self.run(super::WRITE, build).map_err(IndexError::Write)?;
        }
        self.refresh()
    }
}

/// The database takes no such values (class 22), or not so large ones (class 54).
fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("54"))
}

/// None when the right to write is another's.
async fn transact(
    connection: &mut PgConnection,
    changes: &[Change],
    epoch_and_last: (i64, i64),
    vectors: bool,
) -> sqlx::Result<Option<State>> {
    let mut transaction = connection.begin_with("BEGIN; SET LOCAL statement_timeout = '10min'").await?;
    let state = write(&mut transaction, changes, epoch_and_last, vectors).await?;
    if state.is_some() {
        transaction.commit().await?;
    }
    Ok(state)
}

async fn write(
    connection: &mut PgConnection,
    changes: &[Change],
    (epoch, last): (i64, i64),
    vectors: bool,
) -> sqlx::Result<Option<State>> {
    let mine = sqlx::query("SELECT 1 FROM retrieval_state WHERE id = 1 AND epoch = $1 FOR UPDATE").bind(epoch);
    if mine.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(None);
    }
    let mut newest: HashMap<i64, &Change> = HashMap::new();
    for change in changes {
        newest.insert(change.document(), change);
    }
    let documents: Vec<i64> = newest.keys().copied().collect();
    let known = sqlx::query("SELECT document, max(sequence) FROM chunks WHERE document = ANY($1) GROUP BY document");
    for row in known.bind(&documents).fetch_all(&mut *connection).await? {
        let (document, known): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if newest.get(&document).is_some_and(|change| change.sequence() < known) {
            newest.remove(&document);
        }
    }
    let mut sums = Sums::default();
    let documents: Vec<i64> = newest.keys().copied().collect();
    delete(connection, &documents, &mut sums).await?;
    let mut written: Vec<&Rows> = newest
        .into_values()
        .filter_map(|change| match change {
            Change::Upsert(rows) => Some(&**rows),
            Change::Remove { .. } => None,
        })
        .collect();
    written.sort_unstable_by_key(|rows| rows.sequence);
    written.iter().for_each(|rows| sums.add(rows));
    let rows: Vec<(&Rows, usize)> =
        written.iter().flat_map(|rows| (0..rows.chunks.len()).map(move |ordinal| (*rows, ordinal))).collect();
    for batch in rows.chunks(BATCH) {
        insert(connection, batch, vectors).await?;
        insert_symbols(connection, batch).await?;
    }
    count_terms(connection, sums.frequencies).await?;
    let state = sqlx::query(
        "UPDATE retrieval_state SET applied = greatest(applied, $1), documents = documents + $2, chunks = chunks + $3,
             content_bytes = content_bytes + $4, vectors = vectors + $5, body_terms = body_terms + $6,
             title_terms = title_terms + $7, symbol_terms = symbol_terms + $8, path_terms = path_terms + $9
         WHERE id = 1 RETURNING *",
    )
    .bind(last)
    .bind(sums.documents)
    .bind(sums.chunks)
    .bind(sums.content_bytes)
    .bind(sums.vectors)
    .bind(sums.terms[0])
    .bind(sums.terms[1])
    .bind(sums.terms[2])
    .bind(sums.terms[3])
    .fetch_one(connection)
    .await?;
    Ok(Some(State::of(&state)?))
}

async fn delete(connection: &mut PgConnection, documents: &[i64], sums: &mut Sums) -> sqlx::Result<()> {
    let deleted = sqlx::query(
        "DELETE FROM chunks WHERE document = ANY($1)
         RETURNING sequence, ordinal, size, body_terms, title_terms, symbol_terms, path_terms, profile,
             embedding IS NOT NULL AS embedded",
    );
    let mut sequences: Vec<i64> = Vec::new();
    for row in deleted.bind(documents).fetch_all(&mut *connection).await? {
        if row.try_get::<i32, _>("ordinal")? == 0 {
            sums.documents -= 1;
            sums.content_bytes -= row.try_get::<i64, _>("size")?;
            sequences.push(row.try_get("sequence")?);
        }
        sums.chunks -= 1;
        sums.vectors -= i64::from(row.try_get::<bool, _>("embedded")?);
        for (field, column) in ["body_terms", "title_terms", "symbol_terms", "path_terms"].into_iter().enumerate() {
            sums.terms[field] -= i64::from(row.try_get::<i32, _>(column)?);
        }
        sums.count(row.try_get("profile")?, -1);
    }
    sqlx::query("DELETE FROM chunk_symbols WHERE sequence = ANY($1)").bind(&sequences).execute(connection).await?;
    Ok(())
}

impl Sums {
    fn add(&mut self, rows: &Rows) {
        self.documents += 1;
        self.content_bytes += rows.size;
        for chunk in &rows.chunks {
            self.chunks += 1;
            self.vectors += i64::from(chunk.embedding.is_some());
            self.terms.iter_mut().zip(chunk.terms.lengths).for_each(|(sum, length)| *sum += i64::from(length));
            for text in chunk.terms.terms.keys() {
                let (name, _) = self.frequencies.entry(terms::key(text)).or_default();
                if name.is_empty() {
                    name.clone_from(text);
                }
            }
            // By the profile, as `delete` does it: where two terms share a key, both are counted as one.
            self.count(&chunk.profile, 1);
        }
    }

    /// Counts a chunk's terms once more, or once less.
    fn count(&mut self, profile: &[u8], sign: i64) {
        for (key, counts) in terms::entries(profile) {
            let (_, frequencies) = self.frequencies.entry(key).or_default();
            frequencies.iter_mut().zip(counts).for_each(|(sum, count)| *sum += sign * i64::from(count > 0));
        }
    }
}

async fn insert(connection: &mut PgConnection, batch: &[(&Rows, usize)], vectors: bool) -> sqlx::Result<()> {
    const COLUMNS: &str = "shard, sequence, ordinal, document, root, path, extension, language, title, modified, size,
        chunks, first_line, last_line, start_byte, end_byte, names, body, nuls, lexemes, body_terms, title_terms,
        symbol_terms, path_terms, profile, embedding";
    let (column, value) = match vectors {
        true => (
            ", vector",
            ", CASE WHEN embedding IS NOT NULL
                THEN ($27::real[])[(at::int - 1) * $28 + 1 : at::int * $28]::halfvec END",
        ),
        false => ("", ""),
    };
    let sql = format!(
        "INSERT INTO chunks ({COLUMNS}{column})
         SELECT shard, sequence, ordinal, document, root, path, extension, language, title, modified, size,
             chunks, first_line, last_line, start_byte, end_byte, string_to_array(names, chr(31)), body,
             string_to_array(nuls, ',')::int[], lexemes::tsvector, body_terms, title_terms, symbol_terms, path_terms,
             profile, embedding{value}
         FROM unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
             $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::int[], $13::int[], $14::int[], $15::int[],
             $16::int[], $17::text[], $18::text[], $19::text[], $20::text[], $21::int[], $22::int[], $23::int[],
             $24::int[], $25::bytea[], $26::bytea[])
             WITH ORDINALITY AS sent ({COLUMNS}, at)"
    );
    debug_assert_eq!(SEPARATOR as u32, 31);
    fn chunk<'rows>(row: &(&'rows Rows, usize)) -> &'rows ChunkRow {
        &row.0.chunks[row.1]
    }
    macro_rules! of_document {
        ($field:ident) => {
            batch.iter().map(|(rows, _)| rows.$field.clone()).collect::<Vec<_>>()
        };
    }
    macro_rules! of_chunk {
        ($($field:tt)+) => {
            batch.iter().map(|row| chunk(row).$($field)+.clone()).collect::<Vec<_>>()
        };
    }
    let length =
        |field: usize| batch.iter().map(|row| chunk(row).terms.lengths[field].cast_signed()).collect::<Vec<i32>>();
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(of_document!(shard))
        .bind(of_document!(sequence))
        .bind(batch.iter().map(|(_, ordinal)| *ordinal as i32).collect::<Vec<_>>())
        .bind(of_document!(document))
        .bind(of_document!(root))
        .bind(of_document!(path))
        .bind(of_document!(extension))
        .bind(of_document!(language))
        .bind(of_document!(title))
        .bind(of_document!(modified))
        .bind(of_document!(size))
        .bind(batch.iter().map(|(rows, _)| rows.chunks.len() as i32).collect::<Vec<_>>())
        .bind(of_chunk!(lines.0))
        .bind(of_chunk!(lines.1))
        .bind(of_chunk!(bytes.0))
        .bind(of_chunk!(bytes.1))
        .bind(of_chunk!(names))
        .bind(of_chunk!(body))
        .bind(of_chunk!(nuls))
        .bind(of_chunk!(lexemes))
        .bind(length(0))
        .bind(length(1))
        .bind(length(2))
        .bind(length(3))
        .bind(of_chunk!(profile))
        .bind(of_chunk!(embedding));
    if vectors {
        let dimension = batch.first().map_or(0, |row| chunk(row).vector.len());
        let flat: Vec<f32> = batch.iter().flat_map(|row| chunk(row).vector.iter().copied()).collect();
        query = query.bind(flat).bind(dimension as i32);
    }
    query.execute(connection).await.map(drop)
}

async fn insert_symbols(connection: &mut PgConnection, batch: &[(&Rows, usize)]) -> sqlx::Result<()> {
    let (mut shards, mut sequences, mut ordinals) = (Vec::<i32>::new(), Vec::<i64>::new(), Vec::<i32>::new());
    let (mut places, mut names, mut folded) = (Vec::<i32>::new(), Vec::<String>::new(), Vec::<String>::new());
    let mut lines = Vec::<i32>::new();
    for (rows, ordinal) in batch {
        for (place, (name, line)) in rows.chunks[*ordinal].symbols.iter().enumerate() {
            shards.push(rows.shard);
            sequences.push(rows.sequence);
            ordinals.push(*ordinal as i32);
            places.push(place as i32);
            names.push(name.clone());
            folded.push(name.to_lowercase());
            lines.push(*line);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let insert = sqlx::query(
        "INSERT INTO chunk_symbols (shard, sequence, ordinal, place, name, folded, line)
         SELECT * FROM unnest($1::int[], $2::bigint[], $3::int[], $4::int[], $5::text[], $6::text[], $7::int[])",
    );
    let insert = insert.bind(shards).bind(sequences).bind(ordinals).bind(places).bind(names).bind(folded).bind(lines);
    insert.execute(connection).await.map(drop)
}

async fn count_terms(
    connection: &mut PgConnection,
    frequencies: HashMap<u32, (String, [i64; FIELDS])>,
) -> sqlx::Result<()> {
    /// Terms are spread over so many shards.
    const SHARDS: u32 = 1024;
    let changed = frequencies.into_iter().filter(|(_, (_, counts))| counts.iter().any(|count| *count != 0));
    let mut changed: Vec<_> = changed.collect();
    changed.sort_unstable_by_key(|(key, _)| *key);
    let count = |field: usize| changed.iter().map(|(_, (_, counts))| counts[field]).collect::<Vec<i64>>();
    // The term's text is there already wherever only counts change.
    sqlx::query(
        "INSERT INTO chunk_terms AS known (shard, key, term, body, title, symbol, path)
         SELECT * FROM unnest($1::int[], $2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
         ON CONFLICT (key, shard) DO UPDATE SET body = known.body + excluded.body, title = known.title + excluded.title,
             symbol = known.symbol + excluded.symbol, path = known.path + excluded.path",
    )
    .bind(changed.iter().map(|(key, _)| (key % SHARDS).cast_signed()).collect::<Vec<_>>())
    .bind(changed.iter().map(|(key, _)| key.cast_signed()).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, (term, _))| term.clone()).collect::<Vec<_>>())
    .bind(count(0))
    .bind(count(1))
    .bind(count(2))
    .bind(count(3))
    .execute(connection)
    .await
    .map(drop)
}
