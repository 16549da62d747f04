-- The index of the vectors, for searching many of them: what is known of it, in one row, or none.
-- The index itself (the virtual table vector_cells with its shadow tables, and the triggers that
-- keep it in step with the vectors) is made by ragkit/store/cells.py once an index is large, and can
-- be dropped at any time: the rows of vectors are the truth.

CREATE TABLE vector_index (
    number          INTEGER PRIMARY KEY CHECK (number = 1),
    format          INTEGER NOT NULL,   -- of what is kept here; another one is built anew
    engine          TEXT NOT NULL,      -- the version of the extension that wrote it
    through         INTEGER NOT NULL,   -- vectors of chunks up to this number are in it
    cells           INTEGER NOT NULL,   -- 0 until it is trained
    code_bytes      INTEGER NOT NULL,   -- of a compressed vector
    trained_on      INTEGER NOT NULL,   -- how many vectors there were when it was trained
    trained_through INTEGER NOT NULL,   -- the last chunk's number then
    error           REAL NOT NULL,      -- mean error of compressing a sample, relative
    recall          REAL NOT NULL,      -- of the ten nearest, by the exact scan, over a sample
    model           BLOB                -- trained, and not yet in use
) STRICT;
