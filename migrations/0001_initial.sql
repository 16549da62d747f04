-- The first schema. Rows here are the truth; what is for speed alone (words) is made from them,
-- carries a generation, and is rebuilt where it disagrees. Times are ISO 8601 in UTC.
--
-- The file is kept with a checksum on every page (SQLite's checksum VFS, 8 reserved bytes), so
-- that a damaged page is an error and never an answer.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL            -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,        -- random, kept through edits and renames
    uri          TEXT NOT NULL UNIQUE,
    title        TEXT NOT NULL,
    media_type   TEXT NOT NULL,
    collection   TEXT NOT NULL,
    content_hash TEXT NOT NULL,               -- SHA-256 of the source's bytes, hex
    size_bytes   INTEGER NOT NULL,            -- of the source, when it was read
    mtime_ns     INTEGER NOT NULL,
    characters   INTEGER NOT NULL,            -- of the text
    metadata     TEXT NOT NULL,               -- JSON object of strings
    added_at     TEXT NOT NULL,
    updated_at   TEXT NOT NULL
) STRICT;

CREATE INDEX documents_by_content ON documents (content_hash);

-- The text and its structure, apart, so that listing documents doesn't read them; the text last,
-- so that reading the headings doesn't read the text.
CREATE TABLE texts (
    document INTEGER PRIMARY KEY REFERENCES documents (number) ON DELETE CASCADE,
    headings TEXT NOT NULL,        -- JSON [[level, title, start, end], ...]
    pages    TEXT NOT NULL,        -- JSON [[number, start, end], ...]
    blocks   TEXT NOT NULL,        -- JSON [[kind, start, end], ...]
    text     TEXT NOT NULL
) STRICT;

CREATE TABLE chunks (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,        -- hash of document id, text and occurrence
    document     INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE,
    ordinal      INTEGER NOT NULL,
    start        INTEGER NOT NULL,            -- characters of texts.text
    end          INTEGER NOT NULL,
    first_line   INTEGER,                     -- NULL where the source has no lines of its own
    last_line    INTEGER,
    page         INTEGER,                     -- NULL where the source has no pages
    heading_path TEXT NOT NULL,               -- JSON list of strings
    text         TEXT NOT NULL                -- always texts.text[start:end]
) STRICT;

CREATE INDEX chunks_by_document ON chunks (document, ordinal);

-- The vectors of record: float32, little-endian, length 1. `input_hash` is that of the text that
-- was embedded, template and context included: the same input is never embedded twice.
CREATE TABLE vectors (
    chunk      INTEGER PRIMARY KEY REFERENCES chunks (number) ON DELETE CASCADE,
    input_hash BLOB NOT NULL,
    embedding  BLOB NOT NULL
) STRICT;

CREATE INDEX vectors_by_input ON vectors (input_hash);

-- Documents that the user removed though their files exist: an ingest passes them by.
CREATE TABLE exclusions (
    uri         TEXT PRIMARY KEY,
    excluded_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The word index. It keeps no text; what is put in is made by one function, and taken out by the
-- same one, so that secure-delete can clear a removed document's words from the file.
CREATE VIRTUAL TABLE words USING fts5 (
    text, title, headings, name,
    content = '', detail = full, tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

CREATE VIRTUAL TABLE terms USING fts5vocab (words, row);
