"""Claims: a user gets a prebuild at once, or not at all.

- A claim takes only a prebuild that a decision counts as eligible: ready, not expired (R2), of an active preset.
- A claim is atomic. At most one user gets a prebuild, under any race.
- A claim with a request id can be retried. The retry gets the same workspace and takes no second one.
- A claim that finds no prebuild is an answer, not an error. It is counted, because the size of the pool depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.presets import calculate_expiry_cutoff
from prebuilds.errors import ClaimConflictError, InvalidValueError
from prebuilds.renames import accept_old_keywords
from prebuilds.runtime.build_reports import make_change_message
from prebuilds.runtime.claim_answers import Claim, MissReason
from prebuilds.runtime.clocks import SYSTEM_CLOCK, choose_clock
from prebuilds.runtime.models import ClaimOrder, ClaimRequest, Counter, Message
from prebuilds.runtime.ports import Clock, DirectClaims, Store, Transaction
from prebuilds.runtime.preset_lookup import is_of, require_preset
from prebuilds.runtime.publishing.relays import Relay, flush_quietly


class Claims:
    """Gives prebuilds of a store to users. If several are eligible, `order` decides which one goes first.

    With a `relay` the loop hears of each claim at once and refills the pool.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock = SYSTEM_CLOCK,
        order: ClaimOrder = ClaimOrder.OLDEST_FIRST,
        relay: Relay | None = None,
    ) -> None:
        self._store = store
        self._direct = store if isinstance(store, DirectClaims) else None
        self._clock = choose_clock(store, clock)
        self._order = order
        self._relay = relay

    @accept_old_keywords(owner="owner_id")
    def claim(self, preset_id: str, *, owner_id: str, name: str, request_id: str | None = None) -> Claim:
        """Give a prebuild of the preset to this user, under this name.

        Raises `UnknownPresetError`, `NameTakenError` if the user has a workspace of that name, `ClaimConflictError` if
        the request id was used for another preset, user or name, and `InvalidValueError` for a wrong argument. After
        any of these, or a `TimeoutError`, nothing was taken and the call can be repeated. After a `CommitUnknownError`
        nobody knows. If the claim had a request id, the same call finds it again; otherwise look for a workspace with
        this owner and name.
        """
        request = self._make_request(preset_id, owner_id, name, request_id)
        message = make_change_message(preset_id)
        if self._direct:
            claim = self._direct.claim(request, message=message)
        else:
            claim = _claim_in_transaction(self._store, request, message)
        flush_quietly(self._relay)
        return claim

    def _make_request(self, preset_id: str, owner_id: str, name: str, request_id: str | None) -> ClaimRequest:
        """The request to the store. An error names the argument as `claim` does."""
        try:
            return ClaimRequest(
                preset_id=preset_id,
                order=self._order,
                owner_id=owner_id,
                name=name,
                request_id=request_id,
                claimed_at=self._clock.now(),
            )
        except InvalidValueError as error:
            raise InvalidValueError("claim", error.field, error.value, error.allowed) from None

    def match_preset(
        self, parameters: Mapping[str, str], *, template_id: str | None = None, organization_id: str | None = None
    ) -> str | None:
        """The id of the active preset of this template or this organisation that fits best; see `match_preset`.

        Raises `InvalidValueError` if neither is given, so that no user gets a workspace of another tenant.
        """
        if template_id is None and organization_id is None:
            raise InvalidValueError("match_preset", "template_id", None, "given, or else the organization_id")
        with self._store.transaction(read_only=True) as tx:
            active = [preset for preset in tx.list_presets() if preset.is_active]
        own = [preset for preset in active if is_of(preset, template_id=template_id, organization_id=organization_id)]
        return match_preset(own, parameters)


def match_preset(presets: Iterable[Preset], parameters: Mapping[str, str]) -> str | None:
    """The id of the preset whose parameters are the largest subset of those given; None if no preset matches.

    The smaller id wins a tie. A preset without parameters never matches, as it would match everything. Raises
    `InvalidValueError` for presets of several organisations, so that no user gets a workspace of another tenant.
    """
    presets = tuple(presets)
    organizations = sorted({preset.template_version.template.organization_id for preset in presets})
    if len(organizations) > 1:
        raise InvalidValueError("match_preset", "presets", organizations, "presets of one organisation")
    given = set(parameters.items())
    matching = [preset for preset in presets if preset.parameters and given.issuperset(preset.parameters)]
    best = min(matching, key=lambda preset: (-len(preset.parameters), preset.id), default=None)
    return best.id if best else None


def claim_within(tx: Transaction, request: ClaimRequest, message: Message) -> Claim:
    """Make a claim within a transaction, as `DirectClaims.claim` says. After a refusal nothing has been written.

    Raises `ClaimConflictError` also if another transaction has used the request id meanwhile.
    """
    return _find_repeated(tx, request) or _take(tx, request, message)


def _claim_in_transaction(store: Store, request: ClaimRequest, message: Message) -> Claim:
    try:
        with store.transaction() as tx:
            return claim_within(tx, request, message)
    except ClaimConflictError:
        # After this call looked for the request id, another call with the same id came first.
        with store.transaction(read_only=True) as tx:
            repeated = _find_repeated(tx, request)
        if repeated is None:
            raise
        return repeated


def _find_repeated(tx: Transaction, request: ClaimRequest) -> Claim | None:
    found = tx.find_claim(request.request_id) if request.request_id is not None else None
    if found is None:
        return None
    earlier, workspace = found
    if (earlier.preset_id, earlier.owner_id, earlier.name) != (request.preset_id, request.owner_id, request.name):
        raise ClaimConflictError(request.request_id or "")
    if workspace.deleted or workspace.owner_id != request.owner_id:
        return Claim(preset_id=request.preset_id, reason=MissReason.RELEASED, is_repeated=True)
    return Claim(preset_id=request.preset_id, workspace=workspace, is_repeated=True)


def _take(tx: Transaction, request: ClaimRequest, message: Message) -> Claim:
    preset = require_preset(tx, request.preset_id)
    cutoff = calculate_expiry_cutoff(preset, request.claimed_at)
    workspace = tx.take_prebuild(attrs.evolve(request, created_since=cutoff)) if preset.is_active else None
    if workspace is None:
        tx.count(preset.id, Counter.CLAIM_MISSED)
        tx.note_claim(preset.id, request.claimed_at, is_hit=False)
        reason = MissReason.NONE_ELIGIBLE if preset.is_active else MissReason.INACTIVE_PRESET
        return Claim(preset_id=preset.id, reason=reason)
    tx.count(preset.id, Counter.CLAIMED)
    tx.note_claim(preset.id, request.claimed_at, is_hit=True)
    tx.publish_on_commit(message)
    return Claim(preset_id=preset.id, workspace=workspace)
