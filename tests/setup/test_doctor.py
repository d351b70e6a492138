from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.config.model import Budget, Config, OwnKind
from claude_batch.errors import BadConfig
from claude_batch.sandbox.github_server.messages import Account
from claude_batch.sandbox.github_server.state import GitHubSettings
from claude_batch.setup.doctor import DoctorCheck, DoctorInputs, run_checks
from claude_batch.setup.workflows import load_template
from rig import PRICES, Rig, open_rig
from shop import Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    reader = Account("reader", can_write=frozenset())
    with open_shop(tmp_path, GitHubSettings(tokens={"ghp_reader": reader})) as made:
        yield made


@pytest.fixture
def rig(shop: Shop) -> Iterator[Rig]:
    with open_rig(shop.work) as made:
        yield made


def examine(
    rig: Rig, shop: Shop, config: Config, claude: AnthropicClient | None = None
) -> dict[str, DoctorCheck]:
    patient = DoctorInputs(
        lambda: config,
        lambda: rig.ledger,
        lambda: claude or rig.claude,
        lambda: shop.forge("ghp_reader"),
        PRICES,
        lambda: [load_template("collect.yml")],
        rig.clock,
    )
    return {check.name: check for check in run_checks(patient)}


def test_each_part_has_its_say(rig: Rig, shop: Shop) -> None:
    config = Config(kinds=("review", OwnKind(name="tone", prompt="Is it kind?")))
    found = examine(rig, shop, config)
    assert found["configuration"] == DoctorCheck("configuration", "ok", "kinds review, tone")
    assert found["prices"].verdict == "ok"
    assert found["model"] == DoctorCheck("model", "ok", "claude-sonnet-5-5 is active")
    assert found["ledger"] == DoctorCheck("ledger", "ok", "0 requests, 0 open")
    assert found["github"].verdict == "fault"
    assert "reader may not write" in found["github"].said
    assert "contents: write" in found["github"].remedy
    assert found["use"].verdict == "ok"
    assert "173 scheduled runs" in found["use"].said
    assert "173 minutes of GitHub Actions, 173 requests to GitHub; $0.00" in found["use"].said


def test_prices_of_ones_own_and_models_of_the_ladder_are_looked_at(rig: Rig, shop: Shop) -> None:
    own = {"claude-sonnet-5-5": {"discount": Decimal("0.1")}}
    found = examine(rig, shop, Config.model_validate({"prices": own}))
    assert found["prices"].said.endswith(", with your own rates of claude-sonnet-5-5")
    found = examine(rig, shop, Config(ladder=("claude-haiku-5-6",)))
    assert found["configuration"].verdict == "fault"
    assert "claude-haiku-5-6" in found["configuration"].said


@pytest.mark.parametrize(
    ("model", "name", "verdict", "said"),
    [
        ("claude-nonsense-1", "model", "fault", "does not know"),
        ("claude-nonsense-1", "configuration", "fault", "no price is known"),
    ],
)
def test_a_model_that_cannot_be_used(
    rig: Rig, shop: Shop, model: str, name: str, verdict: str, said: str
) -> None:
    check = examine(rig, shop, Config(model=model))[name]
    assert check.verdict == verdict
    assert said in check.said
    assert check.remedy


def test_no_limit_is_a_warning(rig: Rig, shop: Shop) -> None:
    config = Config(budget=Budget(pull_request=None, month=None))
    assert examine(rig, shop, config)["budget"].verdict == "warning"
    config = Config(budget=Budget(pull_request=Decimal(1), month=None))
    assert "budget" not in examine(rig, shop, config)


def test_one_fault_does_not_hide_the_others(rig: Rig, shop: Shop) -> None:
    def broken() -> Config:
        raise BadConfig(".claude-batch.toml: unknown key modle", "did you mean model?")

    keyless = AnthropicClient({"ANTHROPIC_BASE_URL": rig.server.url}, sleep=rig.slept.append)
    checks = run_checks(
        DoctorInputs(
            broken,
            lambda: rig.ledger,
            lambda: keyless,
            lambda: shop.forge("ghp_reader"),
            PRICES,
            lambda: (),
            rig.clock,
        )
    )
    assert [(check.name, check.verdict) for check in checks] == [
        ("configuration", "fault"),
        ("model", "fault"),
        ("github", "fault"),
        ("ledger", "ok"),
        ("use", "ok"),
    ]
    assert checks[0].remedy == "did you mean model?"


def test_an_open_batch_is_counted(rig: Rig, shop: Shop) -> None:
    rig.submit(rig.given({"path": "a.py", "text": "a"}))
    assert examine(rig, shop, Config())["ledger"].said == "1 requests, 1 open"
