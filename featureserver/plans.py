"""Joins plans to the registry that publishes and to the warehouse's compiler of transformations."""

from featureserver import settings as names
from featureserver.plan import Transform
from featureserver.state import PlanBook
from registry.core.published import PublishedOnDemand
from registry.kernel.settings import Settings
from registry.ports import PublishedReader


def plan_book(settings: Settings, published: PublishedReader) -> PlanBook:
    """Plans of what the registry publishes, refreshed as the settings say."""
    return PlanBook(
        published,
        compile_transform,
        float(settings.get(names.REFRESH_SECONDS)),
        float(settings.get(names.MAX_STATE_AGE_SECONDS)),
    )


def compile_transform(view: PublishedOnDemand) -> Transform:
    """The warehouse's compiler of on-demand views; loaded when a plan has one."""
    from warehouse.transforms import compile_transform as compiler

    compiled: Transform = compiler(view)
    return compiled
