-- Conversations: what was asked, as it was meant, and what was answered, in order. The passages
-- that an answer only looked at are not kept: they would outlive their documents.

CREATE TABLE conversations (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,       -- random, short; people type its beginning
    title      TEXT NOT NULL,              -- the first question
    created_at TEXT NOT NULL,              -- ISO 8601 in UTC
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE turns (
    number       INTEGER PRIMARY KEY,      -- grows over all conversations: the last is the newest
    conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
    asked_at     TEXT NOT NULL,
    question     TEXT NOT NULL,
    standalone   TEXT NOT NULL,            -- "" where the question stood for itself
    answer       TEXT NOT NULL             -- JSON object, as `ragkit ask --json` without the hits
) STRICT;

CREATE INDEX turns_by_conversation ON turns (conversation, number);
