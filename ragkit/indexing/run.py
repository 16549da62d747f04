"""One ingest: changed documents embedded and written, each in one transaction.

What is in the index already is not read, parsed or embedded again: a file is compared by size
and time, then by content; a moved one is renamed; a chunk whose text was embedded before takes
its vector from the index or the cache. A run that ends early, for whatever reason, keeps what is
complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragkit import sources
from ragkit.indexing.changes import Changes, is_known, vanished
from ragkit.indexing.embedding import Stopped
from ragkit.indexing.estimating import estimate_reads
from ragkit.indexing.filling import Filling, confirm
from ragkit.indexing.plan import Ingest
from ragkit.indexing.reading import Source
from ragkit.indexing.tally import Tally
from ragkit.ports import Embedder
from ragkit.sources import SourceFile
from ragkit.store import SqliteStore
from ragkit.types import IngestReport

# More vanished documents than this, and more than half of a folder's, are not removed unasked.
_PRUNE_FLOOR = 20


def ingest(
    store: SqliteStore,
    embedder: Embedder,
    paths: Sequence[Path],
    plan: Ingest,
    *,
    others: Sequence[Source] = (),
) -> IngestReport:
    """Bring the index up to what the files at these paths, and other sources, say.

    One bad document is a `Failure` in the report. Raises DocumentError for a path that doesn't
    exist, IndexStateError and ProviderError; what was written before stays.
    """
    walked = (sources.walk(path, stop=plan.stop) for path in paths)
    walks = list({walk.root_uri: walk for walk in walked}.values())
    others = list({source.uri: source for source in others}.values())
    own = store.files()
    files = {file.uri: file for walk in walks for file in walk.files if file.path not in own}
    reads: list[SourceFile | Source] = [*files.values(), *others]
    tally = Tally(
        plan.on_event, files_total=len(reads), bytes_total=sum(f.size for f in files.values())
    )
    for left_out in {each.uri: each for walk in walks for each in walk.skipped}.values():
        (tally.failed if left_out.code == "unreadable" else tally.skipped).append(left_out)
    if plan.stop():
        return IngestReport(stopped="interrupted")
    if not reads and not store.exists():
        return tally.report()  # nothing to make an index of
    with store.exclusive(on_wait=tally.notice, stop=plan.stop):
        if reads:
            store.claim(plan.fingerprint)
        named = {walk.root_uri for walk in walks} | {source.uri for source in others}
        for uri in store.excluded() & named:
            store.include(uri)  # named by itself: the user wants it back
        run = _Run(store, embedder, plan, tally, reads)
        try:
            run.write_all()
            for walk in walks:
                run.remove_vanished(walk)
            for step in store.keep_up(plan.stop):
                tally.notice(f"the index is large: {step}")
        except Stopped as stopped:
            tally.stopped = stopped.reason
        plan.tidy()
        if plan.vault and plan.vault.problem:
            tally.notice(f"{plan.vault.problem}; what was embedded is not kept for other indexes")
    return tally.report()


class _Run:
    """One ingest under way."""

    def __init__(
        self,
        store: SqliteStore,
        embedder: Embedder,
        plan: Ingest,
        tally: Tally,
        reads: Sequence[SourceFile | Source],
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._plan = plan
        self._tally = tally
        self._reads = reads
        self._changes = Changes(store, plan, tally, reads)
        self._filling = Filling(store, embedder, plan, tally, announce=self._announce)

    def write_all(self) -> None:
        """Embed and write what has changed."""
        self._filling.fill(self._changes.prepared(), self._store.known_vectors)

    # --- before anything is sent ---------------------------------------------------------------

    def _announce(self) -> None:
        """Say what will be sent, before anything is, and ask where that is much."""
        plan = self._plan
        count, tokens = self._guess()
        if plan.confirm_tokens and tokens > plan.confirm_tokens / 2:
            exact = estimate_reads(self._store, self._embedder, self._reads, plan)
            confirm(plan, exact)
            count, tokens = exact.added + exact.updated, exact.tokens
        self._tally.notice(
            f"the text of {count} {'file' if count == 1 else 'files'}, about {tokens:,} tokens,"
            f" goes to {plan.destination} to be embedded with {self._embedder.name}"
        )

    def _guess(self) -> tuple[int, int]:
        """Return how many sources have changed, and about how many tokens they hold, unread."""
        files = [each for each in self._reads if isinstance(each, SourceFile)]
        pending = [file for file in files if not is_known(self._changes.known.get(file.uri), file)]
        tokens = sum(file.size // _bytes_a_token(file) for file in pending)
        return len(pending) + len(self._reads) - len(files), tokens

    # --- vanished files ------------------------------------------------------------------------

    def remove_vanished(self, walk: sources.Walk) -> None:
        """Remove the documents whose files are gone from a folder, unless that looks like a loss.

        A folder that is empty, or from which more than half would go (and more than 20), keeps
        its documents unless `prune` is set: an unmounted disk looks just like that.
        """
        below = walk.root_uri.rstrip("/") + "/"
        inside = [known for uri, known in self._changes.known.items() if uri.startswith(below)]
        gone = [
            known for known in inside if known.uri not in self._changes.uris and vanished(known.uri)
        ]
        if not gone or not walk.complete:
            return
        too_many = len(gone) > _PRUNE_FLOOR and len(gone) > len(inside) / 2
        if not self._plan.prune and (too_many or not walk.files):
            self._tally.kept.extend(known.uri for known in gone)
            self._tally.notice(
                f"{len(gone)} of {len(inside)} documents of {walk.root_uri} have no file any"
                " more; they are kept (add --prune to remove them)"
            )
            return
        for known in gone:
            self._changes.remove(known)


def _bytes_a_token(file: SourceFile) -> int:
    """A first guess before anything is parsed: the filings of a stock exchange in PDF take 10."""
    return 10 if file.path.suffix.lower() == ".pdf" else 4
