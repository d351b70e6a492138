"""The source tree: packages import one way, and only listed files do I/O."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import quantiles

ROOT = Path(__file__).parents[1]
HOMES = {
    "claude_batch": ROOT / "src/claude_batch",
    "claude_batch_app": ROOT / "github_app/claude_batch_app",
}
# The sample repository of the demo is data.
FILES = sorted(
    path
    for home in HOMES.values()
    for path in home.rglob("*.py")
    if "sample_shop" not in path.parts
)

# Lowest first. A package may import those before it, and nothing after it.
ORDER = (
    *("errors", "environment", "environment_checks", "formatting", "markdown", "http_headers"),
    *("diff", "git", "syntax", "anthropic_api", "github_api", "tasks", "findings", "config"),
    *("ledger", "costs", "prompts", "waiting", "batches", "submission", "verification"),
    *("pull_requests", "jobs", "exports", "reconcile", "setup", "github_actions", "benchmark"),
    *("sandbox", "cli", "claude_batch_app"),
)

# Only these files do I/O: all others are functions of their arguments. "*" is a whole package.
DO_IO = {
    "git": "process objects fetching repository trees refs branches earlier_commits work_tree "
    "patch hook hook_queue temporary_files",
    "anthropic_api": "client request_body",
    "github_api": "connection",
    "ledger": "git_store repair",
    "github_actions": "runner",
    "benchmark": "recorded_answers",
    "environment": "*",
    "__main__": "*",
    "sandbox": "*",
    "cli": "*",
}
INPUT_OUTPUT = {
    *("http.client", "http.server", "logging", "shutil", "socket", "subprocess", "tempfile"),
    *("time", "urllib.request"),
}
IMPURE_CALLS = {
    *("open", "print", "input", "datetime.now", "datetime.utcnow", "date.today", "time.time"),
}

# Each third-party SDK has one home.
SDK_HOMES = {
    "anthropic": "anthropic_api/",
    "github": "github_api/",
    "pygit2": "git/",
    "tree_sitter": "syntax/",
    "typer": "cli/",
    "rich": "cli/",
    "mcp": "cli/mcp_server.py",
    "jinja2": "costs/pages/page_templates.py",
}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "core", "common", "misc", "base"}
VAGUE_OPENINGS = ("What", "Of", "Where", "Those", "Who", "Whether")


def relative(path: Path) -> str:
    """`git/process.py`; files of the App start with their package's name."""
    home = HOMES["claude_batch"]
    return path.relative_to(home if path.is_relative_to(home) else ROOT / "github_app").as_posix()


def package_of(path: Path) -> str:
    return relative(path).split("/")[0].removesuffix(".py")


@cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """Whole module names, imports inside functions included."""
    names: set[str] = set()
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names |= set(imported_from(node))
    return frozenset(names)


def imported_from(node: ast.ImportFrom) -> Iterator[str]:
    module = node.module or ""
    for alias in node.names:
        whole = f"{module}.{alias.name}"
        yield whole if file_of(whole) else module


def file_of(module: str) -> Path | None:
    """The file of a module of ours, None for third parties."""
    package, *rest = module.split(".")
    if package not in HOMES:
        return None
    stem = HOMES[package].joinpath(*rest)
    candidates = (stem / "__init__.py", stem.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def own_imports(path: Path) -> set[Path]:
    return {file for file in map(file_of, imports(path)) if file} - {path}


def does_io(path: Path) -> bool:
    files = DO_IO.get(package_of(path), "").split()
    return path.stem in files or files == ["*"]


def import_faults(path: Path) -> list[str]:
    """The imports of a file that ORDER forbids."""
    own = package_of(path)
    others = {package_of(file) for file in own_imports(path)} - {own, "__init__", "__main__"}
    if own in {"__init__", "__main__"}:
        return []
    return [
        f"{relative(path)} may not import {other}"
        for other in sorted(others)
        if ORDER.index(other) > ORDER.index(own)
    ]


def test_packages_import_only_what_is_below_them() -> None:
    assert not [fault for path in FILES for fault in import_faults(path)]


def test_imports_have_no_cycle() -> None:
    def visit(path: Path, trail: tuple[Path, ...]) -> None:
        assert path not in trail, " → ".join(map(relative, [*trail, path]))
        if path not in visited:
            for target in own_imports(path):
                visit(target, (*trail, path))
            visited.add(path)

    visited: set[Path] = set()
    for path in FILES:
        visit(path, ())


def test_each_sdk_has_one_home() -> None:
    for path in FILES:
        if package_of(path) == "claude_batch_app":
            continue
        for name in imports(path):
            home = SDK_HOMES.get(name.split(".")[0], "")
            assert relative(path).startswith(home), f"{relative(path)} imports {name}"


def test_only_listed_files_do_io() -> None:
    for path in FILES:
        if does_io(path) or package_of(path) == "claude_batch_app":
            continue
        assert not INPUT_OUTPUT & imports(path), relative(path)
        calls = {
            ast.unparse(node.func)
            for node in ast.walk(syntax_tree(path))
            if isinstance(node, ast.Call)
        }
        assert not IMPURE_CALLS & calls, relative(path)


def test_one_file_reads_the_environment() -> None:
    for path in FILES:
        names = {
            node.attr
            for node in ast.walk(syntax_tree(path))
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os"
        } & {"environ", "environb", "getenv", "putenv"}
        assert not names or relative(path) == "environment.py", f"{relative(path)}: os.{names}"
        assert "from os import" not in path.read_text(), relative(path)


def test_no_module_has_a_vague_name_or_that_of_a_third_party() -> None:
    third_parties = {
        name.split(".")[0] for path in FILES for name in imports(path) if not file_of(name)
    }
    # `queue` is a command of the program, and a module of the standard library.
    stems = {path.stem for path in FILES} - {"queue"}
    assert not stems & (third_parties | VAGUE_NAMES)


def test_no_public_class_name_is_defined_twice() -> None:
    names = Counter(
        node.name
        for path in FILES
        for node in syntax_tree(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not [name for name, count in names.items() if count > 1]


def test_docstrings_start_with_what_the_thing_is_or_does() -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for path in FILES:
        for node in ast.walk(syntax_tree(path)):
            docstring = ast.get_docstring(node) if isinstance(node, documented) else None
            if docstring:
                first_line = docstring.splitlines()[0]
                opening = first_line.split()[0]
                is_question = first_line.endswith("?")
                assert opening not in VAGUE_OPENINGS or is_question, (
                    f"{relative(path)}: {first_line}"
                )


def test_packages_stay_small() -> None:
    """At most twelve files in a package, and seven modules beside the packages."""
    sizes = Counter(path.parent for path in FILES if path.name != "__init__.py")
    # A file for each command; a file for each thing that git is used for.
    allowed = {"cli/commands": 25, "git": 16, "ledger": 13, "pull_requests": 15}
    for folder, size in sizes.items():
        name = relative(folder)
        limit = 7 if name == "." else allowed.get(name, 12)
        assert size <= limit, f"{name} has {size} files"


def test_nine_in_ten_files_and_functions_are_short() -> None:
    lengths = [len(path.read_text().splitlines()) for path in FILES]
    functions = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in FILES
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.FunctionDef)
    ]
    assert quantiles(lengths, n=10)[-1] < 250
    assert quantiles(functions, n=10)[-1] < 35


def test_one_broad_except_in_the_whole_program() -> None:
    broad = [
        path
        for path in FILES
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]
    assert [relative(path) for path in broad] == ["cli/main.py"]
