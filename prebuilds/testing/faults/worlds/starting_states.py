"""Situations: the state of a preset when a round begins. Each calls for other effects.

- A situation is one preset with its workspaces and builds, and has the preset's name.
- Everything was made through the ports, hours ago, so that its failures are outside the look-back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import attrs

from prebuilds.decision.models import BuildStatus, Preset, Template, TemplateVersion, Transition
from prebuilds.runtime.build_reports import make_change_message
from prebuilds.runtime.models import BuildRequest, ClaimRequest, NewPrebuild
from prebuilds.runtime.ports import Transaction
from prebuilds.testing.faults.doubles.builders import Script
from prebuilds.testing.faults.doubles.stopping_host import StoppingStore
from prebuilds.testing.faults.worlds.features import Feature

START = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
BROKEN = "broken"
"""The preset for which the store adds no prebuild, but raises."""

_LONG_AGO = START - timedelta(hours=3)
_LATELY = START - timedelta(minutes=10)
_TTL = timedelta(hours=1)
_VERSION = TemplateVersion(id="v2", template=Template(id="t", name="t"))
_OLD_VERSION = attrs.evolve(_VERSION, id="v1", is_active=False)


@attrs.define
class Scene:
    """What a situation is set up with: a transaction, what the builder has made, and the host's own store."""

    tx: Transaction
    resources: dict[str, str]
    host: StoppingStore

    def add(self, preset: Preset, suffix: str, *, at: datetime = _LONG_AGO) -> BuildRequest:
        """Add a prebuild of the preset, whose first build is PENDING."""
        name = f"{preset.id}-{suffix}"
        request = _request_start(preset, build_id=f"{name}-b", workspace_id=name)
        self.tx.insert_prebuilds([NewPrebuild(name=request.workspace_id, request=request)], now=at)
        return request

    def run(self, preset: Preset, suffix: str, *, at: datetime = _LONG_AGO) -> None:
        """Add a ready prebuild."""
        request = self.add(preset, suffix, at=at)
        self.tx.mark_submitted([request.build_id])
        self.tx.begin_build(request.build_id, now=at)
        self.tx.finish_build(request.build_id, BuildStatus.SUCCEEDED, now=at)
        self.tx.mark_ready(request.workspace_id)
        self.resources[request.workspace_id] = preset.template_version.id


@attrs.frozen(kw_only=True)
class Situation:
    """One preset, and what is set up for it.

    `needs` is the feature that the host must have. All starts follow `script`. The pool of a situation that
    `is_hopeless` never fills. The builder has room for `room` of its workspaces at once; None: for all.
    """

    preset: Preset
    set_up: Callable[[Scene, Preset], None]
    needs: Feature | None = None
    script: Script = Script.SUCCEED
    is_hopeless: bool = False
    room: int | None = None


def _request_start(preset: Preset, *, build_id: str, workspace_id: str) -> BuildRequest:
    return BuildRequest(
        build_id=build_id,
        workspace_id=workspace_id,
        transition=Transition.START,
        preset_id=preset.id,
        template_version_id=preset.template_version.id,
    )


def _preset(name: str, desired: int, **more: object) -> Preset:
    return Preset(id=name, desired_instances=desired, template_version=_VERSION, **more)  # type: ignore[arg-type]


def _nothing(_scene: Scene, _preset: Preset) -> None:
    pass


def _run_two(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    scene.run(preset, "b", at=_LATELY)


def _run_two_old(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    scene.run(preset, "b")


def _stop_one(scene: Scene, preset: Preset) -> None:
    _run_two_old(scene, preset)
    scene.host.stop(f"{preset.id}-a", at=_LATELY)


def _claim_two(scene: Scene, preset: Preset) -> None:
    _run_two(scene, preset)
    scene.run(preset, "c", at=_LATELY)
    for owner in ("ann", "bob"):
        scene.tx.take_prebuild(ClaimRequest(preset_id=preset.id, owner_id=owner, name="dev", claimed_at=_LATELY))


def _retire(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    pending = scene.add(preset, "b")
    scene.tx.mark_submitted([pending.build_id])
    scene.add(preset, "c")
    scene.tx.put_preset(attrs.evolve(preset, template_version=_OLD_VERSION))


def _tell(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    for _ in range(2):
        scene.tx.publish_on_commit(make_change_message(preset.id))


def _leave_unsubmitted(scene: Scene, preset: Preset) -> None:
    scene.add(preset, "a", at=_LATELY)


def _leave_leftovers(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    failed = scene.add(preset, "b")
    scene.tx.mark_submitted([failed.build_id])
    scene.tx.finish_build(failed.build_id, BuildStatus.FAILED, now=_LONG_AGO)


def _limit(scene: Scene, preset: Preset) -> None:
    for number in range(3):
        name = f"{preset.id}-{number}"
        request = _request_start(preset, build_id=name, workspace_id=f"{name}-w")
        scene.tx.insert_failed_build(request, now=_LONG_AGO + timedelta(seconds=number))


def _leave_unready(scene: Scene, preset: Preset) -> None:
    request = scene.add(preset, "a")
    scene.tx.mark_submitted([request.build_id])
    scene.tx.finish_build(request.build_id, BuildStatus.SUCCEEDED, now=_LONG_AGO)
    scene.resources[request.workspace_id] = preset.template_version.id


def _leave_hanging(scene: Scene, preset: Preset) -> None:
    request = scene.add(preset, "a")
    scene.tx.mark_submitted([request.build_id])
    scene.tx.begin_build(request.build_id, now=_LONG_AGO)


def _leave_unasked(scene: Scene, preset: Preset) -> None:
    scene.add(preset, "a")


def _give_up_unasked(scene: Scene, preset: Preset) -> None:
    scene.tx.retire_prebuild(scene.add(preset, "a", at=_LATELY).workspace_id)


_MEMBER = TemplateVersion(id="v2", template=Template(id="t", name="t", organization_id="org"))
_ACTIVE_V1 = attrs.evolve(_OLD_VERSION, is_active=True)

SITUATIONS = {
    situation.preset.id: situation
    for situation in (
        Situation(preset=_preset("steady", 2), set_up=_run_two),
        Situation(preset=_preset("grow", 2), set_up=_nothing),
        Situation(preset=_preset("shrink", 1), set_up=_run_two),
        Situation(preset=_preset("claimed", 2), set_up=_claim_two, needs=Feature.CLAIMS),
        Situation(preset=_preset("stopped", 2), set_up=_stop_one),
        Situation(preset=_preset("expired", 2, ttl=_TTL), set_up=_run_two),
        Situation(preset=_preset("crowded", 2, ttl=_TTL), set_up=_run_two_old, room=2),
        Situation(preset=_preset("unsubmitted", 1), set_up=_leave_unsubmitted),
        Situation(preset=_preset("leftover", 1), set_up=_leave_leftovers),
        Situation(
            preset=attrs.evolve(_preset("joining", 1), template_version=_MEMBER),
            set_up=_nothing,
            needs=Feature.MEMBERSHIPS,
        ),
        Situation(
            preset=attrs.evolve(_preset("retired", 3), template_version=_ACTIVE_V1),
            set_up=_retire,
            needs=Feature.CANCELING,
        ),
        Situation(preset=_preset("told", 1), set_up=_tell, needs=Feature.OUTBOX),
        Situation(preset=_preset("limited", 1), set_up=_limit, needs=Feature.HISTORY),
        Situation(preset=_preset("stuck", 1, ready_deadline=_TTL), set_up=_leave_unready, needs=Feature.HISTORY),
        Situation(preset=_preset("overdue", 1, build_deadline=_TTL), set_up=_leave_hanging, needs=Feature.HISTORY),
        Situation(preset=_preset("given_up", 1), set_up=_give_up_unasked),
        Situation(preset=_preset("unasked", 1, build_deadline=_TTL), set_up=_leave_unasked, needs=Feature.HISTORY),
        Situation(
            preset=_preset("failing", 2),
            set_up=_nothing,
            needs=Feature.HISTORY,
            script=Script.FAIL,
            is_hopeless=True,
        ),
        Situation(
            preset=_preset("refused", 2),
            set_up=_nothing,
            needs=Feature.HISTORY,
            script=Script.REFUSE,
            is_hopeless=True,
        ),
        Situation(preset=_preset(BROKEN, 2), set_up=_nothing, is_hopeless=True),
        Situation(preset=_preset("hanging", 2), set_up=_nothing, script=Script.TIME_OUT, is_hopeless=True),
    )
}
"""By name."""

CURABLE = tuple(name for name, situation in SITUATIONS.items() if not situation.is_hopeless)
HOPELESS = tuple(name for name, situation in SITUATIONS.items() if situation.is_hopeless)
FAILING = ("failing", "refused")
"""Those whose starts all fail, so that they are tried less and less often."""

LATE = ("stuck", "overdue", "unasked")
"""Those whose only prebuild or start has missed its deadline; the builder was never asked for the last of them."""
