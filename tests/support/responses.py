"""Build hunks, tasks, diffs and findings for tests from short drawings of diffs."""

from collections.abc import Sequence

from claude_batch.config.model import PathRule
from claude_batch.diff.model import Comparison, Diff, FileChange, Hunk, Side
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Category, Confidence, Finding, Severity
from claude_batch.findings.placement import PlacedFinding
from claude_batch.prompts.rendering import NO_CONTEXT, PromptContext, render_files, render_shared
from claude_batch.tasks.task import DiffOrigin, Task, TaskId, compute_task_id


def hunk(drawing: str, old: int = 1, new: int = 1) -> Hunk:
    return Hunk(old, new, drawing.strip("\n").encode())


def task(path: str, drawn: Hunk, kind: str = "review") -> Task:
    task_id = compute_task_id(f"{kind}@1", path, drawn.body)
    return Task(task_id, kind, path, drawn, DiffOrigin(path, "", ""))


def diff(*files: tuple[str, Hunk]) -> Diff:
    paths = list(dict.fromkeys(path for path, _ in files))
    return Diff(
        Comparison("b" * 40, "h" * 40, "b" * 40, "h" * 40, "pull request 7"),
        tuple(
            FileChange(
                path,
                path,
                "modified",
                0o100644,
                0o100644,
                "1" * 40,
                "2" * 40,
                hunks=tuple(one for name, one in files if name == path),
            )
            for path in paths
        ),
    )


def finding(number: int = 1, **changes: object) -> Finding:
    values: dict[str, object] = {
        "id": f"{number:016x}",
        "fingerprint": f"{number + 0xF00:016x}",
        "task": TaskId("t"),
        "kind": "review",
        "path": "src/a.py",
        "category": Category.BUG,
        "severity": Severity.MEDIUM,
        "confidence": Confidence.HIGH,
        "title": f"Title {number}",
        "body": f"Body {number}.",
    }
    return Finding.model_validate(values | changes)


def placed(
    number: int = 1,
    lines: tuple[int, int] = (2, 2),
    path: str = "src/a.py",
    side: Side = Side.RIGHT,
    suggestion: str | None = None,
    **changes: object,
) -> PlacedFinding:
    said = finding(number, path=path, side=side, **changes)
    return PlacedFinding(said, path, side, *lines, suggestion)


def user(
    asked: Sequence[Task],
    context: Sequence[Task],
    rules: Sequence[PathRule] = (),
    beside: PromptContext = NO_CONTEXT,
) -> str:
    """The text of a user message: its two blocks joined."""
    anchored = [AnchoredTask.from_hunk(one.id, one.path, one.hunk) for one in asked]
    return render_shared(rules, beside) + render_files(asked, anchored, context, beside.snippets)
