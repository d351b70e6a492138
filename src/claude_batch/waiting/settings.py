"""The settings of today that decide which tasks wait, and for what."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from claude_batch.config import rules
from claude_batch.config.duration import parse_duration
from claude_batch.config.model import EFFORT, RISKY_ONLY, Config, LaneTable


@dataclass(frozen=True)
class FlushThresholds:
    """When tasks of lane `later` are sent without a `flush`: one that is reached suffices."""

    count: int | None = None  # tasks
    size: int | None = None  # bytes of hunks
    age: timedelta | None = None  # of the oldest task

    @classmethod
    def from_config(cls, config: Config) -> "FlushThresholds":
        if not isinstance(config.lane, LaneTable):
            return cls()
        table = config.lane
        age = parse_duration(table.flush_age) if table.flush_age else None
        return cls(table.flush_count, table.flush_bytes, age)


@dataclass(frozen=True)
class WaitingSettings:
    """Attempts with other models or efforts than these do not count any more."""

    models: frozenset[str]
    efforts: frozenset[str | None]
    digest: str  # of everything that may change which tasks are sent
    thresholds: FlushThresholds = FlushThresholds()

    @classmethod
    def from_config(cls, config: Config) -> "WaitingSettings":
        steps = [step for step in config.ladder if step != RISKY_ONLY]
        efforts = {step.removeprefix(EFFORT) for step in steps if step.startswith(EFFORT)}
        models = {step for step in steps if not step.startswith(EFFORT)}
        return cls(
            frozenset({config.model, *rules.rule_models(config.rules), *models}),
            frozenset({config.effort, *efforts}),
            hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16],
            FlushThresholds.from_config(config),
        )


# For readings in which earlier attempts do not matter.
NO_SETTINGS = WaitingSettings(frozenset(), frozenset(), "")
