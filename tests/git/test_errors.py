"""What a person reads when git's remote says no."""

import pytest

from claude_batch.git.errors import explain_failure, is_final

REF = "refs/heads/claude-batch-state"


@pytest.mark.parametrize(
    ("text", "problem", "final"),
    [
        ("remote: error: GH006: Protected branch update failed", "takes no push", True),
        ("! [remote rejected] (push declined due to repository rule violations)", "no push", True),
        ("remote: error: denying non-fast-forward refs/heads/x", "rejects force pushes", True),
        (
            "remote: error: GH006: x\nremote: - Cannot force-push to this branch",
            "rejects force pushes",
            True,
        ),
        ("error: unable to write file: No space left on device", "no space left", True),
        ("fatal: sha1 file 'x' write error. Out of diskspace", "no space left", True),
        ("remote: Permission to o/r.git denied to bot.\nfatal: error: 403", "may not write", True),
        ("ERROR: The key you are authenticating with has been marked as read only.", "may", True),
        ("fatal: Authentication failed for 'https://github.com/o/r/'", "does not know", True),
        ("git@github.com: Permission denied (publickey).", "does not know", True),
        ("fatal: unable to access: Could not resolve host: github.com", "be reached", False),
        ("fatal: The requested URL returned error: 503", "could not be reached", False),
        ("remote: Repository not found.\nfatal: repository 'x' not found", "is not a", False),
        ("! [rejected] (fetch first)", "could not exchange", False),
        ("! [remote rejected] (cannot lock ref 'x': is at a but expected b)", "exchange", False),
        ("! [remote rejected] (failed to update ref)", "could not exchange", False),
        ("", "git printed no message", False),
    ],
)
def test_explain(text: str, problem: str, final: bool) -> None:
    assert problem in explain_failure(text, REF, "origin", "stored").problem
    assert is_final(text) is final


def test_a_password_in_a_url_is_not_repeated() -> None:
    said = "fatal: unable to access 'https://me:secret@example.com/x/': strange"
    assert "secret" not in explain_failure(said, REF, "origin", "none").problem
