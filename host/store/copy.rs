//! Moves all that one store has into another, whatever the backends: with ids, sequences and tombstones, so that what
//! is derived from one is valid for the other. Begun twice, it goes on; at the end both sides are read and compared.

use async_trait::async_trait;

use super::{
    DocumentStore, HistoryRange, HistoryRow, HistoryStore, KeyStore, Resolution, SnapshotInfo, StoreError, StoredEvent,
    StoredKey, StoredRules, Task, UsageRow, UsageStore, WorldStore,
};

/// A root as it is stored, also a removed one.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct RootRow {
    pub id: i64,
    pub path: String,
    pub name: String,
    pub last_indexed: Option<i64>,
    pub removed: bool,
}

/// A document as it is stored, also a tombstone.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct DocumentRow {
    pub id: i64,
    pub root: i64,
    pub path: String,
    pub language: Option<String>,
    pub title: Option<String>,
    pub modified: i64,
    pub stamp: Option<i64>,
    pub size: i64,
    pub digest: Vec<u8>,
    pub sequence: i64,
    pub deleted: bool,
    /// The text as it lies there, see `content`.
    pub body: Option<Vec<u8>>,
}

/// A snapshot of the world as it is stored, without its body.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotRow {
    pub info: SnapshotInfo,
    /// It has served a restore.
    pub pinned: bool,
}

/// What a store is to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Empty,
    /// A copy has begun to fill it and has not ended.
    Begun,
    /// It has something of its own.
    Full,
}

impl Target {
    pub(super) fn of(begun: bool, used: bool) -> Self {
        match (begun, used) {
            (true, _) => Self::Begun,
            (false, true) => Self::Full,
            (false, false) => Self::Empty,
        }
    }
}

/// Rows in and out, past the rules of the feed. For nobody but a copy.
#[async_trait]
pub trait Portable: DocumentStore + HistoryStore + KeyStore + UsageStore + WorldStore {
    /// All of them, by id, with the posted one.
    async fn export_roots(&self) -> Result<Vec<RootRow>, StoreError>;

    /// After a sequence, in its order; a page is as large as one of the feed. Empty only at the end.
    async fn export_documents(&self, after: i64) -> Result<Vec<DocumentRow>, StoreError>;

    /// All of them, by id.
    async fn export_snapshots(&self) -> Result<Vec<SnapshotRow>, StoreError>;

    /// A page after a row, the first one after none; by day, question and path. Empty only at the end.
    async fn export_usage(&self, after: Option<&UsageRow>) -> Result<Vec<UsageRow>, StoreError>;

    async fn target(&self) -> Result<Target, StoreError>;

    /// Notes that a copy has begun. Forgets snapshots and rules that an earlier one left, for its source may have let
    /// some of them go since, and counts of use, which would be added once more.
    async fn begin_import(&self) -> Result<(), StoreError>;

    /// Rows that are there are replaced.
    async fn import_roots(&self, roots: Vec<RootRow>) -> Result<(), StoreError>;

    /// Rows that are there are replaced.
    async fn import_documents(&self, documents: Vec<DocumentRow>) -> Result<(), StoreError>;

    /// Under its own id, which events name; none has it yet.
    async fn import_snapshot(&self, row: &SnapshotRow, body: &[u8]) -> Result<(), StoreError>;

    /// From now on the next change gets the number after `last_sequence`, and new rows get new ids.
    async fn finish_import(&self, last_sequence: u64) -> Result<(), StoreError>;
}

/// Documents a page at most.
pub(super) const PAGE_ROWS: i64 = 256;

/// Events of the world a page at most.
const EVENTS: u32 = 10_000;

/// Counts of use a page at most.
pub(super) const USAGE_ROWS: i64 = 10_000;

/// Rows of history a page at most.
const HISTORY_ROWS: u32 = 10_000;

const RESOLUTIONS: [Resolution; 2] = [Resolution::Minute, Resolution::Hour];

/// What there is in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub roots: u64,
    pub documents: u64,
    pub tombstones: u64,
    pub tasks: u64,
    pub keys: u64,
    /// Rows of it.
    pub history: u64,
    /// Rows of it.
    pub usage: u64,
    pub last_sequence: u64,
    /// Of the world of agents.
    pub events: u64,
    pub snapshots: u64,
    /// Those that decided events.
    pub rules: u64,
    /// blake3 over all of it.
    pub digest: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the target has {documents} documents of its own, {keys} API keys, {history} rows of history, {usage} counts of use and {events} events of the world; copy into an empty store"
    )]
    NotEmpty { documents: u64, keys: u64, history: u64, usage: u64, events: u64 },
    #[error("the source changed while it was copied; stop whatever writes to it, and copy again")]
    SourceChanged,
    #[error(
        "the copy differs from the source ({source_has:?}, {target_has:?}); empty the target, and copy again while nothing writes to either"
    )]
    Differs { source_has: Box<Inventory>, target_has: Box<Inventory> },
}

/// Copies everything; `progress` is told how many documents and tombstones are over. Returns what both stores have,
/// and whether the target had it before.
pub async fn copy(
    from: &dyn Portable,
    to: &dyn Portable,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Inventory, bool), CopyError> {
    match to.target().await? {
        Target::Empty | Target::Begun => {}
        Target::Full => {
            let (source_has, target_has) = (inventory(from).await?, inventory(to).await?);
            if source_has == target_has {
                return Ok((target_has, true));
            }
            let Inventory { documents, keys, history, usage, events, .. } = target_has;
            return Err(CopyError::NotEmpty { documents, keys, history, usage, events });
        }
    }
    to.begin_import().await?;
    let source_has = read(from, Some(to), progress).await?;
    if (from.last_sequence().await?, from.last_event().await?) != (source_has.last_sequence, source_has.events) {
        return Err(CopyError::SourceChanged);
    }
    to.finish_import(source_has.last_sequence).await?;
    let target_has = inventory(to).await?;
    if source_has == target_has {
        Ok((target_has, false))
    } else {
        Err(CopyError::Differs { source_has: Box::new(source_has), target_has: Box::new(target_has) })
    }
}

async fn inventory(store: &dyn Portable) -> Result<Inventory, StoreError> {
    read(store, None, &|_| ()).await
}

/// Reads all that a store has, and writes it into another one, if there is one: what is copied is what is compared.
async fn read(
    from: &dyn Portable,
    into: Option<&dyn Portable>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Inventory, StoreError> {
    let last_sequence = from.last_sequence().await?;
    let mut seen = Taking::default();
    let roots = from.export_roots().await?;
    seen.roots(&roots);
    if let Some(to) = into {
        to.import_roots(roots).await?;
    }
    let mut after = 0;
    loop {
        let page = from.export_documents(after).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        seen.documents(&page);
        if let Some(to) = into {
            to.import_documents(page).await?;
        }
        progress(seen.inventory.documents + seen.inventory.tombstones);
    }
    let tasks = from.tasks(i32::MAX.cast_unsigned()).await?;
    seen.tasks(&tasks);
    if let Some(to) = into {
        for task in &tasks {
            to.save_task(task).await?;
        }
    }
    let keys = from.keys().await?;
    seen.keys(&keys);
    if let Some(to) = into {
        import_keys(&keys, to).await?;
    }
    for resolution in RESOLUTIONS {
        let mut at = i64::MIN;
        while let Some((rows, next)) = history_page(from, resolution, at).await? {
            seen.history(&rows);
            if let Some(to) = into {
                to.record_history(&rows).await?;
            }
            at = next;
        }
    }
    let mut usage = from.export_usage(None).await?;
    while let Some(last) = usage.last().cloned() {
        seen.usage(&usage);
        if let Some(to) = into {
            to.record_usage(&usage).await?;
        }
        usage = from.export_usage(Some(&last)).await?;
    }
    read_world(from, into, &mut seen).await?;
    Ok(seen.finish(last_sequence))
}

async fn read_world(from: &dyn Portable, into: Option<&dyn Portable>, seen: &mut Taking) -> Result<(), StoreError> {
    for StoredRules { digest, .. } in from.rules_used().await? {
        let Some(rules) = from.rules(&digest).await? else { continue };
        seen.rules(&rules);
        if let Some(to) = into {
            to.save_rules(&rules).await?;
        }
    }
    for row in from.export_snapshots().await? {
        let Some(body) = from.snapshot_body(row.info.id).await? else { continue };
        seen.snapshot(&row, &body);
        if let Some(to) = into {
            to.import_snapshot(&row, &body).await?;
        }
    }
    // An interrupted copy has left the first of them.
    let there = match into {
        Some(to) => to.last_event().await?,
        None => 0,
    };
    let mut after = 0;
    loop {
        let mut page = from.events(after, EVENTS).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        seen.events(&page);
        if let Some(to) = into {
            page.retain(|event| event.sequence > there);
            to.append_events(&page).await?;
        }
    }
    Ok(())
}

/// A key that an interrupted copy left, and that has changed since, is replaced.
async fn import_keys(keys: &[StoredKey], to: &dyn Portable) -> Result<(), StoreError> {
    let there = to.keys().await?;
    for key in keys.iter().filter(|key| !there.contains(key)) {
        to.remove_key(&key.id).await?;
        to.add_key(key).await?;
    }
    Ok(())
}

/// Rows that begin from `at` on, and where the next page begins. A page ends between two begins: many hosts may have
/// a row for each, but not as many as a page has.
async fn history_page(
    store: &dyn Portable,
    resolution: Resolution,
    at: i64,
) -> Result<Option<(Vec<HistoryRow>, i64)>, StoreError> {
    let range = HistoryRange { resolution, from: at, until: i64::MAX, host: None, limit: HISTORY_ROWS };
    let mut rows = store.history(&range).await?;
    let Some(last) = rows.last().map(|row| row.at) else { return Ok(None) };
    if rows.len() < HISTORY_ROWS as usize {
        return Ok(Some((rows, last + 1)));
    }
    rows.retain(|row| row.at < last);
    Ok(Some((rows, last)))
}

/// An inventory that is being taken. Every row is preceded by its length, so that no two inventories read the same.
#[derive(Default)]
struct Taking {
    inventory: Inventory,
    hasher: blake3::Hasher,
}

impl Taking {
    fn roots(&mut self, rows: &[RootRow]) {
        // The posted one is everywhere.
        self.inventory.roots += rows.len().saturating_sub(1) as u64;
        rows.iter().for_each(|row| self.take(format!("{row:?}").as_bytes()));
    }

    fn documents(&mut self, rows: &[DocumentRow]) {
        for row in rows {
            let DocumentRow { id, root, path, language, title, modified, stamp, size, digest, sequence, deleted, body } =
                row;
            match deleted {
                true => self.inventory.tombstones += 1,
                false => self.inventory.documents += 1,
            }
            let named = (id, root, path, language, title, modified, stamp, size, digest, sequence, deleted);
            self.take(format!("{named:?} {}", body.is_some()).as_bytes());
            self.take(body.as_deref().unwrap_or_default());
        }
    }

    fn tasks(&mut self, tasks: &[Task]) {
        self.inventory.tasks += tasks.len() as u64;
        tasks.iter().for_each(|task| self.take(format!("{task:?}").as_bytes()));
    }

    fn keys(&mut self, keys: &[StoredKey]) {
        self.inventory.keys += keys.len() as u64;
        keys.iter().for_each(|key| self.take(format!("{key:?}").as_bytes()));
    }

    fn usage(&mut self, rows: &[UsageRow]) {
        self.inventory.usage += rows.len() as u64;
        rows.iter().for_each(|row| self.take(format!("{row:?}").as_bytes()));
    }

    fn history(&mut self, rows: &[HistoryRow]) {
        self.inventory.history += rows.len() as u64;
        for HistoryRow { host, resolution, at, figures, times } in rows {
            self.take(format!("{:?}", (host, resolution, at, figures)).as_bytes());
            self.take(times);
        }
    }

    fn rules(&mut self, rules: &StoredRules) {
        self.inventory.rules += 1;
        let StoredRules { digest, name, version, first_used, body } = rules;
        self.take(format!("{:?}", (digest, name, version, first_used)).as_bytes());
        self.take(body);
    }

    fn snapshot(&mut self, row: &SnapshotRow, body: &[u8]) {
        self.inventory.snapshots += 1;
        self.take(format!("{row:?}").as_bytes());
        self.take(body);
    }

    fn events(&mut self, events: &[StoredEvent]) {
        self.inventory.events += events.len() as u64;
        for StoredEvent { sequence, tick, at, rules, kind, body } in events {
            self.take(format!("{:?}", (sequence, tick, at, rules, kind)).as_bytes());
            self.take(body);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    fn finish(self, last_sequence: u64) -> Inventory {
        Inventory { last_sequence, digest: self.hasher.finalize().to_hex().to_string(), ..self.inventory }
    }
}

#[cfg(test)]
mod tests;
