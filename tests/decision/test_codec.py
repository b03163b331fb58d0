"""Documents: what loads, what does not and why, and that nothing is lost on the way."""

from __future__ import annotations

import io
import json
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import HOUR, MINUTE, NOW, UTC, make_backoff, make_fleet, make_prebuild, make_preset
from prebuilds import (
    Backoff,
    Budget,
    BudgetScope,
    FailureClass,
    Foreground,
    GlobalSnapshot,
    HardLimit,
    InProgress,
    InvalidSnapshotError,
    MissingExtraError,
    Pending,
    Policy,
    PrebuildsError,
    PrebuildStatus,
    Precedence,
    Preset,
    RecentStarts,
    Schedule,
    Template,
    TemplateVersion,
    Transition,
    dump_plan,
    dump_snapshot,
    load_document,
    load_snapshot,
    plan,
)
from prebuilds.decision.documents.rfc3339 import format_instant, parse_instant
from prebuilds.testing import strategies

CHRISTMAS = date(2026, 12, 25)
FULL = {
    "presets": [
        {
            "id": "p",
            "name": "Large",
            "template_version_id": "v2",
            "template_version_name": "v2.0",
            "template_id": "t",
            "template_name": "backend",
            "organization_id": "o",
            "organization_name": "acme",
            "deleted": False,
            "deprecated": True,
            "using_active_version": False,
            "desired_instances": 3,
            "ttl_seconds": 86400,
            "timezone": "Europe/Berlin",
            "schedules": [
                {"cron": "* 8-18 * * 1-5", "instances": 5, "except_on": ["2026-12-25"], "lead_seconds": 2700},
                {"cron": "* * * * *", "instances": 2, "starts_on": "2026-12-24", "ends_on": "2026-12-26"},
                {"cron": "* * * * *", "instances": 9, "dates": ["2026-07-27", "2026-07-28"]},
            ],
            "precedence": "last_wins",
            "last_invalidated_at": "2026-11-23T08:30:00Z",
            "prebuild_status": "hard_limited",
            "parameters": {"cpu": "16"},
        }
    ],
    "running": [
        {
            "id": "w",
            "name": "swift-otter",
            "preset_id": "p",
            "template_id": "t",
            "template_version_id": "v1",
            "parameters": {"region": "eu"},
            "created_at": "2026-11-23T08:30:00.000001Z",
            "ready": True,
            "retired": True,
        }
    ],
    "in_progress": [{"preset_id": "p", "transition": "stop", "count": 2, "ids": ["x"]}],
    "pending": [{"preset_id": "p", "count": 1}],
    "backoffs": [
        {
            "preset_id": "p",
            "num_failed": 2,
            "last_build_at": "2026-11-23T09:30:00Z",
            "failed_attempts": 1,
            "failure": "capacity",
            "message": "quota exceeded",
        }
    ],
    "hard_limited": ["p"],
    "limits": [
        {
            "preset_id": "p",
            "since": "2026-11-23T09:12:00Z",
            "num_failed": 3,
            "last_tried_at": "2026-11-23T09:20:00Z",
            "failure": "configuration",
            "message": "no such image",
        }
    ],
    "foreground": [{"organization_id": "o", "template_id": "t", "starting": 2, "instances": 9}],
    "recent_starts": [{"preset_id": "p", "begun_at": "2026-11-23T09:29:30Z", "count": 2}],
}
TEMPLATE = Template(id="t", name="backend", organization_id="o", organization_name="acme", deprecated=True)
SNAPSHOT = GlobalSnapshot(
    presets=[
        Preset(
            id="p",
            name="Large",
            template_version=TemplateVersion(id="v2", name="v2.0", template=TEMPLATE, is_active=False),
            desired_instances=3,
            ttl=timedelta(days=1),
            timezone="Europe/Berlin",
            schedules=[
                Schedule(cron="* 8-18 * * 1-5", instances=5, except_on=[CHRISTMAS], lead=timedelta(minutes=45)),
                Schedule(cron="* * * * *", instances=2, starts_on=date(2026, 12, 24), ends_on=date(2026, 12, 26)),
                Schedule(cron="* * * * *", instances=9, dates=[date(2026, 7, 28), date(2026, 7, 27)]),
            ],
            precedence=Precedence.LAST_WINS,
            last_invalidated_at=NOW - HOUR,
            prebuild_status=PrebuildStatus.HARD_LIMITED,
            parameters={"cpu": "16"},
        )
    ],
    running=[
        make_prebuild(
            "w",
            name="swift-otter",
            template_id="t",
            template_version_id="v1",
            parameters={"region": "eu"},
            created_at=NOW - HOUR + timedelta(microseconds=1),
            retired=True,
        )
    ],
    in_progress=[InProgress(preset_id="p", transition=Transition.STOP, count=2, ids=["x"])],
    pending=[Pending(preset_id="p", count=1)],
    backoffs=[
        attrs.evolve(make_backoff(2, NOW), failed_attempts=1, failure=FailureClass.CAPACITY, message="quota exceeded")
    ],
    hard_limited=["p"],
    limits=[
        HardLimit(
            preset_id="p",
            since=NOW - 18 * MINUTE,
            num_failed=3,
            last_tried_at=NOW - 10 * MINUTE,
            failure=FailureClass.CONFIGURATION,
            message="no such image",
        )
    ],
    foreground=[Foreground(organization_id="o", template_id="t", starting=2, instances=9)],
    recent_starts=[RecentStarts(preset_id="p", begun_at=NOW - MINUTE / 2, count=2)],
)


SECONDS = "0 or a number of seconds from 0.000001 to 3155760000, or null"
DATE = "a date without a time of day, such as 2026-12-25"


def find_problems(document: object) -> tuple[str, ...]:
    with pytest.raises(InvalidSnapshotError) as raised:
        load_snapshot(document)  # type: ignore[arg-type]
    assert str(raised.value) == "\n".join(raised.value.problems)
    return raised.value.problems


def test_every_key_of_the_format_is_read_and_written() -> None:
    """A full document and the models it stands for are the same thing."""
    assert load_snapshot(FULL) == SNAPSHOT
    assert dump_snapshot(SNAPSHOT) == FULL


def test_a_document_may_have_budgets() -> None:
    """With the snapshot that it wraps; the plan says which budget withholds a create."""
    document = load_document(
        {
            "budgets": [{"scope": "template", "key": "t", "max_starting": 1}],
            "snapshot": {"presets": [{"id": "p", "desired_instances": 3, "template_id": "t"}]},
        }
    )
    assert document.budgets == (Budget(scope=BudgetScope.TEMPLATE, key="t", max_starting=1),)
    made = plan(document.snapshot, now=NOW, policy=Policy(budgets=document.budgets))
    assert dump_plan(made)["decisions"][0]["withheld"] == [
        {"reason": "budget", "budget": "template t", "action": {"type": "create", "create": 2}}
    ]


def test_a_schedule_is_read_field_by_field() -> None:
    """Dates are text, a lead is in seconds, and fields that contradict each other are told with their names."""
    row = {"cron": "* 8 * * *", "instances": 1}
    schedules = [
        {**row, "starts_on": "2026-13-01", "ends_on": 20261225, "lead_seconds": None},
        {**row, "dates": ["2026-12-25", "25.12.2026", None], "except_on": "2026-12-25", "lead_seconds": 604_801},
        {**row, "starts_on": "2026-12-25T00:00:00Z", "ends_on": None, "lead": 45},
        {**row, "starts_on": "2026-12-25", "ends_on": "2026-12-24"},
        {**row, "dates": ["2026-12-25"], "starts_on": "2026-12-25"},
    ]
    document = {"presets": [{"id": "p", "desired_instances": 1, "schedules": schedules, "precedence": "first_wins"}]}
    place = "presets[0].schedules"
    assert sorted(find_problems(document)) == sorted(
        [
            'presets[0].precedence: "first_wins" is not allowed; it must be one of fall_back, last_wins',
            f'{place}[0].starts_on: "2026-13-01" is not allowed; it must be {DATE}',
            f"{place}[0].ends_on: 20261225 is not allowed; it must be {DATE}",
            f"{place}[0].lead_seconds: null is not allowed; it must be {SECONDS.removesuffix(', or null')}",
            f'{place}[1].dates[1]: "25.12.2026" is not allowed; it must be {DATE}',
            f"{place}[1].dates[2]: null is not allowed; it must be {DATE}",
            f'{place}[1].except_on: "2026-12-25" is not allowed; it must be a list',
            f"{place}[1].lead_seconds: 604801 is not allowed; it must be seconds, from 0 to 7 days",
            f'{place}[2].starts_on: "2026-12-25T00:00:00Z" is not allowed; it must be {DATE}',
            f"{place}[2].lead: unknown key",
            f'{place}[3].ends_on: "2026-12-24" is not allowed; it must be the date of starts_on, 2026-12-25, '
            "or a later one",
            f'{place}[4].dates: ["2026-12-25"] is not allowed; it must be empty, as starts_on or ends_on is given',
        ]
    )


def test_keys_that_came_later_are_left_out_at_their_defaults() -> None:
    """So that 0.1 reads every document that it can express."""
    row = {"preset_id": "p", "transition": "start", "count": 2}
    document = {"presets": [{"id": "p", "desired_instances": 3}], "in_progress": [row]}
    assert dump_snapshot(load_snapshot(document))["in_progress"] == [row]


def test_few_keys_are_required() -> None:
    """A preset needs id and desired_instances, a running row id, preset_id and created_at."""
    document = {
        "presets": [{"id": "p", "desired_instances": 3}],
        "running": [{"id": "w", "preset_id": "p", "created_at": "2026-11-23T09:30:00+01:00"}],
    }
    row = make_prebuild("w", created_at=NOW - HOUR, ready=False)
    assert load_snapshot(document) == make_fleet(running=[row])
    assert load_snapshot({}) == GlobalSnapshot()


@given(strategies.instants().flatmap(lambda now: strategies.global_snapshots(now=now)))
def test_a_round_trip_is_exact(snapshot: GlobalSnapshot) -> None:
    """Through JSON text and back, every snapshot is equal to itself."""
    assert load_snapshot(io.StringIO(json.dumps(dump_snapshot(snapshot)))) == snapshot


@given(st.timedeltas(timedelta(), timedelta(days=36_525)))
def test_durations_keep_every_microsecond(ttl: timedelta) -> None:
    """Whole seconds are written as whole numbers, others with their fraction."""
    document = dump_snapshot(make_fleet(make_preset(ttl=ttl)))
    assert isinstance(document["presets"][0]["ttl_seconds"], int) is (ttl.microseconds == 0)
    assert load_snapshot(json.loads(json.dumps(document))).presets[0].ttl == ttl


def test_paths_files_and_dicts_are_read_alike(tmp_path: Path) -> None:
    """With or without a byte order mark."""
    path = tmp_path / "fleet.json"
    text = json.dumps(FULL)
    path.write_text(text, encoding="utf-8-sig")
    with path.open("rb") as file:
        assert load_snapshot(file) == SNAPSHOT
    assert load_snapshot(path) == load_snapshot(str(path)) == load_snapshot(io.StringIO(text)) == SNAPSHOT
    with pytest.raises(FileNotFoundError):
        load_snapshot(tmp_path / "none.json")


def test_a_document_may_bring_the_instant_and_the_interval() -> None:
    """Whatever else stands beside the three keys is the caller's own and is left alone."""
    wrapped = {"now": "2026-11-23T09:30:00Z", "backoff_interval_seconds": 60, "snapshot": FULL, "expected": []}
    document = load_document(wrapped)
    assert (document.now, document.backoff_interval, document.snapshot) == (NOW, MINUTE, SNAPSHOT)
    bare = load_document(FULL)
    assert (bare.now, bare.backoff_interval, bare.snapshot) == (None, None, SNAPSHOT)


def test_all_problems_are_reported_at_once_with_their_paths() -> None:
    """Types, ranges, missing and unknown keys, naive instants, things given twice: none hides another."""
    document = {
        "presets": [
            {
                "id": "p",
                "desired_instances": -1,
                "ttl_seconds": "x",
                "timezone": 5,
                "last_invalidated_at": 7,
                "using_active_version": "yes",
                "template_name": None,
                "schedules": [{"cron": "* 8 * * *", "instances": True}, 3],
                "prebuild_status": "fine",
                "parameters": [],
                "desired_instance": 1,
                "template_version": {},
                "odd key": 1,
            },
            {"id": "p", "desired_instances": 1},
            7,
            {},
        ],
        "running": [
            {"id": "a", "preset_id": "p", "created_at": "2026-01-01T00:00:00", "ready": None},
            {"id": "a", "preset_id": "", "created_at": "yesterday"},
        ],
        "in_progress": [{"preset_id": "p", "transition": "START", "count": 1.5}],
        "pending": None,
        "backoffs": {},
        "hard_limited": [1, "p", ""],
        "extra": 1,
    }
    assert sorted(find_problems(document)) == sorted(
        [
            "presets[0].desired_instances: -1 is not allowed; it must be a whole number from 0 to 2147483647",
            f'presets[0].ttl_seconds: "x" is not allowed; it must be {SECONDS}',
            "presets[0].timezone: 5 is not allowed; "
            "it must be text of at most 500 characters, none of them a control character, or null",
            "presets[0].last_invalidated_at: 7 is not an RFC 3339 instant such as 2026-01-31T09:30:00Z",
            'presets[0].using_active_version: "yes" is not allowed; it must be true or false',
            "presets[0].template_name: null is not allowed; "
            "it must be text of at most 500 characters, none of them a control character",
            "presets[0].schedules[0].instances: true is not allowed; it must be a whole number from 0 to 2147483647",
            "presets[0].schedules[1]: 3 is not allowed; it must be an object",
            'presets[0].prebuild_status: "fine" is not allowed; '
            "it must be one of healthy, hard_limited, validation_failed",
            "presets[0].parameters: [] is not allowed; it must be an object",
            "presets[0].desired_instance: unknown key",
            "presets[0].template_version: unknown key",
            'presets[0]."odd key": unknown key',
            "presets[2]: 7 is not allowed; it must be an object",
            "presets[3].id: missing",
            "presets[3].desired_instances: missing",
            'running[0].created_at: "2026-01-01T00:00:00" has no time zone; '
            "write an RFC 3339 instant such as 2026-01-31T09:30:00Z",
            "running[0].ready: null is not allowed; it must be true or false",
            'running[1].preset_id: "" is not allowed; '
            "it must be text of 1 to 500 characters, none of them a control character",
            'running[1].created_at: "yesterday" is not an RFC 3339 instant such as 2026-01-31T09:30:00Z',
            'in_progress[0].transition: "START" is not allowed; it must be one of start, stop, delete',
            "in_progress[0].count: 1.5 is not allowed; it must be a whole number from 0 to 2147483647",
            "pending: null is not allowed; it must be a list",
            "backoffs: {} is not allowed; it must be a list",
            "hard_limited[0]: 1 is not allowed; "
            "it must be text of 1 to 500 characters, none of them a control character",
            'hard_limited[2]: "" is not allowed; '
            "it must be text of 1 to 500 characters, none of them a control character",
            "extra: unknown key",
            'presets[1].id: "p" is given twice, first by presets[0]',
            'running[1].id: "a" is given twice, first by running[0]',
        ]
    )


def test_problems_of_a_wrapped_document_are_led_by_its_keys() -> None:
    """The path is that of the document as it was given."""
    preset = {"id": "p", "desired_instances": 1}
    wrapped = {"now": "x", "backoff_interval_seconds": -1, "snapshot": {"presets": [preset, preset]}}
    assert sorted(find_problems(wrapped)) == [
        f"backoff_interval_seconds: -1 is not allowed; it must be {SECONDS}",
        'now: "x" is not an RFC 3339 instant such as 2026-01-31T09:30:00Z',
        'snapshot.presets[1].id: "p" is given twice, first by presets[0]',
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), f"NaN is not allowed; it must be {SECONDS}"),
        (
            float("inf"),
            f"Infinity is not allowed; it must be {SECONDS}",
        ),
        (True, f"true is not allowed; it must be {SECONDS}"),
        (1e-7, f"1e-07 is not allowed; it must be {SECONDS}"),
        (10**400, None),
        ({1, 2}, None),
    ],
)
def test_a_duration_is_a_number_of_seconds(value: object, problem: str | None) -> None:
    """Nothing that merely looks like a number, and no value that is no JSON at all."""
    (found,) = find_problems({"presets": [{"id": "p", "desired_instances": 1, "ttl_seconds": value}]})
    assert found.startswith("presets[0].ttl_seconds: ")
    assert problem is None or found == f"presets[0].ttl_seconds: {problem}"


@pytest.mark.parametrize("value", [3, [], "x", None])
def test_a_snapshot_is_an_object(value: object) -> None:
    """Nothing else is taken for one."""
    shown = json.dumps(value)
    assert find_problems({"snapshot": value}) == (f"snapshot: {shown} is not allowed; it must be an object",)
    assert find_problems(io.StringIO(shown)) == (f"document: {shown} is not allowed; it must be an object",)


@pytest.mark.parametrize(
    ("document", "last"),
    [
        ({"presets": [1] * 5_000}, "presets[999]: 1 is not allowed; it must be an object"),
        (
            {"presets": [{"id": "p", "desired_instances": 1}] * 3_000},
            'presets[1000].id: "p" is given twice, first by presets[0]',
        ),
        ({f"key-{number:04}": 1 for number in range(2_000)}, "key-0999: unknown key"),
    ],
)
def test_no_more_than_a_thousand_problems_are_reported(document: object, last: str) -> None:
    """After that many problems reading stops, whatever kind they are, and the error says so."""
    assert find_problems(document)[999:] == (last, "more than 1000 problems; the rest are not listed")


def test_a_problem_is_reported_once() -> None:
    """A thousand of them and no more is not too many."""
    assert InvalidSnapshotError(["a", "b", "a"]).problems == ("a", "b")
    thousand = tuple(str(number) for number in range(1_000))
    assert InvalidSnapshotError(thousand).problems == thousand


def test_values_too_deep_to_show_are_reported() -> None:
    """However deep, at any place, a value never takes the message down with it."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    (problem,) = find_problems({"presets": [{"id": "p", "desired_instances": deep}]})
    assert problem == (
        "presets[0].desired_instances: a value of type list, too large or too deep to print is not allowed; "
        "it must be a whole number from 0 to 2147483647"
    )
    for depth in range(900, 1_100):
        assert len(find_problems(io.StringIO("[" * depth + "]" * depth))) == 1


def test_no_key_is_mistaken_for_another() -> None:
    """Not even one that is called as the reader calls what lies flat."""
    for key in ("template_version", "(template_version)", "(template)"):
        (problem,) = find_problems({"presets": [{"id": "p", "desired_instances": 1, key: 5}]})
        assert problem.startswith("presets[0].")
        assert problem.endswith(": unknown key")


@pytest.mark.parametrize("source", [[], None, b"{}", 5])
def test_only_paths_files_and_dicts_are_sources(source: object) -> None:
    """Anything else is refused in a sentence."""
    (problem,) = find_problems(source)
    assert problem == f"document: not JSON: {source!r} is neither a path, nor an open file, nor a dict"


def test_an_impossible_path_and_undecodable_text_are_refused(tmp_path: Path) -> None:
    """A path with a zero byte, and a file opened as text whose bytes are none."""
    (problem,) = find_problems("a\0b")
    assert problem.startswith("document: not JSON: embedded null")
    path = tmp_path / "fleet.json"
    path.write_bytes(b'{"a": "\xff"}')
    with path.open(encoding="utf-8") as file:
        assert find_problems(file) == ("document: not UTF-8 text: byte 7 is 255",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not JSON: the document is empty"),
        (b" \n", "not JSON: the document is empty"),
        (b'{"presets": [', "not JSON: line 1, column 14: Expecting value"),
        (b'{"a": "\xff"}', "not UTF-8 text: byte 7 is 255"),
        (b'{"snapshot": NaN}', "not JSON: NaN is not a JSON number"),
        (b'{"a": 1, "b": {"a": 1, "b": 2, "b": 3}}', "not JSON: an object has the key 'b' twice"),
        (b'{"id": "x", "a": 1, "a": 2}', "not JSON: an object has the key 'a' twice (its id is 'x')"),
        (b"[" * 1_000_000, "not read: nested too deeply"),
        (b"1" * 5_000, None),
    ],
)
def test_text_that_is_not_json_is_refused_in_one_line(content: bytes, problem: str | None) -> None:
    """Empty, cut off, not text, not JSON, or too deep."""
    (found,) = find_problems(io.BytesIO(content))
    assert found.startswith("document: ")
    assert problem is None or found == f"document: {problem}"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2026-01-01T00:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*FULL, *FULL["presets"][0], "snapshot", "now", "count", "x"]), inner, max_size=4
        )
    ),  # type: ignore[misc]
    max_leaves=12,
)


@given(JSON_VALUES)
def test_arbitrary_json_loads_or_raises_the_documented_error(value: Any) -> None:
    """And what loads can be planned, explained and dumped."""
    try:
        snapshot = load_snapshot(io.StringIO(json.dumps(value)))
    except InvalidSnapshotError as error:
        assert error.problems
        return
    made = plan(snapshot, now=NOW)
    json.dumps(dump_plan(made))
    assert made.explain()


@given(st.binary(max_size=200))
def test_arbitrary_bytes_load_or_raise_the_documented_error(content: bytes) -> None:
    """No file makes the reader fail in another way."""
    try:
        load_snapshot(io.BytesIO(content))
    except InvalidSnapshotError as error:
        assert error.problems


def test_a_plan_is_written_in_the_documented_form() -> None:
    """Decisions in order, each with the state's ten counts and each action with its own payload alone."""
    inactive = make_preset(id="old", template_version=TemplateVersion(is_active=False))
    fleet = make_fleet(
        make_preset(ttl=2 * HOUR),
        inactive,
        make_preset(id="b"),
        make_preset(id="h", desired_instances=1),
        running=[make_prebuild("w"), make_prebuild("x", preset_id="old"), make_prebuild("y", preset_id="ghost")],
        pending=[Pending(preset_id="old", count=1)],
        backoffs=[Backoff(preset_id="b", num_failed=1, last_build_at=NOW)],
        hard_limited=["h"],
    )
    zeros = dict.fromkeys(
        ("actual", "expired", "desired", "eligible", "extraneous", "starting", "stopping", "deleting"), 0
    ) | {"target_source": "preset", "target_error": None}
    assert dump_plan(plan(fleet, now=NOW)) == {
        "now": "2026-11-23T09:30:00Z",
        "next_change_at": "2026-11-23T09:31:00.000001Z",
        "orphans": 1,
        "decisions": [
            {
                "preset_id": "p",
                "state": zeros | {"actual": 1, "eligible": 1, "desired": 3},
                "actions": [{"type": "create", "create": 2}],
                "withheld": [],
                "next_change_at": "2026-11-23T10:30:00.000001Z",
            },
            {
                "preset_id": "old",
                "state": zeros | {"actual": 1, "target_source": "inactive"},
                "actions": [{"type": "cancel_pending"}, {"type": "delete", "delete_ids": ["x"]}],
                "withheld": [],
                "next_change_at": None,
            },
            {
                "preset_id": "b",
                "state": zeros | {"desired": 3},
                "actions": [{"type": "backoff", "backoff_until": "2026-11-23T09:31:00Z"}],
                "withheld": [],
                "next_change_at": "2026-11-23T09:31:00.000001Z",
            },
            {
                "preset_id": "h",
                "state": zeros | {"desired": 1},
                "actions": [],
                "withheld": [{"reason": "hard_limited", "action": {"type": "create", "create": 1}}],
                "next_change_at": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T09:30:00Z", NOW),
        ("2026-11-23t10:30:00.5+01:00", NOW + timedelta(milliseconds=500)),
        ("2026-11-23 04:00:00.000001999-05:30", NOW + timedelta(microseconds=1)),
    ],
)
def test_rfc_3339_is_read_in_all_its_forms(text: str, instant: datetime) -> None:
    """Any offset, fractions of any length, whose digits beyond the microsecond are cut off."""
    assert parse_instant(text) == instant
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-13-01T00:00:00Z", "2026-11-23T09:30:60Z", "0001-01-01T00:00:00+01:00"])
def test_dates_that_do_not_exist_are_refused(text: str) -> None:
    """Nor can an instant lie before the year 1 of UTC."""
    with pytest.raises(ValueError, match="is not a date and time of the years 1 to 9999 of UTC"):
        parse_instant(text)


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_an_instant_is_written_as_it_is_read(instant: datetime) -> None:
    """Every instant that a datetime can hold, to the microsecond."""
    assert parse_instant(format_instant(instant)) == instant


def test_without_cattrs_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading needs the extra `cli`; any other missing module is no business of that message."""
    for name in [
        name
        for name in sys.modules
        if name.startswith(("cattrs", "prebuilds.decision.documents.loading", "prebuilds.decision.documents.converter"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("prebuilds.decision.documents.loading", raising=False)
    monkeypatch.delattr("prebuilds.decision.documents.converter", raising=False)
    monkeypatch.setitem(sys.modules, "cattrs", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'prebuilds\[cli\]'") as raised:
        load_snapshot({})
    assert isinstance(raised.value, ImportError)
    assert isinstance(raised.value, PrebuildsError)
    monkeypatch.delitem(sys.modules, "cattrs")
    monkeypatch.setitem(sys.modules, "prebuilds.decision.documents.json_text", None)
    with pytest.raises(ModuleNotFoundError, match="json_text"):
        load_snapshot({})
