"""Why GitHub said no, in two sentences."""

from collections.abc import Mapping
from dataclasses import dataclass

from claude_batch.errors import CannotPublish, ReviewRefused

TOO_QUICK = "submitted too quickly"
NOT_THE_HEAD = "commit_id is not part"
AGAIN = "run the command again"
POST_AGAIN = f"{AGAIN}; what is posted already is recognised and not repeated"

REMEDIES = {
    401: "the token is wrong or has expired: set GITHUB_TOKEN to a valid one",
    403: "add `{permission}` under `permissions:` in the workflow, or to the token",
    404: "check the repository's name and that the token may see it",
}

OTHERWISE = "run `claude-batch doctor`, which checks the set-up and the rights"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call is for, so that its failure can be said in two sentences."""

    problem: str
    permission: str  # as a workflow spells it
    writes: bool = False
    is_review: bool = False

    @property
    def outcome_unknown(self) -> str:
        return ", so it may or may not have been done" if self.writes else ""

    @property
    def again(self) -> str:
        return POST_AGAIN if self.writes else AGAIN


@dataclass(frozen=True, slots=True)
class GitHubError:
    """`said`: in GitHub's words. `wait`: the seconds that it asks for, where it does."""

    status: int
    message: str
    is_rate_limit: bool
    wait: str | None


def explain(refusal: GitHubError, asked: Operation) -> CannotPublish:
    if refusal.is_rate_limit or TOO_QUICK in refusal.message:
        when = f"wait {refusal.wait} seconds" if refusal.wait else "wait some minutes"
        limited = f"{asked.problem}: GitHub's rate limit is used up"
        return CannotPublish(limited, f"{when}, then {asked.again}")
    if refusal.status >= 500:
        down = f"{asked.problem}: GitHub answered {refusal.status}{asked.outcome_unknown}"
        return CannotPublish(down, asked.again)
    problem = f"{asked.problem}: {refusal.message}"
    if refusal.status == 422 and NOT_THE_HEAD in refusal.message:
        return CannotPublish(problem, f"the pull request has moved on: {asked.again}")
    if refusal.status == 422 and asked.is_review:
        remedy = "leave out what is not in the diff or is too long, or say it in the summary"
        return ReviewRefused(problem, remedy)
    remedy = REMEDIES.get(refusal.status, OTHERWISE)
    return CannotPublish(problem, remedy.format(permission=asked.permission))


def error_text(data: object, status: int) -> str:
    """The message of an answer's JSON, with the entries of its list of errors."""
    answer: Mapping[str, object] = data if isinstance(data, dict) else {}
    errors = answer.get("errors")
    entries = [
        str(each.get("message") or each.get("code")) if isinstance(each, dict) else str(each)
        for each in (errors if isinstance(errors, list) else [])
    ]
    more, said = "; ".join(entries), answer.get("message")
    if said and more:
        return f"{said} ({more})"
    return str(said or more or f"GitHub answered {status}")
