"""Claims, many at once: no prebuild goes to two, and none is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prebuilds.errors import ClaimConflictError, NameTakenError
from prebuilds.runtime.models import ClaimRequest, Workspace
from prebuilds.runtime.ports import Store
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import Mismatch, expect
from prebuilds.testing.contracts.equipment.overtaking import do_both, expect_no_promotion_during
from prebuilds.testing.contracts.equipment.requests import Undo, at, delete_one, request_claim, request_delete
from prebuilds.testing.contracts.equipment.scenes import list_ids, put_ready, take_in
from prebuilds.testing.contracts.equipment.threads import hold_open, insist, race

CHECKS: list[StoreCheck] = []
_THREADS = 12
_EACH = 4  # claims of each thread
_ONCE = (
    "Two transactions never take the same prebuild; one that another transaction has locked is passed over or waited "
    "for."
)


def _put_many(store: Store, number: int) -> Sequence[str]:
    names = [f"w{n:02}" for n in range(number)]
    put_ready(store, *names)
    return names


def _taking(store: Store, thread: int) -> Callable[[], Sequence[Workspace | None]]:
    requests = [request_claim(f"user {thread}", name=f"desk {number}") for number in range(_EACH)]
    return lambda: [insist(lambda request=request: take_in(store, request)) for request in requests]  # type: ignore[misc]


@store_check(CHECKS, "ClaimWrites.take_prebuild", _ONCE)
def many_claims_take_each_prebuild_once(lab: Lab) -> None:
    names = _put_many(lab.store, _THREADS * _EACH - 8)
    batches = race([_taking(lab.store, thread) for thread in range(_THREADS)])
    taken = [workspace for batch in batches for workspace in batch if workspace]
    expect(sorted(workspace.id for workspace in taken), names, f"the ids that {_THREADS} threads were given, sorted,")
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.read_rows().prebuilds, [], "the prebuilds left, when there had been more claims than prebuilds,")
        for workspace in taken:
            expect(tx.get_workspace(workspace.id), workspace, f"{workspace.id}, which was given as another,")


@store_check(CHECKS, "ClaimWrites.take_prebuild", "if the request id is already recorded.")
def a_request_repeated_at_once_claims_once(lab: Lab) -> None:
    _put_many(lab.store, _THREADS)
    outcomes = race([_trying(lab.store, request_claim(request_id="r"))] * _THREADS)
    _expect_one(lab.store, outcomes)
    with lab.store.transaction(read_only=True) as tx:
        found = tx.find_claim("r")
    expect(found and found[1], next(filter(None, outcomes)), "find_claim() of the request id")


@store_check(CHECKS, "ClaimWrites.take_prebuild", "if the owner has a workspace of this name that is not deleted")
def a_name_asked_for_at_once_is_given_once(lab: Lab) -> None:
    _put_many(lab.store, _THREADS)
    _expect_one(lab.store, race([_trying(lab.store, request_claim())] * _THREADS))


def _trying(store: Store, request: ClaimRequest) -> Callable[[], Workspace | None]:
    def attempt() -> Workspace | None:
        try:
            return insist(lambda: take_in(store, request))
        except (ClaimConflictError, NameTakenError):
            return None

    return attempt


def _expect_one(store: Store, outcomes: Sequence[Workspace | None]) -> None:
    taken = [workspace.id for workspace in outcomes if workspace]
    if len(taken) != 1:
        raise Mismatch(f"{_THREADS} threads claimed the same at once, and {len(taken)} got one: {taken}")
    with store.transaction(read_only=True) as tx:
        left = list_ids(tx)
    expect(len(left), _THREADS - 1, "the number of prebuilds left, when one was claimed,")


@store_check(CHECKS, "ClaimWrites.take_prebuild", _ONCE)
def what_is_deleted_is_not_claimed(lab: Lab) -> None:
    names = _put_many(lab.store, _THREADS)
    deletes = [_deleting(lab.store, name) for name in names]
    race([*deletes, *(_claiming(lab.store, f"user {name}") for name in names)])
    with lab.store.transaction(read_only=True) as tx:
        workspaces = [workspace for workspace in map(tx.get_workspace, names) if workspace]
    both = [workspace for workspace in workspaces if not workspace.is_prebuild and workspace.last_build.number > 1]
    neither = [workspace for workspace in workspaces if workspace.is_prebuild and workspace.last_build.number == 1]
    expect(both, [], "the workspaces that were claimed and deleted")
    expect(neither, [], "the workspaces that were neither claimed nor deleted, though each was asked to be,")


def _deleting(store: Store, workspace_id: str) -> Callable[[], None]:
    def delete() -> None:
        with store.transaction() as tx:
            delete_one(tx, request_delete(workspace_id), now=at(200))

    return delete


def _claiming(store: Store, owner_id: str) -> Callable[[], None]:
    def claim() -> None:
        take_in(store, request_claim(owner_id))

    return claim


@store_check(CHECKS, "ClaimWrites.take_prebuild", _ONCE)
def a_prebuild_is_not_taken_while_another_takes_it(lab: Lab) -> None:
    _put_many(lab.store, 2)
    both = do_both(
        lab.store,
        lambda tx: tx.take_prebuild(request_claim("alice")),
        lambda: take_in(lab.store, request_claim("bob")),
    )
    expect(sorted(workspace.id for workspace in both if workspace), ["w00", "w01"], "the ids that two got")


@store_check(CHECKS, "Store.transaction", "rolled back when an error leaves it.")
def a_claim_that_is_rolled_back_frees_its_prebuild(lab: Lab) -> None:
    _put_many(lab.store, 1)
    with hold_open(lab.store) as held:
        held.call(lambda tx: tx.take_prebuild(request_claim("alice")))
        held.end(Undo())
    taken = take_in(lab.store, request_claim("bob"))
    expect(taken and taken.id, "w00", "the id that another got")


@store_check(
    CHECKS,
    "ClaimWrites.take_prebuild",
    "The preset must be active, and stay active until this transaction has ended.",
)
def no_promotion_overtakes_a_claim(lab: Lab) -> None:
    _put_many(lab.store, 1)
    expect_no_promotion_during(lab.store, lambda tx: tx.take_prebuild(request_claim()), "claim")
