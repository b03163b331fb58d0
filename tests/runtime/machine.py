"""A state machine that takes pools through random events, and checks at the end that they come to rest.

Everything that it sees is written to its trace, so that two stores can be compared by what they answered.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from prebuilds import Preset, Template, calculate_target
from prebuilds.runtime import BuildRequest, PassStatus, ReconciliationResult, Store
from runtime.world import HOUR, MINUTE, World, make_version

MOST_ROUNDS = 3
PRESETS = ("a", "b", "c")
_presets = st.sampled_from(PRESETS)
_versions = st.sampled_from(("v1", "v2"))


class PoolMachine(RuleBasedStateMachine):
    """Two versions of one template with a preset each, and a template of its own for the third preset.

    A subclass says which store to use.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.active = "v1"
        self.templates = {"t": Template(id="t", organization_id="o"), "u": Template(id="u")}
        self.desired = dict.fromkeys(PRESETS, 2)
        self.claimed: dict[str, str] = {}
        self.trace: list[object] = []
        self.is_paused = False
        self.world = World(*map(self._make_preset, PRESETS), store=self.make_store())

    def make_store(self) -> Store:
        raise NotImplementedError

    def _make_preset(self, name: str) -> Preset:
        template = self.templates["u" if name == "c" else "t"]
        version = {"a": "v1", "b": "v2", "c": "v1"}[name]
        is_active = name == "c" or version == self.active
        return Preset(
            id=name,
            desired_instances=self.desired[name],
            ttl=24 * HOUR,
            template_version=make_version(f"{template.id}-{version}", template=template, is_active=is_active),
        )

    def _put_presets(self) -> None:
        """Change what the host changes, and keep what the loop and its users have noted."""
        for known in self.world.list_presets():
            kept = {"last_invalidated_at": known.last_invalidated_at, "prebuild_status": known.prebuild_status}
            self.world.put(attrs.evolve(self._make_preset(known.id), **kept))

    @rule(version=_versions)
    def promote(self, version: str) -> None:
        self.active = version
        self._put_presets()

    @rule(template=st.sampled_from(("t", "u")), deprecated=st.booleans(), deleted=st.booleans())
    def deprecate_or_delete(self, template: str, *, deprecated: bool, deleted: bool) -> None:
        self.templates[template] = attrs.evolve(self.templates[template], deprecated=deprecated, deleted=deleted)
        self._put_presets()

    @rule(name=_presets, count=st.integers(0, 4))
    def resize(self, name: str, count: int) -> None:
        self.desired[name] = count
        self._put_presets()

    @rule(name=_presets)
    def claim(self, name: str) -> None:
        claim = self.world.claims.claim(name, owner_id="ann", name=f"dev-{len(self.claimed)}")
        self.trace.append(claim)
        if claim.workspace:
            assert claim.workspace.id not in self.claimed, "it was claimed before"
            self.claimed[claim.workspace.id] = claim.workspace.name

    @rule(succeed=st.booleans(), ready=st.booleans())
    def finish_builds(self, *, succeed: bool, ready: bool) -> None:
        self.world.builder.finish(succeed=succeed, ready=ready)

    @rule(error=st.sampled_from((None, TimeoutError("no answer"), RuntimeError("quota exceeded"))))
    def break_or_mend_the_builder(self, error: Exception | None) -> None:
        self.world.builder.error = error

    @rule()
    def pause(self) -> None:
        self.world.controls.pause()
        self.is_paused = True

    @rule()
    @precondition(lambda self: self.is_paused)
    def resume(self) -> None:
        self.world.controls.resume()
        self.is_paused = False

    @rule(name=_presets)
    def invalidate(self, name: str) -> None:
        self.world.controls.invalidate(name)

    @rule(name=_presets)
    def reset(self, name: str) -> None:
        self.world.controls.reset(name)

    @rule(duration=st.sampled_from((timedelta.resolution, MINUTE, HOUR, 24 * HOUR)))
    def pass_time(self, duration: timedelta) -> None:
        self.world.clock.advance(duration)

    @rule()
    def reconcile_all(self) -> None:
        result = self._reconcile()
        assert (result.status is PassStatus.PAUSED) == self.is_paused
        assert not (self.is_paused and result.presets)

    @rule(name=_presets)
    def reconcile_preset(self, name: str) -> None:
        self.trace.append(self.world.reconciler.reconcile_preset(name))

    def _reconcile(self) -> ReconciliationResult:
        result = self.world.reconcile()
        self.trace.append(result)
        return result

    @invariant()
    def what_is_claimed_is_kept(self) -> None:
        for workspace_id, name in self.claimed.items():
            workspace = self.world.get(workspace_id)
            assert (workspace.name, workspace.is_running, workspace.is_prebuild) == (name, True, False)

    @invariant()
    def nothing_is_built_twice(self) -> None:
        starts: list[BuildRequest] = [r for r, _ in self.world.builder.taken.values() if r.preset_id is not None]
        assert len({request.workspace_id for request in starts}) == len(starts)

    def teardown(self) -> None:
        """The events stop: the builder works, nobody holds the loop back, and old failures are forgotten."""
        with self.resources:
            self.come_to_rest()

    def come_to_rest(self) -> None:
        self.world.builder.error = None
        self.world.controls.resume()
        for name in PRESETS:
            self.world.controls.reset(name)
        self.world.clock.advance(2 * HOUR)
        for _ in range(MOST_ROUNDS):
            self._reconcile()
            self.world.builder.finish()
        self.check_rest()

    def check_rest(self) -> None:
        """Each pool is at its target, and nothing else is left; the next pass writes nothing."""
        counts = dict.fromkeys(PRESETS, 0)
        for workspace in self.world.list_prebuilds():
            assert workspace.is_running
            counts[workspace.preset_id] += 1
        now = self.world.clock.now()
        assert counts == {preset.id: calculate_target(preset, now=now).desired for preset in self.world.list_presets()}
        assert self._reconcile().presets == ()
