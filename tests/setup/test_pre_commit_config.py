import pytest
import yaml

from claude_batch.setup.pre_commit_config import add_hook
from claude_batch.setup.workflows import Action

COMMIT = "3d3c42e5aac5ba805825da76410c181273ba90b1"
OURS = Action("org/claude-batch", "v1", COMMIT)
ENTRY = {
    "repo": "https://github.com/org/claude-batch",
    "rev": COMMIT,
    "hooks": [{"id": "claude-batch-queue"}],
}

INDENTED = """\
# see https://pre-commit.com
default_stages: [pre-commit]
repos:
  - repo: https://github.com/example/one   # keep
    rev: v1.0.0
    hooks:
      - id: one

      # this one is slow
      - id: two
        args: [--fix]

# and the rest
exclude: ^docs/
"""
INDENTED_AFTER = f"""\
# see https://pre-commit.com
default_stages: [pre-commit]
repos:
  - repo: https://github.com/example/one   # keep
    rev: v1.0.0
    hooks:
      - id: one

      # this one is slow
      - id: two
        args: [--fix]
  - repo: https://github.com/org/claude-batch
    rev: {COMMIT} # v1
    hooks:
      - id: claude-batch-queue

# and the rest
exclude: ^docs/
"""


def test_it_is_appended_and_the_rest_stays():
    assert add_hook(INDENTED, OURS) == INDENTED_AFTER


@pytest.mark.parametrize(
    "text",
    [
        INDENTED,
        "repos:\n- repo: local\n  hooks:\n  - id: one\n    entry: x\n    language: system\n",
        "---\nrepos:\n- repo: local\n  hooks: [{id: one}]\nci: {skip: [one]}\n",
        "repos: []\n",
        "repos: [ ]  # none yet\nexclude: x\n",
        "repos:\n",
        "exclude: x\nrepos:   # all of them\n    - repo: local\n      hooks: []",
        "repos:\n-\n  repo: local\n  hooks: []\n",
        INDENTED.replace("\n", "\r\n"),
    ],
)
def test_whatever_the_layout_one_entry_more_is_all_that_changes(text):
    after = add_hook(text, OURS)
    before = yaml.safe_load(text)
    assert yaml.safe_load(after) == before | {"repos": [*(before["repos"] or []), ENTRY]}
    assert add_hook(after, OURS) == after
    assert ("\r\n" in after) == ("\r\n" in text)
    assert after.count("\n") == len(after.splitlines())


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_file_becomes_a_whole_one(text):
    assert yaml.safe_load(add_hook(text, OURS)) == {"repos": [ENTRY]}


@pytest.mark.parametrize(
    "text",
    [
        "repos: [{repo: local, hooks: []}]\n",
        "repos: [\n  {repo: local, hooks: []}]\n",
        "exclude: x\n",
        "repos:\n---\nrepos:\n",
        "- repo: local\n",
    ],
)
def test_a_layout_that_we_do_not_understand_is_left_alone(text):
    assert add_hook(text, OURS) is None


@pytest.mark.parametrize("line", ["id: claude-batch-queue", "id: 'claude-batch-queue'"])
def test_a_hook_that_is_there_is_not_added_again(line):
    text = f"repos:\n  - repo: local\n    hooks:\n      - {line}\n"
    assert add_hook(text, OURS) == text


def test_a_hook_that_is_commented_out_is_not_there():
    text = "repos:\n  # - id: claude-batch-queue\n"
    assert yaml.safe_load(add_hook(text, OURS)) == {"repos": [ENTRY]}
