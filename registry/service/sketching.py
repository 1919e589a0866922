"""Sketching features, stored ones and on-demand ones, and telling which could not be read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from registry.core.published import PinnedFeature, Published
from registry.core.similarity.values import ValueSketch
from registry.kernel.errors import FieldhouseError, Gone, NotFound
from registry.ports import SketchMaker
from registry.service.context import Context

NOT_RUN = "the code of definitions that come as data is not run here; `fieldhouse check` runs it"
Sketched = tuple[list[ValueSketch], Mapping[str, str]]


def sketch_named(context: Context, published: Published, names: Iterable[str]) -> Sketched:
    """Sketches of the newest version of each `view:feature`, and why views could not be read."""
    pins: list[PinnedFeature] = []
    for name in sorted(names):
        with suppress(NotFound, Gone):
            pins.append(published.resolve(name))
    return _sketch(context, published, pins)


def sketch_all(context: Context, published: Published) -> Sketched:
    """The same of every live feature version, each once though two lines hold it."""
    stored = {
        (view.name, f.name, f.version): PinnedFeature(view.key, f.name, f.version)
        for view in published.views.values()
        for f in view.features
    }
    computed = {
        (view.name, f.name, f.version): PinnedFeature(view.key, f.name, f.version, on_demand=True)
        for view in published.on_demand.values()
        for f in view.features
    }
    return _sketch(context, published, [*stored.values(), *computed.values()])


def _sketch(context: Context, published: Published, pins: Iterable[PinnedFeature]) -> Sketched:
    if context.sketches is None:
        return [], {}
    stored: dict[str, list[str]] = defaultdict(list)
    computed: dict[str, list[str]] = defaultdict(list)
    for pin in pins:
        (computed if pin.on_demand else stored)[pin.view].append(pin.feature)
    unread: dict[str, str] = {}
    made = list(_stored(context.sketches, published, stored, unread))
    if computed and context.computed is None:
        unread |= {published.computed(key).name: NOT_RUN for key in computed}
    elif computed and context.computed is not None:
        found, why = context.computed(published, computed)
        made += found
        unread |= {published.computed(key).name: said for key, said in why.items()}
    return made, unread


def _stored(
    make: SketchMaker,
    published: Published,
    wanted: Mapping[str, list[str]],
    unread: dict[str, str],
) -> Iterator[ValueSketch]:
    for key, names in sorted(wanted.items()):
        view = published.view(key)
        try:
            yield from make(view, names)
        except FieldhouseError as error:
            unread[view.name] = str(error)
