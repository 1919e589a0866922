"""An isolated worker in an environment of its own: named by the server, asked for by a bundle."""

import site
import subprocess
import sys

import numpy as np
import pytest

from registry.kernel.errors import Corrupt, NotFound
from serving.package import Parts
from serving.signature import Input, Output, Signature
from tests.model_room import open_room

CODE = """
import sys
import only_here
def predict(model, rows):
    return {"score": rows[:, 0] * only_here.FACTOR, "where": [float(len(sys.prefix))] * len(rows)}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """An environment that has a module which ours has not, beside our numpy."""
    folder = tmp_path_factory.mktemp("own") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "only_here.py").write_text("FACTOR = 3.0\n")
    (packages / "ours.pth").write_text("\n".join(site.getsitepackages()))
    return folder


def parts(folder, **options):
    file = folder / "score.model.py"
    file.write_text(CODE)
    outputs = (Output("score", "FP64"), Output("where", "FP64"))
    return Parts(
        name="score", model_file=file, signature=Signature((Input("x"),), outputs),
        golden_rows=np.array([[1.0], [2.0]]), options=options,
    )  # fmt: skip


def test_a_model_answers_with_the_packages_of_the_environment_it_asks_for(own, tmp_path):
    named = f"torch={own}/bin/python"
    room = open_room(tmp_path, FIELDHOUSE_SERVING_WORKER_ENVIRONMENTS=named)
    record = room.package(parts(tmp_path, environment="torch"), actor="a")
    predictor = room.predictor([("score", record.version)], log=False)
    found = predictor.predict("score", {"x": [2.0, 5.0]}).outputs
    assert found["score"].tolist() == [6.0, 15.0]
    assert found["where"].tolist() == [float(len(str(own)))] * 2
    predictor.close()
    room.close()


def test_without_it_the_model_does_not_load_and_nothing_is_kept(own, tmp_path):
    room = open_room(tmp_path)
    with pytest.raises(Corrupt, match="only_here"):
        room.package(parts(tmp_path), actor="a")
    with pytest.raises(NotFound, match="worker_environments"):
        room.package(parts(tmp_path, environment="torch"), actor="a")
    assert room.registry.models.all() == ()
    room.close()
