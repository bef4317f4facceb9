-- The world of agents: what happened, in order and without gaps. Never changed, never removed.
CREATE TABLE world_events (
    sequence BIGINT PRIMARY KEY,
    tick BIGINT NOT NULL,
    at BIGINT NOT NULL,
    rules BYTEA NOT NULL,
    kind TEXT NOT NULL,
    body BYTEA NOT NULL
);

-- The world at an event.
CREATE TABLE world_snapshots (
    id BIGINT PRIMARY KEY,
    sequence BIGINT NOT NULL,
    tick BIGINT NOT NULL,
    at BIGINT NOT NULL,
    name TEXT,
    agents BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    pinned BOOLEAN NOT NULL DEFAULT FALSE,
    body BYTEA NOT NULL
);

-- Numbers that are drawn hardly get smaller, and the attempt takes longer than writing them.
ALTER TABLE world_snapshots ALTER COLUMN body SET STORAGE EXTERNAL;

-- Every rules that decided something, for replaying it.
CREATE TABLE world_rules (
    digest BYTEA PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    first_used BIGINT NOT NULL,
    body BYTEA NOT NULL
);
