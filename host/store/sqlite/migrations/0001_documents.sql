-- Folders that are indexed. Root 0 stands for documents that clients post.
CREATE TABLE roots (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    last_indexed BIGINT,
    removed BOOLEAN NOT NULL DEFAULT FALSE
);

INSERT INTO roots (id, path, name) VALUES (0, '', 'posted');

-- The newest version of every document that ever was; `deleted` rows are tombstones for followers.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    root BIGINT NOT NULL REFERENCES roots (id),
    path TEXT NOT NULL,
    language TEXT,
    title TEXT,
    modified BIGINT NOT NULL,
    stamp BIGINT,
    size BIGINT NOT NULL,
    digest BLOB NOT NULL,
    sequence BIGINT NOT NULL UNIQUE,
    deleted BOOLEAN NOT NULL DEFAULT FALSE,
    UNIQUE (root, path)
);

-- Apart from `documents`, so that reading all fingerprints of a root does not read all its text.
CREATE TABLE contents (
    document BIGINT PRIMARY KEY REFERENCES documents (id),
    body BLOB NOT NULL
);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO counters (name, value) VALUES ('sequence', 0);

CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    path TEXT NOT NULL,
    progress TEXT NOT NULL,
    error TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT
);
