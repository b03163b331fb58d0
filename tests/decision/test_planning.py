"""Plans: a decision for each preset, what is withheld, what it says, and how two plans differ (R11)."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from decision.examples import (
    HOUR,
    INACTIVE,
    MICROSECOND,
    MINUTE,
    NOW,
    make_backoff,
    make_fleet,
    make_prebuild,
    make_preset,
    make_snapshot,
)
from prebuilds import (
    ActionType,
    Backoff,
    ChangeCause,
    Decision,
    DecisionChange,
    InvalidValueError,
    Orphans,
    Pending,
    Plan,
    PlanDiff,
    Policy,
    ReconciliationActions,
    Schedule,
    Template,
    TemplateVersion,
    UnknownPresetError,
    Withheld,
    WithheldReason,
    calculate_target,
    check_schedules,
    diff,
    plan,
)
from prebuilds.decision.plans.planning import list_cells, list_notes

CREATE_TWO = ReconciliationActions(type=ActionType.CREATE, create=2)
DELETE_OLD = ReconciliationActions(type=ActionType.DELETE, delete_ids=("old",))
ROWS = (make_prebuild("a"), make_prebuild("old", created_at=NOW - 5 * HOUR))
EXPIRING = make_preset(ttl=2 * HOUR)


def decide(**changes: object) -> Decision:
    (decision,) = plan(make_fleet(EXPIRING, running=ROWS, **changes), now=NOW)
    return decision


def test_decisions_come_in_the_order_of_the_presets() -> None:
    """A plan is a sized iterable of them."""
    made = plan(make_fleet(make_preset(id="z"), make_preset(id="a")), now=NOW)
    assert [decision.preset_id for decision in made] == ["z", "a"]
    assert len(made) == 2


def test_actions_are_to_be_done_unless_withheld() -> None:
    """Without a pause or a limit everything decided is in `actions`."""
    decision = decide()
    assert decision.actions == (DELETE_OLD, CREATE_TWO)
    assert decision.withheld == ()
    assert decision.state.expired == 1


def test_creates_of_a_hard_limited_preset_are_withheld() -> None:
    """Its deletes are done all the same."""
    decision = decide(hard_limited=["p"])
    assert decision.actions == (DELETE_OLD,)
    assert decision.withheld == (Withheld(reason=WithheldReason.HARD_LIMITED, action=CREATE_TWO),)


def test_a_pass_creates_so_many_of_a_preset_at_most() -> None:
    """What is beyond that is withheld, for later passes; exactly as many is not too many (field case 5)."""
    for most, withheld in ((3, 0), (2, 1)):
        fleet = make_fleet(make_preset(ttl=2 * HOUR), running=[make_prebuild("old", created_at=NOW - 3 * HOUR)])
        (decision,) = plan(fleet, now=NOW, policy=Policy(max_creates=most))
        assert decision.actions == (DELETE_OLD, ReconciliationActions(type=ActionType.CREATE, create=most))
        rest = ReconciliationActions(type=ActionType.CREATE, create=1)
        assert decision.withheld == (Withheld(reason=WithheldReason.MAX_CREATES, action=rest),) * withheld


def test_a_mistyped_count_creates_a_thousand() -> None:
    """Unless the policy says otherwise; nothing of the size of the count is made (field case 5)."""
    (decision,) = plan(make_fleet(make_preset(desired_instances=1_000_000_000)), now=NOW)
    assert [action.create for action in decision.actions] == [1_000]
    assert decision.explain().endswith("p: withheld (max_creates): create 999999000: 1000000000 wanted, 0 running")


def test_everything_is_withheld_while_paused() -> None:
    """Whatever else might hold it back: the pause is the reason."""
    fleet = make_fleet(EXPIRING, running=ROWS, hard_limited=["p"])
    (decision,) = plan(fleet, now=NOW, paused=True)
    assert decision.actions == ()
    assert decision.withheld == (
        Withheld(reason=WithheldReason.PAUSED, action=DELETE_OLD),
        Withheld(reason=WithheldReason.PAUSED, action=CREATE_TWO),
    )


def test_orphans_are_counted() -> None:
    """The plan has how many rows name no preset, and which."""
    rows = [make_prebuild("v", preset_id="ghost"), make_prebuild("w", preset_id="ghost")]
    made = plan(make_fleet(running=rows, hard_limited=["x", "x"]), now=NOW)
    assert made.orphans == 4
    assert made.orphan_counts == (
        Orphans(collection="running", preset_id="ghost", count=2),
        Orphans(collection="hard_limited", preset_id="x", count=2),
    )
    assert made.for_preset("p").caveats == (
        "2 rows of running left alone: there is no preset ghost.",
        "2 rows of hard_limited left alone: there is no preset x.",
    )


def test_the_policy_is_the_callers() -> None:
    """A longer interval holds a failing preset back for longer."""
    fleet = make_fleet(backoffs=[make_backoff(1, NOW - 2 * MINUTE)])
    assert next(iter(plan(fleet, now=NOW))).actions[0].type is ActionType.CREATE
    made = plan(fleet, now=NOW, policy=Policy(backoff_interval=HOUR))
    assert next(iter(made)).actions[0].type is ActionType.BACKOFF


def test_the_next_change_of_a_plan_is_the_earliest_of_its_decisions() -> None:
    """With its cause, so that a host can sleep until then and log why it woke."""
    late, early = make_preset(ttl=9 * HOUR), make_preset(id="q", ttl=2 * HOUR)
    made = plan(make_fleet(late, early, running=[make_prebuild("a"), make_prebuild("b", preset_id="q")]), now=NOW)
    assert made.next_change_at == NOW + HOUR + MICROSECOND
    assert made.next_change is not None
    assert (made.next_change.cause, made.next_change.subject) == (ChangeCause.EXPIRY, "b")
    assert [decision.next_change_at for decision in made] == [NOW + 8 * HOUR + MICROSECOND, made.next_change_at]
    assert plan(make_fleet(), now=NOW).next_change_at is None


def test_a_plan_can_be_narrowed_to_one_preset() -> None:
    """An unknown id is an error, not an empty plan."""
    made = plan(make_fleet(make_preset(), make_preset(id="q")), now=NOW)
    assert [decision.preset_id for decision in made.for_preset("q")] == ["q"]
    with pytest.raises(UnknownPresetError):
        made.for_preset("ghost")


def test_a_plan_needs_an_aware_now_and_a_policy() -> None:
    """It never guesses a zone, nor what to do about failures."""
    with pytest.raises(
        InvalidValueError, match=r"plan\.now: .* is not allowed; it must be a datetime with a time zone"
    ):
        plan(make_fleet(), now=NOW.replace(tzinfo=None))
    with pytest.raises(InvalidValueError, match=r"plan\.policy: None is not allowed; it must be a Policy"):
        plan(make_fleet(), now=NOW, policy=None)  # type: ignore[arg-type]


def test_decisions_are_equal_when_they_say_the_same() -> None:
    """The order of rows is no difference; anything that is said is one."""
    backwards = next(iter(plan(make_fleet(EXPIRING, running=ROWS[::-1]), now=NOW)))
    assert decide() == backwards
    assert hash(decide()) == hash(backwards)
    assert decide() != "decision"


def test_decisions_differ_in_anything_that_they_say() -> None:
    """The state, what is to be done, or what is withheld, each alone."""
    decision = decide()
    others = [
        attrs.evolve(decision, actions=()),
        attrs.evolve(decision, withheld=[Withheld(reason=WithheldReason.PAUSED, action=CREATE_TWO)]),
        attrs.evolve(decision, snapshot=attrs.evolve(decision.snapshot, pending=0, expired=())),
        attrs.evolve(decision, preset_id="q"),
    ]
    assert all(other != decision for other in others)
    assert attrs.evolve(decision) == decision


EXPLANATIONS = [
    (make_preset(), {}, "p: create 3: 3 wanted, 0 running"),
    (make_preset(desired_instances=0), {}, "p: nothing to do: 0 wanted, 0 running"),
    (
        make_preset(schedules=[Schedule(cron="* 8-18 * * 1-5", instances=5)], timezone="Europe/Berlin"),
        {"running": [make_prebuild("a"), make_prebuild("b")]},
        "p: create 3: 5 wanted (window `* 8-18 * * 1-5`, Europe/Berlin, until 18:59), 2 running",
    ),
    (
        make_preset(schedules=[Schedule(cron="* * * * 1-5", instances=5)], timezone="UTC"),
        {},
        "p: create 5: 5 wanted (window `* * * * 1-5`, UTC, until 2026-11-27 23:59), 0 running",
    ),
    (
        make_preset(schedules=[Schedule(cron="* * * * *", instances=1)], timezone="UTC"),
        {},
        "p: create 1: 1 wanted (window `* * * * *`, UTC, always), 0 running",
    ),
    (
        make_preset(schedules=[Schedule(cron="* 12 * * *", instances=1)], timezone="UTC"),
        {},
        "p: create 3: 3 wanted (no window open until 12:00, UTC), 0 running",
    ),
    (
        make_preset(schedules=[Schedule(cron="* * 30 2 *", instances=1)], timezone="UTC"),
        {},
        "p: create 3: 3 wanted (no window open, UTC), 0 running",
    ),
    (
        make_preset(schedules=[Schedule(cron="x", instances=1)], timezone="UTC"),
        {},
        "p: create 3: 3 wanted (the preset's own count, as its schedules cannot be used: "
        "schedules[0]: needs 5 fields, has 1), 0 running",
    ),
    (
        make_preset(desired_instances=1),
        {"running": [make_prebuild(f"w{number}") for number in range(8)]},
        "p: delete 7 (w0, w1, w2, w3, w4, and 2 more): the oldest beyond the target, 1 wanted, 8 running",
    ),
    (
        make_preset(desired_instances=0, last_invalidated_at=NOW),
        {"running": [make_prebuild("a")]},
        "p: delete 1 (a): expired, created before the invalidation at 2026-11-23 09:30:00 UTC",
    ),
    (
        make_preset(desired_instances=0, template_version=TemplateVersion(id="v2"), parameters={"region": "us"}),
        {
            "running": [
                make_prebuild("a", template_version_id="v1", parameters={"region": "eu"}),
                make_prebuild("b", template_version_id="v2", parameters={"region": "eu"}),
                make_prebuild("c", template_version_id="v1", retired=True),
            ]
        },
        "p: delete 3 (a, b, c): expired, made by version v1, the preset is at v2; "
        "made with other parameters than the preset has now; given up",
    ),
    (
        make_preset(desired_instances=0, template_version=TemplateVersion(id="v9"), ttl=timedelta(minutes=5)),
        {"running": [make_prebuild(f"w{number}", template_version_id=f"v{number}") for number in range(8)]},
        "p: delete 8 (w0, w1, w2, w3, w4, and 3 more): expired, made by version v0, the preset is at v9; "
        "made by version v1, the preset is at v9; made by version v2, the preset is at v9; and 5 more differences",
    ),
    (
        make_preset(desired_instances=0, template_version=TemplateVersion(id="v2"), ttl=timedelta(minutes=5)),
        {"running": [make_prebuild("a"), make_prebuild("b", template_version_id="v1")]},
        "p: delete 2 (a, b): expired, older than the ttl of 5 min; made by version v1, the preset is at v2",
    ),
    (
        make_preset(desired_instances=0, ttl=timedelta(minutes=5, seconds=1.5)),
        {"running": [make_prebuild("a")]},
        "p: delete 1 (a): expired, older than the ttl of 5 min 1.5 s",
    ),
    (
        make_preset(template_version=TemplateVersion(template=Template(deleted=True, deprecated=True))),
        {"running": [make_prebuild("a")]},
        "p: delete 1 (a): the preset is inactive, as its template is deleted and its template is deprecated",
    ),
    (
        make_preset(template_version=INACTIVE),
        {},
        "p: nothing to do: 0 wanted (the preset is inactive, as its template version is not the active one), 0 running",
    ),
    (
        make_preset(),
        {"backoffs": [make_backoff(1, NOW)]},
        "p: back off until 2026-11-23 09:31:00 UTC: 1 failed build, the last at 2026-11-23 09:30:00 UTC, "
        "and a wait of 1 min for each",
    ),
    (
        make_preset(schedules=[Schedule(cron="* * * 11 *", instances=5)], timezone="UTC"),
        {},
        "p: create 5: 5 wanted (window `* * * 11 *`, UTC, until 2026-11-30 23:59), 0 running",
    ),
    (
        make_preset(schedules=[Schedule(cron="* 9 23 12 *", instances=5)], timezone="UTC"),
        {},
        "p: create 3: 3 wanted (no window open until 2026-12-23 09:00, UTC), 0 running",
    ),
    (
        make_preset(desired_instances=0),
        {"running": [make_prebuild(f"w{number}") for number in range(5)]},
        "p: delete 5 (w0, w1, w2, w3, w4): the oldest beyond the target, 0 wanted, 5 running",
    ),
    (
        make_preset(desired_instances=0, ttl=timedelta(seconds=59, microseconds=999_999)),
        {"running": [make_prebuild("a")]},
        "p: delete 1 (a): expired, older than the ttl of 59.999999 s",
    ),
    (make_preset(), {"hard_limited": ["p"]}, "p: withheld (hard_limited): create 3: 3 wanted, 0 running"),
    (
        make_preset(template_version=INACTIVE),
        {"pending": [Pending(preset_id="p", count=1)]},
        "p: cancel 1 pending job: the preset is inactive, as its template version is not the active one",
    ),
]


@pytest.mark.parametrize(("preset", "rows", "words"), EXPLANATIONS)
def test_a_decision_explains_itself(preset: object, rows: dict[str, object], words: str) -> None:
    """What is done, and the numbers it follows from, in one sentence for each action."""
    (decision,) = plan(make_fleet(preset, **rows), now=NOW)  # type: ignore[arg-type]
    assert decision.explain() == words


def test_a_decision_made_by_hand_explains_what_it_can() -> None:
    """A host's own backoff has no failures in the snapshot that it could tell of."""
    action = ReconciliationActions(type=ActionType.BACKOFF, backoff_until=NOW)
    decision = Decision(preset_id="p", actions=[action], snapshot=make_snapshot(), policy=Policy())
    assert decision.explain() == "p: back off until 2026-11-23 09:30:00 UTC"


def test_a_plan_explains_itself_whole() -> None:
    """Every decision, then what concerns all of them."""
    fleet = make_fleet(
        EXPIRING, make_preset(id="q", desired_instances=0), running=[*ROWS, make_prebuild("x", preset_id="g")]
    )
    assert plan(fleet, now=NOW, paused=True).explain() == (
        "At 2026-11-23 09:30:00 UTC, 2 presets:\n"
        "p: withheld (paused): delete 1 (old): expired, older than the ttl of 2 h\n"
        "p: withheld (paused): create 2: 3 wanted, 1 running, 1 expired\n"
        "q: nothing to do: 0 wanted, 0 running\n"
        "Reconciliation is paused: nothing is to be done.\n"
        "1 row of running left alone: there is no preset g.\n"
        "Next change 2026-11-23 10:30:00.000001 UTC: the prebuild a expires."
    )


def test_a_plan_shows_itself_in_a_notebook() -> None:
    """A table with every text escaped, and notes below it."""
    preset = make_preset(
        id="<p>", schedules=[Schedule(cron="bad", instances=1)], template_version=TemplateVersion(id="v")
    )
    made = plan(make_fleet(preset, make_preset(template_version=INACTIVE)), now=NOW)
    assert made._repr_html_() == (
        "<table><thead><tr><th>preset</th><th>desired</th><th>actual</th><th>expired</th><th>eligible</th>"
        "<th>starting</th><th>actions</th></tr></thead><tbody>"
        "<tr><td>&lt;p&gt;</td><td>3 (fallback)</td><td>0</td><td>0</td><td>0</td><td>0</td><td>create 3</td></tr>"
        "<tr><td>p</td><td>0 (inactive)</td><td>0</td><td>0</td><td>0</td><td>0</td><td>nothing</td></tr>"
        "</tbody></table>"
        "<p>&lt;p&gt; keeps its own count, as its schedules cannot be used: timezone: missing; schedules need the name "
        "of a time zone; schedules[0]: needs 5 fields, has 1.</p>"
        "<p>No change by time alone.</p>"
    )


def test_a_diff_shows_what_would_change() -> None:
    """Presets that are new, gone or decided otherwise; what stays the same is left out."""
    kept, gone, raised = make_preset(id="kept"), make_preset(id="gone"), make_preset(id="raised")
    before = plan(make_fleet(kept, gone, raised), now=NOW)
    after = plan(
        make_fleet(make_preset(id="new", desired_instances=1), make_preset(id="raised", desired_instances=5), kept),
        now=NOW,
    )
    changes = diff(before, after)
    old, new = ({decision.preset_id: decision for decision in made} for made in (before, after))
    assert changes == PlanDiff(
        changes=(
            DecisionChange(preset_id="new", before=None, after=new["new"]),
            DecisionChange(preset_id="raised", before=old["raised"], after=new["raised"]),
            DecisionChange(preset_id="gone", before=old["gone"], after=None),
        )
    )
    assert changes.explain() == (
        "new\n  before: no such preset\n  after:  create 1: 1 wanted, 0 running\n"
        "raised\n  before: create 3: 3 wanted, 0 running\n  after:  create 5: 5 wanted, 0 running\n"
        "gone\n  before: create 3: 3 wanted, 0 running\n  after:  no such preset"
    )
    assert "<td>gone</td><td>create 3: 3 wanted, 0 running</td><td>no such preset</td>" in changes._repr_html_()
    assert len(changes) == 3


def test_a_diff_mentions_pauses_and_orphans() -> None:
    """Prebuilds of a preset that is dropped are left alone from then on: that is a change, too."""
    running = [make_prebuild("w", preset_id="gone")]
    gone = make_preset(id="gone", desired_instances=1)
    before = plan(make_fleet(make_preset(), gone, running=running), now=NOW)
    after = plan(make_fleet(make_preset(), running=running), now=NOW, paused=True)
    changes = diff(before, after)
    assert changes.notes == (
        "after:  Reconciliation is paused: nothing is to be done.",
        "after:  1 row of running left alone: there is no preset gone.",
    )
    assert changes.explain().endswith("\n".join(changes.notes))
    assert diff(after, before).notes == tuple(note.replace("after: ", "before:") for note in changes.notes)
    assert "<p>after:  Reconciliation is paused" in changes._repr_html_()


def test_a_backoff_of_no_time_at_all_reads_well() -> None:
    """An interval of zero has words."""
    fleet = make_fleet(backoffs=[make_backoff(1, NOW)])
    (decision,) = plan(fleet, now=NOW, policy=Policy(backoff_interval=timedelta()))
    assert decision.explain().endswith("and a wait of 0 s for each")


def test_a_table_has_a_few_words_for_every_action() -> None:
    """What is done, then what is withheld and why; and that nothing is, if so."""
    inactive = make_preset(id="old", template_version=INACTIVE)
    fleet = make_fleet(
        EXPIRING,
        inactive,
        make_preset(id="failing"),
        make_preset(id="idle", desired_instances=0),
        running=[*ROWS, make_prebuild("x", preset_id="old")],
        pending=[Pending(preset_id="old", count=2)],
        backoffs=[Backoff(preset_id="failing", num_failed=1, last_build_at=NOW)],
        hard_limited=["p"],
    )
    assert [list_cells(decision) for decision in plan(fleet, now=NOW)] == [
        ("p", "3", "2", "1", "1", "0", "delete 1, withheld (hard_limited): create 2"),
        ("old", "0 (inactive)", "1", "0", "0", "0", "cancel pending, delete 1"),
        ("failing", "3", "0", "0", "0", "0", "back off until 2026-11-23 09:31:00 UTC"),
        ("idle", "0", "0", "0", "0", "0", "nothing"),
    ]


def test_a_table_mentions_every_fallback() -> None:
    """Whether or not something is withheld."""
    preset = make_preset(schedules=[Schedule(cron="* 9 * * *", instances=1)])
    (note, _) = list_notes(plan(make_fleet(preset, hard_limited=["p"]), now=NOW))
    assert note.startswith("p keeps its own count, as its schedules cannot be used: timezone: missing")


def test_many_problems_of_schedules_are_summed_up() -> None:
    """The linter tells all of them."""
    schedules = [Schedule(cron=f"* {hour} * * *", instances=1) for hour in range(24, 34)]
    target = calculate_target(make_preset(schedules=schedules, timezone="UTC"), now=NOW)
    assert target.error is not None
    assert target.error.endswith("schedules[4]: hour field: `28` is not from 0 to 23; and 5 more problems")
    assert len(check_schedules(schedules, "UTC")) == 10


def test_a_plan_does_not_differ_from_itself() -> None:
    """No change is falsy, and says so."""
    made = plan(make_fleet(), now=NOW)
    assert not diff(made, made)
    assert diff(made, made).explain() == "No decision changes."


def test_an_empty_snapshot_has_an_empty_plan() -> None:
    """Nothing to decide is no error."""
    assert plan(make_fleet().__class__(), now=NOW) == Plan(now=NOW)
