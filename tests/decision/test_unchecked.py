"""Models made without checks have every field, each with its own value."""

from __future__ import annotations

import attrs
import pytest

from prebuilds import Transition
from prebuilds.decision.unchecked import make_factory


@attrs.frozen(kw_only=True)
class Row:
    """As the models are made."""

    preset_id: str = attrs.field(converter=str)
    transition: Transition = attrs.field(validator=attrs.validators.instance_of(Transition))
    count: int = attrs.field(default=1)


make_row = make_factory(Row, ("count", "preset_id", "transition"))


def test_a_model_is_made_from_all_its_values() -> None:
    """In the order in which the factory names the fields. It equals the model that is made with checks."""
    checked = Row(preset_id="p", transition=Transition.START, count=2)
    assert make_row(2, "p", Transition.START) == checked


@pytest.mark.parametrize(
    "fields", [("preset_id", "count"), ("preset_id", "count", "transition", "name"), ("preset_id", "count", "count")]
)
def test_a_factory_names_every_field_once(fields: tuple[str, ...]) -> None:
    """A field that is added to a model, or renamed, is found when the module is imported, not in a wrong model."""
    with pytest.raises(TypeError, match="Row has the fields preset_id, transition, count; named are preset_id, c"):
        make_factory(Row, fields)


@pytest.mark.parametrize("values", [(2, "p"), (2, "p", Transition.START, None)])
def test_a_call_gives_every_value(values: tuple[object, ...]) -> None:
    """One too few or too many would leave a field without a value, or lose one."""
    with pytest.raises(TypeError, match=r"^Row\(\) (missing|takes)"):
        make_row(*values)
