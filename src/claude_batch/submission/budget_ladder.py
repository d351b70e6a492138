"""The budget ladder: cheaper settings, taken step by step, and the riskiest files."""

import re
from collections.abc import Iterable, Iterator, Mapping

from claude_batch.config.model import EFFORT, RISKY_ONLY, Config
from claude_batch.errors import BudgetExceeded

OVER_BUDGET = "over budget: only the riskiest files are sent"


def apply_step(config: Config, step: str) -> Config:
    """The configuration with the model or the effort of this step."""
    if step.startswith(EFFORT):
        return config.model_copy(update={"effort": step.removeprefix(EFFORT)})
    return config.model_copy(update={"model": step})


def describe_step(config: Config, step: str) -> str:
    """Describe the step from `config` for people."""
    if step == RISKY_ONLY:
        return "only the riskiest files"
    if step.startswith(EFFORT):
        return f"effort {step.removeprefix(EFFORT)} instead of {config.effort or 'the usual'}"
    return f"{step} instead of {config.model}"


def step_models(steps: Iterable[str]) -> Iterator[str]:
    yield from (step for step in steps if step != RISKY_ONLY and not step.startswith(EFFORT))


def refuse_after_steps(refusal: BudgetExceeded, steps: Iterable[str]) -> BudgetExceeded:
    """The refusal of the last step, with the steps taken before it."""
    taken = "; ".join(steps)
    if not taken:
        return refusal
    return BudgetExceeded(f"{refusal.problem}, also with: {taken}", refusal.remedy)


# Words of paths where a mistake lets somebody in, loses data or moves money.
RISKY_PATH = re.compile(
    r"auth|login|logout|passw|passwd|secret|credential|token|crypt|certif|sess(?:ion)?s?\b|permission"
    r"|access|acl\b|oauth|jwt|saml|sso\b|csrf|cors|sanitiz|escap|deseriali|pickle|upload|admin"
    r"|security|sql|migrat|payment|billing|invoice|checkout|exec|shell|subprocess|iam\b|terraform"
    r"|dockerfile|\.github/(?:workflows|actions)|\.env\b|k8s|helm",
    re.IGNORECASE,
)

TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|testdata|fixtures|e2e)/|(?:^|/)(?:test_|conftest\.)[^/]*$"
    r"|[._-](?:test|tests|spec)\.[^/]+$|(?:Test|Tests|Spec)\.(?:java|kt|cs|swift|scala)$"
)

PROSE_PATH = re.compile(r"\.(?:md|markdown|rst|adoc|txt|po|svg|css|scss)$", re.IGNORECASE)


def rank_by_risk(sizes: Mapping[str, int]) -> list[str]:
    """Paths by risk: risky names, other code, prose, tests; larger changes first."""
    return sorted(sizes, key=lambda path: (_tier(path), -sizes[path], path))


def _tier(path: str) -> int:
    if TEST_PATH.search(path):
        return 3
    if PROSE_PATH.search(path):
        return 2
    return 0 if RISKY_PATH.search(path) else 1
