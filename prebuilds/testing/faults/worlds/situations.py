"""Situations: what a preset can be found in when a round begins, each of which calls for effects of its own.

- A situation is one preset, of the situation's name, with its workspaces and builds.
- What is there was made through the ports, hours ago, so that no failure of then is still within the look-back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum

import attrs

from prebuilds.decision.models import BuildStatus, Preset, Template, TemplateVersion, Transition
from prebuilds.runtime.build_reports import PREBUILDS_CHANGED
from prebuilds.runtime.models import BuildRequest, Message, Take
from prebuilds.runtime.ports import Transaction
from prebuilds.testing.faults.doubles.builders import Script
from prebuilds.testing.faults.doubles.stopping import StoppingStore
from prebuilds.testing.faults.worlds.acts import ACTS

START = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
BROKEN = "broken"
"""The preset of which the store adds nothing, but raises."""

_LONG_AGO = START - timedelta(hours=3)
_LATELY = START - timedelta(minutes=10)
_TTL = timedelta(hours=1)
_VERSION = TemplateVersion(id="v2", template=Template(id="t", name="t"))
_OLD_VERSION = attrs.evolve(_VERSION, id="v1", is_active=False)


class Feature(Enum):
    """What a host may leave out."""

    CLAIMS = "claims"
    REPLICAS = "replicas"
    """Several reconcilers, each of whose writes is refused once another has the lease."""
    OUTBOX = "outbox"
    """Messages to the loop, which come in time or not."""
    PAUSE = "pause"
    HISTORY = "history"
    """That builds which failed are remembered: backoffs, hard limits and resets."""
    MEMBERSHIPS = "memberships"
    CANCELING = "canceling"
    """That builds which have not begun can be canceled."""


@attrs.define
class Scene:
    """Where a situation is set up: a transaction of the store, what the builder has made, and what the host stops."""

    tx: Transaction
    resources: dict[str, str]
    host: StoppingStore

    def add(self, preset: Preset, suffix: str, *, at: datetime = _LONG_AGO) -> BuildRequest:
        """A prebuild of the preset whose first build is PENDING and has been submitted."""
        request = BuildRequest(
            build_id=f"{preset.id}-{suffix}-b",
            workspace_id=f"{preset.id}-{suffix}",
            transition=Transition.START,
            preset_id=preset.id,
            template_version_id=preset.template_version.id,
        )
        self.tx.insert_prebuild(request, name=request.workspace_id, now=at)
        return request

    def run(self, preset: Preset, suffix: str, *, at: datetime = _LONG_AGO) -> None:
        """A prebuild that is ready."""
        request = self.add(preset, suffix, at=at)
        self.tx.mark_submitted(request.build_id)
        self.tx.begin_build(request.build_id, now=at)
        self.tx.finish_build(request.build_id, BuildStatus.SUCCEEDED, now=at)
        self.tx.mark_ready(request.workspace_id)
        self.resources[request.workspace_id] = preset.template_version.id


@attrs.frozen(kw_only=True)
class Situation:
    """One preset and what is set up of it; `needs` is what the host must have for it to make sense.

    `script` is what becomes of its starts, for good; `is_hopeless` tells that its pool never fills. With `room` the
    builder has room for so many of it at once.
    """

    preset: Preset
    set_up: Callable[[Scene, Preset], None]
    needs: Feature | None = None
    script: Script = Script.SUCCEED
    is_hopeless: bool = False
    room: int | None = None


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
        scene.tx.take_prebuild(Take(preset_id=preset.id, owner_id=owner, name="dev", claimed_at=_LATELY))


def _retire(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    pending = scene.add(preset, "b")
    scene.tx.mark_submitted(pending.build_id)
    scene.add(preset, "c")
    scene.tx.put_preset(attrs.evolve(preset, template_version=_OLD_VERSION))


def _tell(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    for _ in range(2):
        scene.tx.publish_on_commit(Message(topic=PREBUILDS_CHANGED, body=preset.id))


def _leave_unsubmitted(scene: Scene, preset: Preset) -> None:
    scene.add(preset, "a", at=_LATELY)


def _leave_leftovers(scene: Scene, preset: Preset) -> None:
    scene.run(preset, "a")
    failed = scene.add(preset, "b")
    scene.tx.mark_submitted(failed.build_id)
    scene.tx.finish_build(failed.build_id, BuildStatus.FAILED, now=_LONG_AGO)


def _limit(scene: Scene, preset: Preset) -> None:
    for number in range(3):
        request = BuildRequest(
            build_id=f"{preset.id}-{number}",
            workspace_id=f"{preset.id}-{number}-w",
            transition=Transition.START,
            preset_id=preset.id,
            template_version_id=preset.template_version.id,
        )
        scene.tx.insert_failed_build(request, now=_LONG_AGO + timedelta(seconds=number))


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
"""By the name of their preset."""

CURABLE = tuple(name for name, situation in SITUATIONS.items() if not situation.is_hopeless)
HOPELESS = tuple(name for name, situation in SITUATIONS.items() if situation.is_hopeless)
FAILING = ("failing", "refused")
"""Those whose starts all fail, and that are tried again more and more seldom."""

_ACTS_NEED = {
    "pause": Feature.PAUSE,
    "resume": Feature.PAUSE,
    "reset": Feature.HISTORY,
    "reset_all": Feature.HISTORY,
    "release": Feature.CLAIMS,
    "forget": Feature.CLAIMS,
}


def list_acts(without: Collection[Feature]) -> Sequence[str]:
    """The acts that make sense with a host that leaves these features out."""
    return [name for name in ACTS if _ACTS_NEED.get(name) not in without]
