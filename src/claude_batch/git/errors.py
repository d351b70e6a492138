"""Turn git's error messages into errors with a remedy, and tell permanent failures apart.

A lost race is not detected here: its messages vary, so exit code, porcelain flag and the ref's
position afterwards decide.
"""

import re
from typing import Literal

from claude_batch.errors import CannotRead, CannotRecord, RemoteUnavailable

Credentials = Literal["none", "stored", "token"]
PROTECTED = re.compile(r"GH006|GH013|protected branch|declined|rule violations", re.IGNORECASE)
RIGID = re.compile(r"denying non-fast-forward|force[- ]push", re.IGNORECASE)

FULL = re.compile(
    r"No space left|Out of diskspace|disk quota|quota exceeded|disk full", re.IGNORECASE
)

STRANGER = re.compile(r"Host key verification failed")
ASKS = re.compile(r"could not read (Username|Password)|terminal prompts disabled")

DENIED = re.compile(
    r"\b403\b|Permission to \S+ denied|Write access to repository not granted|not allowed to push"
    r"|marked as read only",
    re.IGNORECASE,
)

UNKNOWN = re.compile(r"Authentication failed|Invalid username|\b401\b|Permission denied \(")

UNREACHABLE = re.compile(
    r"Could not resolve host|Failed to connect|Couldn't connect|Connection (refused|reset)"
    r"|timed out|too slow|Network is unreachable|No route to host|hung up|early EOF|error: 50\d\b",
    re.IGNORECASE,
)

NO_REMOTE = re.compile(r"does not appear to be a git repository|repository .*not found", re.I)


def is_final(error_text: str) -> bool:
    """True if a retry would fail in the same way."""
    final = (RIGID, PROTECTED, FULL, ASKS, DENIED, UNKNOWN, STRANGER)
    return any(pattern.search(error_text) for pattern in final)


def is_unreachable(error_text: str) -> bool:
    return bool(UNREACHABLE.search(error_text))


def explain_failure(
    error_text: str, ref: str, remote: str, credentials: Credentials
) -> CannotRecord:
    """The error to raise for a fetch or a push that failed with this text."""
    if ASKS.search(error_text):
        return _no_credentials(remote, credentials)
    lines = [line.strip() for line in error_text.splitlines() if line.strip()] or [
        "git printed no message"
    ]
    reason = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])
    names = {
        "remote": remote,
        "branch": ref.removeprefix("refs/heads/"),
        "reason": re.sub(r"://[^@/\s]+@", "://", reason),  # a URL may hold a password
    }
    matches = (row for row in EXPLANATIONS if row[0].search(error_text))
    pattern, problem, remedy = next(matches, OTHERWISE)
    kind = RemoteUnavailable if pattern in UNAVAILABLE else CannotRecord
    return kind(problem.format(**names), remedy.format(**names))


EXPLANATIONS = (
    (
        RIGID,
        "{remote} rejects force pushes to {branch}; `prune --squash` needs one",
        "allow force pushes to `{branch}` for as long as it takes; what `prune` folds "
        "without `--squash` needs none",
    ),
    (
        PROTECTED,
        "{remote} takes no push to {branch}: a protection, a ruleset or a hook forbids it",
        "exclude `{branch}` from branch protection and rulesets, or set `state.branch` "
        "to a ref outside of branches, such as refs/claude-batch/state",
    ),
    (FULL, "there is no space left for git's objects", "free some disk space, then run again"),
    (
        DENIED,
        "the credentials for {remote} may not write to it",
        "give the job `permissions: contents: write`; the token of a pull request from a "
        "fork or from Dependabot is always read-only, so let another event do the writing",
    ),
    (
        UNKNOWN,
        "{remote} does not know the credentials that git sent",
        "renew the token or key, and try it with `git push --dry-run`",
    ),
    (
        STRANGER,
        "ssh does not know the host of {remote}, and there is no terminal to confirm it",
        "connect to it once by hand with `ssh`, or add its key to `known_hosts`",
    ),
    (
        UNREACHABLE,
        "{remote} could not be reached: {reason}",
        "run again when it is; nothing was lost",
    ),
    (
        NO_REMOTE,
        "{remote} is not a repository that git can open",
        "check `git remote -v`, or set `state.remote` to the right name",
    ),
)

OTHERWISE = (
    None,
    "git could not exchange {branch} with {remote}: {reason}",
    "try it by hand with `git push --dry-run {remote} HEAD:{branch}`, then run again",
)


# With these the remote was not even read.
UNAVAILABLE = (UNKNOWN, STRANGER, UNREACHABLE, NO_REMOTE, None)


def _no_credentials(remote: str, credentials: Credentials) -> RemoteUnavailable:
    match credentials:
        case "token":
            return RemoteUnavailable(
                f"{remote} does not accept the token that was given",
                "give one with write access to contents; that of a pull request from a fork "
                "is read-only",
            )
        case "stored":
            return RemoteUnavailable(
                f"{remote} does not accept the credentials in the config of this clone",
                "run in the job and checkout that stored them; the token of a pull request from a "
                "fork is read-only",
            )
        case "none":
            return RemoteUnavailable(
                f"git has no credentials for {remote}, as after actions/checkout with "
                "`persist-credentials: false`",
                "set GITHUB_TOKEN for this step, or set up a credential helper",
            )


def lost_ref_error(ref: str, remote: str, tracking_ref: str, last_tip: str | None) -> CannotRecord:
    """`tracking_ref` is the private ref of a clone that holds the tip it has seen last."""
    if last_tip:
        return CannotRecord(
            f"{ref} is gone from {remote}, and the reviews in it would be paid for again",
            f"bring it back with `git push {remote} {last_tip}:{ref}`, "
            f"or forget it for good with `git update-ref -d {tracking_ref}`",
        )
    return CannotRecord(
        f"{remote} has no {ref}, but claude-batch has run here before",
        f"bring it back from a clone that has it with `git push {remote} {tracking_ref}:{ref}`; "
        "or delete our summary comment to start over and pay again",
    )


def rewritten_ref_error(ref: str, remote: str, tracking_ref: str, last_tip: str) -> CannotRecord:
    return CannotRecord(
        f"{ref} on {remote} was rewritten: it does not follow {last_tip[:12]}",
        f"bring it back with `git push --force {remote} {last_tip}:{ref}`, "
        f"or accept the new history with `git update-ref -d {tracking_ref}`",
    )


def cannot_open(error_text: str, path: str) -> CannotRead:
    if "dubious ownership" in error_text:
        folder = re.search(r"safe\.directory (.+)", error_text)
        return CannotRead(
            f"the repository at {path} belongs to another user, so git does not read it",
            f"run `git config --global --add safe.directory {folder[1] if folder else path}`",
        )
    if "not a git repository" in error_text:
        return CannotRead(
            f"{path} is not inside a git repository",
            "run the command inside a clone, or `git init` first",
        )
    return CannotRead(
        f"the repository at {path} cannot be opened: {error_text.strip()}",
        "`git status` there must work first",
    )


def cannot_read_index(error_text: str, error_line: str) -> CannotRead:
    # A path has a row for each of its stages.
    unmerged = dict.fromkeys(re.findall(r"^(.+): unmerged \(", error_text, re.MULTILINE))
    if unmerged:
        return CannotRead(
            f"the staged changes have unresolved conflicts: {', '.join(unmerged)}",
            "resolve the conflicts and `git add` the files",
        )
    return CannotRead(
        f"the staged changes cannot be read: {error_line}",
        "`git write-tree` must work first; `git fsck` lists missing objects",
    )
