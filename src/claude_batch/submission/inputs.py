"""Build the inputs of a submission from a configuration, a repository and GitHub."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from claude_batch.anthropic_api.request_body import BodySpool
from claude_batch.config.model import Config
from claude_batch.costs.custom_rates import apply_custom_rates
from claude_batch.costs.prices import Prices
from claude_batch.diff.model import Comparison
from claude_batch.errors import BadUsage
from claude_batch.git.repository import Repository
from claude_batch.github_api.models import PullRequest
from claude_batch.prompts.context import ContextSource
from claude_batch.prompts.kinds import BUILT_IN_VERSIONS, find_kind
from claude_batch.prompts.repository_rules import FILE_NAMES
from claude_batch.submission.flush import Submission
from claude_batch.submission.plan_record import pinned_kinds
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import PlanOptions, Resubmission, ReviewScope
from claude_batch.tasks.discovery import ChangeFinder, DiscoveredChanges
from claude_batch.tasks.task import Kind


def new_id() -> str:
    """16 random hex digits."""
    return uuid.uuid4().hex[:16]


def load_prices(config: Config) -> Prices:
    """The list prices with the custom rates of the configuration."""
    return apply_custom_rates(Prices.load(), config.prices)


def configured_kinds(config: Config) -> tuple[Kind, ...]:
    """The kinds of the configuration. Raises BadUsage."""
    try:
        return tuple(find_kind(kind) for kind in config.kinds)
    except KeyError as error:
        raise BadUsage(
            f"there is no kind {error.args[0]!r}",
            f"choose from {', '.join(BUILT_IN_VERSIONS)}, or define it under `kinds`",
        ) from error


def kinds_including(config: Config, names: Iterable[str]) -> tuple[Kind, ...]:
    """The configured kinds, and the built-in ones of `names`."""
    configured = configured_kinds(config)
    others = set(names) & set(BUILT_IN_VERSIONS) - {kind.name for kind in configured}
    return configured + tuple(find_kind(name) for name in sorted(others))


def build_planner(config: Config, now: datetime, kinds: Sequence[Kind] = ()) -> SubmissionPlanner:
    """A planner for `kinds`, by default those of the configuration."""
    chosen = tuple(kinds) or configured_kinds(config)
    return SubmissionPlanner(config, chosen, load_prices(config), now, new_id, BodySpool().store)


def load_context(
    repository: Repository, commit: str | None, title: str = "", body: str = ""
) -> ContextSource:
    """The context of requests, with the rules of `commit`. Nothing is read before it is needed."""
    return ContextSource(
        title, body, repository.read, lambda: repository.named_files(commit, FILE_NAMES)
    )


def build_scope(
    changes: DiscoveredChanges,
    config: Config,
    context: ContextSource,
    *,
    repository_name: str,
    run: str,
    options: PlanOptions,
    pull_request: int | None = None,
) -> ReviewScope:
    """The scope of changes, with tasks of the configured kinds."""
    return ReviewScope(
        repo=repository_name,
        run=run,
        pr=pull_request,
        comparison=changes.comparison,
        tasks=changes.tasks(configured_kinds(config)),
        skipped=changes.skipped,
        context_source=context,
        options=options,
    )


def load_submission(
    repository: Repository,
    config: Config,
    resubmission: Resubmission,
    run: str,
    now: datetime,
    pull: PullRequest | None = None,
) -> Submission:
    """The due tasks of a recorded plan, built again from its commits. `pull` is its pull request.

    Raises BadConfig, CannotFetch, CannotRead.
    """
    plan = resubmission.plan
    kinds = pinned_kinds(plan, kinds_including(config, plan.kinds))
    changes = ChangeFinder(repository, config.state.remote).find_planned(plan, config.exclude)
    rules = plan.rules or plan.base
    if rules:
        repository.fetch_missing([rules])
    title, body = (pull.title, pull.body) if pull else ("", "")
    scope = ReviewScope(
        repo=plan.repo,
        run=run,
        pr=plan.pr,
        comparison=changes.comparison,
        tasks=changes.tasks(kinds),
        skipped=changes.skipped,
        context_source=load_context(repository, rules, title, body),
        resubmission=resubmission,
    )
    # In the lane at half price: what is sent again has waited already.
    batch_config = config.model_copy(update={"lane": "batch"})
    return Submission(build_planner(batch_config, now, kinds), scope)


def load_pull_request_scope(
    repository: Repository,
    pull: PullRequest,
    comparison: Comparison,
    config: Config,
    *,
    repository_name: str,
    run: str,
    options: PlanOptions,
) -> ReviewScope:
    """The scope of a pull request. `config` is that of its base branch."""
    kinds = configured_kinds(config)
    changes = ChangeFinder(repository).find_changes(comparison, config.exclude, kinds)
    # Rules come from the tip of the base branch, as the configuration does: with those of the
    # merge base an author could choose old rules.
    context = load_context(repository, pull.base_sha, pull.title, pull.body)
    return build_scope(
        changes,
        config,
        context,
        repository_name=repository_name,
        run=run,
        pull_request=pull.number,
        options=replace(
            options, source="pull_request", base_ref=pull.base_ref, rules=pull.base_sha
        ),
    )
