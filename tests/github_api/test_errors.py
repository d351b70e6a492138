import pytest

from claude_batch.errors import ReviewRefused
from claude_batch.github_api.errors import GitHubError, Operation, error_text, explain

READ = Operation("cannot read it", "contents: read")
REVIEW = Operation("cannot post it", "pull-requests: write", writes=True, is_review=True)
AGAIN = "run the command again"
POST_AGAIN = f"{AGAIN}; what is posted already is recognised and not repeated"


def refusal(status: int, said: str = "no", *, limit: bool = False, wait: str = "") -> GitHubError:
    return GitHubError(status, said, limit, wait or None)


@pytest.mark.parametrize(
    ("refused", "asked", "problem", "remedy"),
    [
        (refusal(401), READ, "it: no", "the token is wrong or has expired"),
        (refusal(403), READ, "it: no", "add `contents: read` under `permissions:`"),
        (refusal(404), READ, "it: no", "check the repository's name"),
        (refusal(410), READ, "it: no", "run `claude-batch doctor`"),
        (
            refusal(403, limit=True),
            READ,
            "rate limit is used up",
            f"wait some minutes, then {AGAIN}",
        ),
        (refusal(429, limit=True, wait="9"), READ, "used up", f"wait 9 seconds, then {AGAIN}"),
        (refusal(422, "was submitted too quickly"), REVIEW, "used up", f"then {POST_AGAIN}"),
        (refusal(502), READ, "it: GitHub answered 502", AGAIN),
        (refusal(502), REVIEW, "502, so it may or may not have been done", POST_AGAIN),
        (refusal(422, "commit_id is not part of it"), REVIEW, "not part", "has moved on"),
        (refusal(422), READ, "it: no", "run `claude-batch doctor`"),
    ],
)
def test_what_to_do_now(refused: GitHubError, asked: Operation, problem: str, remedy: str) -> None:
    error = explain(refused, asked)
    assert problem in error.problem
    assert remedy in error.remedy
    assert not isinstance(error, ReviewRefused)


def test_a_review_at_fault_is_an_error_of_its_own() -> None:
    error = explain(refusal(422, "line must be part of the diff"), REVIEW)
    assert isinstance(error, ReviewRefused)
    assert error.problem == "cannot post it: line must be part of the diff"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"message": "Bad"}, "Bad"),
        (
            {"message": "Bad", "errors": ["one", {"message": "two"}, {"code": "three"}]},
            "Bad (one; two; three)",
        ),
        ({"errors": ["one"]}, "one"),
        ({"message": "Bad", "errors": None}, "Bad"),
        ({}, "GitHub answered 500"),
        ("<html>", "GitHub answered 500"),
    ],
)
def test_what_github_says(data: object, said: str) -> None:
    assert error_text(data, 500) == said
