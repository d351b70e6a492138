"""Match path rules with files, and choose the model of each file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from claude_batch.config.model import Config, PathRule
from claude_batch.diff.gitignore import BadPattern, parse_gitignore
from claude_batch.errors import BadConfig
from claude_batch.tasks.task import Task


def rules_with_instruction(rules: Sequence[PathRule], tasks: Iterable[Task]) -> list[PathRule]:
    """The rules with an instruction for a file of these tasks, in the configured order."""
    sizes = _changed_bytes(tasks)
    return [rule for rule in rules if rule.instruction and any(_matching_paths(rule, sizes))]


def group_by_model(config: Config, tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """Group tasks by the model of their file: that of its last rule, else the configured one."""
    tasks = list(tasks)
    sizes = _changed_bytes(tasks)
    model_of = dict.fromkeys(sizes, config.model)
    for rule in config.rules:
        if rule.model:
            model_of |= dict.fromkeys(_matching_paths(rule, sizes), rule.model)
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(model_of[task.path], []).append(task)
    return groups


def rule_models(rules: Iterable[PathRule]) -> list[str]:
    return [rule.model for rule in rules if rule.model]


def _matching_paths(rule: PathRule, sizes: Mapping[str, int]) -> Iterator[str]:
    try:
        pattern = parse_gitignore([rule.path])
    except BadPattern as error:
        remedy = "correct it: patterns are those of a .gitignore file"
        raise BadConfig(f"`rules.path`: {error}", remedy) from error
    for path in pattern.match_files(sizes):
        if rule.below is None or sizes[path] < rule.below:
            yield path


def _changed_bytes(tasks: Iterable[Task]) -> dict[str, int]:
    """Bytes of the tasks' hunks by path."""
    sizes: Counter[str] = Counter()
    for task in tasks:
        sizes[task.path] += len(task.hunk.body)
    return sizes
