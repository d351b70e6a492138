"""`init`: plan and write the configuration, the workflows and the hook."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import unified_diff
from enum import StrEnum

from claude_batch.git.work_tree import WorkTree
from claude_batch.setup import pre_commit_config, workflows
from claude_batch.setup.workflows import DEFAULT_ACTION, Action

CONFIG = ".claude-batch.toml"
PYPROJECT = "pyproject.toml"
SUBMIT = ".github/workflows/claude-batch.yml"
COLLECT = ".github/workflows/claude-batch-collect.yml"
HOOKS = ".pre-commit-config.yaml"


class SetupChange(StrEnum):
    create = "create"
    change = "change"
    unchanged = "unchanged"
    left_alone = "left alone"  # the user has another file of that name


@dataclass(frozen=True, slots=True)
class SetupFile:
    """A file and its planned content."""

    name: str
    change: SetupChange
    before: str = ""
    after: str | None = None  # None: nothing is written
    note: str = ""

    @property
    def diff(self) -> str:
        """The planned change as a unified diff; empty if nothing is written."""
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
    """Plan all files. `read` returns a file of the work tree, or None if it does not exist."""
    files = (
        _config(read(CONFIG), read(PYPROJECT) or ""),
        _workflow(SUBMIT, "submit.yml", read(SUBMIT), action),
        _workflow(COLLECT, "collect.yml", read(COLLECT), action),
        _hook(read(HOOKS), action),
    )
    return SetupPlan(files, tuple(_remedies(files, action)))


def _config(current: str | None, project: str) -> SetupFile:
    if current is not None:
        return SetupFile(CONFIG, SetupChange.unchanged, note="this is your configuration")
    if "[tool.claude-batch" in project:
        return SetupFile(CONFIG, SetupChange.unchanged, note=f"{PYPROJECT} has the configuration")
    return SetupFile(CONFIG, SetupChange.create, after=workflows.load_template("claude-batch.toml"))


def _workflow(name: str, template: str, current: str | None, action: Action) -> SetupFile:
    wanted = workflows.render_workflow(template, action)
    if current is None:
        return SetupFile(name, SetupChange.create, after=wanted)
    if workflows.remove_pins(current) == workflows.remove_pins(wanted):
        return SetupFile(name, SetupChange.unchanged)
    return SetupFile(
        name,
        SetupChange.left_alone,
        note="it differs from the template; to replace it, delete it and run init",
    )


def _hook(current: str | None, action: Action) -> SetupFile:
    wanted = pre_commit_config.add_hook(current or "", action)
    if wanted is None:
        lines = pre_commit_config.render_hook(action, "  ")
        return SetupFile(HOOKS, SetupChange.left_alone, note=f"add this under `repos`:\n{lines}")
    if current is None:
        return SetupFile(HOOKS, SetupChange.create, after=wanted)
    if wanted == current:
        return SetupFile(HOOKS, SetupChange.unchanged)
    return SetupFile(HOOKS, SetupChange.change, current, wanted)


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
    """Write the planned files if `agree` accepts the plan, and return the plan.

    `resolve(url, ref)` returns the commit of a tag or branch, or None if that fails.
    Raises BadUsage, CannotRead, CannotRecord.
    """
    wanted = Action.parse(action)
    if not wanted.is_pinned:
        wanted = replace(wanted, commit=resolve(wanted.url, wanted.ref))
    plan = plan_setup(work_tree.read, wanted)
    if plan.writes and agree(plan):
        for file in plan.writes:
            work_tree.write(file.name, file.after or "")
    return plan
