-- Figures of the past: one row for each host and stretch of `resolution` seconds.
CREATE TABLE history (
    resolution BIGINT NOT NULL,
    at BIGINT NOT NULL,
    host TEXT COLLATE "C" NOT NULL,
    figures TEXT NOT NULL,
    times BYTEA NOT NULL,
    PRIMARY KEY (resolution, at, host)
);
