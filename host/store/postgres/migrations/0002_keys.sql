-- API keys; of the secret only its digest.
CREATE TABLE api_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    rate_per_minute BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
