"""The client of the Anthropic SDK, with the credentials and the address of the environment."""

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from claude_batch.anthropic_api.errors import KEY_REMEDY
from claude_batch.environment_checks import address_fault, check_network
from claude_batch.errors import CannotSubmit

if TYPE_CHECKING:
    from anthropic import Anthropic, WorkloadIdentityCredentials

OFFICIAL = "https://api.anthropic.com"
LOOPBACK = re.compile(r"^(https?://(?:localhost|127\.0\.0\.1|\[::1\])):\d+(?=/|$)")
CONNECT_TIMEOUT = 10.0  # seconds
IDENTITY, IDENTITY_FILE = "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE"
FEDERATION_RULE, ORGANIZATION = "ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID"


def build_sdk_client(environ: Mapping[str, str], timeout: float) -> "Anthropic":
    """`timeout`: seconds per socket operation. Raises CannotSubmit without a usable key."""
    key, token = _load_key(environ)
    if not (key or token or _has_federation(environ)):
        raise CannotSubmit("there is no key for the Anthropic API", KEY_REMEDY)
    check_network(environ)
    # Here and not above: importing the SDK takes 2 s and 77 MB.
    import anthropic
    import httpx2

    base = environ.get("ANTHROPIC_BASE_URL", "").strip() or OFFICIAL
    if address_fault(base, ("https", "http")):
        raise _bad_base_url(base)
    workspace = environ.get("ANTHROPIC_WORKSPACE_ID")
    try:
        return anthropic.Anthropic(
            api_key=key,
            auth_token=token,
            credentials=None if key or token else _federation_credentials(environ),
            base_url=base,
            # The SDK would repeat a create, which makes a second batch that is paid for, and
            # would send the second time an iterable that is used up.
            max_retries=0,
            timeout=anthropic.Timeout(timeout, connect=CONNECT_TIMEOUT),
            # A federation token belongs to one workspace, and the API refuses the header.
            default_headers={"anthropic-workspace-id": workspace}
            if workspace and (key or token)
            else None,
        )
    except httpx2.InvalidURL as error:
        raise _bad_base_url(base) from error


def key_scope(environ: Mapping[str, str]) -> str:
    """16 hex digits that tell apart the keys and workspaces for which batches are sent.

    Nobody else can see or cancel such a batch. The digits do not reveal the key.
    """
    base = environ.get("ANTHROPIC_BASE_URL", "").strip().rstrip("/") or OFFICIAL
    # A gateway on this machine may have another port the next time.
    base = LOOPBACK.sub(r"\1", base)
    names = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", FEDERATION_RULE]
    used = next((name for name in names if environ.get(name, "").strip()), "")
    parts = (base, environ.get("ANTHROPIC_WORKSPACE_ID", "").strip(), used, environ.get(used, ""))
    text = "\0".join(part.strip() for part in parts)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def _bad_base_url(base: str) -> CannotSubmit:
    return CannotSubmit(
        f"ANTHROPIC_BASE_URL is not a web address: {base}",
        f"unset it, or set it to something like {OFFICIAL}",
    )


def _load_key(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The API key, or else the token. Raises CannotSubmit for an impossible value."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        value = environ.get(name, "").strip()  # a secret is often pasted with its newline
        if not value:
            continue
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise CannotSubmit(
                f"{name} cannot be a key: it has spaces or special characters", KEY_REMEDY
            )
        return (value, None) if name == "ANTHROPIC_API_KEY" else (None, value)
    return None, None


def _has_federation(environ: Mapping[str, str]) -> bool:
    identity = environ.get(IDENTITY_FILE) or environ.get(IDENTITY)
    return bool(identity and environ.get(FEDERATION_RULE) and environ.get(ORGANIZATION))


def _federation_credentials(environ: Mapping[str, str]) -> "WorkloadIdentityCredentials":
    """Credentials that exchange the job's identity token for a short-lived one.

    https://platform.claude.com/docs/en/manage-claude/workload-identity-federation
    """
    import anthropic

    file, literal = environ.get(IDENTITY_FILE), environ.get(IDENTITY, "")
    return anthropic.WorkloadIdentityCredentials(
        identity_token_provider=anthropic.IdentityTokenFile(file) if file else lambda: literal,
        federation_rule_id=environ[FEDERATION_RULE],
        organization_id=environ[ORGANIZATION],
        service_account_id=environ.get("ANTHROPIC_SERVICE_ACCOUNT_ID") or None,
        workspace_id=environ.get("ANTHROPIC_WORKSPACE_ID") or None,
    )
