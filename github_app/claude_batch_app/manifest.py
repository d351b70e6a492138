"""What GitHub is asked for when the App is created.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from claude_batch.errors import BadUsage

LONGEST_NAME = 34  # of a GitHub App

Right = Literal["read", "write"]


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Permissions(Table):
    """`contents` is read: the App keeps its ledger in its own store, not on a branch."""

    metadata: Right = "read"
    contents: Right = "read"
    issues: Right = "read"
    pull_requests: Right = "write"
    checks: Right = "write"


class Hook(Table):
    url: str
    active: bool = True


class Manifest(Table):
    """`installation` events come without being asked for."""

    name: str
    url: str
    hook_attributes: Hook
    redirect_url: str
    setup_url: str
    public: bool = False
    default_permissions: Permissions = Permissions()
    default_events: tuple[str, ...] = (
        "pull_request",
        "issue_comment",
        "pull_request_review_comment",
        "check_run",
    )


def manifest(url: str, name: str = "claude-batch") -> Manifest:
    """`url` is where the server is reached from outside. Raises BadUsage."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise BadUsage(
            f"{url!r} is no address for webhooks", "give the server's https URL, without a query"
        )
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadUsage(
            f"the name {name!r} has {len(name)} characters",
            f"GitHub takes names of 1 to {LONGEST_NAME}",
        )
    base = url.rstrip("/")
    return Manifest(
        name=name,
        url=base,
        hook_attributes=Hook(url=f"{base}/webhooks/github"),
        redirect_url=f"{base}/setup/created",
        setup_url=f"{base}/setup/installed",
    )
