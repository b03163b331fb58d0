"""Round trips: what was written is read back unchanged, for any value of each field."""

from __future__ import annotations

import attrs

from prebuilds.decision.models import Preset
from prebuilds.runtime.models import ClaimRequest, Message
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.generated_values import for_each
from prebuilds.testing.contracts.equipment.requests import at, make_preset
from prebuilds.testing.contracts.equipment.scenes import Stage, add, put_presets
from prebuilds.testing.contracts.store.messages import TOPIC, Mailbox
from prebuilds.testing.strategies import claim_requests, messages, presets

PRESET_CHECKS: list[StoreCheck] = []
MESSAGE_CHECKS: list[StoreCheck] = []
CLAIM_CHECKS: list[StoreCheck] = []


@store_check(PRESET_CHECKS, "SettingsWrites.put_preset", "Add a preset")
def every_field_of_a_preset_is_kept(lab: Lab) -> None:
    def check(number: int, preset: Preset) -> None:
        named = attrs.evolve(preset, id=f"{number}: {preset.id}")
        with lab.store.transaction() as tx:
            tx.put_preset(named)
            expect(tx.list_presets(named.id), [named], "list_presets(), within the transaction, of the preset put")
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.list_presets(named.id), [named], "list_presets(), after the commit, of the preset put")

    for_each(presets(now=at(0)), check)


@store_check(MESSAGE_CHECKS, "OutboxWrites.publish_on_commit", "Send the message")
def every_message_is_sent_as_it_is(lab: Lab) -> None:
    mailbox = Mailbox(lab.store, lab.pubsub)

    def check(number: int, message: Message) -> None:
        body = f"{number}: {message.body}"
        with lab.store.transaction() as tx:
            tx.publish_on_commit(attrs.evolve(message, topic=f"other {message.topic}"[:100]))
            tx.publish_on_commit(attrs.evolve(message, topic=TOPIC, body=body))
        expect(mailbox.read_all(), [body], "the bodies of the messages that came")

    for_each(messages(), check)


@store_check(CLAIM_CHECKS, "ClaimWrites.find_claim", "The claim with this request id")
def every_field_of_a_claim_is_kept(lab: Lab) -> None:
    def check(number: int, request: ClaimRequest) -> None:
        request_id = f"{number}: {request.request_id}"
        named = attrs.evolve(request, preset_id=preset.id, request_id=request_id, name=f"desk {number}")
        with lab.store.transaction() as tx:
            add(tx, f"w{number}", Stage.READY, preset)
            taken = tx.take_prebuild(named)
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.find_claim(request_id), (named, taken), "find_claim() of the claim made")

    preset = make_preset()
    put_presets(lab.store, preset)
    for_each(claim_requests(now=at(0)), check)
