"""The options of a reconciler, with their defaults."""

from __future__ import annotations

from datetime import timedelta
from os import urandom

import attrs

from prebuilds.decision.fields import DURATION, ID, check, instance_of, optional
from prebuilds.decision.policies.policy import Policy
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.fleet_rows import Shard
from prebuilds.runtime.loop.effects import NewId
from prebuilds.runtime.ports import Clock

_DAY = timedelta(days=1)
_WAIT = check(
    "a timedelta of more than 0, and of a day at most",
    lambda value: isinstance(value, timedelta) and timedelta() < value <= _DAY,
)
_FUNCTION = check("a function", callable)


def make_id() -> str:
    """A new id: a random UUID (version 4). `uuid.uuid4` would take three times as long."""
    digits = urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


@attrs.frozen(kw_only=True)
class ReconcilerOptions:
    """The options of a reconciler.

    The loop works on presets that something happened to, and looks at everything once in a while. With a pubsub it does
    so every `resync`, to mend what a lost message left undone, and `interval` is the longest time between two looks at
    the lease and the outbox. Without a pubsub nothing tells it of changes, so it looks at everything every `interval`.
    A reconciler without the lease tries to take it every `interval`.

    `lease_duration` is how long others wait for a
    reconciler that has died; a live one renews its lease in time. `submit_timeout` is how long a call to the host's
    builder may take. It must be shorter than `lease_duration`, as no call may outlast the lease.

    `holder` is the name under which the reconciler holds its lease. With None, each reconciler makes a unique name.
    Give one only if no two live reconcilers share it, as two with one name would work at the same time.

    With a `shard`, the reconciler works only on the presets of that shard, under the shard's own lease. So reconcilers
    of different shards work at the same time. A policy with budgets allows no shard.

    The store counts claims by the minute. Counts older than `claims_kept` are deleted.

    `clock` and `new_id` are for tests.
    """

    policy: Policy = attrs.field(factory=Policy, validator=instance_of(Policy))
    interval: timedelta = attrs.field(default=timedelta(seconds=15), validator=_WAIT)
    resync: timedelta = attrs.field(default=timedelta(minutes=5), validator=_WAIT)
    lease_name: str = attrs.field(default="prebuilds", validator=ID)
    lease_duration: timedelta = attrs.field(default=timedelta(seconds=60), validator=_WAIT)
    submit_timeout: timedelta = attrs.field(default=timedelta(seconds=30), validator=_WAIT)
    holder: str | None = attrs.field(default=None, validator=optional(ID))
    shard: Shard | None = attrs.field(default=None, validator=optional(instance_of(Shard)))
    claims_kept: timedelta = attrs.field(default=timedelta(weeks=8), validator=DURATION)
    clock: Clock = attrs.field(default=SYSTEM_CLOCK)
    new_id: NewId = attrs.field(default=make_id, validator=_FUNCTION)

    def __attrs_post_init__(self) -> None:
        if self.lease_duration <= self.submit_timeout:
            allowed = f"more than submit_timeout, which is {self.submit_timeout!r}: no call may outlast the lease"
            raise InvalidValueError("ReconcilerOptions", "lease_duration", self.lease_duration, allowed)
        if self.shard and self.policy.budgets:
            allowed = "None, as the policy has budgets, which only one reconciler for all presets can keep"
            raise InvalidValueError("ReconcilerOptions", "shard", self.shard, allowed)

    @property
    def lease_of_shard(self) -> str:
        """The name of the lease that the reconciler needs."""
        return f"{self.lease_name}:{self.shard.index}/{self.shard.count}" if self.shard else self.lease_name

    def has_preset(self, preset_id: str) -> bool:
        """Whether the reconciler works on a preset with this id."""
        return self.shard is None or self.shard.has(preset_id)
