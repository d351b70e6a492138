"""kill -9 after every HTTP call and every git write, then run again: paid once, said once."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from crash_gate import Point
from crash_job import Verb
from crash_trial import CONFIG, LEASE_ENDS, SOON, TAKES, TWICE, Step, Trial, open_trial
from crash_truth import Words, faults, now_faults, said
from program import Place

# The fork server is reached by a socket in the file system.
pytestmark = pytest.mark.block_network(allowed_hosts=["127.0.0.1", "/.*/listener-.*"])

Faults = Callable[[Trial, Counter[Words]], Iterable[str]]
CREATE = "POST /v1/messages/batches"
MISSED = 3  # points of a lost race, which several jobs may not lose again


@dataclass(frozen=True)
class Way:
    """Jobs up to one whose points are tried: the last."""

    steps: tuple[Step, ...]
    submit: Verb = "submit"
    config: str = CONFIG
    faults: Faults = faults


def mend(place: Place) -> None:
    """One finding is fixed, so its thread is to be resolved and the summary edited."""
    text = (place.shop.work / "run.py").read_text()
    place.shop.commit({"run.py": text.replace("yaml.load", "yaml.safe_load")})
    place.shop.git("push", "-q", "origin", "feature")


def tidy(place: Place) -> None:
    """Something on main that the sandbox refactors."""
    place.shop.git("checkout", "-q", "main")
    (place.shop.work / "src").mkdir()
    place.shop.commit({"src/stock.py": "def stock():\n    found = dict()\n    return found\n"})
    place.shop.git("push", "-q", "origin", "main")


SUBMIT = Step(("submit",))
COLLECT = Step(("collect",), TAKES)
PUBLISH = Step(("publish",))
WAYS = {
    "submit": Way((SUBMIT,)),
    "collect, and send second looks": Way((SUBMIT, COLLECT), config=TWICE, faults=now_faults),
    "collect second looks": Way((SUBMIT, COLLECT, COLLECT), config=TWICE, faults=now_faults),
    "publish": Way((SUBMIT, COLLECT, PUBLISH)),
    "collect what was sent and not recorded": Way(
        (Step(("submit",), killed=CREATE), Step(("collect",), LEASE_ENDS))
    ),
    "publish again": Way(
        (
            *(SUBMIT, COLLECT, PUBLISH),
            *(Step(("submit",), first=mend), COLLECT, PUBLISH),
        )
    ),
    "submit, lane now": Way((Step(("submit now",)),), "submit now", faults=now_faults),
    # Pushed since the installation: before it, nothing remembers an event.
    "reconcile a pull request": Way(
        (Step(("schedule",)), Step(("event",), first=mend)), "schedule"
    ),
    "reconcile what is in flight": Way((Step(("event",)), Step(("schedule",), SOON)), "schedule"),
    "reconcile answers": Way((Step(("event",)), Step(("schedule",), TAKES)), "schedule"),
    "reconcile a second push": Way(
        (
            *(Step(("event",)), Step(("schedule",), TAKES), Step(("event",), first=mend)),
            Step(("schedule",), TAKES),
        ),
        "schedule",
    ),
    "propose refactorings": Way(
        (Step(("submit paths",), first=tidy), COLLECT, PUBLISH), "submit paths"
    ),
}


def lead_up(trial: Trial, way: Way) -> None:
    for step in way.steps[:-1]:
        trial.run(step, Point("http", None, step.killed) if step.killed else None)


def clean(folder: Path, way: Way, jobs: int) -> tuple[list[Point], Counter[Words]]:
    """The points of its last step, and what is said in the end."""
    folder.mkdir()
    with open_trial(folder, jobs, way.config) as trial:
        lead_up(trial, way)
        points = trial.run(way.steps[-1])
        if jobs > 1:  # one job has been killed after each call that only reads, too
            points = [point for point in points if not point.what.startswith("GET ")]
        trial.finish(way.submit)
        words = said(trial)
        assert list(way.faults(trial, words)) == []
        return points, words


def crash(
    folder: Path, way: Way, jobs: int, point: Point, words: Counter[Words]
) -> tuple[list[str], bool]:
    """What is at fault, and whether a job came to that point and died there."""
    folder.mkdir()
    with open_trial(folder, jobs, way.config) as trial:
        lead_up(trial, way)
        before = trial.deaths
        trial.run(way.steps[-1], point)
        died = trial.deaths > before
        trial.finish(way.submit)
        return list(way.faults(trial, words)), died


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("name", WAYS)
def test_every_point(tmp_path: Path, name: str, jobs: int) -> None:
    way = WAYS[name]
    points, words = clean(tmp_path / "clean", way, jobs)
    tried = {
        str(point): crash(tmp_path / str(n), way, jobs, point, words)
        for n, point in enumerate(points)
    }
    deaths = sum(died for _, died in tried.values())
    sys.stdout.write(f"\n{name}, {jobs} at once: {deaths} points\n")
    assert {point: found for point, (found, _) in tried.items() if found} == {}
    assert deaths >= len(points) - MISSED
