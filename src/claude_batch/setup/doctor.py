"""`doctor`: check set-up, rights and ledger, with a remedy for each fault."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.config import rules
from claude_batch.config.model import Config, OwnKind
from claude_batch.costs.custom_rates import apply_custom_rates
from claude_batch.costs.prices import Prices
from claude_batch.errors import ClaudeBatchError
from claude_batch.github_api.client import GitHubClient
from claude_batch.ledger.store import Ledger
from claude_batch.setup.monthly_use import MonthlyUse
from claude_batch.submission import budget_ladder

CheckStatus = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    name: str
    verdict: CheckStatus
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class DoctorInputs:
    """The objects under check. Each is built by the check that needs it."""

    config: Callable[[], Config]
    ledger: Callable[[], Ledger]
    anthropic: Callable[[], AnthropicClient]
    github: Callable[[], GitHubClient]
    prices: Prices
    workflows: Callable[[], Iterable[str]]  # texts of the files in .github/workflows
    now: Callable[[], datetime]


def run_checks(inputs: DoctorInputs) -> list[DoctorCheck]:
    """Run all checks. An error ends its own check only, as a fault."""
    examinations = {
        "configuration": lambda: _config(inputs.config(), inputs.prices),
        "model": lambda: _model(inputs.anthropic(), inputs.config().model),
        "github": lambda: _github(inputs.github()),
        "ledger": lambda: _ledger(inputs.ledger(), inputs),
    }
    return [check for name, examine in examinations.items() for check in _run_check(name, examine)]


def _run_check(name: str, examine: Callable[[], Iterator[DoctorCheck]]) -> list[DoctorCheck]:
    try:
        return list(examine())
    except ClaudeBatchError as error:
        return [DoctorCheck(name, "fault", error.problem, error.remedy)]


def _config(config: Config, prices: Prices) -> Iterator[DoctorCheck]:
    names = [kind.name if isinstance(kind, OwnKind) else kind for kind in config.kinds]
    yield DoctorCheck("configuration", "ok", f"kinds {', '.join(names)}")
    if config.budget.month is None and config.budget.pull_request is None:
        remedy = "set `budget.month` in the configuration"
        yield DoctorCheck("budget", "warning", "there is no limit on spending", remedy)
    negotiated = apply_custom_rates(prices, config.prices)
    others = (*budget_ladder.step_models(config.ladder), *rules.rule_models(config.rules))
    for model in filter(None, (config.model, config.verify, *others)):
        negotiated.rates(model, at=prices.as_of, prompt_tokens=0)  # raises for one without a price
    own = f", with your own rates of {', '.join(config.prices)}" if config.prices else ""
    yield DoctorCheck("prices", "ok", f"as of {prices.as_of}{own}")


def _model(anthropic_client: AnthropicClient, name: str) -> Iterator[DoctorCheck]:
    model = anthropic_client.retrieve_model(name)
    if model is None:
        yield DoctorCheck(
            "model", "fault", f"the API does not know {name!r}", "set another `model`"
        )
    elif model.batch is False or model.structured_outputs is False:
        problem = f"{name} supports no batches, or no structured outputs"
        yield DoctorCheck("model", "fault", problem, "set another `model`")
    elif model.lifecycle != "active":
        problem = f"{name} is {model.lifecycle}; it retires at {model.retires_at}"
        yield DoctorCheck("model", "warning", problem, "set a newer `model`")
    else:
        yield DoctorCheck("model", "ok", f"{name} is {model.lifecycle}")


def _github(github: GitHubClient) -> Iterator[DoctorCheck]:
    login, can_push = github.get_login(), github.has_push_access()
    if can_push is False:
        remedy = "give the job `contents: write`, `pull-requests: write` and `checks: write`"
        yield DoctorCheck("github", "fault", f"{login} may not write to this repository", remedy)
    else:
        rights = "may write" if can_push else "its rights are unknown"
        yield DoctorCheck("github", "ok", f"{login}: {rights}")


def _ledger(ledger: Ledger, inputs: DoctorInputs) -> Iterator[DoctorCheck]:
    view = ledger.view()
    yield DoctorCheck(
        "ledger", "ok", f"{len(view.requests)} requests, {len(view.open_batches())} open"
    )
    for damage in view.damaged:
        remedy = (
            "`claude-batch doctor --repair` puts back what git still has; see docs/ledger-format.md"
        )
        yield DoctorCheck("ledger", "warning", f"damaged: {damage}", remedy)
    use = MonthlyUse.estimate(inputs.workflows(), view, inputs.now())
    yield DoctorCheck("use", "ok", use.describe())
