-- The ledger: a row for each request that an ingest sent, whatever became of it.

CREATE TABLE requests (
    number           INTEGER PRIMARY KEY,
    sent_at          TEXT NOT NULL,            -- ISO 8601 in UTC
    model            TEXT NOT NULL,
    texts            INTEGER NOT NULL,
    estimated_tokens INTEGER NOT NULL,
    tokens           INTEGER NOT NULL,         -- as billed; 0 where the endpoint didn't say
    milliseconds     INTEGER NOT NULL,
    outcome          TEXT NOT NULL             -- "ok", or the code of the error
) STRICT;
