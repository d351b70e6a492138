"""`submit --all-open` and `estimate --all-open`: every open pull request, sent together."""

import typer

from claude_batch.cli.commands.collect import build_flusher
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    anthropic_client,
    ci_runner,
    github_client,
    open_local_answers,
    open_shared_ledger,
)
from claude_batch.cli.options import is_terminal, print_result, print_status
from claude_batch.cli.output.flush_result import find_refusal, flush_document, flush_text
from claude_batch.cli.source_options import SourceOptions, choose_ledger, prepare_pull_request
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage, ClaudeBatchError
from claude_batch.ledger.git_store import GitLedger
from claude_batch.reconcile.coverage import LABEL, skip_reason
from claude_batch.submission.flush import UNBUILT, FlushResult, Submission, plan_flush

Problems = list[tuple[str, ClaudeBatchError]]


def estimate(options: SourceOptions) -> None:
    """Show what `submit --all-open` would send, and its price."""
    config, ledger = _open(options)
    planned = plan_all(options, ledger, *load_submissions(options, config))
    print_result(planned, flush_document, flush_text, options.output_format)


def submit(options: SourceOptions) -> None:
    """Show the price, ask, and send."""
    config, ledger = _open(options)
    submissions, problems = load_submissions(options, config)
    if not options.is_confirmed:
        print_status(flush_text(plan_all(options, ledger, submissions, problems)))
        if not is_terminal():
            raise BadUsage(
                "nothing was sent: --all-open needs --yes where nobody can be asked",
                "read the estimate above, then add --yes",
            )
        if not typer.confirm("Send all of this?", err=True):
            raise typer.Abort
    flusher = build_flusher(
        options.repository, config, ledger, despite_damage=options.despite_damage
    )
    # Only these: other waiting tasks are left to `flush`.
    sent = flusher.send(submissions)
    if not ci_runner(options.repository):
        open_local_answers(options.repository, config, ledger).take_over_for_open_pull_requests()
    result = FlushResult(sent.parts, sent.sent, (*problems, *sent.problems))
    print_result(result, flush_document, flush_text, options.output_format)
    refusal = find_refusal(result)
    if refusal:
        raise refusal


def _open(options: SourceOptions) -> tuple[Config, GitLedger]:
    config = load_config(options.repository, flags=options.flags)
    return config, open_shared_ledger(options.repository, config)


def plan_all(
    options: SourceOptions, ledger: GitLedger, submissions: list[Submission], problems: Problems
) -> FlushResult:
    """The plans and requests that would be sent."""
    key_scope = anthropic_client(options.repository).key_scope
    parts = plan_flush(ledger.view(), submissions, key_scope).parts
    refused = [(part.plan.label, part.refused) for part in parts if part.refused]
    return FlushResult(parts, problems=(*problems, *refused))


def load_submissions(options: SourceOptions, config: Config) -> tuple[list[Submission], Problems]:
    """A submission for each open pull request, and the errors of those that cannot be read."""
    repository = options.repository
    submissions: list[Submission] = []
    problems: Problems = []
    pulls = github_client(repository).list_open_pull_requests()
    for pull in sorted(pulls, key=lambda pull: pull.number):
        reason = skip_reason(pull, config.forks, LABEL)
        if reason:
            print_status(f"pull request {pull.number} is left out: {reason}")
            continue
        try:
            prepared = prepare_pull_request(repository, pull, options.flags, options.wishes)
        except UNBUILT as error:
            problems.append((f"pull request {pull.number}", error))
            continue
        _, scope = choose_ledger(repository, prepared, share=True, is_estimate=True)
        submissions.append(Submission(prepared.planner, scope))
    return submissions, problems
