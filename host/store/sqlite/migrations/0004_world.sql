-- The world of agents: what happened, in order and without gaps. Never changed, never removed.
CREATE TABLE world_events (
    sequence INTEGER PRIMARY KEY,
    tick BIGINT NOT NULL,
    at BIGINT NOT NULL,
    rules BLOB NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
);

-- The world at an event. The body is last: what is before it is read without it.
CREATE TABLE world_snapshots (
    id INTEGER PRIMARY KEY,
    sequence BIGINT NOT NULL,
    tick BIGINT NOT NULL,
    at BIGINT NOT NULL,
    name TEXT,
    agents BIGINT NOT NULL,
    digest BLOB NOT NULL,
    pinned BOOLEAN NOT NULL DEFAULT FALSE,
    body BLOB NOT NULL
);

-- Every rules that decided something, for replaying it.
CREATE TABLE world_rules (
    digest BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    first_used BIGINT NOT NULL,
    body BLOB NOT NULL
);
