-- The token vectors of a chunk as the embedded model saw it, for reranking by late interaction.
-- They come with the vector, can be left out, and are as large as text and vector together: apart,
-- so that the scan over all vectors doesn't read them. The format is that of
-- ragkit/providers/token_vectors.py, and says its version.

CREATE TABLE token_vectors (
    chunk  INTEGER PRIMARY KEY REFERENCES chunks (number) ON DELETE CASCADE,
    record BLOB NOT NULL
) STRICT;
