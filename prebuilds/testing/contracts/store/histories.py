"""Which builds are remembered, so that backoffs and hard limits can follow from them."""

from __future__ import annotations

from collections.abc import Sequence

from prebuilds.decision.models import Build, BuildStatus
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.runtime.ports import Transaction
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.requests import DATA, WEB, at, insert_one, make_preset, request_start
from prebuilds.testing.contracts.equipment.scenes import Stage, finish, list_outcomes, put_all_stages

CHECKS: list[StoreCheck] = []
_COUNTED = (
    "They are start builds of prebuilds that succeeded or failed, began after the preset's last reset, and "
    "ran with the version that the preset has now, where both are known."
)
_REMEMBERED = (
    "For each preset, return those that ended at `ended_since` or later, and all builds of its `latest` most "
    "recent attempts. Without `ended_since`, only the latest attempts count. "
    "Builds with the same `created_at` began in one pass and are one attempt; it does not use up `latest` if all its "
    "builds failed for want of CAPACITY."
)


def _outcome(name: str, seconds: float, preset_id: str = "web", *, created: float | None = None) -> Build:
    return Build(
        id=name,
        preset_id=preset_id,
        template_version_id="v1",
        status=BuildStatus.FAILED,
        created_at=at(seconds if created is None else created),
        finished_at=at(seconds),
    )


def _expect_remembered(tx: Transaction, expected: Sequence[Build], *, since: float, latest: int) -> None:
    seen = list_outcomes(tx, since=since, latest=latest)
    missing = [build for build in expected if build not in seen]
    expect(missing, [], f"what the builds leave out, ended since {at(since)}, the latest {latest},")


@store_check(CHECKS, "FleetReads.read_rows", _REMEMBERED)
def builds_are_remembered(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA)
        for seconds in (40, 10, 30, 20):  # as reports may come late, in no order
            tx.insert_failed_build(request_start(f"w{seconds}"), now=at(seconds))
        tx.insert_failed_build(request_start("d5", DATA), now=at(5))
    web = {seconds: _outcome(f"w{seconds}-1", seconds) for seconds in (10, 20, 30, 40)}
    data = _outcome("d5-1", 5, "data")
    with lab.store.transaction(read_only=True) as tx:
        for since, latest, expected in (
            (0, 0, [data, *web.values()]),
            (30, 0, [web[30], web[40]]),
            (30.000_001, 0, [web[40]]),
            (99, 1, [data, web[40]]),
            (40, 2, [data, web[30], web[40]]),
            (99, 0, []),
        ):
            _expect_remembered(tx, expected, since=since, latest=latest)


@store_check(CHECKS, "FleetReads.read_rows", _REMEMBERED)
def builds_of_one_pass_are_one_attempt(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        for name, seconds in (("old", -5), ("slow", 0), ("quick", 0)):
            insert_one(tx, request_start(name), name=name, now=at(seconds))
            finish(tx, f"{name}-1", BuildStatus.FAILED, seconds=50 if name == "slow" else 10)
    old = _outcome("old-1", 10, created=-5)
    slow, quick = _outcome("slow-1", 50, created=0), _outcome("quick-1", 10, created=0)
    with lab.store.transaction(read_only=True) as tx:
        for since, latest, expected in ((50, 0, [slow]), (99, 1, [quick, slow]), (99, 2, [old, quick, slow])):
            _expect_remembered(tx, expected, since=since, latest=latest)


@store_check(CHECKS, "FleetReads.read_rows", _COUNTED)
def only_builds_that_count_fill_the_limit(lab: Lab) -> None:
    """Builds from before a reset, or of another version, push out none that counts."""
    mended = make_preset(version_id="v2")
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        insert_one(tx, request_start("slow"), name="slow", now=at(20))
        tx.set_reset("web", at=at(30))
        tx.insert_failed_build(request_start("since"), now=at(40))
        finish(tx, "slow-1", BuildStatus.FAILED, seconds=50)
        _expect_latest(tx, _outcome("since-1", 40), "since the reset")
        tx.put_preset(mended)
        tx.insert_failed_build(request_start("mended", mended), now=at(60))
        tx.put_preset(WEB)
        _expect_latest(tx, _outcome("since-1", 40), "of the version that the preset is back at")


@store_check(
    CHECKS,
    "FleetReads.read_rows",
    "With `failing_only`, the builds of a preset may be left out if none of its start builds ever failed",
)
def builds_of_a_preset_that_failed_are_all_read(lab: Lab) -> None:
    """Those that succeeded too, as they end its backoff. What else is read does not matter."""
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA)
        tx.insert_failed_build(request_start("first"), now=at(0))
        for name, preset in (("second", WEB), ("other", DATA)):
            insert_one(tx, request_start(name, preset), name=name, now=at(10))
            finish(tx, f"{name}-1", BuildStatus.SUCCEEDED, seconds=20)
    with lab.store.transaction(read_only=True) as tx:
        for since, latest in ((0, 0), (20, 1), (99, 2)):
            seen = [build.id for build in list_outcomes(tx, since=since, latest=latest, failing_only=True)]
            wanted = [name for name in ("first-1", "second-1") if since == 0 or latest == 2 or name == "second-1"]
            missing = [name for name in wanted if name not in seen]
            expect(missing, [], f"what the failing builds leave out, ended since {at(since)}, the latest {latest},")


@store_check(CHECKS, "FleetReads.read_rows", "where both are known.")
def builds_of_unknown_versions_count(lab: Lab) -> None:
    unknown = make_preset(version_id="")
    with lab.store.transaction() as tx:
        for seconds, preset in enumerate((make_preset(version_id="v0"), unknown, WEB)):
            tx.put_preset(preset)
            tx.insert_failed_build(request_start(f"w{seconds}", preset), now=at(seconds))
        for preset, expected in ((WEB, ["w1-1", "w2-1"]), (unknown, ["w0-1", "w1-1", "w2-1"])):
            tx.put_preset(preset)
            for since, latest in ((0, 0), (99, 3)):
                seen = [build.id for build in list_outcomes(tx, since=since, latest=latest)]
                missing = [name for name in expected if name not in seen]
                what = f"what the builds leave out of the version {preset.template_version.id!r}"
                expect(missing, [], f"{what}, ended since {at(since)}, the latest {latest},")


@store_check(CHECKS, "BuildWrites.finish_build", "`failure` and `message` are kept with it.")
def a_build_keeps_why_it_failed(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.insert_failed_build(request_start("lost"), now=at(0), message="OSError: no space left")
        for failure in FailureClass:
            insert_one(tx, request_start(failure.value), name=failure.value, now=at(0))
            why = f"it was {failure.value}: ü"
            tx.finish_build(f"{failure.value}-1", BuildStatus.FAILED, now=at(60), failure=failure, message=why)
    expected = {f"{failure.value}-1": (failure, f"it was {failure.value}: ü") for failure in FailureClass}
    expected["lost-1"] = FailureClass.TRANSIENT, "OSError: no space left"
    with lab.store.transaction(read_only=True) as tx:
        seen = {build.id: (build.failure, build.message) for build in list_outcomes(tx)}
        expect(seen, expected, "why the builds failed, in the builds,")
        kept = [tx.get_workspace(failure.value) for failure in FailureClass]
        builds = {row.last_build.id: (row.last_build.failure, row.last_build.message) for row in kept if row}
        del expected["lost-1"]
        expect(builds, expected, "why the last builds failed, in get_workspace(),")


@store_check(CHECKS, "FleetReads.read_rows", _REMEMBERED)
def attempts_without_capacity_use_up_nothing(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.insert_failed_build(request_start("broken"), now=at(0))
        for seconds in (10, 20):
            insert_one(tx, request_start(f"w{seconds}"), name=f"w{seconds}", now=at(seconds))
            tx.finish_build(f"w{seconds}-1", BuildStatus.FAILED, now=at(seconds), failure=FailureClass.CAPACITY)
    with lab.store.transaction(read_only=True) as tx:
        _expect_remembered(tx, [_outcome("broken-1", 0)], since=99, latest=1)


def _expect_latest(tx: Transaction, build: Build, what: str) -> None:
    seen = [found for found in list_outcomes(tx, since=99, latest=1) if found.id == build.id]
    expect(seen, [build], f"the latest attempt {what}, in the builds,")


@store_check(
    CHECKS,
    "FleetReads.read_rows",
    "Include builds of workspaces that have been claimed or deleted since.",
)
def builds_outlive_their_workspaces(lab: Lab) -> None:
    put_all_stages(lab.store)
    ended = [stage for stage in Stage if stage not in (Stage.PENDING, Stage.BEGUN, Stage.CANCELED)]
    with lab.store.transaction(read_only=True) as tx:
        seen = [(build.id, build.status) for build in list_outcomes(tx)]
        failed = {Stage.FAILED: BuildStatus.FAILED}
        expected = [(f"{stage.value}-1", failed.get(stage, BuildStatus.SUCCEEDED)) for stage in ended]
        expect(seen, sorted(expected, key=lambda pair: pair[0]), "the builds that succeeded or failed, in the builds,")


@store_check(CHECKS, "FleetReads.read_rows", "Rows of other presets are left out")
def builds_of_one_preset_can_be_listed(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA)
        tx.insert_failed_build(request_start("w"), now=at(0))
        tx.insert_failed_build(request_start("d", DATA), now=at(0))
        for latest in (0, 9):
            seen = list_outcomes(tx, latest=latest, preset_id="data")
            expect(seen, [_outcome("d-1", 0, "data")], "the builds of the preset `data`")
            expect(list_outcomes(tx, latest=latest, preset_id="unknown"), [], "the builds of an unknown preset")
