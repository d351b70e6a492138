"""Sets a repository up: the configuration, the two workflows, the hook."""

from collections.abc import Callable
from dataclasses import replace

from claude_batch.edges.work_tree import WorkTree
from claude_batch.installation import Plan, plan
from claude_batch.workflow import DEFAULT_ACTION, Action


def init(
    work_tree: WorkTree,
    *,
    resolve: Callable[[str, str], str | None],
    agree: Callable[[Plan], bool],
    action: str = DEFAULT_ACTION,
) -> Plan:
    """`resolve(url, ref)` is the commit behind a tag or branch, None when it cannot be told.

    `agree` is shown the plan before anything is written; where it says no, nothing is.
    Raises BadUsage, CannotRead, CannotRecord.
    """
    wanted = Action.parse(action)
    if not wanted.is_pinned:
        wanted = replace(wanted, commit=resolve(wanted.url, wanted.ref))
    made = plan(work_tree.read, wanted)
    if made.writes and agree(made):
        for file in made.writes:
            work_tree.write(file.name, file.after or "")
    return made
