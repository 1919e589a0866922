"""The bodies of on-demand functions of the corpus: a quotient of two columns, in several hands.

`{name}` is the feature, `{python}` what a near copy makes of the quotient `x`.
"""

from collections.abc import Mapping
from typing import Final

FUNCTIONS: Final[Mapping[str, str]] = {
    "python": (
        "    return {{\"{name}\": [None if not n else s / n for s, n in "
        "zip(inputs[\"top\"], inputs[\"bottom\"], strict=True)]}}"
    ),
    "scaled_in_python": (
        "    return {{\"{name}\": [None if not n else (lambda x: {python})(s / n) for s, n in "
        "zip(inputs[\"top\"], inputs[\"bottom\"], strict=True)]}}"
    ),
    "pandas": (
        "    made = pd.DataFrame()\n"
        "    made[\"{name}\"] = inputs[\"top\"] / "
        "inputs[\"bottom\"].where(inputs[\"bottom\"] != 0)\n"
        "    return made"
    ),
    "python_loop": (
        "    made = []\n"
        "    for s, n in zip(inputs[\"top\"], inputs[\"bottom\"], strict=True):\n"
        "        if n:\n"
        "            made.append(s / n)\n"
        "        else:\n"
        "            made.append(None)\n"
        "    return {{\"{name}\": made}}"
    ),
    "pandas_scaled": (
        "    ratio = inputs[\"top\"].div(inputs[\"bottom\"].replace(0, float(\"nan\")))\n"
        "    return pd.DataFrame({{\"{name}\": ratio.map(lambda x: {python})}})"
    ),
}  # fmt: skip
