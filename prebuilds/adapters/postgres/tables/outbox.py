"""Messages in a table: committed or rolled back with the changes they announce, `nested` parts included."""

from __future__ import annotations

from collections.abc import Sequence

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.runtime.models import Message, OutboxEntry

LIST = "SELECT id, topic, body FROM outbox ORDER BY id LIMIT %(limit)s"


class OutboxRows(Role):
    """The role `OutboxWrites`."""

    def publish_on_commit(self, message: Message) -> None:
        sql = "INSERT INTO outbox (topic, body) VALUES (%(topic)s, %(body)s)"
        self._statements.write_late(sql, topic=message.topic, body=message.body)

    def list_messages(self, limit: int) -> Sequence[OutboxEntry]:
        self._statements.catch_up()
        rows = self._statements.fetch(LIST, limit=max(limit, 0))
        return tuple(OutboxEntry(id=number, message=Message(topic=topic, body=body)) for number, topic, body in rows)

    def delete_messages(self, ids: Sequence[int]) -> None:
        self._statements.write_late("DELETE FROM outbox WHERE id = ANY(%(ids)s::bigint[])", ids=list(ids))
