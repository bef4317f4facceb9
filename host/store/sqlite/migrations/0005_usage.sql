-- How often a question was asked (path is empty) and a document was chosen for it, by days since 1970.
CREATE TABLE usage (
    question TEXT NOT NULL,
    path TEXT NOT NULL,
    day INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (question, path, day)
) WITHOUT ROWID;

CREATE INDEX usage_by_day ON usage (day DESC, count DESC);
