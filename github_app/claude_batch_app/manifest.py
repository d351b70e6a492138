"""The manifest with which GitHub creates the App.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from claude_batch.errors import BadUsage

MAX_NAME = 34  # characters

Access = Literal["read", "write"]


class ManifestPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AppPermissions(ManifestPart):
    metadata: Access = "read"
    contents: Access = "read"  # the App keeps its ledger in its own store, not on a branch
    issues: Access = "read"
    pull_requests: Access = "write"
    checks: Access = "write"


class AppWebhook(ManifestPart):
    url: str
    active: bool = True


class AppManifest(ManifestPart):
    name: str
    url: str
    hook_attributes: AppWebhook
    redirect_url: str
    setup_url: str
    public: bool = False
    default_permissions: AppPermissions = AppPermissions()
    # GitHub always sends `installation` events.
    default_events: tuple[str, ...] = (
        "pull_request",
        "issue_comment",
        "pull_request_review_comment",
        "check_run",
    )


def build_manifest(url: str, name: str = "claude-batch") -> AppManifest:
    """The manifest for a server at `url`, its public address. Raises BadUsage."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise BadUsage(
            f"{url!r} is not an address for webhooks",
            "give the server's https URL, without a query",
        )
    if not 0 < len(name) <= MAX_NAME:
        raise BadUsage(
            f"the name {name!r} has {len(name)} characters",
            f"GitHub takes names of 1 to {MAX_NAME}",
        )
    base = url.rstrip("/")
    return AppManifest(
        name=name,
        url=base,
        hook_attributes=AppWebhook(url=f"{base}/webhooks/github"),
        redirect_url=f"{base}/setup/created",
        setup_url=f"{base}/setup/installed",
    )
