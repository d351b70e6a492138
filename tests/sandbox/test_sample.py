import ast
import json
import subprocess
from pathlib import Path

import pytest

from claude_batch.config.model import Config
from claude_batch.errors import BadUsage
from claude_batch.findings.parsing import parse_review
from claude_batch.findings.placement import PlacedFinding, place_findings
from claude_batch.git.repository import Repository
from claude_batch.prompts.kinds import find_kind
from claude_batch.pull_requests.selection import Selection, select_findings
from claude_batch.sandbox.anthropic_server.reviewer import review
from claude_batch.sandbox.demo.sample import Sample, make_sample
from claude_batch.submission.requests import build_request, group_tasks
from claude_batch.tasks.discovery import ChangeFinder, DiscoveredChanges
from shop import environ

HEADS = {
    "main": "f6e74a657826b7374f2f75ed090f350e900e10a3",
    "feature": "4973ac377cf81ea88d28a4b807d7377acc6323c3",
}


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return make_sample(tmp_path / "shop", environ())


@pytest.fixture
def look(sample: Sample) -> DiscoveredChanges:
    looker = ChangeFinder(Repository.open(sample.path, environ()))
    return looker.find_changes(looker.repository.compare_range(sample.base, sample.head), [])


@pytest.fixture
def chosen(sample: Sample, look: DiscoveredChanges) -> Selection:
    """What the sandbox's reviewer says, and where it would be posted."""
    review_kind, config = find_kind("review"), Config()
    tasks = look.tasks([review_kind])
    said = []
    for number, packed in enumerate(group_tasks(tasks, [])):
        request = build_request(review_kind, packed, config, 4096, {})
        text = review(json.loads(request.body.read())).text
        said += parse_review(text, f"r{number}", request.tasks, "review")
    head = sample.path.joinpath
    placed, dropped = place_findings(said, tasks, lambda path: head(path).read_bytes())
    assert not dropped
    return select_findings(placed, max_comments=config.comment_limits.open, silenced=())


def git(sample: Sample, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=sample.path, check=True, capture_output=True)
    return done.stdout.decode()


def said(one: PlacedFinding) -> tuple[str, int, str]:
    return one.path, one.line, one.finding.title


def test_the_commits_are_the_same_everywhere(sample: Sample) -> None:
    heads = {name: git(sample, "rev-parse", name).strip() for name in HEADS}
    assert heads == HEADS
    assert set(git(sample, "log", "--format=%an <%ae>, %cn <%ce>", "feature").splitlines()) == {
        "Sample Author <author@example.com>, Sample Author <author@example.com>"
    }
    assert len(git(sample, "log", "--format=%s", "main..feature").splitlines()) == 4


def test_settings_of_the_user_change_nothing(sealed_box: Path, tmp_path: Path) -> None:
    with (sealed_box / ".gitconfig").open("a") as settings:
        settings.write("[core]\nautocrlf = true\n[commit]\ngpgSign = true\n")
        settings.write("[init]\ndefaultBranch = trunk\ndefaultObjectFormat = sha256\n")
    given = environ() | {"GIT_AUTHOR_NAME": "Somebody", "GIT_DEFAULT_HASH": "sha256"}
    made = make_sample(tmp_path / "new" / "shop", given)
    assert git(made, "rev-parse", "feature").strip() == HEADS["feature"]
    assert b"\r" not in (made.path / "shop/cart.py").read_bytes()


def test_the_work_tree_is_clean_and_on_the_branch(sample: Sample) -> None:
    assert git(sample, "status", "--porcelain=v2", "--branch").splitlines() == [
        f"# branch.oid {HEADS['feature']}",
        "# branch.head feature",
    ]
    export = (sample.path / "shop/export.py").read_bytes()
    assert export.count(b"\r\n") == export.count(b"\n") > 0
    git(sample, "fsck", "--strict", "--no-dangling")


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine\n")
    with pytest.raises(BadUsage, match="is not empty"):
        make_sample(tmp_path, environ())
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_branch_has_changes_of_every_kind(look: DiscoveredChanges) -> None:
    assert [(file.status, file.old_path, file.path) for file in look.files] == [
        ("modified", "README.md", "README.md"),
        ("modified", "shop/cart.py", "shop/cart.py"),
        ("added", "shop/coupons.py", "shop/coupons.py"),
        ("added", "shop/delivery.py", "shop/delivery.py"),
        ("modified", "shop/export.py", "shop/export.py"),
        ("modified", "shop/prices.py", "shop/prices.py"),
        ("modified", "shop/settings.py", "shop/settings.py"),
        ("modified", "stock/main.go", "stock/main.go"),
        ("modified", "tests/test_cart.py", "tests/test_cart.py"),
        ("modified", "web/basket.js", "web/basket.js"),
        ("renamed", "web/format.js", "web/money.js"),
    ]
    assert {out.path: out.reason for out in look.skipped} == {
        "package-lock.json": "lock file",
        "web/basket.png": "binary",
        "web/popup.js": "deleted file",
        "web/shop.min.js": "generated",
    }


def test_what_the_sandbox_says_of_it(chosen: Selection) -> None:
    assert [said(one) for one in chosen.inline] == [
        ("shop/settings.py", 8, "A secret in the code"),
        ("shop/delivery.py", 11, "YAML that can make any object"),
        ("shop/prices.py", 10, "Text is run as code"),
        ("shop/coupons.py", 20, "A default value that calls share"),
        ("shop/export.py", 14, "A bare except hides everything"),
    ]
    assert sorted(said(one) for one in chosen.summarized) == [
        ("shop/coupons.py", 15, "Comparison with None by value"),
        ("stock/main.go", 24, "An error is thrown away"),
        ("web/basket.js", 6, "A trace of debugging was left"),
        ("web/basket.js", 13, "Comparison that converts its sides"),
    ]
    assert not chosen.dropped


def test_suggestions_that_are_proved(chosen: Selection) -> None:
    suggestions = {
        one.path: one.suggestion
        for one in [*chosen.inline, *chosen.summarized]
        if one.suggestion is not None
    }
    assert suggestions == {
        "shop/delivery.py": "        table = yaml.safe_load(file)\n",
        "shop/export.py": "        except Exception:\n",
        "shop/coupons.py": "    if coupon is None or total < coupon.least:\n",
    }


def test_its_python_parses(sample: Sample) -> None:
    files = sorted(sample.path.rglob("*.py"))
    assert len(files) == 8
    for path in files:
        ast.parse(path.read_bytes(), str(path))
