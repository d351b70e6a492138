"""The one URL of a remote, for fetching and for pushing.

Git may fetch from one URL and push to others: `pushurl`, `url.*.pushInsteadOf`, several values of
`url`. A ledger that is read in one place and written in another pays twice.
"""

import re
from dataclasses import dataclass, replace

from claude_batch.errors import CannotRecord
from claude_batch.git.process import Git, without_credentials

ALIAS = "claude-batch-state-remote"  # a remote that is set up for one git process
SCP_URL = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?!//)(?P<path>.+)")
URL = re.compile(r"\w+://(?:[^@/]*@)?(?P<host>[^/:]*)(?::\d+)?(?P<path>/.*)")


@dataclass(frozen=True)
class Remote:
    """`git` exchanges objects with the remote under `name`, by one URL in both directions."""

    git: Git
    name: str


def open_remote(git: Git, name: str) -> Remote:
    """`name`: of a remote, or a URL. Raises CannotRecord if it pushes to another repository."""
    pattern = rf"^(remote\.{re.escape(name)}\.(url|pushurl|mirror)|url\..*\.pushinsteadof)$"
    names = git.run("config", "--name-only", "--get-regexp", pattern, check=False).out.decode()
    keys = [line.rpartition(".")[2] for line in names.splitlines()]
    if "mirror" in keys:
        # `git push` to a mirror refuses to push single refs.
        git = replace(git, config=(*git.config, (f"remote.{name}.mirror", "false")))
    if keys.count("url") != 1 or not {"pushurl", "pushinsteadof"}.isdisjoint(keys):
        url = _common_url(git, name)
        if url is not None:
            # An explicit `pushurl` is exempt from `pushInsteadOf`.
            config = ((f"remote.{ALIAS}.url", url), (f"remote.{ALIAS}.pushurl", url))
            return Remote(replace(git, config=(*git.config, *config)), ALIAS)
    return Remote(git, name)


def _common_url(git: Git, name: str) -> str | None:
    """The URL for both directions. None: git uses only one already."""
    result = git.run("remote", "get-url", "--", name, check=False)
    if result.code:  # not the name of a remote, but a URL
        return None
    fetch_url = result.out.decode().strip()
    push_urls = git.text("remote", "get-url", "--push", "--all", "--", name).splitlines()
    if push_urls == [fetch_url]:
        return None
    if fetch_url in push_urls:
        return fetch_url
    same = [url for url in push_urls if is_same_repository(url, fetch_url)]
    if same:
        return same[0]
    raise CannotRecord(
        f"git fetches from {name} at {without_credentials(fetch_url)}, but pushes to "
        f"{without_credentials(', '.join(push_urls))}",
        "the ledger needs one repository: add a remote with one URL by `git remote add`, and set "
        "`state.remote` in the configuration to its name",
    )


def is_same_repository(one: str, other: str) -> bool:
    """True if two URLs differ only in protocol, port, user, or a final `.git`."""
    return _location(one) == _location(other)


def _location(url: str) -> tuple[str, str]:
    """Host and path."""
    match = URL.fullmatch(url) or SCP_URL.fullmatch(url)
    host, path = (match["host"], match["path"]) if match else ("", url)
    return host.lower(), path.strip("/").removesuffix(".git")
