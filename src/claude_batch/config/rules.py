"""Which rules hold for which files, and which model is asked about them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from claude_batch.config.model import Config, PathRule
from claude_batch.diff.gitignore import BadPattern, gitignore
from claude_batch.errors import BadConfig
from claude_batch.tasks.task import Task


def rules_with_instruction(rules: Sequence[PathRule], tasks: Iterable[Task]) -> list[PathRule]:
    """Those with an instruction for one of these tasks' files, in the order that they stand in."""
    sizes = _sizes(tasks)
    return [rule for rule in rules if rule.instruction and any(_held(rule, sizes))]


def group_by_model(config: Config, tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """Whole files by the model that the last rule for them names, else the configured one."""
    tasks = list(tasks)
    sizes = _sizes(tasks)
    model_of = dict.fromkeys(sizes, config.model)
    for rule in config.rules:
        if rule.model:
            model_of |= dict.fromkeys(_held(rule, sizes), rule.model)
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(model_of[task.path], []).append(task)
    return found


def rule_models(rules: Iterable[PathRule]) -> list[str]:
    return [rule.model for rule in rules if rule.model]


def _held(rule: PathRule, sizes: Mapping[str, int]) -> Iterator[str]:
    """The paths that it is for."""
    try:
        pattern = gitignore([rule.path])
    except BadPattern as error:
        remedy = "correct it: patterns are those of a .gitignore file"
        raise BadConfig(f"`rules.path`: {error}", remedy) from error
    for path in pattern.match_files(sizes):
        if rule.below is None or sizes[path] < rule.below:
            yield path


def _sizes(tasks: Iterable[Task]) -> dict[str, int]:
    """Bytes that are asked about, by path."""
    found: dict[str, int] = {}
    for task in tasks:
        found[task.path] = found.get(task.path, 0) + len(task.hunk.body)
    return found
