"""Holds keep waiting tasks from being sent: those of a job, of a kind, or all."""

from collections.abc import Iterable

ALL = "all"  # the target of a hold on everything


def kind_target(kind: str) -> str:
    """The target of a hold on one kind."""
    return f"kind:{kind}"


def hold_targets(job_id: str, kinds: Iterable[str]) -> set[str]:
    """The targets of all holds that apply to tasks of these kinds in a job."""
    return {ALL, job_id, *map(kind_target, kinds)}
