"""`ci` by event, as the action runs it: what each asks for, and what then happens to the world."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claude_batch.sandbox.anthropic_server.server import BatchesServer
from program import LOCAL, NOWHERE, ONCE, STATE, TITLES, Place, Ran, at_once, open_place, pull_event

LABELED = pull_event("labeled") | {"label": {"name": "claude-batch-now"}}


@dataclass
class Clock:
    """The batches server's; a batch takes an hour of it."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def server(self) -> BatchesServer:
        return BatchesServer(seconds=3_600, now=self.now)


@dataclass
class Told:
    """One run of `ci`, with what had been sent and posted when it was over."""

    ran: Ran
    document: dict[str, Any]
    outputs: dict[str, str]
    summary: str
    sent: int
    written: int


@pytest.fixture(scope="module")
def days(tmp_path_factory) -> Iterator[dict[str, Told]]:
    """The life of a pull request, event by event."""
    clock, told = Clock(), {}
    with open_place(tmp_path_factory.mktemp("ci"), None, clock.server, ONCE) as place:
        place.suspicious()

        def on(name: str, event: str, payload: dict[str, Any] | None = None, **more: str) -> None:
            environ = place.event(event, payload) | more
            ran = place.run("ci", "--format", "json", code=None, environ=environ)
            told[name] = Told(
                ran, ran.json(), place.outputs(), place.summary(), place.created(), place.written()
            )

        # What GitHub has counts, not the copy in the event.
        pull = place.shop.hub._state.pull(1)
        pull.draft = True
        on("draft", "pull_request", pull_event("opened"))
        pull.draft = False
        author, pull.login = pull.login, "renovate[bot]"
        on("bot", "pull_request", pull_event("opened"))
        pull.login = author
        on("unknown", "issue_comment")
        on("opened", "pull_request", pull_event("opened"))
        on("opened again", "pull_request", pull_event("reopened"))
        clock.ahead += timedelta(hours=2)
        on("push", "push")
        on("schedule", "schedule", CLAUDE_BATCH_FAIL_ON="high")
        on("schedule again", "workflow_dispatch", CLAUDE_BATCH_FAIL_ON="high")
        place.shop.commit({"soon.py": "password = 'hunter2hunter2'\n"})
        place.shop.git("push", "-q", "origin", "feature")
        on("labeled", "pull_request", LABELED)
        place.shop.commit({"late.py": "def late(x=[]):\n    pass\n"})
        place.shop.git("push", "-q", "origin", "feature")
        on("synchronize", "pull_request", pull_event("synchronize"))
        place.shop.hub.close(1)
        on("closed", "pull_request", pull_event("closed", state="closed"))
        clock.ahead += timedelta(hours=2)
        on("after", "schedule")
        told["publish"] = place.json("publish", "--pr", "1")
        told["prune"] = [place.json("prune", "--older-than", "0") for _ in range(2)]
        told["local"] = place.ref(place.shop.work, LOCAL)
        told["state"] = place.ref(place.shop.bare, STATE)
        yield told


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("draft", "pull request 1 is left alone: it is a draft; marking it ready for review, or"),
        ("bot", "pull request 1 is left alone: its author is the bot renovate[bot]; the label"),
        ("unknown", "nothing to do for issue_comment"),
    ],
)
def test_what_is_left_alone_is_named(days, name, said):
    document = days[name].document
    assert set(document) >= {"event"}
    assert not {"flush", "collect", "publish"} & set(document)
    assert document["notes"][0].startswith(said)
    assert days[name].sent == 0
    assert days[name].summary.startswith("## claude-batch\n")


def test_opened_submits(days):
    opened = days["opened"]
    assert set(opened.document) >= {"event", "flush"}
    assert "collect" not in opened.document
    [plan] = opened.document["flush"]["plans"]
    assert plan["source"] == "pull request 1"
    assert (plan["new"], plan["known"], plan["waiting"]) == (5, 0, 0)
    assert opened.document["flush"]["tasks"] == {"sent": 5, "waiting": 0}
    assert opened.sent == 1
    assert opened.outputs["batches"] == "1"


def test_the_step_summary_of_a_submit(days):
    summary, flush = days["opened"].summary, days["opened"].document["flush"]
    assert "5 tasks sent for review, 0 already known." in summary
    assert "Estimated: $0.0" in summary
    [batch] = flush["batches"]
    assert f"Batch {batch['id']} ends or expires by 20" in summary
    assert f"`claude-batch cancel {batch['id']}` cancels it" in summary


def test_the_same_event_again_sends_nothing(days):
    again = days["opened again"]
    [plan] = again.document["flush"]["plans"]
    assert (plan["new"], plan["known"], plan["waiting"]) == (0, 5, 0)
    assert again.sent == 1
    assert again.outputs["batches"] == "0"


def test_push_collects_and_posts_nothing(days):
    push = days["push"]
    assert push.document["collect"]["findings"] == len(TITLES)
    assert "publish" not in push.document
    assert push.written == days["opened again"].written
    assert push.outputs["findings"] == str(len(TITLES))
    assert push.outputs["usd"] == push.outputs["saved-usd"]
    assert float(push.outputs["usd"]) > 0


def test_a_schedule_publishes_on_all_that_are_open(days):
    schedule = days["schedule"]
    assert set(schedule.document) >= {"event", "collect", "publish"}
    assert schedule.document["publish"]["pull_request"] == 1
    assert schedule.document["publish"]["posted"] == len(TITLES) + 1
    assert schedule.outputs["posted"] == str(len(TITLES) + 1)
    assert schedule.written > 0


def test_findings_are_annotations_at_their_lines(days):
    rows = [row for row in days["schedule"].ran.err.splitlines() if row.startswith("::")]
    assert len(rows) == len(TITLES)
    assert any(row.startswith("::warning file=run.py,line=3,") for row in rows)


def test_twice_is_once(days):
    again = days["schedule again"]
    assert "publish" not in again.document, "nothing is due"
    assert again.written == days["schedule"].written
    assert again.sent == days["schedule"].sent


def test_fail_on_is_red_after_everything_is_posted(days):
    """Nothing else in the life of a pull request is red; its check run stays red."""
    codes = {name: told.ran.code for name, told in days.items() if isinstance(told, Told)}
    assert codes.pop("schedule") == 1
    assert days["schedule"].document["publish"]["posted"] == len(TITLES) + 1
    assert set(codes.values()) == {0}


def test_our_label_asks_at_once(days):
    labeled = days["labeled"]
    [plan] = labeled.document["flush"]["plans"]
    assert (plan["new"], plan["known"], plan["waiting"]) == (1, 5, 0)
    assert [batch["id"] for batch in labeled.document["flush"]["batches"]] == [None]
    assert labeled.sent == days["schedule again"].sent + 1


def test_closed_cancels_what_only_it_wanted(days):
    [batch] = days["synchronize"].document["flush"]["batches"]
    assert days["closed"].document["notes"] == [
        "pull request 1 is closed",
        f"batch {batch['id']}: canceling",
    ]
    assert days["closed"].written == days["synchronize"].written + 1  # the check run ends


def test_what_comes_after_the_close_is_recorded_and_not_posted(days):
    after = days["after"]
    assert after.document["collect"]["answers"]["canceled"] == 1
    assert sum(after.document["collect"]["answers"].values()) == 1
    assert "publish" not in after.document
    assert after.written == days["closed"].written


def test_never_a_comment_on_a_closed_pull_request(days):
    assert days["publish"]["posted"] == 0
    assert days["publish"]["dropped"] == [{"reason": "closed", "count": len(TITLES) + 1}]


def test_prune_drops_findings_of_what_is_closed_once(days):
    assert days["prune"] == [
        {"dropped": 2, "folded": 0, "squashed": 0},
        {"dropped": 0, "folded": 0, "squashed": 0},
    ]


def test_everything_in_ci_is_shared(days):
    assert days["state"]
    assert days["local"] == ""


def test_what_a_step_prints_for_people_is_not_obeyed(tmp_path):
    """Whatever a file or an API is called, between the two markers nothing is a command."""
    with open_place(tmp_path) as place:
        out = place.run("ci", environ=place.event("issue_comment")).out
        first, *_, last = [row for row in out.splitlines() if row]
        token = first.removeprefix("::stop-commands::")
        assert first != token
        assert last == f"::{token}::"


# -- when the world says no -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def troubled(tmp_path_factory) -> Iterator[tuple[Place, dict[str, Ran]]]:
    with open_place(tmp_path_factory.mktemp("trouble")) as place:
        place.suspicious({".claude-batch.toml": "modle = 'of the head'\n"})
        base = place.ref(place.shop.bare, "refs/heads/main")
        opened = place.event("pull_request", pull_event("opened", base=base))
        cases = {
            "anthropic": opened | {"ANTHROPIC_BASE_URL": NOWHERE},
            "github": opened | {"GITHUB_API_URL": NOWHERE},
            "token": opened | {"GITHUB_TOKEN": "", "GH_TOKEN": ""},
            "budget": opened | {"CLAUDE_BATCH_BUDGET": "0.001"},
            "usage": opened | {"CLAUDE_BATCH_FAIL_ON": "sometimes"},
        }
        ran = at_once(
            {
                name: lambda environ=environ: place.run("ci", code=None, environ=environ)
                for name, environ in cases.items()
            }
        )
        ran["head"] = place.run("ci", code=None, environ=place.event("push"))
        yield place, ran


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("anthropic", "the connection to the Anthropic API failed"),
        ("github", "cannot read pull request 1: http://127.0.0.1:9 could not be reached"),
        ("token", "there is no token for GitHub"),
        ("budget", "nothing was sent: up to $0.0"),
    ],
)
def test_an_outage_and_a_budget_are_green_with_a_warning(troubled, name, said):
    place, ran = troubled
    assert ran[name].code == 0
    warning = [row for row in ran[name].err.splitlines() if row.startswith("::")]
    assert len(warning) == 1
    assert warning[0].startswith(f"::warning title=claude-batch::{said}")
    assert "warning: " in ran[name].out
    assert place.created() == 0


def test_wrong_usage_is_red(troubled):
    assert troubled[1]["usage"].code == 2
    assert troubled[1]["usage"].refusal()[0].startswith('`fail_on` is "sometimes"')


def test_a_broken_configuration_is_red(troubled):
    """That of the work tree, where no pull request has a base to be judged by."""
    assert troubled[1]["head"].code == 3
    assert troubled[1]["head"].refusal()[0].endswith("unknown key `modle`")
