-- What the retrieval mode `postgres` derives from documents; empty in the other one. All of it is written anew when
-- `retrieval_state.format` says that it would be read differently. Text columns cannot hold the character NUL:
-- U+0001 stands for it, and `nuls` has its byte offsets within the body.

-- One row a chunk; the bodies of a version, by ordinal, are its content. `shard` is that of its document, so that
-- Citus keeps both together. `profile` has for each term four bytes of key and how often it is in body, title,
-- symbols and path; `embedding` a scale and one signed byte a number. Columns and indexes for the extensions vector
-- and pg_trgm are added at the start of a host, where those are there.
CREATE TABLE chunks (
    shard INTEGER NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    document BIGINT NOT NULL,
    root BIGINT NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    extension TEXT,
    language TEXT,
    title TEXT,
    modified BIGINT NOT NULL,
    size BIGINT NOT NULL,
    chunks INTEGER NOT NULL,
    first_line INTEGER NOT NULL,
    last_line INTEGER NOT NULL,
    start_byte INTEGER NOT NULL,
    end_byte INTEGER NOT NULL,
    names TEXT[] NOT NULL,
    body TEXT NOT NULL,
    nuls INTEGER[],
    lexemes TSVECTOR NOT NULL,
    body_terms INTEGER NOT NULL,
    title_terms INTEGER NOT NULL,
    symbol_terms INTEGER NOT NULL,
    path_terms INTEGER NOT NULL,
    profile BYTEA NOT NULL,
    embedding BYTEA,
    PRIMARY KEY (sequence, ordinal, shard)
);

-- Every query reads thousands of profiles: they stay in the row, unless one alone is too long for a page.
ALTER TABLE chunks ALTER COLUMN profile SET STORAGE MAIN;
ALTER TABLE chunks ALTER COLUMN embedding SET STORAGE PLAIN;

CREATE INDEX chunks_document ON chunks (document);
CREATE INDEX chunks_lexemes ON chunks USING gin (lexemes);
-- An entry of an index may not be as long as a path may be.
CREATE INDEX chunks_path ON chunks (left(path, 255));

-- Names that chunks define; `folded` is lower case.
CREATE TABLE chunk_symbols (
    shard INTEGER NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    line INTEGER NOT NULL,
    PRIMARY KEY (sequence, ordinal, place, shard)
);

CREATE INDEX chunk_symbols_folded ON chunk_symbols (left(folded, 255));

-- In how many chunks each term is, by field. `shard` is made of the key.
CREATE TABLE chunk_terms (
    shard INTEGER NOT NULL,
    key INTEGER NOT NULL,
    term TEXT COLLATE "C" NOT NULL,
    body BIGINT NOT NULL,
    title BIGINT NOT NULL,
    symbol BIGINT NOT NULL,
    path BIGINT NOT NULL,
    PRIMARY KEY (key, shard)
) WITH (fillfactor = 70);

CREATE INDEX chunk_terms_term ON chunk_terms (term);

-- One row. `epoch` counts the hosts that have had the right to write: who is not the last one must not.
CREATE TABLE retrieval_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL,
    format TEXT NOT NULL,
    applied BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    chunks BIGINT NOT NULL,
    content_bytes BIGINT NOT NULL,
    vectors BIGINT NOT NULL,
    body_terms BIGINT NOT NULL,
    title_terms BIGINT NOT NULL,
    symbol_terms BIGINT NOT NULL,
    path_terms BIGINT NOT NULL
) WITH (fillfactor = 10);

INSERT INTO retrieval_state VALUES (1, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, 0);
