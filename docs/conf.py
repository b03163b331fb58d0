"""How Sphinx builds these pages: `sphinx-build -W -b html docs docs/_build`, warnings being errors."""  # noqa: INP001

from __future__ import annotations

import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sphinx.util.typing import stringify_annotation

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_ROOT), str(_ROOT / "docs")]  # the pages describe this checkout, installed or not

from prebuilds.version import __version__  # noqa: E402 - of this checkout

project = "prebuilds"
author = "The prebuilds maintainers"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx asks for it by this name
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build", "_pictures", "jupyter_execute"]
default_role = "code"  # docstrings have code between single backticks
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests run the notebooks, which keep what they show

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

html_theme = "furo"
pygments_dark_style = "github-dark"  # the default underlines names of modules, as if they were links
html_title = f"prebuilds {release}"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["prebuilds.css"]
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#24598f", "color-brand-content": "#24598f"},
    "dark_css_variables": {"color-brand-primary": "#8ab8e6", "color-brand-content": "#8ab8e6"},
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "  # what is copied can be run: without prompts, and without output
copybutton_prompt_is_regexp = True

# Names that a reader of a signature could not look up, as what they stand for.
_MEANINGS = {
    "_DEFAULT_POLICY": "Policy()",
    "_NO_RESETS": "{}",
    "Source": "str | PathLike | IO | Mapping",
    "Traces": "Trace | Mapping[str, Trace]",
    "Edit": "Mapping[str, Mapping[str, Any]] | Callable[[GlobalSnapshot], GlobalSnapshot]",
    "LeadTimes": "Mapping[str, LeadTime]",
    "Actions": "tuple[ReconciliationActions, ...]",
    "Parameters": "Mapping[str, str]",
}
_NAMES = re.compile(rf"\b({'|'.join(_MEANINGS)})\b")


def setup(app: Sphinx) -> None:
    """Register what Sphinx is to call."""
    app.connect("builder-inited", draw_pictures_of)
    app.connect("autodoc-process-signature", write_signature)


def draw_pictures_of(app: Sphinx) -> None:
    """Draw the pictures where the pages look for them."""
    from pictures import draw_pictures

    draw_pictures(Path(app.srcdir) / "_pictures")


def write_signature(*event: Any) -> tuple[str | None, str | None]:
    """The signature of a model by its fields: attrs's own shows no types and defaults where a converter stands."""
    _app, _what, _name, target, _options, signature, returned = event
    if isinstance(target, type) and attrs.has(target):
        fields = [field for field in attrs.fields(target) if field.init]
        signature = f"(*, {', '.join(map(_describe_field, fields))})"
    elif isinstance(target, type) and issubclass(target, Enum):
        signature = ""  # a member is never made
    return _spell_out(signature), returned


def _describe_field(field: attrs.Attribute[Any]) -> str:
    return f"{field.name}: {stringify_annotation(field.type, 'smart')}{_describe_default(field.default)}"


def _describe_default(default: Any) -> str:
    if default is attrs.NOTHING:
        return ""
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return f" = {default.factory.__name__}()"
    text = str(default) if isinstance(default, Enum) else repr(default)
    return f" = {text.removeprefix('datetime.')}"


def _spell_out(signature: str | None) -> str | None:
    return signature and _NAMES.sub(lambda match: _MEANINGS[match.group()], signature)
