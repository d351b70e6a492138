import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.anthropic_api.results import (
    BatchResult,
    InvalidResponse,
    Outcome,
    Usage,
    parse_message,
    parse_result_line,
)
from claude_batch.diff.model import Hunk, Side
from claude_batch.findings.anchors import AnchoredTask, build_anchor
from claude_batch.findings.finding import Category, Confidence, Severity
from claude_batch.findings.parsing import (
    MAX_FINDINGS,
    ResponseFinding,
    ReviewResponse,
    parse_review,
    validate_review,
)
from claude_batch.tasks.task import TaskId

FIRST = Hunk(1, 1, b" def total(rows):\n-    return 0\n+    return sum(rows)\n ")
SECOND = Hunk(10, 10, b" a = 1\n+b = 2\n+b = 2")


def asked(name: str, path: str, hunk: Hunk) -> AnchoredTask:
    return AnchoredTask.from_hunk(TaskId(name), path, hunk)


TASKS = (asked("t1", "a.py", FIRST), asked("t2", "b.py", SECOND))


def mark(ordinal: int) -> str:
    """The anchor of the nth line of the request, counted over both tasks."""
    strips = [(task.hashes[at * 8 : at * 8 + 8]) for task in TASKS for at in range(len(task.signs))]
    return build_anchor(ordinal, strips[ordinal - 1])


def said(start: str, end: str, **other: object) -> dict[str, object]:
    return {
        "from": start,
        "to": end,
        "severity": "high",
        "confidence": "medium",
        "category": "bug",
        "title": "The sum is wrong",
        "body": "It is wrong for an empty list.",
        "replacement": None,
    } | other


def text_of(*findings: dict[str, object]) -> str:
    return json.dumps({"findings": list(findings)})


def line(result: object, custom_id: str = "i-0-abc") -> bytes:
    return json.dumps({"custom_id": custom_id, "result": result}).encode()


def message(text: str | None = '{"findings":[]}', **other: object) -> dict[str, object]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 26, "output_tokens": 7},
    } | other


def success(text: str | None = '{"findings":[]}', **other: object) -> BatchResult:
    return parse_result_line(
        line({"type": "succeeded", "message": message(text, **other)}), validate_review
    )


def test_a_success() -> None:
    assert success() == BatchResult(
        "i-0-abc",
        Outcome.SUCCEEDED,
        "claude-sonnet-5-5",
        Usage(input=26, output=7),
        '{"findings":[]}',
    )


def test_a_message_of_the_now_lane_is_the_same_success() -> None:
    assert parse_message("i-0-abc", json.dumps(message()).encode(), validate_review) == success()


def test_thinking_comes_first_and_citations_cut_the_text() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "text", "text": '{"findi', "citations": None},
        {"type": "from the future", "text": 3},
        {"type": "text", "text": 'ngs":[]}'},
    ]
    assert success(content=content).text == '{"findings":[]}'


@pytest.mark.parametrize(
    ("other", "outcome", "error"),
    [
        (
            {
                "stop_reason": "refusal",
                "stop_details": {"type": "refusal", "category": "cyber", "explanation": None},
            },
            Outcome.REFUSED,
            "refused: cyber",
        ),
        ({"stop_reason": "refusal"}, Outcome.REFUSED, "refused: no reason given"),
        ({"stop_reason": "max_tokens"}, Outcome.TRUNCATED, "the answer stopped early: max_tokens"),
        (
            {"stop_reason": "model_context_window_exceeded"},
            Outcome.TRUNCATED,
            "the answer stopped early: model_context_window_exceeded",
        ),
        ({"stop_reason": "pause_turn"}, Outcome.TRUNCATED, "the answer stopped early: pause_turn"),
        ({"stop_reason": None}, Outcome.TRUNCATED, "the answer stopped early: no reason given"),
    ],
)
def test_a_success_that_is_none_is_not_worth_the_same_request(
    other: dict[str, object], outcome: Outcome, error: str
) -> None:
    answer = success(**other)
    assert (answer.outcome, answer.error, answer.retriable) == (outcome, error, False)
    assert answer.usage == Usage(input=26, output=7)


@pytest.mark.parametrize(
    "text", [None, "", "No findings.", "[]", '{"findings":[{}]}', '{"findings":[],"more":1}']
)
def test_a_text_outside_the_schema_is_unreadable_and_worth_a_retry(text: str | None) -> None:
    answer = success(text)
    assert answer.outcome is Outcome.UNREADABLE
    assert answer.retriable
    assert str(answer.error).startswith("the answer does not fit its schema")


def test_the_error_names_the_place_and_never_the_input() -> None:
    answer = success(text_of(said("1abc", "1abc", severity="hunter2")))
    assert answer.error == (
        "the answer does not fit its schema: findings.0.severity: "
        "Input should be 'critical', 'high', 'medium' or 'low'"
    )


def test_without_a_shape_every_complete_text_will_do() -> None:
    answer = parse_result_line(line({"type": "succeeded", "message": message("Des Moines")}), None)
    assert (answer.outcome, answer.text) == (Outcome.SUCCEEDED, "Des Moines")


@pytest.mark.parametrize(
    ("kind", "retriable"),
    [
        ("invalid_request_error", False),
        ("billing_error", False),
        ("permission_error", False),
        ("authentication_error", False),
        ("not_found_error", False),
        ("rate_limit_error", True),
        ("timeout_error", True),
        ("api_error", True),
        ("overloaded_error", True),
        ("an_error_of_tomorrow", True),
    ],
)
def test_an_error_is_an_envelope(kind: str, retriable: bool) -> None:
    envelope = {"type": "error", "error": {"type": kind, "message": "so"}, "request_id": None}
    answer = parse_result_line(line({"type": "errored", "error": envelope}), None)
    assert answer == BatchResult(
        "i-0-abc", Outcome.ERRORED, error=f"{kind}: so", retriable=retriable
    )


def test_expired_and_canceled_cost_nothing_and_may_be_sent_again() -> None:
    for kind in ("expired", "canceled"):
        answer = parse_result_line(line({"type": kind}), None)
        assert (answer.outcome, answer.usage, answer.retriable) == (Outcome(kind), None, True)


def test_an_unknown_result_is_recorded_and_not_dropped() -> None:
    answer = parse_result_line(line({"type": "postponed"}), None)
    assert answer.outcome is Outcome.UNREADABLE
    assert answer.error == "a result of the unknown type 'postponed'"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'{"custom_id":1,"result":{}}', b'{"custom_id":"a"}', b"\xff"],
)
def test_what_has_no_custom_id_is_no_line(raw: bytes) -> None:
    with pytest.raises(InvalidResponse):
        parse_result_line(raw, validate_review)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({"input_tokens": 1, "output_tokens": 2}, Usage(input=1, output=2)),
        (
            {
                "input_tokens": 1,
                "output_tokens": 2,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
                "output_tokens_details": {"thinking_tokens": 1},
                "service_tier": "batch",
            },
            Usage(input=1, output=2, cache_read=3, cache_write_5m=4, cache_write_1h=5, thinking=1),
        ),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 9},
            Usage(input=1, output=2, cache_write_5m=9),
        ),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": None},
            Usage(input=1, output=2),
        ),
    ],
)
def test_usage(usage: object, expected: Usage | None) -> None:
    answer = success(usage=usage)
    assert (answer.usage, answer.error) == (expected, None)


@pytest.mark.parametrize(
    ("usage", "name"),
    [
        ({"input_tokens": -3, "output_tokens": 2}, "input_tokens is -3"),
        ({"input_tokens": 3}, "output_tokens is None"),
        ({"input_tokens": 1.5, "output_tokens": 2}, "input_tokens is 1.5"),
        ({"input_tokens": True, "output_tokens": 2}, "input_tokens is True"),
        ({"input_tokens": 10**30, "output_tokens": 2}, "input_tokens is 1" + "0" * 30),
        ("many", "input_tokens is None"),
    ],
)
def test_an_absurd_usage_is_none_and_said(usage: object, name: str) -> None:
    answer = success(usage=usage)
    assert answer.outcome is Outcome.SUCCEEDED
    assert (answer.usage, answer.error) == (None, f"the usage is unusable: {name}")


def test_a_finding_is_bound_to_its_task_and_lines() -> None:
    text = text_of(said(mark(6), mark(7), severity="HIGH ", replacement="b = 3"))
    (finding,) = parse_review(text, "i-0-abc", TASKS, "review")
    assert (finding.task, finding.path, finding.first, finding.last) == ("t2", "b.py", 1, 2)
    assert (finding.side, finding.severity) == (Side.RIGHT, Severity.HIGH)
    assert (finding.replacement, finding.unplaced) == ("b = 3", None)


def test_removed_lines_within_the_range_are_no_part_of_the_fingerprint() -> None:
    without = Hunk(1, 1, b" def total(rows):\n+    return sum(rows)\n ")
    (one,) = parse_review(text_of(said(mark(1), mark(3))), "i-0-abc", TASKS, "review")
    task = asked("t9", "a.py", without)
    start, end = build_anchor(1, task.hashes[:8]), build_anchor(2, task.hashes[8:16])
    (other,) = parse_review(text_of(said(start, end)), "j-4-def", [task], "review")
    assert one.fingerprint == other.fingerprint
    assert one.id != other.id


def test_an_anchor_that_does_not_hold_is_shown_and_not_guessed_at() -> None:
    text = text_of(said("1xyz", "1xyz"), said("1xyz", "1xyz"), said(mark(1), mark(5)))
    found = parse_review(text, "i-0-abc", TASKS, "review")
    assert [finding.task for finding in found] == [None, None, None]
    assert [finding.path for finding in found] == ["a.py"] * 3
    assert [finding.unplaced for finding in found] == [
        "the anchor's letters do not fit its line",
        "the anchor's letters do not fit its line",
        "the anchors are in two hunks",
    ]
    assert len({finding.fingerprint for finding in found}) == 3


def test_prose_is_capped_and_cleaned() -> None:
    text = text_of(
        said(mark(1), mark(1), title="a\x1b[31m\nb\u202ec" + "d" * 300, body="x\x00\n\ty" * 2_000)
    )
    (finding,) = parse_review(text, "i-0-abc", TASKS, "review")
    assert finding.title.startswith("a[31m bcdd")
    assert (len(finding.title), len(finding.body)) == (200, 4_000)
    assert finding.body.startswith("x\n\tyx\n\ty")


def test_a_finding_without_a_title_gets_one_and_without_words_is_malformed() -> None:
    text = text_of(
        said(mark(1), mark(1), title=" "),
        said(mark(1), mark(1), title="", body="\n", replacement="x"),
        said(mark(1), mark(1), title="\u200b\x00", body="```\n***"),
    )
    found = parse_review(text, "i-0-abc", TASKS, "review")
    assert [finding.title for finding in found] == ["It is wrong for an empty list.", "", ""]
    assert [finding.is_malformed for finding in found] == [False, True, True]
    assert {(finding.body, finding.replacement) for finding in found[1:]} == {("", None)}


def test_of_too_many_findings_only_their_number_is_kept() -> None:
    text = text_of(*[said(mark(1), mark(1), replacement="x")] * (MAX_FINDINGS + 7))
    found = parse_review(text, "i-0-abc", TASKS, "review")
    assert [finding.is_malformed for finding in found] == [False] * MAX_FINDINGS + [True] * 7
    assert {(one.task, one.body, one.replacement) for one in found[MAX_FINDINGS:]} == {
        (None, "", None)
    }
    assert len({finding.id for finding in found}) == MAX_FINDINGS + 7
    assert success(text).error == "7 findings beyond the first 200 were left out"


def test_the_model_and_the_schema_that_we_send_say_the_same() -> None:
    schema = json.loads(
        files("claude_batch.prompts").joinpath("templates", "answer.schema.json").read_bytes()
    )
    item = schema["properties"]["findings"]["items"]
    fields = ResponseFinding.model_fields.items()
    assert [field.alias or name for name, field in fields] == item["required"]
    assert list(item["properties"]) == item["required"]
    for name, words in {
        "severity": Severity,
        "confidence": Confidence,
        "category": Category,
    }.items():
        assert item["properties"][name]["enum"] == [word.value for word in words]
    assert list(ReviewResponse.model_fields) == schema["required"]


WORDS = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
ANCHORS = st.integers(1, 7).map(mark) | st.from_regex(r"\A[0-9]{1,9}[a-z]{3}\Z") | WORDS
FINDINGS = st.builds(
    said,
    ANCHORS,
    ANCHORS,
    severity=st.sampled_from([*Severity]) | WORDS,
    title=WORDS,
    replacement=st.none() | WORDS,
)


@settings(deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_line_raises_anything_else(raw: bytes) -> None:
    try:
        parse_result_line(raw, validate_review)
    except InvalidResponse:
        return


@settings(deadline=None)
@given(JSON)
def test_no_result_raises_anything(result: object) -> None:
    for wrapped in (
        result,
        {"type": "succeeded", "message": result},
        {"type": "errored", "error": result},
    ):
        try:
            parse_result_line(line(wrapped), validate_review)
        except InvalidResponse:
            assert not isinstance(wrapped, dict)


@settings(deadline=None)
@given(JSON, JSON, JSON, JSON)
def test_no_message_raises(content: object, usage: object, stop: object, details: object) -> None:
    other = {"content": content, "usage": usage, "stop_reason": stop, "stop_details": details}
    assert success(None, **other).custom_id == "i-0-abc"


@settings(deadline=None)
@given(WORDS | JSON.map(json.dumps) | st.lists(FINDINGS, max_size=5).map(lambda all: text_of(*all)))
def test_no_text_raises_or_points_outside_its_task(text: str) -> None:
    try:
        found = parse_review(text, "i-0-abc", TASKS, "review")
    except InvalidResponse:
        return
    lines = {task.id: len(task.signs) for task in TASKS}
    for finding in found:
        assert (finding.task is None) == (finding.unplaced is not None)
        if finding.task is not None:
            assert 0 <= finding.first <= finding.last < lines[finding.task]


@settings(deadline=None)
@given(st.lists(FINDINGS, max_size=3).map(lambda all: text_of(*all)))
def test_without_tasks_nothing_is_placed(text: str) -> None:
    try:
        found = parse_review(text, "i-0-abc", (), "review")
    except InvalidResponse:
        return
    assert all(finding.unplaced for finding in found)
