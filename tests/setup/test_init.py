import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from claude_batch.config import loader
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage, CannotRead, CannotRecord
from claude_batch.git.work_tree import WorkTree
from claude_batch.setup.init import (
    COLLECT,
    CONFIG,
    HOOKS,
    SUBMIT,
    SetupPlan,
    set_up_repository,
)

FILES = (CONFIG, SUBMIT, COLLECT, HOOKS)
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def online(url: str, ref: str) -> str | None:
    return {("https://github.com/org/claude-batch", "v1"): COMMIT}.get((url, ref))


def offline(url: str, ref: str) -> str | None:
    return None


def run(root: Path, resolve=online, agree=lambda plan: True, **options: str) -> SetupPlan:
    return set_up_repository(WorkTree(root), resolve=resolve, agree=agree, **options)


def states(plan: SetupPlan) -> dict[str, str]:
    return {file.name: str(file.change) for file in plan.files}


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def test_an_empty_repository_gets_four_files(tmp_path):
    plan = run(tmp_path)
    assert states(plan) == dict.fromkeys(FILES, "create")
    assert set(snapshot(tmp_path)) == set(FILES)
    assert plan.remedies == (
        "store the API key: `gh secret set ANTHROPIC_API_KEY`",
        "commit these files on the default branch; schedules run only there",
    )


@pytest.mark.parametrize("second", [online, offline])
def test_twice_changes_nothing(tmp_path, second):
    run(tmp_path)
    before = snapshot(tmp_path)
    again = run(tmp_path, second)
    assert states(again) == dict.fromkeys(FILES, "unchanged")
    assert again.remedies == ()
    assert snapshot(tmp_path) == before


def test_nothing_is_written_without_agreement(tmp_path):
    shown = []
    run(tmp_path, agree=shown.append)
    assert snapshot(tmp_path) == {}
    assert [states(plan) for plan in shown] == [dict.fromkeys(FILES, "create")]
    assert "+++ b/.pre-commit-config.yaml\n@@ -0,0 +1,5 @@\n+repos:\n" in shown[0].files[3].diff


def test_with_nothing_to_write_nobody_is_asked(tmp_path):
    run(tmp_path)
    run(tmp_path, agree=lambda plan: pytest.fail("asked"))


def test_an_existing_file_of_the_users_own_is_left_alone_and_named(tmp_path):
    (tmp_path / SUBMIT).parent.mkdir(parents=True)
    (tmp_path / SUBMIT).write_text("name: mine\n")
    (tmp_path / CONFIG).write_text("max_comments = 2\n")
    (tmp_path / HOOKS).write_text("repos: [{repo: local, hooks: []}]\n")

    plan = run(tmp_path)

    assert states(plan) == {
        CONFIG: "unchanged",
        SUBMIT: "left alone",
        COLLECT: "create",
        HOOKS: "left alone",
    }
    assert (tmp_path / SUBMIT).read_text() == "name: mine\n"
    assert (tmp_path / CONFIG).read_text() == "max_comments = 2\n"
    assert "      - id: claude-batch-queue" in plan.files[3].note


def test_a_project_that_is_configured_in_pyproject_gets_no_second_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.claude-batch]\nmax_comments = 2\n")
    assert states(run(tmp_path))[CONFIG] == "unchanged"
    assert not (tmp_path / CONFIG).exists()


def test_the_hook_is_added_to_an_existing_file(tmp_path):
    (tmp_path / HOOKS).write_text("# mine\nrepos:\n- repo: meta\n  hooks: [{id: identity}]\n")
    plan = run(tmp_path)
    assert states(plan)[HOOKS] == "change"
    assert plan.files[3].diff == (
        "--- a/.pre-commit-config.yaml\n"
        "+++ b/.pre-commit-config.yaml\n"
        "@@ -2,3 +2,7 @@\n"
        " repos:\n"
        " - repo: meta\n"
        "   hooks: [{id: identity}]\n"
        "+- repo: https://github.com/org/claude-batch\n"
        f"+  rev: {COMMIT} # v1\n"
        "+  hooks:\n"
        "+    - id: claude-batch-queue\n"
    )


def test_the_action_is_pinned_to_the_commit_behind_its_tag(tmp_path):
    run(tmp_path)
    for name in (SUBMIT, COLLECT):
        assert f"- uses: org/claude-batch@{COMMIT} # v1\n" in (tmp_path / name).read_text()


def test_a_tag_that_cannot_be_resolved_is_written_as_it_is_and_said(tmp_path):
    plan = run(tmp_path, offline)
    assert "- uses: org/claude-batch@v1\n" in (tmp_path / SUBMIT).read_text()
    assert plan.remedies[0] == (
        "v1 of https://github.com/org/claude-batch could not be resolved, so the files name "
        "the tag; pin its commit when you are online"
    )


@pytest.mark.parametrize("given", [f"me/fork@{COMMIT}", "./"])
def test_a_commit_and_a_local_action_are_not_looked_up(tmp_path, given):
    run(tmp_path, lambda url, ref: pytest.fail("looked up"), action=given)
    uses = given if given == "./" else f"me/fork@{COMMIT}"
    assert f"- uses: {uses}\n" in (tmp_path / SUBMIT).read_text()


@pytest.mark.parametrize("given", ["claude-batch", "org/claude-batch", "a/b@c d", "a/b@v1\nx"])
def test_what_names_no_action_is_a_usage_error(tmp_path, given):
    with pytest.raises(BadUsage, match="does not name an action"):
        run(tmp_path, action=given)


def test_the_configuration_is_the_defaults(tmp_path):
    run(tmp_path)
    assert loader.parse_config(CONFIG, (tmp_path / CONFIG).read_bytes()) == Config()


def test_events_permissions_and_the_label_of_the_workflows(tmp_path):
    run(tmp_path)
    submit, collect = (yaml.safe_load((tmp_path / name).read_text()) for name in (SUBMIT, COLLECT))
    actions = ["opened", "synchronize", "reopened", "ready_for_review", "edited", "labeled"]
    assert submit[True] == {
        "pull_request": {"types": [*actions, "closed"]},
        "merge_group": None,
    }
    schedule = [{"cron": "37 6-20/2 * * 1-5"}]
    assert collect[True] == {"schedule": schedule, "workflow_dispatch": None}
    assert submit["permissions"] == collect["permissions"] == {}
    rights = {"contents": "write", "pull-requests": "write", "checks": "write"}
    assert submit["jobs"]["submit"]["permissions"] == rights
    assert collect["jobs"]["collect"]["permissions"] == rights
    default = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]["label"]["default"]
    assert f"github.event.label.name == '{default}'" in submit["jobs"]["submit"]["if"]


def test_runs_wait_for_each_other_and_none_is_cancelled(tmp_path):
    run(tmp_path)
    submit, collect = (yaml.safe_load((tmp_path / name).read_text()) for name in (SUBMIT, COLLECT))
    group = {"group": "claude-batch-collect", "cancel-in-progress": False}
    assert collect["concurrency"] == group
    assert "concurrency" not in submit  # a job that is skipped may not displace one that waits
    by_pull_request = submit["jobs"]["submit"]["concurrency"]
    assert by_pull_request["cancel-in-progress"] is False
    assert by_pull_request["group"] == (
        "claude-batch-${{ github.event.pull_request.number || "
        "github.event.merge_group.head_sha }}-${{ github.event.label.name }}"
    )


def test_an_edit_starts_a_job_only_with_a_new_base(tmp_path):
    run(tmp_path)
    condition = yaml.safe_load((tmp_path / SUBMIT).read_text())["jobs"]["submit"]["if"]
    assert "(github.event.action != 'edited' || github.event.changes.base)" in condition
    assert condition.startswith("github.event_name == 'merge_group' || ")


def test_the_linters_of_workflows_have_nothing_to_say(tmp_path):
    run(tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    commands = (
        ["zizmor", "--offline", "--no-progress", "--strict-collection", ".github"],
        ["actionlint", "-no-color"],
    )
    for command in commands:
        done = subprocess.run(
            [BIN / command[0], *command[1:]], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_projects_own_files_are_the_ones_that_init_writes(tmp_path):
    run(tmp_path, action="./")
    for name in (SUBMIT, COLLECT, HOOKS):
        assert (ROOT / name).read_text() == (tmp_path / name).read_text(), name


def test_a_symbolic_link_stays_one_and_modes_stay(tmp_path):
    (tmp_path / "real.yaml").write_text("repos: []\n")
    (tmp_path / "real.yaml").chmod(0o640)
    (tmp_path / HOOKS).symlink_to("real.yaml")
    run(tmp_path)
    assert (tmp_path / HOOKS).is_symlink()
    assert "claude-batch-queue" in (tmp_path / "real.yaml").read_text()
    assert (tmp_path / "real.yaml").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_read_or_written_is_an_error(tmp_path):
    (tmp_path / HOOKS).write_bytes(b"repos: \xff")
    with pytest.raises(CannotRead, match=r"\.pre-commit-config\.yaml is not UTF-8"):
        run(tmp_path)
    (tmp_path / HOOKS).unlink()
    (tmp_path / ".github").write_text("a file")
    with pytest.raises((CannotRead, CannotRecord), match=r"\.github/workflows"):
        run(tmp_path)
