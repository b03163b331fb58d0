"""Messages in a table: committed or rolled back with the changes they announce, `nested` parts included."""

from __future__ import annotations

from collections.abc import Sequence

from prebuilds.adapters.sqlite.connections.statements import Role
from prebuilds.runtime.models import Message, OutboxEntry


class OutboxRows(Role):
    """The role `OutboxWrites`."""

    def publish_on_commit(self, message: Message) -> None:
        self._statements.run("INSERT INTO outbox (topic, body) VALUES (?, ?)", message.topic, message.body)

    def list_messages(self, limit: int) -> Sequence[OutboxEntry]:
        rows = self._statements.fetch("SELECT id, topic, body FROM outbox ORDER BY id LIMIT ?", max(limit, 0))
        return tuple(OutboxEntry(id=number, message=Message(topic=topic, body=body)) for number, topic, body in rows)

    def delete_messages(self, ids: Sequence[int]) -> None:
        for number in ids:
            self._statements.run("DELETE FROM outbox WHERE id = ?", number)
