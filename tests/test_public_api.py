"""What `from ragkit import ...` offers: complete, sorted, typed, quick, and inert."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

import pytest

import ragkit
from ragkit import errors, ports, types

IMPORT_BUDGET_SECONDS = 0.1  # over bare Python; 0.02 on a quiet machine, more on a busy one


def defined_in(module: ModuleType) -> set[str]:
    """Return the public names that a module itself makes, not those that it imports."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def python(code: str, *options: str) -> str:
    """Return what a fresh interpreter prints."""
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_all_is_sorted_and_without_doubles() -> None:
    """A name is found in __all__ where one looks for it."""
    assert ragkit.__all__ == sorted(set(ragkit.__all__))


@pytest.mark.parametrize("name", ragkit.__all__)
def test_every_name_is_there(name: str) -> None:
    """Every name of __all__ can be imported, as `from ragkit import name` does it."""
    assert getattr(ragkit, name) is not None


@pytest.mark.parametrize("module", [errors, ports, types], ids=lambda module: module.__name__)
def test_every_value_port_and_error_is_public(module: ModuleType) -> None:
    """Whatever a call takes, returns or raises can be imported from ragkit itself."""
    assert defined_in(module) <= set(ragkit.__all__)


def test_type_checkers_see_what_is_there() -> None:
    """The imports for type checkers name all of __all__, and the very objects that users get."""
    tree = ast.parse(Path(str(ragkit.__file__)).read_text(encoding="utf-8"))
    seen = {"__version__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ragkit."):
            for alias in node.names:
                home = import_module(str(node.module))
                assert getattr(home, alias.name) is getattr(ragkit, alias.name), alias.name
                seen.add(alias.name)
    assert seen == set(ragkit.__all__)


def test_what_is_not_there_is_an_attribute_error() -> None:
    """A misspelt name fails as it does with any module."""
    with pytest.raises(AttributeError, match="'ragkit' has no attribute 'Indx'"):
        _ = ragkit.Indx  # type: ignore[attr-defined]  # that's the point
    with pytest.raises(ImportError, match="Indx"):
        from ragkit import Indx  # type: ignore[attr-defined]  # noqa: F401 - as above


def test_dir_lists_it_all() -> None:
    """Completion in a shell offers every public name before any was used."""
    assert set(ragkit.__all__) <= set(
        json.loads(python("import json, ragkit; print(json.dumps(dir(ragkit)))"))
    )


def test_version_is_that_of_the_distribution() -> None:
    """`ragkit.__version__` says what pip says."""
    assert ragkit.__version__ == metadata.version("ragkit")


def test_import_does_nothing() -> None:
    """Importing ragkit loads none of its modules, no library, and prints nothing."""
    code = """
import sys
before = set(sys.modules)
import ragkit
print(sorted(name for name in set(sys.modules) - before
             if name.partition(".")[0] not in sys.stdlib_module_names))
"""
    assert python(code).strip() == "['ragkit']"


def test_import_is_quick() -> None:
    """`import ragkit` takes less than 20 ms; the best of five, since others use the machine."""
    code = "from time import perf_counter as now; t = now(); import ragkit; print(now() - t)"
    assert min(float(python(code)) for _ in range(5)) < IMPORT_BUDGET_SECONDS


@pytest.mark.parametrize("name", ["RagkitError", "Filters", "Embedder", "Settings"])
def test_a_name_loads_no_more_than_it_needs(name: str) -> None:
    """Values, errors, ports and settings come without numpy, SQLite, httpx or the model."""
    code = f"from ragkit import {name}; import sys; print(*sys.modules)"
    heavy = {"numpy", "apsw", "httpx", "onnxruntime", "click", "pypdfium2"}
    assert not heavy & set(python(code).split())
