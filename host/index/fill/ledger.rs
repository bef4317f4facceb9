//! The file that keeps what a model made of texts: one record a text, found by the digest of the text. So a vector
//! outlives its chunk, its document and the index, and is used again wherever the same text stands. A file is of one
//! model. It is a cache of work: a record that does not check is made again, and nothing is flushed to disk.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The first half of a text's BLAKE3 digest.
pub(super) type TextDigest = [u8; 16];

/// The first bytes of a file; another number where records look different. The model's digest follows.
const MAGIC: &[u8; 16] = b"corsac vectors 1";
const CHECK: usize = 4;
const SCALE: usize = 4;

/// Below so many dead records it is not worth writing a file anew.
const FEW: u64 = 1024;

pub(super) fn digest_of(text: &str) -> TextDigest {
    let mut digest = TextDigest::default();
    digest.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    digest
}

pub(super) struct Ledger {
    path: PathBuf,
    file: File,
    header: Vec<u8>,
    dimension: usize,
    /// Number of the record by text.
    places: HashMap<TextDigest, u64>,
    records: u64,
    /// Records written since the file was opened or last written anew.
    made: u64,
}

impl Ledger {
    /// Opens or begins the file of a model. A file of another model, or of none, is begun anew.
    pub(super) fn open(path: &Path, model: &str, dimension: usize) -> io::Result<Self> {
        let mut header = MAGIC.to_vec();
        header.extend((dimension as u64).to_le_bytes());
        header.extend(model.as_bytes());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let (places, records) = (HashMap::new(), 0);
        let mut ledger = Self { path: path.to_owned(), file, header, dimension, places, records, made: 0 };
        ledger.read()?;
        Ok(ledger)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        let mut header = vec![0; self.header.len()];
        let is_ours = reader.read_exact(&mut header).is_ok() && header == self.header;
        let mut record = vec![0; self.record_bytes()];
        while is_ours && reader.read_exact(&mut record).is_ok() {
            if let Some((digest, _)) = checked(&record) {
                self.places.insert(digest, self.records);
            }
            self.records += 1;
        }
        drop(reader);
        if !is_ours {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(&self.header)?;
        }
        // A record that a crash cut off would shift all that follow.
        self.file.set_len(self.position(self.records))
    }

    /// Texts that have a vector.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether more was put in since the file was opened or last written anew than `alive` texts account for.
    pub(super) fn is_worn(&self, alive: u64) -> bool {
        self.made > alive.max(FEW)
    }

    /// Codes and scale of a text's vector.
    pub(super) fn get(&mut self, digest: &TextDigest) -> io::Result<Option<(Vec<i8>, f32)>> {
        let Some(number) = self.places.get(digest) else { return Ok(None) };
        let mut record = vec![0; self.record_bytes()];
        self.file.seek(SeekFrom::Start(self.position(*number)))?;
        self.file.read_exact(&mut record)?;
        let Some((found, rest)) = checked(&record) else {
            self.places.remove(digest);
            return Ok(None);
        };
        let Some((scale, codes)) = rest.split_first_chunk::<SCALE>().filter(|_| found == *digest) else {
            return Ok(None);
        };
        Ok(Some((codes.iter().map(|code| code.cast_signed()).collect(), f32::from_le_bytes(*scale))))
    }

    pub(super) fn put(&mut self, digest: TextDigest, codes: &[i8], scale: f32) -> io::Result<()> {
        let mut record = digest.to_vec();
        record.extend(scale.to_le_bytes());
        record.extend(codes.iter().map(|code| code.cast_unsigned()));
        record.extend(check(&record));
        let end = self.position(self.records);
        let written = self.file.seek(SeekFrom::Start(end)).and_then(|_| self.file.write_all(&record));
        if written.is_err() {
            self.file.set_len(end)?;
        }
        written?;
        self.places.insert(digest, self.records);
        self.records += 1;
        self.made += 1;
        Ok(())
    }

    /// Writes the file anew with what is `alive` when more than half of it is not.
    pub(super) fn sweep(&mut self, alive: &HashSet<TextDigest>) -> io::Result<()> {
        let kept: Vec<TextDigest> = self.places.keys().filter(|digest| alive.contains(*digest)).copied().collect();
        let dead = self.records - kept.len() as u64;
        if dead < FEW || dead <= kept.len() as u64 {
            return Ok(());
        }
        let draft = self.path.with_extension("draft");
        let mut writer = BufWriter::new(File::create(&draft)?);
        writer.write_all(&self.header)?;
        for digest in kept {
            let Some((codes, scale)) = self.get(&digest)? else { continue };
            let mut record = digest.to_vec();
            record.extend(scale.to_le_bytes());
            record.extend(codes.iter().map(|code| code.cast_unsigned()));
            record.extend(check(&record));
            writer.write_all(&record)?;
        }
        writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        std::fs::rename(&draft, &self.path)?;
        self.file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        self.places.clear();
        (self.records, self.made) = (0, 0);
        self.read()
    }

    fn record_bytes(&self) -> usize {
        size_of::<TextDigest>() + SCALE + self.dimension + CHECK
    }

    fn position(&self, number: u64) -> u64 {
        self.header.len() as u64 + number * self.record_bytes() as u64
    }
}

fn check(content: &[u8]) -> [u8; CHECK] {
    let mut check = [0; CHECK];
    check.copy_from_slice(&blake3::hash(content).as_bytes()[..CHECK]);
    check
}

/// Digest and the rest of a whole record.
fn checked(record: &[u8]) -> Option<(TextDigest, &[u8])> {
    let (content, sum) = record.split_last_chunk::<CHECK>()?;
    let (digest, rest) = content.split_first_chunk::<16>()?;
    (check(content) == *sum).then_some((*digest, rest))
}

#[cfg(test)]
mod tests;
