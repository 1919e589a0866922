"""Waivers: which pickles may run, and by whose word."""

from dataclasses import replace

import msgspec
import pytest

from registry.kernel.errors import Corrupt, FieldhouseError, Forbidden, Misuse, Refused
from registry.kernel.signing import ensure_key
from registry.ports import Principal
from registry.testing import NOON
from serving.bundle import LAYOUT, Manifest, ModelFile
from serving.runtimes import open_runtime
from serving.runtimes.port import RuntimePolicy
from serving.store import Bundle
from serving.waiver import check_waiver, sign_waiver
from tests.model_room import AUTHOR, OWNER, pickle_model

DATA = b"\x80\x04K\x01."


@pytest.fixture
def key(tmp_path):
    return ensure_key(tmp_path / "key")


@pytest.fixture
def waiver(key):
    return sign_waiver(DATA, OWNER, "until it is exported", key, NOON)


def test_a_waiver_says_who_gave_it(waiver, key):
    assert check_waiver(waiver, DATA, frozenset({key.public})) == OWNER.subject


def test_a_waiver_lets_in_no_other_file(waiver, key):
    with pytest.raises(Refused, match="another file"):
        check_waiver(waiver, DATA + b"x", frozenset({key.public}))


def test_a_waiver_of_a_key_that_is_not_trusted_counts_for_nothing(waiver):
    with pytest.raises(Refused, match="not signed by a key that is trusted"):
        check_waiver(waiver, DATA, frozenset())


def test_a_changed_waiver_is_forged(waiver, key):
    found = msgspec.json.decode(waiver)
    found["waiver"]["by"] = "somebody else"
    with pytest.raises(Corrupt, match="does not fit"):
        check_waiver(msgspec.json.encode(found), DATA, frozenset({key.public}))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"waiver": 1}'])
def test_a_waiver_that_is_none_is_said_to_be_unreadable(data, key):
    with pytest.raises(Corrupt, match="cannot be read"):
        check_waiver(data, DATA, frozenset({key.public}))


@pytest.mark.parametrize("by", [AUTHOR, Principal("bot", frozenset({"owner"}), bot=True)])
def test_only_a_person_who_is_an_owner_waives(by, key):
    with pytest.raises(Forbidden):
        sign_waiver(DATA, by, "please", key, NOON)


def test_a_waiver_needs_a_reason(key):
    with pytest.raises(Misuse, match="reason"):
        sign_waiver(DATA, OWNER, " ", key, NOON)


def test_a_pickle_without_a_waiver_is_refused_before_anything_of_it_runs(tmp_path):
    trained = pickle_model()
    manifest = Manifest(LAYOUT, "m", "binary", ModelFile("m.pkl", "pickle"), trained.signature, ())
    bundle = Bundle(manifest, "", "", {"m.pkl": trained.data})
    with pytest.raises(Refused, match="a pickle is a program"):
        open_runtime(bundle, RuntimePolicy())
    with pytest.raises(FieldhouseError, match="not signed by a key"):
        open_runtime(replace(bundle, files={**bundle.files, **trained.assets}), RuntimePolicy())
