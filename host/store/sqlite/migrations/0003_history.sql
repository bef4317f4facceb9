-- Figures of the past: one row for each host and stretch of `resolution` seconds.
CREATE TABLE history (
    resolution INTEGER NOT NULL,
    at BIGINT NOT NULL,
    host TEXT NOT NULL,
    figures TEXT NOT NULL,
    times BLOB NOT NULL,
    PRIMARY KEY (resolution, at, host)
) WITHOUT ROWID;
