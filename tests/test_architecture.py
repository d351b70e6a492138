"""Imports run one way: errors < nouns < edges < commands < trips < cli."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import quantiles

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "claude_batch"
APP = ROOT / "github_app"
MODULES = sorted(path for path in SRC.rglob("*.py") if path.name != "__main__.py")
EVERYTHING = sorted({*SRC.rglob("*.py"), *APP.rglob("*.py")})

LAYERS = ("errors", "noun", "edges", "commands", "trips", "cli")
ONLY_IN = {
    "anthropic": "edges/claude.py",
    "pygit2": "edges/repository.py",
    "github": "edges/forge.py",
    "typer": "cli/",
    "dbos": "nowhere/",
    "mcp": "cli/mcp_server.py",
}
ANY_EDGE_MAY_IMPORT = {"claude_batch.edges.git_process", "claude_batch.edges.environment"}
MAY_IMPORT_SANDBOX = ("sandbox/", "trips/demo", "cli/")
OUTSIDE = {
    "http.client",
    "http.server",
    "logging",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "time",
    "urllib.request",
}
DRAWERS = {"utils", "util", "helpers", "helper", "manager", "core", "common", "misc", "base"}


def room(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def layer(module: str) -> int:
    """Of `claude_batch.edges.claude`: the index of "edges"."""
    head = [*module.split("."), "noun"][1]
    return LAYERS.index(head if head in LAYERS else "noun")


@cache
def imports(path: Path) -> frozenset[str]:
    """Whole modules, also inside functions; of `from claude_batch import x` claude_batch.x."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names |= set(imported(node))
    return frozenset(names)


def imported(node: ast.ImportFrom) -> Iterator[str]:
    base = node.module or ""
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        yield whole if module_file(whole) else base


def module_file(name: str) -> Path | None:
    """Our file behind the name of a module; None for third parties and for names in a module."""
    root, *rest = name.split(".")
    home = {"claude_batch": SRC, "github_app": APP}.get(root)
    if home is None:
        return None
    stem = home.joinpath(*rest)
    return next((f for f in (stem / "__init__.py", stem.with_suffix(".py")) if f.is_file()), None)


def name_of(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(("claude_batch", *parts)).removesuffix(".__init__")


def is_sandbox(module: str) -> bool:
    return module.startswith("claude_batch.sandbox")


@pytest.mark.parametrize("path", MODULES, ids=room)
def test_imports_run_one_way(path: Path) -> None:
    me = name_of(path)
    for name in imports(path):
        assert not name.startswith("github_app"), f"{me} may not import the App"
        if name.partition(".")[0] != "claude_batch" or is_sandbox(me):
            continue
        if is_sandbox(name):
            assert room(path).startswith(MAY_IMPORT_SANDBOX), f"{me} may not import {name}"
        elif name != "claude_batch":
            assert layer(name) <= layer(me), f"{me} may not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=room)
def test_neighbours_do_not_know_each_other(path: Path) -> None:
    me = name_of(path)
    for name in imports(path) - ANY_EDGE_MAY_IMPORT - {me}:
        if name.startswith(("claude_batch.edges.", "claude_batch.commands.")):
            assert name.rpartition(".")[0] != me.rpartition(".")[0], f"{me} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=room)
def test_third_parties_stay_in_their_room(path: Path) -> None:
    for name in imports(path):
        home = ONLY_IN.get(name.partition(".")[0], "")
        assert room(path).startswith(home), f"{name} belongs to {home}"


@pytest.mark.parametrize("path", MODULES, ids=room)
def test_one_place_reads_the_environment(path: Path) -> None:
    reads = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    } & {"environ", "environb", "getenv", "putenv"}
    assert not reads or room(path) == "edges/environment.py", f"os.{reads.pop()} in {path}"
    assert "from os import" not in path.read_text()


@pytest.mark.parametrize(
    "path", [p for p in MODULES if layer(name_of(p)) <= 1 and not is_sandbox(name_of(p))], ids=room
)
def test_nouns_are_pure(path: Path) -> None:
    """A noun may read data of its own package; it has no other disk, no clock, no network."""
    assert not OUTSIDE & imports(path)
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not calls & {"open", "print", "input", "datetime.now", "datetime.utcnow", "date.today"}


def test_there_is_no_cycle() -> None:
    def visit(path: Path, trail: tuple[Path, ...]) -> None:
        assert path not in trail, " → ".join(map(str, [*trail, path]))
        if path not in done:
            targets = {module_file(name) for name in imports(path)} - {None, path}
            for target in targets:
                assert target
                visit(target, (*trail, path))
            done.add(path)

    done: set[Path] = set()
    for path in EVERYTHING:
        visit(path, ())


def test_no_module_is_a_drawer_or_shadows_one_that_we_import() -> None:
    third_parties = {
        name.partition(".")[0]
        for path in EVERYTHING
        for name in imports(path)
        if not module_file(name)
    }
    ours = {path.stem for path in EVERYTHING} - {"__init__", "__main__"}
    assert not ours & (third_parties | DRAWERS)


def test_the_tail_is_short() -> None:
    """Nine files in ten stay under 250 lines, nine functions in ten under 35."""
    files = [len(path.read_text().splitlines()) for path in EVERYTHING]
    functions = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in EVERYTHING
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert quantiles(files, n=10)[-1] < 250
    assert quantiles(functions, n=10)[-1] < 35


def test_one_broad_except_in_the_whole_program() -> None:
    broad = [
        path
        for path in EVERYTHING
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]
    assert all("cli" in path.parts for path in broad), broad
    assert len(broad) <= 1
