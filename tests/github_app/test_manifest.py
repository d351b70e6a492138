import json
from importlib.metadata import entry_points

import pytest
from typer.testing import CliRunner

from claude_batch.errors import BadUsage
from claude_batch_app.cli import app
from claude_batch_app.manifest import build_manifest

EXPECTED = {
    "name": "reviews",
    "url": "https://reviews.example.com",
    "hook_attributes": {"url": "https://reviews.example.com/webhooks/github", "active": True},
    "redirect_url": "https://reviews.example.com/setup/created",
    "setup_url": "https://reviews.example.com/setup/installed",
    "public": False,
    "default_permissions": {
        "metadata": "read",
        "contents": "read",
        "issues": "read",
        "pull_requests": "write",
        "checks": "write",
    },
    "default_events": [
        "pull_request",
        "issue_comment",
        "pull_request_review_comment",
        "check_run",
    ],
}


@pytest.mark.parametrize("url", ["https://reviews.example.com", "https://reviews.example.com/"])
def test_the_command_prints_one_json_document(url):
    done = CliRunner().invoke(app, ["manifest", "--url", url, "--name", "reviews"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == EXPECTED


@pytest.mark.parametrize(
    "url", ["http://reviews.example.com", "reviews.example.com", "https://", "https://a.b/?c=d", ""]
)
def test_an_address_that_github_cannot_reach_safely_is_refused(url):
    with pytest.raises(BadUsage, match="is not an address for webhooks"):
        build_manifest(url)


@pytest.mark.parametrize("name", ["", "x" * 35])
def test_a_name_that_github_does_not_take_is_refused(name):
    with pytest.raises(BadUsage, match=f"has {len(name)} characters"):
        build_manifest("https://a.example", name)


def test_claude_batch_finds_the_command():
    [found] = entry_points(group="claude_batch.commands", name="app")
    assert found.load() is app
