"""`claim`: give a prebuild to a user. The exit status is 1 if none is ready."""

from __future__ import annotations

import argparse
import json

from prebuilds.commands.console.streams import write
from prebuilds.commands.fleet.stores import add_store, open_store
from prebuilds.runtime.claim_answers import Claim, MissReason
from prebuilds.runtime.claims import Claims
from prebuilds.runtime.clocks import SYSTEM_CLOCK

_WHY = {
    MissReason.NONE_ELIGIBLE: "no prebuild is ready",
    MissReason.INACTIVE_PRESET: "the preset is inactive",
    MissReason.RELEASED: "the workspace of this request has been released",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "claim",
        help="give a prebuild to a user",
        description="Give a prebuild to a user, at once or not at all. The exit status is 1 if none is ready.",
    )
    command.set_defaults(run=run)
    command.add_argument("preset", metavar="PRESET", help="the id of the preset")
    add_store(command)
    command.add_argument("--owner", required=True, metavar="USER", help="who gets it")
    command.add_argument("--name", required=True, metavar="NAME", help="the new name of the workspace")
    command.add_argument(
        "--request-id", metavar="ID", help="makes the claim safe to repeat: a retry gets the same workspace"
    )
    command.add_argument("--format", choices=tuple(_FORMATS), default="text", help="default: %(default)s")


def run(options: argparse.Namespace) -> int:
    with open_store(options.store) as opened:
        claims = Claims(opened.store, clock=SYSTEM_CLOCK, relay=opened.relay)
        claim = claims.claim(options.preset, owner_id=options.owner, name=options.name, request_id=options.request_id)
    return write(lambda: print(_FORMATS[options.format](claim))) or int(claim.workspace is None)


def _describe(claim: Claim) -> str:
    if claim.workspace is None:
        return f"{claim.preset_id}: {_WHY[claim.reason] if claim.reason else 'none'}"
    again = ", as before" * claim.is_repeated
    workspace = claim.workspace
    return f"{claim.preset_id}: {workspace.owner_id} has {workspace.name} now{again} (workspace {workspace.id})"


def _dump(claim: Claim) -> str:
    """The claim as JSON: ids are null, and `reason` is not, if nobody got anything."""
    workspace, reason = claim.workspace, claim.reason
    return json.dumps(
        {
            "preset_id": claim.preset_id,
            "workspace_id": workspace.id if workspace else None,
            "owner_id": workspace.owner_id if workspace else None,
            "name": workspace.name if workspace else None,
            "is_repeated": claim.is_repeated,
            "reason": reason.value if reason else None,
        },
        indent=2,
    )


_FORMATS = {"text": _describe, "json": _dump}
