"""Whatever a client sends, the server answers 200 or one clear 4xx in Feast's format, never 5xx."""

import json
import math

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureserver.endpoints import Limits
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import put
from registry.testing import InMemoryRegistry, feature, published, view
from tests.unit.featureserver.asgi import app_over, call

PATH = "/get-online-features"
TYPES = ("int64", "int32", "string", "bool", "float64", "bytes", "timestamp", "decimal", "uuid")
VIEWS = [view(f"by_{t}", [feature("x"), feature("s", "string")], {f"k_{t}": t}) for t in TYPES]
PAIR = view("pair", [feature("y", "list<float64>")], {"k_int64": "int64", "k_string": "string"})
STATE = published(*VIEWS, PAIR, services={"one": ["by_int64:x"], "two": ["by_int64:s", "pair:y"]})
NAMES = ["k_" + t for t in TYPES]
REFS = [f"by_{t}:x" for t in TYPES] + ["pair:y", "by_int64:nope", "nope:x", "x", "", ":", "a:b@9"]
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1, 10**400, 0])
    | st.floats()
    | st.text()
    | st.sampled_from(["a}b~", "\x00", "2013-10-01T12:00:00Z", "AAA=", "1e999", "NaN"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
COLUMNS = st.lists(JSON_VALUES, max_size=4)
LIKELY = st.fixed_dictionaries(
    {"entities": st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), COLUMNS)},
    optional={
        "features": st.lists(st.sampled_from(REFS) | st.text(max_size=8), max_size=4),
        "feature_service": st.none() | st.sampled_from(["one", "two", "three", ""]),
        "full_feature_names": st.booleans() | JSON_VALUES,
        "include_feature_view_version_metadata": st.booleans(),
    },
)
BODIES = LIKELY | JSON_VALUES | st.dictionaries(st.text(max_size=8), JSON_VALUES)


@pytest.fixture(scope="module")
def app():
    store = InMemoryOnlineStore()
    put(store, VIEWS[0], {"k_int64": 1}, {"x": math.nan, "s": "a"})
    return app_over(STATE, store, InMemoryRegistry(STATE), limits=Limits(body_bytes=100_000))


@pytest.fixture(scope="module")
def described(app):
    """The paths of our OpenAPI document, references resolved."""
    document = call(app, "GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    return document["paths"]


def check_described(described, answer, path):
    """The answer is one that the OpenAPI document promises."""
    promised = described[path]["post"]["responses"][str(answer.status_code)]
    if "json" in answer.headers.get("content-type", ""):
        jsonschema.validate(answer.json(), promised["content"]["application/json"]["schema"])


def check(answer):
    assert 200 <= answer.status_code < 500, answer.text
    if answer.status_code != 200:
        told = json.loads(answer.json())
        assert told["module"] == "feast.errors" and told["message"]
        return
    found = answer.json()
    assert len(found["results"]) == len(found["metadata"]["feature_names"])
    lengths = {len(one) for result in found["results"] for one in result.values()}
    assert len(lengths) <= 1


@settings(deadline=None, max_examples=120)
@given(BODIES)
def test_any_json_is_answered_or_refused_as_openapi_says(app, described, body):
    answer = call(app, "POST", PATH, content=json.dumps(body).encode())
    check(answer)
    check_described(described, answer, PATH)


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=200), st.sampled_from(["application/json", "text/csv", "", "x/json;q"]))
def test_any_bytes_and_content_type_are_refused(app, body, content_type):
    headers = {"content-type": content_type}
    answer = call(app, "POST", PATH, content=body, headers=headers)
    assert 400 <= answer.status_code < 500
    check(answer)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(TYPES), COLUMNS, st.sampled_from(["application/json", "*/*", "arrow"]))
def test_entities_of_any_value_are_answered_or_refused_in_arrow_too(app, kind, values, accept):
    if accept == "arrow":
        accept = "application/vnd.apache.arrow.stream"
    body = {"features": [f"by_{kind}:x"], "entities": {f"k_{kind}": values}}
    answer = call(app, "POST", PATH, content=json.dumps(body), headers={"accept": accept})
    assert 200 <= answer.status_code < 500, answer.text


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["/push", "/write-to-online-store", "/materialize"]),
    st.dictionaries(st.text(max_size=20), JSON_VALUES, max_size=4) | JSON_VALUES,
)
def test_writing_routes_refuse_any_body_without_a_token_or_a_sense(app, described, path, body):
    answer = call(app, "POST", path, content=json.dumps(body).encode())
    check(answer)
    check_described(described, answer, path)


def test_another_method_is_told_which_one_would_do(app):
    answer = call(app, "GET", "/push")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
