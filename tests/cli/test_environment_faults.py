"""A bad environment ends with exit 3 and the name of the variable, through the console program."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_batch.environment_checks import check_network
from program import ONCE, PROGRAM, Place, open_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("place"), config=ONCE) as place:
        place.suspicious()
        yield place


PUBLISH = ("publish", "--pr", "1", "--dry-run")
SUBMIT = ("submit", "--range", "HEAD~1..HEAD")
BOTH = {
    "socks": ("ALL_PROXY", "socks5://127.0.0.1:9", "install `claude-batch[socks]`"),
    "socks 4": ("https_proxy", "socks4://127.0.0.1:9", "unset it, or set it to http://HOST:PORT"),
    "a port that is a word": ("HTTP_PROXY", "http://127.0.0.1:abc", "unset it"),
    "a port that is too large": ("HTTPS_PROXY", "127.0.0.1:99999", "unset it"),
    "half an address": ("ALL_PROXY", "http://[", "unset it"),
    "another protocol": ("ALL_PROXY", "ftp://127.0.0.1:9", "unset it"),
    "brackets": ("NO_PROXY", "localhost,[::1]", "write an IPv6 address without them"),
    "no file": ("SSL_CERT_FILE", "/nowhere.pem", "set it to a file of PEM certificates"),
    "a folder": ("SSL_CERT_FILE", "/", "set it to a file of PEM certificates"),
    "no certificates": ("SSL_CERT_FILE", __file__, "set it to a file of PEM certificates"),
    "no bundle": ("REQUESTS_CA_BUNDLE", "/nowhere", "set it to a file of PEM certificates"),
    "no number": ("GIT_CONFIG_COUNT", "x", "GIT_CONFIG_KEY_<n>"),
    "no key": ("GIT_CONFIG_COUNT", "2", "GIT_CONFIG_KEY_<n>"),
}
EITHER = {
    "two lines": (PUBLISH, "GITHUB_TOKEN", "ghs_one\nghs_two"),
    "a newline": (PUBLISH, "GITHUB_TOKEN", "ghs_one\n"),
    "no address": (PUBLISH, "GITHUB_API_URL", "nonsense"),
    "a bad port": (PUBLISH, "GITHUB_API_URL", "http://127.0.0.1:abc"),
    "a key of two lines": (SUBMIT, "ANTHROPIC_API_KEY", "key\nkey"),
    "a bad address": (SUBMIT, "ANTHROPIC_BASE_URL", "http://["),
}


@pytest.mark.parametrize("command", [PUBLISH, SUBMIT], ids=["GitHub", "Anthropic"])
@pytest.mark.parametrize("case", BOTH)
def test_the_variable_is_named(place: Place, case: str, command: tuple[str, ...]) -> None:
    name, value, remedy = BOTH[case]
    ran = place.run(*command, code=3, environ={name: value})
    problem, said = ran.refusal()
    assert name in problem
    assert remedy in said
    assert place.created() == 0


@pytest.mark.parametrize("case", EITHER)
def test_the_variable_of_one_service_is_named(place: Place, case: str) -> None:
    command, name, value = EITHER[case]
    problem, _ = place.run(*command, code=3, environ={name: value}).refusal()
    assert name in problem


def test_a_job_with_a_bad_token_names_it(place: Place) -> None:
    event = place.event("schedule") | {"GITHUB_TOKEN": "ghs_one\n"}
    problem, _ = place.run("ci", code=3, environ=event).refusal()
    assert problem == "GITHUB_TOKEN cannot be a token: it has white space or special characters"


def test_values_that_work_are_no_fault(tmp_path: Path) -> None:
    check_network({"HTTPS_PROXY": "http://user:pass@[::1]:8080", "NO_PROXY": "::1,localhost"})
    check_network({"https_proxy": "", "HTTPS_PROXY": "nonsense://x"})  # lower case wins
    check_network({"ALL_PROXY": "socks5://127.0.0.1", "no_proxy": "a, *"})  # no proxy is used
    check_network({"REQUESTS_CA_BUNDLE": str(tmp_path), "HTTP_PROXY": "proxy"})


def shell(place: Place, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line],
        cwd=place.shop.work,
        env={**place.environ, "PROGRAM": str(PROGRAM)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "command", ["status", "status --format json", "--help", "export --as markdown"]
)
def test_a_full_stdout(place: Place, command: str) -> None:
    ran = shell(place, f"$PROGRAM {command} > /dev/full")
    error = "error: stdout could not be written: No space left on device\n"
    assert ran.stderr == f"{error} help: free some disk space; what was done is recorded\n"
    assert ran.returncode == 3


@pytest.mark.parametrize("command", ["status", "--version", "submit"])
def test_a_closed_stdout(place: Place, command: str) -> None:
    ran = shell(place, f"$PROGRAM {command} >&-")
    assert ran.stderr == "error: stdout is closed\n help: open it, or send it to /dev/null\n"
    assert ran.returncode == 3


def test_both_outputs_closed(place: Place) -> None:
    assert shell(place, "$PROGRAM status >&- 2>&-").returncode == 3
