"""One suite for every model runtime, on real models trained here."""

import numpy as np
import pytest

from registry.kernel.errors import Corrupt, FieldhouseError, Invalid, Refused
from serving.bundle import LAYOUT, Manifest, ModelFile
from serving.runtimes import find_format, format_names, format_of_file, open_runtime
from serving.runtimes.port import RuntimePolicy
from serving.signature import Input, Signature
from serving.store import Bundle
from tests.model_room import (
    SCORE,
    flights,
    lightgbm_model,
    magnitude,
    onnx_model,
    pickle_model,
    python_model,
    skops_model,
    xgboost_model,
)

MODELS = {
    "lightgbm": lightgbm_model,
    "onnx": onnx_model,
    "pickle": pickle_model,
    "python": python_model,
    "skops": skops_model,
    "xgboost": xgboost_model,
}
TAKES_NAN = ("lightgbm", "xgboost")


def test_every_format_is_in_this_suite():
    assert format_names() == tuple(sorted(MODELS))


def bundle_of(trained, data=None, signature=None):
    file = ModelFile(trained.file, format_of_file(trained.file))
    manifest = Manifest(LAYOUT, "m", "binary", file, signature or trained.signature, ())
    model = trained.data if data is None else data
    return Bundle(manifest, "", "", {**trained.assets, trained.file: model})


@pytest.fixture
def opened():
    """Opens runtimes, and ends them when the test is over."""
    made = []

    def open_one(bundle):
        keys = frozenset({pickle_model().options["signed_by"]})
        made.append(open_runtime(bundle, RuntimePolicy(trusted=keys)))
        return made[-1]

    yield open_one
    for runtime in made:
        runtime.unload()


@pytest.fixture(params=sorted(MODELS))
def format_name(request):
    return request.param


@pytest.fixture
def trained(format_name):
    return MODELS[format_name]()


def rows_for(format_name):
    rows = flights().rows
    return rows if format_name in TAKES_NAN else np.nan_to_num(rows)


def test_answers_equal_the_frameworks_own(format_name, trained, opened):
    runtime = opened(bundle_of(trained))
    (found,) = runtime.predict(rows_for(format_name)).values()
    assert found.shape == trained.expected.shape and found.dtype == np.float32
    assert np.abs(found - trained.expected).max() < 1e-6


def test_a_row_alone_gets_the_answer_it_gets_in_a_batch(format_name, trained, opened):
    runtime = opened(bundle_of(trained))
    rows = rows_for(format_name)[:20]
    (together,) = runtime.predict(rows).values()
    alone = [next(iter(runtime.predict(rows[i : i + 1]).values())) for i in range(20)]
    assert np.abs(np.concatenate(alone) - together).max() < 1e-6


def test_a_model_file_cut_in_half_is_refused(trained, opened):
    half = trained.data[: len(trained.data) // 2]
    with pytest.raises((Corrupt, Refused)):
        opened(bundle_of(trained, half))


@pytest.mark.parametrize("data", [b"", b"\x80\x04\x95pickle", b"garbage", b"{}", b"\x08\x01"])
def test_other_bytes_are_refused_and_crash_nothing(trained, data, opened):
    with pytest.raises(FieldhouseError):
        opened(bundle_of(trained, data))


def test_a_signature_of_another_width_is_refused(format_name, trained):
    if find_format(format_name).isolated:
        return  # what a program reads is seen when it is run, on the golden rows
    narrow = Signature((Input("a"), Input("b")), trained.signature.outputs)
    with pytest.raises(Invalid, match="signature has 2"):
        open_runtime(bundle_of(trained, signature=narrow), RuntimePolicy())


def test_a_pickle_in_disguise_is_called_one():
    with pytest.raises(Corrupt, match="pickle"):
        open_runtime(bundle_of(xgboost_model(), b"\x80\x04K\x01."), RuntimePolicy())


@pytest.mark.parametrize("file", ["model.pt", "model.rds", "model"])
def test_files_that_are_programs_are_refused_by_their_names(file):
    with pytest.raises(Refused, match="native format"):
        format_of_file(file)


def test_an_onnx_output_that_is_not_there_is_named():
    trained = onnx_model()
    signature = Signature(trained.signature.inputs, (SCORE,))
    with pytest.raises(Invalid, match="no output 'probability'"):
        open_runtime(bundle_of(trained, signature=signature), RuntimePolicy())


def custom_skops():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from skops.io import dumps

    model = make_pipeline(FunctionTransformer(magnitude), LogisticRegression())
    return dumps(model.fit(np.nan_to_num(flights().rows), flights().labels))


def test_skops_types_load_only_when_the_servers_own_list_names_them():
    from skops.io import get_untrusted_types

    data = custom_skops()
    foreign = tuple(get_untrusted_types(data=data))
    bundle = bundle_of(skops_model(), data)
    assert foreign
    with pytest.raises(Refused, match="does not allow"):
        open_runtime(bundle, RuntimePolicy())
    assert open_runtime(bundle, RuntimePolicy(skops_types=foreign)).predict(np.ones((1, 4)))


def test_boosters_run_on_one_thread():
    runtime = open_runtime(bundle_of(xgboost_model()), RuntimePolicy())
    assert '"nthread":"1"' in runtime._booster.save_config()


def test_a_format_says_which_package_it_needs(format_name):
    assert find_format(format_name).package
