"""Golden outputs that the training framework gave itself, at packaging, beside our runtime's."""

import numpy as np
import pytest

from registry.kernel.errors import Invalid, Misuse
from serving.bundle import GOLDEN, decode_golden
from serving.golden import ask_framework
from serving.packing import read_spec
from tests.model_room import AUTHOR
from tests.pipeline_room import SPEC, pipeline_room

ROWS = np.array([[1.0], [2.0]])
XGBOOST = """
import xgboost
def predict(model_file, rows):
    return xgboost.Booster(model_file=model_file).predict(xgboost.DMatrix(rows))
"""


def asked(folder, body, outputs=None):
    (folder / "golden.py").write_text(f"def predict(model_file, rows):\n    {body}\n")
    (folder / "model").write_text("3")
    return ask_framework(folder / "golden.py", folder / "model", ROWS, outputs or {"score": "FP32"})


def test_a_specification_may_have_the_framework_give_the_golden_outputs(tmp_path):
    import xgboost

    room = pipeline_room(tmp_path)
    (tmp_path / "golden.py").write_text(XGBOOST)
    (tmp_path / "delay.toml").write_text(
        SPEC.replace("golden_rows", 'golden_code = "golden.py"\ngolden_rows')
    )
    record = room.package_spec(read_spec(tmp_path / "delay.toml"), tmp_path, actor=AUTHOR.subject)
    golden = decode_golden(room.bundle("delay", record.version).files[GOLDEN])
    booster = xgboost.Booster(model_file=tmp_path / "model.ubj")
    wanted = booster.predict(xgboost.DMatrix(golden.rows))
    assert golden.outputs["probability"].tolist() == wanted.tolist()


def test_one_output_may_be_given_alone_and_several_by_name(tmp_path):
    assert asked(tmp_path, "return rows[:, 0] * float(open(model_file).read())")[
        "score"
    ].tolist() == [3.0, 6.0]
    both = asked(tmp_path, "return {'a': rows[:, 0], 'b': [1, 2]}", {"a": "FP64", "b": "INT64"})
    assert both["a"].dtype == np.float64 and both["b"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise ValueError('no such model')", "no such model"),
        ("return rows[:1, 0]", "2 rows"),
        ("return ['a', 'b']", "numbers"),
        ("return {'other': rows[:, 0]}", "score"),
        ("import fieldhouse_secret", "fieldhouse_secret"),
    ],
)
def test_code_that_gives_none_is_refused_with_its_words(tmp_path, body, why):
    with pytest.raises(Invalid, match=why):
        asked(tmp_path, body)


def test_a_file_that_is_not_there_is_misuse(tmp_path):
    with pytest.raises(Misuse, match="golden"):
        ask_framework(tmp_path / "golden.py", tmp_path, ROWS, {"score": "FP32"})
