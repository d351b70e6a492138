"""What `init` would do to each of its files, decided from what is there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import unified_diff
from enum import StrEnum

from claude_batch.git.work_tree import WorkTree
from claude_batch.setup import pre_commit_config as hook_config
from claude_batch.setup import workflows as workflow
from claude_batch.setup.workflows import DEFAULT_ACTION, Action

CONFIG = ".claude-batch.toml"
PYPROJECT = "pyproject.toml"
SUBMIT = ".github/workflows/claude-batch.yml"
COLLECT = ".github/workflows/claude-batch-collect.yml"
HOOKS = ".pre-commit-config.yaml"
FILES = (CONFIG, SUBMIT, COLLECT, HOOKS)


class SetupChange(StrEnum):
    create = "create"
    change = "change"
    unchanged = "unchanged"
    left_alone = "left alone"  # there is another file of that name, and it is the user's


@dataclass(frozen=True, slots=True)
class SetupFile:
    """`after` is None where nothing is written."""

    name: str
    change: SetupChange
    before: str = ""
    after: str | None = None
    note: str = ""

    @property
    def diff(self) -> str:
        """What would change, as a unified diff."""
        if self.after is None:
            return ""
        before, after = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        source = f"a/{self.name}" if self.change is SetupChange.change else "/dev/null"
        return "".join(unified_diff(before, after, source, f"b/{self.name}"))


@dataclass(frozen=True, slots=True)
class SetupPlan:
    files: tuple[SetupFile, ...]
    remedies: tuple[str, ...] = ()

    @property
    def writes(self) -> tuple[SetupFile, ...]:
        return tuple(file for file in self.files if file.after is not None)


def plan_setup(read: Callable[[str], str | None], action: Action) -> SetupPlan:
    """`read` gives a file of the work tree by name; None: there is none."""
    files = (
        _config(read(CONFIG), read(PYPROJECT) or ""),
        _workflow(SUBMIT, "submit.yml", read(SUBMIT), action),
        _workflow(COLLECT, "collect.yml", read(COLLECT), action),
        _hook(read(HOOKS), action),
    )
    return SetupPlan(files, tuple(_remedies(files, action)))


def _config(there: str | None, project: str) -> SetupFile:
    if there is not None:
        return SetupFile(CONFIG, SetupChange.unchanged, note="this is your configuration")
    if "[tool.claude-batch" in project:
        return SetupFile(CONFIG, SetupChange.unchanged, note=f"{PYPROJECT} has the configuration")
    return SetupFile(CONFIG, SetupChange.create, after=workflow.load_template("claude-batch.toml"))


def _workflow(name: str, template: str, there: str | None, action: Action) -> SetupFile:
    wanted = workflow.render_workflow(template, action)
    if there is None:
        return SetupFile(name, SetupChange.create, after=wanted)
    if workflow.remove_pins(there) == workflow.remove_pins(wanted):
        return SetupFile(name, SetupChange.unchanged)
    return SetupFile(
        name, SetupChange.left_alone, note="it differs from ours; delete it and run init for ours"
    )


def _hook(there: str | None, action: Action) -> SetupFile:
    wanted = hook_config.add_hook(there or "", action)
    if wanted is None:
        lines = hook_config.render_hook(action, "  ")
        return SetupFile(HOOKS, SetupChange.left_alone, note=f"add this under `repos`:\n{lines}")
    if there is None:
        return SetupFile(HOOKS, SetupChange.create, after=wanted)
    if wanted == there:
        return SetupFile(HOOKS, SetupChange.unchanged)
    return SetupFile(HOOKS, SetupChange.change, there, wanted)


def _remedies(files: Iterable[SetupFile], action: Action) -> Iterable[str]:
    if not action.is_pinned and any(file.after for file in files if file.name != CONFIG):
        yield (
            f"{action.ref} of {action.url} could not be resolved, so the files name the tag; "
            "pin its commit when you are online"
        )
    if any(file.after for file in files if file.name in (SUBMIT, COLLECT)):
        yield "store the API key: `gh secret set ANTHROPIC_API_KEY`"
        yield "commit these files on the default branch; schedules run only there"


def set_up_repository(
    work_tree: WorkTree,
    *,
    resolve: Callable[[str, str], str | None],
    agree: Callable[[SetupPlan], bool],
    action: str = DEFAULT_ACTION,
) -> SetupPlan:
    """`resolve(url, ref)` is the commit behind a tag or branch, None when it cannot be told.

    `agree` is shown the plan before anything is written; where it says no, nothing is.
    Raises BadUsage, CannotRead, CannotRecord.
    """
    wanted = Action.parse(action)
    if not wanted.is_pinned:
        wanted = replace(wanted, commit=resolve(wanted.url, wanted.ref))
    made = plan_setup(work_tree.read, wanted)
    if made.writes and agree(made):
        for file in made.writes:
            work_tree.write(file.name, file.after or "")
    return made
