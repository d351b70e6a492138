"""The ladder: what is given up, step by step, when a submission does not fit the budget."""

from collections.abc import Iterable, Iterator

from claude_batch.config import EFFORT, RISKY_ONLY, Config
from claude_batch.errors import BudgetExceeded

OVER = "over budget: only the riskiest files are sent"


def lowered(config: Config, step: str) -> Config:
    """With the model or the effort of this step."""
    if step.startswith(EFFORT):
        return config.model_copy(update={"effort": step.removeprefix(EFFORT)})
    return config.model_copy(update={"model": step})


def said(config: Config, step: str) -> str:
    """What going from `config` down this step means, for people."""
    if step == RISKY_ONLY:
        return "only the riskiest files"
    if step.startswith(EFFORT):
        return f"effort {step.removeprefix(EFFORT)} instead of {config.effort or 'the usual'}"
    return f"{step} instead of {config.model}"


def models(steps: Iterable[str]) -> Iterator[str]:
    yield from (one for one in steps if one != RISKY_ONLY and not one.startswith(EFFORT))


def exhausted(refusal: BudgetExceeded, steps: Iterable[str]) -> BudgetExceeded:
    """The refusal of the last step, with those that were taken before it."""
    taken = "; ".join(steps)
    if not taken:
        return refusal
    return BudgetExceeded(f"{refusal.problem}, also with: {taken}", refusal.remedy)
