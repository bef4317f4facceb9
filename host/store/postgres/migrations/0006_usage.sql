-- How often a question was asked (path is empty) and a document was chosen for it, by days since 1970. Unique by digest:
-- B-tree entries end at 2,700 bytes, and questions and paths do not.
CREATE TABLE usage (
    identity BYTEA NOT NULL,
    question TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    day BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (identity, day)
);

CREATE INDEX usage_by_day ON usage (day DESC, count DESC);
