"""A recipe: all that a training set is made by, so that it can be made again without the registry.
Pure."""

from dataclasses import dataclass

from registry.core.published import PinnedFeature, Published, PublishedOnDemand, PublishedView
from registry.kernel.errors import Misuse, nearest_names
from training.maturity import check_maturity
from training.spec import ChosenFeature, TrainingSpec, choose_features


@dataclass(frozen=True, slots=True)
class ComputedView:
    """An on-demand view and the pins of its inputs, in the order of `view.inputs`."""

    view: PublishedOnDemand
    inputs: tuple[PinnedFeature, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The request, its features, and the definitions they had when the set was built."""

    spec: TrainingSpec
    features: tuple[ChosenFeature, ...]
    views: tuple[PublishedView, ...]
    computed: tuple[ComputedView, ...]

    def of_view(self, key: str) -> tuple[ChosenFeature, ...]:
        return tuple(f for f in self.features if f.pin.view == key)

    @property
    def columns(self) -> tuple[ChosenFeature, ...]:
        """The features that become columns, in order."""
        return tuple(f for f in self.features if f.column is not None)


def make_recipe(spec: TrainingSpec, state: Published, spine_columns: list[str]) -> Recipe:
    """Resolve a spec against the published state.

    Raises what `choose_features` does, and `Misuse` when the spine lacks the label or time column.
    """
    _check_columns(spec, spine_columns)
    features = choose_features(spec, state, spine_columns)
    stored = dict.fromkeys(f.pin.view for f in features if not f.pin.on_demand)
    computed = dict.fromkeys(f.pin.view for f in features if f.pin.on_demand)
    recipe = Recipe(
        spec=spec,
        features=features,
        views=tuple(state.view(key) for key in stored),
        computed=tuple(_computed(state.computed(key), state) for key in computed),
    )
    _check_keys(recipe, spine_columns)
    return recipe


def _computed(view: PublishedOnDemand, state: Published) -> ComputedView:
    return ComputedView(view, tuple(state.resolve(ref) for ref in view.inputs))


def _check_columns(spec: TrainingSpec, columns: list[str]) -> None:
    repeated = {name for name in columns if columns.count(name) > 1}
    if repeated:
        raise Misuse("the spine has two columns of one name", ", ".join(sorted(repeated)))
    for what, column in (("time column", spec.time_column), ("label", spec.label)):
        if column is not None and column not in columns:
            raise _missing(what, column, columns)
    if spec.maturity is not None:
        check_maturity(spec.maturity, columns)


def _check_keys(recipe: Recipe, columns: list[str]) -> None:
    """Raise `Misuse` for the first join key or request field that the spine lacks."""
    for view in recipe.views:
        for key in view.join_keys:
            if key.name not in columns:
                raise _missing(f"join key of view {view.key!r}", key.name, columns)
    for computed in recipe.computed:
        for field in computed.view.request_fields:
            if field.name not in columns:
                raise _missing(f"request field of {computed.view.key!r}", field.name, columns)


def _missing(what: str, column: str, columns: list[str]) -> Misuse:
    near = nearest_names(column, columns)
    found = f"nearest: {', '.join(near)}" if near else f"it has {', '.join(columns)}"
    return Misuse(f"the spine has no column {column!r} ({what})", found, "add or rename the column")
