"""What counts in Python code: everything but names of locals, layout and words for people."""

import textwrap

import pytest

from registry.core.code_bundle import bundle
from registry.core.code_digest import code_digest
from registry.core.code_slice import inputs_read, sliced
from registry.kernel.errors import Invalid

CODE = '''
import math
import numpy as np
LIMIT = 3
def scaled(value, factor=2):
    """Twice, mostly."""
    return value * factor + LIMIT
def f(inputs):
    """What this does."""
    rows = [scaled(x, factor=3) for x in inputs["a"]]  # a comment
    try:
        total = math.fsum(rows)
    except ValueError as error:
        total = str(error)
    for i in range(3):
        add = lambda q: q + i
    return {"a": rows, "b": np.abs(total), "c": f"{total:.2f}!"}
'''

RENAMED = """
import numpy as numbers
import unused

def assist(w, factor=2):
    return (w * factor) + BOUND

BOUND: int = 3

def f(given: dict) -> dict:
    out: list[float] = [assist(y, factor=3) for y in given['a']]
    try:
        s = math.fsum(
            out
        )
    except ValueError as e:
        s = str(e)
    for n in range(3):
        plus = lambda z: z + n
    return {"a": out, "b": numbers.abs(s), "c": f"{s:.2f}!"}
import math
"""


def test_layout_annotations_and_names_of_locals_do_not_count() -> None:
    assert code_digest(CODE, "f") == code_digest(RENAMED, "f")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("value * factor", "value - factor"),
        ("factor=2", "factor=5"),
        ("factor=3", "factor=4"),
        ('inputs["a"]', 'inputs["b"]'),
        ("range(3)", "range(2)"),
        ("q + i", "i + q"),
        ("q + i", "q + q"),
        ("math.fsum", "sum"),
        ("ValueError", "TypeError"),
        (":.2f}!", ":.3f}!"),
        ("np.abs", "np.sqrt"),
        ("import numpy as np", "import math as np"),
        ('"a": rows', '"a": total'),
    ],
)
def test_every_other_change_counts(old: str, new: str) -> None:
    assert old in CODE
    assert code_digest(CODE.replace(old, new), "f") != code_digest(CODE, "f")


def test_a_local_does_not_become_the_global_that_it_shadows() -> None:
    one = "x = 1\ndef f(d):\n    y = 2\n    return x"
    other = "x = 1\ndef f(d):\n    y = 2\n    return y"
    assert code_digest(one, "f") != code_digest(other, "f")


def test_a_comprehension_has_names_of_its_own() -> None:
    one = "def f(d):\n    x = 1\n    y = [x for x in d]\n    return x, y"
    same = "def f(d):\n    x = 1\n    y = [z for z in d]\n    return x, y"
    other = "def f(d):\n    x = 1\n    y = [x for z in d]\n    return x, y"
    assert code_digest(one, "f") == code_digest(same, "f")
    assert code_digest(one, "f") != code_digest(other, "f")


def test_names_stay_where_code_looks_them_up_by_name() -> None:
    one = "def f(d):\n    x = 1\n    return locals()['x']"
    assert code_digest(one, "f") != code_digest(one.replace("x = 1", "y = 1"), "f")


def test_what_is_not_python_or_not_there_is_refused() -> None:
    with pytest.raises(Invalid, match="not Python"):
        code_digest("def f(:", "f")
    with pytest.raises(Invalid, match="no function"):
        code_digest("x = 1", "f")


SLICED = textwrap.dedent("""
    def f(inputs):
        a = [x + 1 for x in inputs["a"]]
        b = [x * 2 for x in inputs["b"]]
        return {"p": a, "q": b}
    """)
FILLED = textwrap.dedent("""
    def f(df):
        out = pd.DataFrame()
        out["p"] = df["a"] + 1
        out["q"] = df["b"] * 2
        out["r"] = out["q"] + 1
        return out
    """)
NAMES = frozenset("pqr")


@pytest.mark.parametrize("code", [SLICED, FILLED])
def test_a_feature_depends_on_its_own_part_of_the_function(code: str) -> None:
    changed = code.replace("* 2", "* 3")
    assert sliced(code, "f", "p", NAMES) == sliced(changed, "f", "p", NAMES)
    assert sliced(code, "f", "q", NAMES) != sliced(changed, "f", "q", NAMES)


def test_a_column_that_another_reads_stays() -> None:
    changed = FILLED.replace("* 2", "* 3")
    assert sliced(FILLED, "f", "r", NAMES) != sliced(changed, "f", "r", NAMES)


@pytest.mark.parametrize(
    "line",
    [
        "out = out.fillna(0)",
        "clean(out)",
        "for c in out: out[c] = 0",
        "out[name] = 1",
        "if df.empty: out['p'] = 0",
        "alias = out",
    ],
)
def test_a_function_that_may_touch_every_column_is_taken_whole(line: str) -> None:
    code = FILLED.replace("    return out", f"    {line}\n    return out")
    assert sliced(code, "f", "p", NAMES) == code


REPOSITORY = {
    "lib.geo": "import math\nR = 6371\ndef distance(a, b):\n    return math.hypot(a, b) * R\n",
    "views.near": (
        "from feast.on_demand_feature_view import on_demand_feature_view\n"
        "from lib.geo import distance as far\n"
        "SCALE = 2\nOTHER = 3\n"
        "@on_demand_feature_view(sources=[OTHER])\n"
        "def near(inputs):\n"
        "    return {'near': [far(a, b) / SCALE for a, b in zip(inputs['a'], inputs['b'])]}\n"
    ),
}


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("return {'r': i['a']}", {"a"}),
        ("out = i[[]].copy()\n    out['r'] = i['a'] + i['b']\n    return out", {"a", "b"}),
        ("return i[['a', 'b']].sum(axis=1)", {"a", "b"}),
        ("return pd.DataFrame({'r': i['a']}, index=i.index)", {"a"}),
        ("return g(i)", None),
        ("return i[names]", None),
        ("return i[['a', name]]", None),
        ("return i.a", None),
    ],
)
def test_what_code_reads_of_its_argument(body: str, read: set[str] | None) -> None:
    assert inputs_read(f"def f(i):\n    {body}\n", "f") == read


def test_a_bundle_stands_alone() -> None:
    text = bundle(REPOSITORY, "views.near", "near")
    names: dict[str, object] = {}
    exec(text, names)
    assert names["near"]({"a": [3], "b": [4]}) == {"near": [5 * 6371 / 2]}  # type: ignore[operator]
    assert "feast" not in text
    assert "OTHER" not in text


def test_a_helper_in_another_file_counts() -> None:
    changed = {**REPOSITORY, "lib.geo": REPOSITORY["lib.geo"].replace("6371", "3959")}
    digests = {code_digest(bundle(r, "views.near", "near"), "near") for r in (REPOSITORY, changed)}
    assert len(digests) == 2


def test_a_helper_that_moves_to_another_file_does_not_count() -> None:
    moved = {
        "lib.earth": REPOSITORY["lib.geo"],
        "views.near": REPOSITORY["views.near"].replace("lib.geo", "lib.earth"),
    }
    digests = {code_digest(bundle(r, "views.near", "near"), "near") for r in (REPOSITORY, moved)}
    assert len(digests) == 1


def test_reaching_through_a_module_of_the_repository_is_refused_with_advice() -> None:
    code = "import lib.geo as geo\ndef near(i):\n    return geo.distance(1, 2)\n"
    with pytest.raises(Invalid, match="by name"):
        bundle({**REPOSITORY, "v": code}, "v", "near")
