"""Models hold valid values only, and say what is wrong with any other."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

import prebuilds
from decision.examples import HOUR, NOW, UTC, make_fleet, make_prebuild, make_preset, make_snapshot
from prebuilds import (
    ActionType,
    Backoff,
    Build,
    BuildStatus,
    GlobalSnapshot,
    InProgress,
    InvalidSnapshotError,
    InvalidValueError,
    Pending,
    Plan,
    Policy,
    Prebuild,
    Preset,
    ReconciliationActions,
    ReconciliationState,
    Schedule,
    TargetSource,
    Template,
    TemplateVersion,
    Transition,
    Withheld,
    WithheldReason,
    plan,
)
from prebuilds.decision.fields import FIRST_NOW, LAST_NOW

CREATE = ReconciliationActions(type=ActionType.CREATE, create=1)
STATE = dict.fromkeys(
    ("actual", "expired", "desired", "eligible", "extraneous", "starting", "stopping", "deleting"), 0
) | {"target_source": TargetSource.PRESET}
DECISION = next(iter(plan(make_fleet(), now=NOW)))

VALID: dict[type, dict[str, Any]] = {
    Template: {},
    TemplateVersion: {},
    Schedule: {"cron": "* 8-18 * * *", "instances": 1},
    Preset: {"id": "p", "desired_instances": 1},
    Prebuild: {"id": "w", "preset_id": "p", "created_at": NOW},
    InProgress: {"preset_id": "p", "transition": Transition.START, "count": 1},
    Pending: {"preset_id": "p", "count": 1},
    Backoff: {"preset_id": "p", "num_failed": 1, "last_build_at": NOW},
    Build: {"id": "b", "preset_id": "p", "status": BuildStatus.RUNNING, "created_at": NOW},
    Policy: {},
    GlobalSnapshot: {},
    prebuilds.PresetSnapshot: {"preset": make_preset(), "now": NOW},
    ReconciliationState: STATE,
    ReconciliationActions: {"type": ActionType.CREATE, "create": 1},
    Withheld: {"reason": WithheldReason.PAUSED, "action": CREATE},
    prebuilds.Decision: {"preset_id": "p", "snapshot": make_snapshot(), "policy": Policy()},
    Plan: {"now": NOW},
    prebuilds.Target: {"desired": 1, "source": TargetSource.PRESET},
}

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001
COUNT = "a whole number from 0 to 2147483647"
TEXT = "text of at most 500 characters, none of them a control character"
ID = "text of 1 to 500 characters, none of them a control character"
INSTANT = "a datetime with a time zone, in the years 1 to 9999 of UTC"
REASONS = ", ".join(f"WithheldReason.{reason.name}" for reason in WithheldReason)

IN_PROGRESS_OF_Q = InProgress(preset_id="q", transition=Transition.START, count=1)
BACKOFF_OF_Q = Backoff(preset_id="q", num_failed=1, last_build_at=NOW)

WRONG: list[tuple[type, str, Any, str]] = [
    (Template, "id", 1, TEXT),
    (Template, "name", "a\nb", TEXT),
    (Template, "deleted", 1, "True or False"),
    (TemplateVersion, "template", "t", "a Template"),
    (TemplateVersion, "is_active", None, "True or False"),
    (Schedule, "cron", None, "five cron fields, in at most 500 characters"),
    (Schedule, "cron", "*" * 501, "five cron fields, in at most 500 characters"),
    (Schedule, "instances", -1, COUNT),
    (Schedule, "instances", True, COUNT),
    (Preset, "id", "", ID),
    (Preset, "id", "x" * 501, ID),
    (Preset, "name", "\ud800", TEXT),
    (Preset, "name", "abc\u202e", TEXT),
    (Preset, "template_version", None, "a TemplateVersion"),
    (Preset, "desired_instances", 1.0, COUNT),
    (Preset, "desired_instances", 2**31, COUNT),
    (Preset, "ttl", 60, "a timedelta from 0 to 36525 days, or None"),
    (Preset, "ttl", timedelta(seconds=-1), "a timedelta from 0 to 36525 days, or None"),
    (Preset, "timezone", 1, f"{TEXT}, or None"),
    (Preset, "schedules", "* * * * *", "a collection of Schedule"),
    (Preset, "schedules", [Schedule(cron="*", instances=1)] * 101, "a collection of at most 100"),
    (Preset, "schedules", 5, "a collection of Schedule"),
    (Preset, "last_invalidated_at", NAIVE, f"{INSTANT}, or None"),
    (
        Preset,
        "prebuild_status",
        "healthy",
        "one of PrebuildStatus.HEALTHY, PrebuildStatus.HARD_LIMITED, PrebuildStatus.VALIDATION_FAILED",
    ),
    (Preset, "parameters", {"a": 1}, "a mapping of parameter names to values, both text"),
    (Preset, "parameters", [("a", "1"), ("a", "2")], "a mapping of parameter names to values, both text"),
    (Preset, "parameters", ["ab", "cd"], "a mapping of parameter names to values, both text"),
    (Preset, "parameters", "", "a mapping of parameter names to values, both text"),
    (Preset, "parameters", 5, "a mapping of parameter names to values, both text"),
    (Prebuild, "created_at", NAIVE, INSTANT),
    (Prebuild, "created_at", "2026-01-01T00:00:00Z", INSTANT),
    (Prebuild, "created_at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), INSTANT),
    (Prebuild, "ready", "yes", "True or False"),
    (InProgress, "transition", "start", "one of Transition.START, Transition.STOP, Transition.DELETE"),
    (InProgress, "count", None, COUNT),
    (Pending, "preset_id", "", ID),
    (Backoff, "num_failed", -1, COUNT),
    (Build, "finished_at", NOW, "None, as the build is running"),
    (Policy, "backoff_interval", timedelta(days=36_526), "a timedelta from 0 to 36525 days"),
    (Policy, "failure_hard_limit", -1, COUNT),
    (GlobalSnapshot, "presets", {"p": 1}, "a collection of Preset"),
    (GlobalSnapshot, "hard_limited", MappingProxyType({"p": 1}), "a collection of ids"),
    (GlobalSnapshot, "hard_limited", "p", "a collection of ids"),
    (GlobalSnapshot, "hard_limited", [""], "a collection of ids"),
    (prebuilds.PresetSnapshot, "now", NAIVE, "a datetime with a time zone, from 0001-01-02 to 9999-12-30"),
    (
        prebuilds.PresetSnapshot,
        "now",
        datetime.max.replace(tzinfo=UTC),
        "a datetime with a time zone, from 0001-01-02 to 9999-12-30",
    ),
    (prebuilds.PresetSnapshot, "running", [make_prebuild("w", preset_id="q")], "of the preset 'p'"),
    (prebuilds.PresetSnapshot, "running", [make_prebuild("w")] * 2, "distinct prebuilds, none in `expired`"),
    (prebuilds.PresetSnapshot, "expired", [make_prebuild("w", preset_id="q")], "of the preset 'p'"),
    (prebuilds.PresetSnapshot, "in_progress", [IN_PROGRESS_OF_Q], "of the preset 'p'"),
    (prebuilds.PresetSnapshot, "backoff", BACKOFF_OF_Q, "of the preset 'p'"),
    (prebuilds.PresetSnapshot, "expired", 1, "a collection of Prebuild"),
    (prebuilds.PresetSnapshot, "pending", -1, "a whole number of 0 or more"),
    (prebuilds.PresetSnapshot, "backoff", 1, "a Backoff, or None"),
    (ReconciliationState, "actual", -1, "a whole number of 0 or more"),
    (ReconciliationState, "target_error", 1, "a str, or None"),
    (ReconciliationActions, "delete_ids", ("a", "a"), "a collection of distinct ids"),
    (ReconciliationActions, "delete_ids", [""], "a collection of distinct ids"),
    (ReconciliationActions, "delete_ids", "ab", "a collection of distinct ids"),
    (ReconciliationActions, "backoff_until", NAIVE, f"{INSTANT}, or None"),
    (
        Withheld,
        "reason",
        "paused",
        f"one of {REASONS}",
    ),
    (Withheld, "action", None, "a ReconciliationActions"),
    (prebuilds.Decision, "actions", 1, "a collection of ReconciliationActions"),
    (Plan, "decisions", None, "a collection of Decision"),
]


@pytest.mark.parametrize(("model", "field", "value", "allowed"), WRONG)
def test_a_wrong_value_is_refused_by_name(model: type, field: str, value: object, allowed: str) -> None:
    """The error names model and field, shows the value, and says what is allowed."""
    with pytest.raises(InvalidValueError) as raised:
        model(**VALID[model] | {field: value})
    error = raised.value
    assert (error.model, error.field, error.allowed) == (model.__name__, field, allowed)
    assert str(error).startswith(f"{model.__name__}.{field}: ")
    assert str(error).endswith(f" is not allowed; it must be {allowed}")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("model", VALID)
def test_models_are_frozen_slotted_and_keyword_only(model: type) -> None:
    """No model can be changed, given a new attribute or made from positions."""
    made = model(**VALID[model])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.anything = 1
    assert not hasattr(made, "__dict__")
    assert all(field.kw_only for field in attrs.fields(model) if field.init)
    assert model(**VALID[model]) == made
    assert hash(model(**VALID[model])) == hash(made)


@pytest.mark.parametrize("model", VALID)
def test_models_survive_pickling_and_copying(model: type) -> None:
    """A model that has been to another process is the same model."""
    made = model(**VALID[model])
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301
    assert copy.deepcopy(made) == made


def test_collections_become_tuples_and_are_left_alone() -> None:
    """Any iterable will do, even one that can be read once only; a list that is given is not kept and not changed."""
    schedules = [Schedule(cron="* 9 * * *", instances=1), Schedule(cron="* 8 * * *", instances=1)]
    preset = make_preset(schedules=schedules, parameters={"b": "2", "a": "1"})
    assert preset.schedules == tuple(schedules)
    assert preset.parameters == (("a", "1"), ("b", "2"))
    rows = [make_prebuild("b"), make_prebuild("a")]
    assert make_fleet(running=rows).running == tuple(rows)
    assert make_snapshot(running=rows).running == make_snapshot(running=iter(rows)).running == tuple(rows[::-1])
    assert [row.id for row in rows] == ["b", "a"]


def test_a_wrong_element_is_named_by_its_place() -> None:
    """Among thousands, the one that is wrong; a generator is not used up by finding out."""
    with pytest.raises(InvalidValueError, match=r"^GlobalSnapshot\.running\[1\]: None is not allowed"):
        make_fleet(running=[make_prebuild("w"), None])
    with pytest.raises(InvalidValueError, match=r"^PresetSnapshot\.running\[1\]: None is not allowed"):
        make_snapshot(running=(row for row in [make_prebuild("w"), None]))
    with pytest.raises(InvalidValueError, match=r"^Preset\.schedules\[0\]: '\* \* \* \* \*' is not allowed"):
        make_preset(schedules=["* * * * *"])


def test_children_of_a_model_are_that_model() -> None:
    """A host may add fields of its own."""

    @attrs.frozen(kw_only=True)
    class HostPreset(Preset):
        owner: str = ""

    preset = HostPreset(id="p", desired_instances=1, owner="me")
    assert make_fleet(preset).for_preset("p", NOW).preset is preset


def test_a_models_dict_has_what_the_model_was_made_of() -> None:
    """Nothing of how a snapshot is indexed shows."""
    assert set(attrs.asdict(make_fleet())) == {
        "presets",
        "running",
        "in_progress",
        "pending",
        "backoffs",
        "hard_limited",
        "limits",
        "foreground",
        "recent_starts",
        "demand",
    }


def test_the_first_and_the_last_instant_can_be_planned_at() -> None:
    """In every time zone, and what would come later than the last never comes."""
    schedules = [Schedule(cron="* 9 * * *", instances=1)]
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        preset = make_preset(schedules=schedules, timezone=zone, ttl=timedelta(days=1))
        for now in (FIRST_NOW, LAST_NOW):
            made = plan(make_fleet(preset, running=[make_prebuild("w", created_at=now)]), now=now)
            assert made.next_change_at is None or FIRST_NOW < made.next_change_at <= LAST_NOW
            assert made.explain()
        assert made.next_change is None


def test_a_tab_between_cron_fields_is_allowed() -> None:
    """As crontabs have them; shown, it is a space."""
    preset = make_preset(schedules=[Schedule(cron="*\t9 * * *", instances=5)], timezone="UTC")
    decision = plan(make_fleet(preset), now=NOW).decisions[0]
    assert decision.explain() == "p: create 5: 5 wanted (window `* 9 * * *`, UTC, until 09:59), 0 running"


def test_every_character_is_judged_alone() -> None:
    """Exactly these are refused: control characters, those that break lines or turn the writing, and surrogates."""

    def is_refused(code: int) -> bool:
        try:
            Prebuild(id=chr(code), preset_id="p", created_at=NOW)
        except InvalidValueError:
            return True
        return False

    refused = (range(0x20), range(0x7F, 0xA0), range(0x2028, 0x202F), range(0x2066, 0x206A), range(0xD800, 0xE000))
    assert [code for code in range(0x11000) if is_refused(code)] == [code for codes in refused for code in codes]


def test_instants_are_held_in_utc() -> None:
    """The two halves of a repeated hour are an hour apart, which datetimes of one zone would hide."""
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (
        make_prebuild("w", created_at=datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold)).created_at
        for fold in (0, 1)
    )
    assert (first, second) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert first.tzinfo is UTC


@pytest.mark.parametrize(
    ("version", "is_active"),
    [
        (TemplateVersion(), True),
        (TemplateVersion(is_active=False), False),
        (TemplateVersion(template=Template(deleted=True)), False),
        (TemplateVersion(template=Template(deprecated=True)), False),
    ],
)
def test_a_preset_is_active_when_its_version_is_and_its_template_is_kept(
    version: TemplateVersion, is_active: bool
) -> None:
    """The version must be the active one, the template neither deleted nor deprecated."""
    preset = make_preset(template_version=version)
    assert preset.is_active is is_active
    assert attrs.evolve(preset, template_version=TemplateVersion()).is_active


@pytest.mark.parametrize(
    ("kind", "payload", "field", "allowed"),
    [
        (ActionType.CREATE, {}, "create", "given with the type CREATE"),
        (ActionType.CREATE, {"create": 1, "delete_ids": ["w"]}, "delete_ids", "left out with the type CREATE"),
        (ActionType.DELETE, {}, "delete_ids", "given with the type DELETE"),
        (ActionType.BACKOFF, {"create": 2, "backoff_until": NOW}, "create", "left out with the type BACKOFF"),
        (ActionType.CANCEL_PENDING, {"backoff_until": NOW}, "backoff_until", "left out with the type CANCEL_PENDING"),
    ],
)
def test_an_action_has_exactly_what_its_type_needs(
    kind: ActionType, payload: dict[str, Any], field: str, allowed: str
) -> None:
    """One of create, delete_ids and backoff_until, by the type; none for CANCEL_PENDING."""
    with pytest.raises(InvalidValueError) as raised:
        ReconciliationActions(type=kind, **payload)
    assert (raised.value.field, raised.value.allowed) == (field, allowed)


@pytest.mark.parametrize(
    ("status", "finished_at", "allowed"),
    [
        (BuildStatus.FAILED, None, "an instant from created_at on, as the build is failed"),
        (BuildStatus.SUCCEEDED, NOW - HOUR, "an instant from created_at on, as the build is succeeded"),
        (BuildStatus.PENDING, NOW, "None, as the build is pending"),
    ],
)
def test_a_build_has_ended_exactly_when_its_status_is_final(
    status: BuildStatus, finished_at: datetime | None, allowed: str
) -> None:
    """A final status needs an end that is not before the beginning; any other has none."""
    with pytest.raises(InvalidValueError) as raised:
        Build(id="b", preset_id="p", status=status, created_at=NOW, finished_at=finished_at)
    assert (raised.value.field, raised.value.allowed) == ("finished_at", allowed)


def test_a_snapshot_refuses_what_is_given_twice() -> None:
    """The error lists every preset id, prebuild id and backoff that is given twice, with both places."""
    backoff = Backoff(preset_id="p", num_failed=1, last_build_at=NOW)
    with pytest.raises(InvalidSnapshotError) as raised:
        GlobalSnapshot(
            presets=[make_preset(), make_preset(id="q"), make_preset()],
            running=[make_prebuild("w"), make_prebuild("w"), make_prebuild("w")],
            backoffs=[backoff, backoff],
        )
    assert raised.value.problems == (
        'presets[2].id: "p" is given twice, first by presets[0]',
        'running[1].id: "w" is given twice, first by running[0]',
        'running[2].id: "w" is given twice, first by running[0]',
        'backoffs[1].preset_id: "p" is given twice, first by backoffs[0]',
    )


def test_a_long_value_is_shortened_in_the_message() -> None:
    """A message stays readable for any value, even a number too long to print."""
    with pytest.raises(InvalidValueError) as raised:
        make_preset(id="x" * 10_000)
    assert len(str(raised.value)) < 250
    assert "(10002 characters)" in str(raised.value)
    with pytest.raises(InvalidValueError, match=r"Preset\.desired_instances"):
        str(make_preset(desired_instances=10**5_000))
