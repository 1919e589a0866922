"""What the feature repository promises: facts on each feature, keys alone, columns that fit."""

from pathlib import Path

import pytest

from fieldhouse.demo.spine import SERVICE
from registry.adapters.feast_loader import load_repository
from registry.core.definitions import Feature, Repository
from registry.kernel.refs import parse_ref
from registry.kernel.settings import Settings
from registry.kernel.types import NUMERIC, arrow_type
from warehouse.bootstrap import open_engine

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def repository() -> Repository:
    """The definitions of `feature_repo/`, through the border that `check` uses."""
    loaded = load_repository(ROOT / "feature_repo", "flights")
    assert loaded.findings == ()
    assert loaded.repository is not None
    return loaded.repository


def features(repository: Repository) -> dict[tuple[str, str], Feature]:
    return {(view.name, f.name): f for view in repository.views for f in view.features}


def test_there_are_features_enough_in_every_domain(repository: Repository) -> None:
    assert len(features(repository)) == 45
    domains = {view.domain for view in repository.views}
    assert domains == {"airports", "carriers", "planes", "routes", "weather"}


def test_every_view_has_a_file_of_its_own(repository: Repository) -> None:
    for view in repository.views:
        assert view.location.file == f"{view.domain}/{view.name}.py"


def test_every_view_has_an_owner_expectations_and_is_in_production(repository: Repository) -> None:
    for view in repository.views:
        assert view.facts.owner
        assert view.facts.state == "production"
        assert view.expectations


def test_every_feature_has_a_description_and_a_unit(repository: Repository) -> None:
    facts = {name: feature.facts for name, feature in features(repository).items()}
    assert [name for name, said in facts.items() if not (said.description and said.unit)] == []


def test_the_service_reads_numbers_by_four_keys_alone(repository: Repository) -> None:
    (service,) = (s for s in repository.services if s.name == SERVICE)
    refs = [parse_ref(ref) for ref in service.refs]
    views = {view.name: view for view in repository.views}
    keys = {key.name for ref in refs for key in views[ref.view].join_keys}
    known = features(repository)
    assert keys == {"origin", "dest", "carrier", "tailnum"}
    assert len(refs) == 42
    assert {known[ref.view, ref.feature].dtype for ref in refs} <= NUMERIC


def test_the_columns_of_every_source_have_the_declared_types(
    repository: Repository, flights_root: Path
) -> None:
    engine = open_engine(Settings(ROOT, None, {"warehouse": {"root": str(flights_root)}}, {}))
    for view in repository.views:
        schema = engine.schema(view.source)
        wanted = {x.name: arrow_type(x.dtype) for x in (*view.features, *view.join_keys)}
        times = (view.source.timestamp_field, view.source.created_field)
        wanted |= {name: arrow_type("timestamp") for name in times if name}
        assert {name: schema.field(name).type for name in wanted} == wanted
