"""The one border: Feast objects to our frozen definitions. Knows their shape; imports no Feast.

Objects are told apart by class name, so this module can be tested and read without Feast's seconds
of importing. What cannot be translated becomes a finding with the object's place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from registry.adapters.feast_sources import Locate, nowhere, request_fields, translate_source
from registry.adapters.feast_types import feature_type, is_unknown
from registry.core.code_bundle import bundle
from registry.core.code_slice import inputs_read
from registry.core.definitions import (
    Entity,
    Expectation,
    Feature,
    FeatureService,
    FeatureView,
    JoinKey,
    Location,
    OnDemandView,
    Repository,
)
from registry.core.digests import used_inputs
from registry.core.findings import Finding
from registry.core.governance import DEFAULT_STATE
from registry.kernel.errors import FieldhouseError, Invalid
from registry.kernel.refs import FeatureRef, parse_ref
from registry.vocabulary.governed import Declared, read_tags

NO_ENTITY = "__dummy"
_VIEWS = {"FeatureView": "batch", "BatchFeatureView": "batch", "StreamFeatureView": "stream"}
_MODES = {"python", "pandas"}


@dataclass(frozen=True, slots=True)
class Translation:
    """What a repository defines; None when a finding of severity error stands in the way."""

    repository: Repository | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Border:
    """What translating needs to know beside the objects.

    `sources` maps the repository's modules to their text, `modules` an on-demand view's name to
    the module that holds its function.
    """

    namespace: str
    locate: Locate = nowhere
    sources: Mapping[str, str] = field(default_factory=dict)
    module_of: Callable[[object], str] = lambda _: ""


def translate(objects: Iterable[object], border: Border) -> Translation:
    """All Feast objects of one repository as its definition, each kind sorted by name.

    The same object twice counts once; two objects of one kind and name are a finding.
    """
    unique = list({id(thing): thing for thing in objects}.values())
    findings = list(_doubles([*unique, *_sources_of(unique)], border.locate))
    by_kind: dict[str, list[Any]] = {"entity": [], "view": [], "on demand": [], "service": []}
    for thing in unique:
        kind = _kind(thing)
        if kind in by_kind:
            by_kind[kind].append(thing)
    entities = {e.name: e for e in by_kind["entity"]}
    views = {v.name: v for v in [*by_kind["view"], *by_kind["on demand"]]}
    attempt = _Attempts(border.locate, findings)
    repository = Repository(
        border.namespace,
        attempt.all(by_kind["entity"], lambda e: _entity(e, border)),
        attempt.all(by_kind["view"], lambda v: _view(v, entities, border)),
        attempt.all(by_kind["on demand"], lambda v: _on_demand(v, border)),
        attempt.all(by_kind["service"], lambda s: _service(s, views, border)),
    )
    failed = any(finding.severity == "error" for finding in findings)
    return Translation(None if failed else repository, tuple(findings))


def _sources_of(things: Iterable[Any]) -> Iterable[object]:
    """The sources that views stand on, which need not stand at the top of a file."""
    for thing in things:
        if _kind(thing) == "view":
            both = (thing.batch_source, thing.stream_source)
            yield from (source for source in both if source is not None)


class _Attempts:
    """Translates one object after another; an object that fails becomes a finding."""

    def __init__(self, locate: Locate, findings: list[Finding]) -> None:
        self._locate, self._findings = locate, findings

    def all(self, things: Sequence[Any], make: Callable[[Any], Any]) -> tuple[Any, ...]:
        made = []
        for thing in things:
            try:
                made.append(make(thing))
            except FieldhouseError as error:
                self._findings.append(_untranslatable(thing, error, self._locate(thing)))
        return tuple(sorted(made, key=lambda one: one.name))


def _kind(thing: object) -> str:
    names = [cls.__name__ for cls in type(thing).__mro__]
    if "OnDemandFeatureView" in names:
        return "on demand"
    kinds = {"FeatureView": "view", "Entity": "entity", "FeatureService": "service"}
    found = next((kinds[name] for name in names if name in kinds), None)
    return found or ("source" if "DataSource" in names else "")


def _doubles(things: Sequence[Any], locate: Locate) -> Iterable[Finding]:
    """Two objects of one name, compared without case: views of all kinds share their names."""
    seen: dict[tuple[str, str], Any] = {}
    for thing in things:
        kind = _kind(thing).replace("on demand", "view")
        if not kind:
            continue
        first = seen.setdefault((kind, str(thing.name).lower()), thing)
        if first is not thing and not (kind == "source" and first == thing):
            yield _double(kind, thing, locate(first), locate(thing))


def _double(kind: str, thing: Any, first: Location, second: Location) -> Finding:
    return Finding(
        rule="duplicate-name",
        strictness="meaning",
        severity="error",
        message=f"two objects of kind {kind} are called {thing.name!r}; "
        f"the other is in {first.file or 'another file'} line {first.line}",
        subject=str(thing.name),
        location=second,
        hint="rename one of them, or remove it",
    )


def _untranslatable(thing: Any, error: FieldhouseError, location: Location) -> Finding:
    found = f": {error.found}" if error.found else ""
    return Finding(
        rule="definition-invalid",
        strictness="meaning",
        severity="error",
        message=f"{error.asked}{found}",
        subject=str(getattr(thing, "name", "")),
        location=location,
        hint=error.hint,
    )


def _entity(entity: Any, border: Border) -> Entity:
    declared = read_tags(entity.tags)
    return Entity(
        name=entity.name,
        join_key=JoinKey(entity.join_key, _entity_type(entity)),
        description=declared.facts.description or entity.description,
        owner=declared.facts.owner or entity.owner,
        location=border.locate(entity),
    )


def _entity_type(entity: Any, columns: Sequence[Any] = ()) -> str:
    """The type of an entity's join key: its own word, else the column's in a view's schema."""
    column = next((c for c in columns if c.name == entity.join_key), None)
    if not is_unknown(entity.value_type):
        return _VALUE_TYPES.get(entity.value_type.name) or feature_type(entity.value_type)
    if column is not None and not is_unknown(column.dtype):
        return feature_type(column.dtype)
    raise Invalid(
        f"entity {entity.name!r} has no type for {entity.join_key!r}",
        hint="give it value_type=ValueType.STRING or the like",
    )


_VALUE_TYPES = {"DOUBLE": "float64", "FLOAT": "float32"}


def _view(view: Any, entities: Mapping[str, Any], border: Border) -> FeatureView:
    if getattr(view, "udf", None) or getattr(view, "aggregations", None):
        raise Invalid(
            f"view {view.name!r} transforms its source in Python, which Fieldhouse does not run",
            hint="write the computation as the query of a SqlSource, or as an on-demand view",
        )
    if view.source_views or view.batch_source is None:
        raise Invalid(
            f"view {view.name!r} has no data source", hint="give it a SqlSource or a FileSource"
        )
    declared = _declared(view)
    names = tuple(name for name in view.entities if name != NO_ENTITY)
    features, expectations = _features(view, border.locate)
    return FeatureView(
        name=view.name,
        entities=names,
        join_keys=tuple(_join_key(view, name, entities) for name in names),
        source=translate_source(view.stream_source or view.batch_source, border.locate),
        features=features,
        ttl_seconds=view.ttl.total_seconds() if view.ttl else None,
        kind="stream" if _VIEWS.get(type(view).__name__) == "stream" else "batch",
        online=bool(view.online),
        domain=_domain(declared, border.locate(view)),
        facts=declared.facts,
        tags=declared.others,
        expectations=(*declared.expectations, *expectations),
        location=border.locate(view),
    )


def _join_key(view: Any, name: str, entities: Mapping[str, Any]) -> JoinKey:
    if name not in entities:
        raise Invalid(
            f"view {view.name!r} uses entity {name!r}, which no file defines",
            hint="assign the entity to a name at the top of a file",
        )
    entity = entities[name]
    return JoinKey(entity.join_key, _entity_type(entity, view.entity_columns))


def _features(view: Any, locate: Locate) -> tuple[tuple[Feature, ...], tuple[Expectation, ...]]:
    if not view.features:
        raise Invalid(f"view {view.name!r} has no features", hint="list its fields in schema=[...]")
    made: list[Feature] = []
    expectations: list[Expectation] = []
    for one in view.features:
        declared = read_tags(one.tags)
        facts = replace(
            declared.facts, description=declared.facts.description or one.description or None
        )
        made.append(Feature(one.name, feature_type(one.dtype), facts, locate(one)))
        expectations += declared.expectations
    twice = {f.name for f in made if [g.name for g in made].count(f.name) > 1}
    if twice:
        raise Invalid(f"view {view.name!r} has two features called {', '.join(sorted(twice))}")
    return tuple(made), tuple(expectations)


def _declared(view: Any) -> Declared:
    """The facts of a view: governed(...) first, then Feast's own owner and description."""
    declared = read_tags(view.tags)
    facts = replace(
        declared.facts,
        owner=declared.facts.owner or view.owner or None,
        description=declared.facts.description or view.description or None,
    )
    return replace(declared, facts=facts)


def _domain(declared: Declared, location: Location) -> str:
    folders = PurePosixPath(location.file).parts[:-1]
    return declared.domain or (folders[0] if folders else "")


def _on_demand(view: Any, border: Border) -> OnDemandView:
    if view.mode not in _MODES or view.udf is None or view.aggregations:
        raise Invalid(
            f"on-demand view {view.name!r} is of a mode that Fieldhouse does not run: {view.mode}",
            hint='write one function with mode="python" or mode="pandas"',
        )
    if view.singleton or view.write_to_online_store:
        raise Invalid(
            f"on-demand view {view.name!r} asks for singleton or write_to_online_store",
            hint="a function gets lists of values, one for each row, and is run when asked for",
        )
    declared = _declared(view)
    entry = view.udf.__name__
    code = bundle(border.sources, border.module_of(view), entry)
    features, _ = _features(view, border.locate)
    return OnDemandView(
        name=view.name,
        mode=view.mode,
        entry=entry,
        code=code,
        features=features,
        inputs=used_inputs(_inputs(view), inputs_read(code, entry)),
        request_fields=_request(view),
        domain=_domain(declared, border.locate(view)),
        facts=declared.facts,
        location=border.locate(view),
    )


def _inputs(view: Any) -> tuple[str, ...]:
    projections = view.source_feature_view_projections.values()
    return tuple(f"{p.name}:{feature.name}" for p in projections for feature in p.features)


def _request(view: Any) -> tuple[JoinKey, ...]:
    sources = view.source_request_sources.values()
    return tuple(one for source in sources for one in request_fields(source))


def _service(service: Any, views: Mapping[str, Any], border: Border) -> FeatureService:
    declared = read_tags(service.tags)
    refs = [ref for part in service._features for ref in _refs(part, views)]
    return FeatureService(
        name=service.name,
        refs=tuple(dict.fromkeys(str(ref) for ref in refs)),
        description=declared.facts.description or service.description,
        owner=declared.facts.owner or service.owner,
        state=declared.facts.state or DEFAULT_STATE,
        location=border.locate(service),
    )


def _refs(part: Any, views: Mapping[str, Any]) -> Iterable[FeatureRef]:
    """The references that one entry of a service stands for: a view, a part of it, or text."""
    if not isinstance(part, str):
        version = _version(getattr(part, "version", "latest"))
        names = [feature.name for feature in part.projection.features]
        return [FeatureRef(part.name, name, version) for name in names]
    if ":" in part:
        return [parse_ref(part)]
    view, _, version_text = part.partition("@")
    if view not in views:
        raise Invalid(f"a service reads {part!r}, and no view is called {view!r}")
    names = [feature.name for feature in views[view].features]
    return [FeatureRef(view, name, _version(version_text)) for name in names]


def _version(text: str) -> int | None:
    digits = text.lstrip("v")
    return int(digits) if digits.isdigit() and int(digits) > 0 else None
