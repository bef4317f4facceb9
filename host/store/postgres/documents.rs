//! Statements that write documents. A transaction first sends the texts, each of which is a lock of its document,
//! and takes its sequence numbers last: the counter is the one lock that all writers share, and numbers become
//! visible in order because it is held until the end.
//!
//! Order of locks: roots, contents, counter, documents.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Connection, FromRow, PgConnection, Postgres, Transaction};

use super::connections::{Session, timed};
use super::failure::is_conflict;
use super::feed::take_sequences;
use super::monitor::Monitor;
use super::rows::Rows;
use crate::store::version::{self, Current, Decision, Encoded};
use crate::store::{StoredChange, Upserted, row};

/// Several hosts that create the same paths may lose once for each; more than this is no accident.
pub(super) const ATTEMPTS: u32 = 16;

/// A statement carries at most so many bytes of text.
const STATEMENT_BYTES: usize = 16 << 20;

/// Documents are spread over so many shards.
const SHARDS: u32 = 1024;

/// Where a document lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, FromRow)]
pub(super) struct Place {
    pub(super) root: i64,
    /// First 16 bytes of blake3 of the path.
    pub(super) path_digest: Vec<u8>,
    pub(super) shard: i32,
}

impl Place {
    pub(super) fn of(root: u64, path: &str) -> Self {
        let path_digest = path_digest(path);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&root.to_le_bytes()).update(path.as_bytes());
        let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
        let shard = u32::from_le_bytes([a, b, c, d]) % SHARDS;
        Self { root: root.cast_signed(), path_digest, shard: shard.cast_signed() }
    }
}

pub(super) fn path_digest(path: &str) -> Vec<u8> {
    blake3::hash(path.as_bytes()).as_bytes()[..16].to_vec()
}

/// A document that is there, live or not.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) sequence: i64,
    #[sqlx(flatten)]
    pub(super) current: Current,
}

/// What one upsert will do.
#[derive(Default)]
struct Plan {
    outcomes: Vec<Option<u32>>,
    /// By place: index of the document to write, and which of the new numbers it gets.
    writes: HashMap<Place, (usize, u32)>,
    touches: HashMap<Place, usize>,
    versions: u32,
}

/// None when other writers won too often.
pub(super) async fn upsert(
    session: &mut Session,
    host: &str,
    documents: &[Encoded],
) -> sqlx::Result<Option<Vec<Upserted>>> {
    if documents.is_empty() {
        return Ok(Some(vec![]));
    }
    let (connection, monitor) = session.parts()?;
    let now = version::unix_now();
    let places: Vec<Place> =
        documents.iter().map(|encoded| Place::of(encoded.document.root, &encoded.document.path)).collect();
    for _ in 0..ATTEMPTS {
        let mut transaction = connection.begin().await?;
        let tried = try_upsert(&mut transaction, monitor, host, documents, &places, now).await;
        if let Some(outcomes) = conclude(transaction, tried).await? {
            return Ok(Some(outcomes));
        }
    }
    Ok(None)
}

/// Commits what has come to an outcome. None when another writer won: from the beginning this one may.
pub(super) async fn conclude<T>(
    transaction: Transaction<'_, Postgres>,
    tried: sqlx::Result<Option<T>>,
) -> sqlx::Result<Option<T>> {
    match tried {
        Ok(Some(outcome)) => transaction.commit().await.map(|()| Some(outcome)),
        Ok(None) => transaction.rollback().await.map(|()| None),
        Err(error) if is_conflict(&error) => transaction.rollback().await.map(|()| None),
        Err(error) => Err(error),
    }
}

async fn try_upsert(
    connection: &mut PgConnection,
    monitor: &Monitor,
    host: &str,
    documents: &[Encoded],
    places: &[Place],
    now: i64,
) -> sqlx::Result<Option<Vec<Upserted>>> {
    if !hold_roots(connection, monitor, places).await? {
        return Err(sqlx::Error::Protocol("a document's root is not registered".into()));
    }
    let mut ids: HashMap<Place, i64> = HashMap::new();
    let mut sent: BTreeSet<Place> = BTreeSet::new();
    let mut stored = stored(connection, monitor, places).await?;
    // Sending a text waits for other writers of the same document: what they did is seen in the second look.
    let plan = loop {
        let plan = plan(documents, places, &stored, now);
        number(connection, monitor, &plan, &stored, &mut ids).await?;
        let texts: Vec<(&Place, &Encoded)> = plan
            .writes
            .iter()
            .filter(|(place, _)| !sent.contains(*place))
            .map(|(place, (index, _))| (place, &documents[*index]))
            .collect();
        if texts.is_empty() {
            break plan;
        }
        send(connection, monitor, &texts, &ids).await?;
        sent.extend(texts.into_iter().map(|(place, _)| place.clone()));
        let again = self::stored(connection, monitor, places).await?;
        if again.iter().any(|(place, document)| ids.get(place).is_some_and(|id| *id != document.id)) {
            return Ok(None);
        }
        stored = again;
    };
    if plan.writes.is_empty() && plan.touches.is_empty() {
        return Ok(Some(plan.outcomes.iter().map(|_| Upserted::Unchanged).collect()));
    }
    let before = take_sequences(connection, monitor, plan.versions as usize, host).await?;
    let sequence = |number: u32| before + 1 + u64::from(number);
    let (mut created, mut changed) = (Rows::default(), Rows::default());
    for (place, (index, number)) in &plan.writes {
        let rows = if stored.contains_key(place) { &mut changed } else { &mut created };
        rows.push(ids[place], place, stored.get(place), &documents[*index], sequence(*number), now);
    }
    let mut touched = Rows::default();
    for (place, index) in &plan.touches {
        if let Some(document) = stored.get(place) {
            touched.push(document.id, place, Some(document), &documents[*index], 0, now);
        }
    }
    let done = created.insert(connection, monitor).await?
        && changed.update(connection, monitor).await?
        && touched.touch(connection, monitor).await?;
    let outcome = |(place, number): (&Place, &Option<u32>)| match number {
        Some(number) => Upserted::Written { document: ids[place].cast_unsigned(), sequence: sequence(*number) },
        None => Upserted::Unchanged,
    };
    Ok(done.then(|| places.iter().zip(&plan.outcomes).map(outcome).collect()))
}

/// Decides one after the other, as if each saw what the ones before it have written.
fn plan(documents: &[Encoded], places: &[Place], stored: &HashMap<Place, Stored>, now: i64) -> Plan {
    let mut plan = Plan::default();
    let mut written: HashMap<&Place, Current> = HashMap::new();
    for (index, (encoded, place)) in documents.iter().zip(places).enumerate() {
        let current = written.get(place).or_else(|| stored.get(place).map(|stored| &stored.current));
        match version::decide(current, encoded) {
            Decision::Write => {
                plan.outcomes.push(Some(plan.versions));
                plan.writes.insert(place.clone(), (index, plan.versions));
                plan.versions += 1;
                written.insert(place, version::current_after(encoded, now));
            }
            Decision::Touch => {
                plan.outcomes.push(None);
                match plan.writes.get_mut(place) {
                    // The text is the same: write the later one.
                    Some(write) => write.0 = index,
                    None => drop(plan.touches.insert(place.clone(), index)),
                }
            }
            Decision::Keep => plan.outcomes.push(None),
        }
    }
    plan.touches.retain(|place, _| !plan.writes.contains_key(place));
    plan
}

/// Keeps the roots from being removed meanwhile; says whether all are there.
pub(super) async fn hold_roots(
    connection: &mut PgConnection,
    monitor: &Monitor,
    places: &[Place],
) -> sqlx::Result<bool> {
    const HOLD: &str = "SELECT id FROM roots WHERE id = ANY($1) FOR KEY SHARE";
    let roots: BTreeSet<i64> = places.iter().map(|place| place.root).collect();
    let roots: Vec<i64> = roots.into_iter().collect();
    let found = timed(monitor, HOLD, sqlx::query(HOLD).bind(&roots).fetch_all(connection)).await?;
    Ok(found.len() == roots.len())
}

pub(super) async fn stored(
    connection: &mut PgConnection,
    monitor: &Monitor,
    places: &[Place],
) -> sqlx::Result<HashMap<Place, Stored>> {
    const STORED: &str = "
        SELECT d.shard, d.id, d.root, d.path_digest, d.language, d.title, d.modified, d.stamp, d.digest, d.sequence,
            d.deleted
        FROM unnest($1::int[], $2::bigint[], $3::bytea[]) AS wanted (shard, root, path_digest)
        JOIN documents d ON d.shard = wanted.shard AND d.root = wanted.root AND d.path_digest = wanted.path_digest";
    let wanted: BTreeSet<&Place> = places.iter().collect();
    let shards: Vec<i32> = wanted.iter().map(|place| place.shard).collect();
    let roots: Vec<i64> = wanted.iter().map(|place| place.root).collect();
    let digests: Vec<&[u8]> = wanted.iter().map(|place| place.path_digest.as_slice()).collect();
    let rows = sqlx::query(STORED).bind(shards).bind(roots).bind(digests).fetch_all(connection);
    let found = |row| Ok((Place::from_row(row)?, Stored::from_row(row)?));
    timed(monitor, STORED, rows).await?.iter().map(found).collect()
}

/// Gives ids to the documents that the plan writes, new ones where there were none.
async fn number(
    connection: &mut PgConnection,
    monitor: &Monitor,
    plan: &Plan,
    stored: &HashMap<Place, Stored>,
    ids: &mut HashMap<Place, i64>,
) -> sqlx::Result<()> {
    const NUMBER: &str = "SELECT nextval('document_ids') FROM generate_series(1, $1)";
    let mut new = Vec::new();
    for place in plan.writes.keys() {
        match stored.get(place) {
            Some(document) => drop(ids.insert(place.clone(), document.id)),
            None if !ids.contains_key(place) => new.push(place),
            None => {}
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> =
        timed(monitor, NUMBER, sqlx::query_scalar(NUMBER).bind(new.len() as i32).fetch_all(connection)).await?;
    // In the documents' order, for whoever reads the tables.
    new.sort_by_key(|place| plan.writes[*place]);
    ids.extend(new.into_iter().cloned().zip(numbers));
    Ok(())
}

/// Sends texts in the order of their ids, so that two senders do not wait for each other.
async fn send(
    connection: &mut PgConnection,
    monitor: &Monitor,
    texts: &[(&Place, &Encoded)],
    ids: &HashMap<Place, i64>,
) -> sqlx::Result<()> {
    const SEND: &str = "
        INSERT INTO contents (shard, document, body)
        SELECT shard, document, body FROM unnest($1::int[], $2::bigint[], $3::bytea[]) AS sent (shard, document, body)
        ON CONFLICT (document, shard) DO UPDATE SET body = excluded.body";
    let mut texts: Vec<(i64, i32, &[u8])> =
        texts.iter().map(|(place, encoded)| (ids[*place], place.shard, encoded.body.as_slice())).collect();
    texts.sort_unstable();
    let mut rest = texts.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|(_, _, body)| {
            let first = bytes == 0;
            bytes += body.len();
            first || bytes <= STATEMENT_BYTES
        });
        let (now, later) = rest.split_at(fits.count());
        rest = later;
        let shards: Vec<i32> = now.iter().map(|(_, shard, _)| *shard).collect();
        let documents: Vec<i64> = now.iter().map(|(document, _, _)| *document).collect();
        let bodies: Vec<&[u8]> = now.iter().map(|(_, _, body)| *body).collect();
        let send = sqlx::query(SEND).bind(shards).bind(documents).bind(bodies).execute(&mut *connection);
        timed(monitor, SEND, send).await?;
    }
    Ok(())
}

pub(super) async fn document(session: &mut Session, root: u64, path: &str) -> sqlx::Result<Option<StoredChange>> {
    const DOCUMENT: &str = "
        SELECT d.id, d.root, d.path, d.language, d.title, d.modified, d.size, d.digest, d.sequence, d.deleted, c.body
        FROM documents d LEFT JOIN contents c ON c.shard = d.shard AND c.document = d.id
        WHERE d.shard = $1 AND d.root = $2 AND d.path_digest = $3";
    let (connection, monitor) = session.parts()?;
    let place = Place::of(root, path);
    let row = sqlx::query(DOCUMENT).bind(place.shard).bind(place.root).bind(place.path_digest);
    timed(monitor, DOCUMENT, row.fetch_optional(connection)).await?.as_ref().map(row::change).transpose()
}

pub(super) async fn mark_damaged(session: &mut Session, document: u64) -> sqlx::Result<()> {
    const MARK: &str = "UPDATE documents SET digest = '', stamp = NULL WHERE id = $1 AND NOT deleted";
    let (connection, monitor) = session.parts()?;
    timed(monitor, MARK, sqlx::query(MARK).bind(document.cast_signed()).execute(connection)).await.map(drop)
}
