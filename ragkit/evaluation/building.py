"""An index made for one evaluation, in a temporary folder that goes with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ragkit.evaluation import beir
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.types import IngestEvent, IngestLimits, IngestReport

# Settings that change what an index holds, and not only how it is searched.
BUILD_SETTINGS = frozenset(
    "embedder embedding_model embedding_dimensions document_template query_template"
    " chunk_tokens".split()
)


@contextmanager
def temporary_index(
    places: Sequence[Path],
    settings: Settings,
    *,
    environ: Mapping[str, str],
    limits: IngestLimits | None = None,
    on_event: Callable[[IngestEvent], None] | None = None,
) -> Iterator[tuple[Index, IngestReport]]:
    """Give an index of files and folders, and what its ingest did; both end with the block.

    A folder with a BEIR corpus is taken as its documents. Raises what `Index.ingest` raises.
    """
    with tempfile.TemporaryDirectory(prefix="ragkit-eval-") as name:
        documents = []
        for number, place in enumerate(places):
            if beir.is_folder(place):
                target = Path(name, f"corpus-{number}")
                target.mkdir()
                beir.write_documents(place, target)
                documents.append(target)
            else:
                documents.append(place)
        with Index.open(Path(name, "index.db"), settings, environ=environ) as index:
            report = index.ingest(*documents, limits=limits, on_event=on_event)
            yield index, report
