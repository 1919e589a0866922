"""Writes a `View` as SQL by plain text, in as many ways as `Style` has switches.

The canonicaliser knows nothing of this and this nothing of it: no parser is used here.
"""

import re
from collections.abc import Mapping

from bench.duplicates.grouped import grouped
from bench.duplicates.reading import Reading
from bench.duplicates.shapes import WINDOWED, View
from bench.duplicates.style import PLAIN, Style
from bench.duplicates.windowed import windowed


def render(view: View, style: Style = PLAIN, names: Mapping[str, str] | None = None) -> str:
    """The query of a view; `names` gives features other names than `item_name`.

    Raises `Inapplicable` where the style cannot be written for this view.
    """
    reading = Reading(view, style, names or {})
    text = windowed(reading) if view.horizon in WINDOWED else grouped(reading)
    if style.has("passed_through"):
        inner = ", ".join(reading.outputs())
        text = f"WITH made AS ({text}) SELECT {inner} FROM (SELECT * FROM made) AS passed"
    return _reformatted(text) if style.has("reformat") else text


def _reformatted(text: str) -> str:
    """Other case, line breaks, comments and brackets of spacing; texts in quotes stay."""
    parts = re.split(r"('[^']*')", text)
    lowered = [part if part.startswith("'") else part.lower() for part in parts]
    broken = "".join(lowered).replace(" from ", "\n-- the rows\nfrom ")
    return broken.replace(", ", "\n  ,").replace(" where ", "\n where /* kept */ ") + "\n"
