"""What past failures of a preset's builds mean for it now: it backs off, or it is hard-limited.

- `prebuilds.decision.history` finds both in past builds. A host that keeps them itself may give them as they are.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from prebuilds.decision.fields import COUNT, ID, INSTANT, POSITIVE, TEXT, member_of, to_utc
from prebuilds.decision.policies.failures import FailureClass


@attrs.frozen(kw_only=True)
class Backoff:
    """A preset's recent failures: how many builds failed, and when the last of them ended (R8, R13).

    `failed_attempts` counts the attempts in a row that failed, up to the last; 0 means unknown. `failure` and `message`
    say why the last build failed. If it was CAPACITY, creates are held, and all else goes on (R19).
    """

    preset_id: str = attrs.field(validator=ID)
    num_failed: int = attrs.field(validator=COUNT)
    last_build_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    failed_attempts: int = attrs.field(default=0, validator=COUNT)
    failure: FailureClass = attrs.field(default=FailureClass.TRANSIENT, validator=member_of(FailureClass))
    message: str = attrs.field(default="", validator=TEXT)


@attrs.frozen(kw_only=True)
class HardLimit:
    """Why a preset is hard-limited: since when, after how many failed builds, and why the last of them failed (R19).

    `last_tried_at` is when its last start build ended. A probe waits `Policy.probe_interval` from then on.
    """

    preset_id: str = attrs.field(validator=ID)
    since: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    num_failed: int = attrs.field(validator=POSITIVE)
    last_tried_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    failure: FailureClass = attrs.field(default=FailureClass.TRANSIENT, validator=member_of(FailureClass))
    message: str = attrs.field(default="", validator=TEXT)
