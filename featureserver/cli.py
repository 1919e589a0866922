"""Commands: `materialize`, `parity`, `lookup`, `serve features`. Heavy imports wait inside."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.session import project_settings, token_option
from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from featureserver.lookup import Lookup
    from featureserver.plan import Plan
    from featureserver.purge import Purged
    from registry.kernel.settings import Settings


@click.command()
@click.argument("views", nargs=-1, metavar="[VIEWS]...")
@click.option(
    "--since", metavar="INSTANT", help="Rows visible after this; else the last run's end."
)
@click.option("--until", metavar="INSTANT", help="Rows visible until this; else now.")
@click.option("--rewrite", is_flag=True, help="Write rows even where newer ones are.")
@click.option("--rebuild", is_flag=True, help="Fill a new generation, then switch readers to it.")
@click.option("--dry-run", is_flag=True, help="Say what would be read; write nothing.")
@click.option("--no-parity", is_flag=True, help="Leave out the comparison at the end.")
@click.option("--purge", is_flag=True, help="Only delete generations that nobody reads any more.")
@token_option
@with_output
def materialize(
    views: tuple[str, ...],
    since: str | None,
    until: str | None,
    rewrite: bool,
    rebuild: bool,
    dry_run: bool,
    no_parity: bool,
    purge: bool,
    token: str | None,
    out: Output,
) -> None:
    """Write the newest offline rows of VIEWS (all of them when none is named) to Redis.

    Runs from where the last run ended, and finishes what a killed one left. A view whose
    expectations fail is stopped; so is a switch to values that differ from the warehouse's. Then
    the status is 1. Needs a token of role operator.

    \b
    Example:
      fieldhouse materialize
      fieldhouse materialize airport_weather --since 2013-09-01T00:00:00Z
      fieldhouse materialize airport_weather --rebuild
      fieldhouse materialize --purge
    """
    from featureserver.bootstrap import open_materializer
    from featureserver.redis_server import online_store
    from featureserver.reports import report_text
    from registry.bootstrap import open_registry
    from registry.cli.session import principal_here
    from registry.kernel.clock import parse_instant

    settings = project_settings()
    registry = open_registry(settings)
    actor = principal_here(registry, settings, token, "operator").subject
    with online_store(settings) as store:
        materializer = open_materializer(settings, registry, client=store)
        if purge:
            _show_purged(materializer.purge(), out)
            return
        report = materializer.run(
            list(views) or None,
            parse_instant(since) if since else None,
            parse_instant(until) if until else None,
            actor=actor,
            rewrite=rewrite,
            rebuild=rebuild,
            dry_run=dry_run,
            parity=not no_parity,
        )
    out.data(report.views, report_text(report))
    for line in report.purged:
        out.say(line.sentence)
    for view in report.views:
        if view.note:
            out.say(f"{view.view}: {view.note}")
    if report.failed:
        click.get_current_context().exit(1)


def _show_purged(purged: "Sequence[Purged]", out: Output) -> None:
    out.data(purged)
    out.say(
        f"{sum(one.deleted for one in purged)} keys deleted, {sum(o.left for o in purged)} left"
    )
    if any(one.left for one in purged):
        click.get_current_context().exit(1)


@click.command()
@click.argument("views", nargs=-1, metavar="[VIEWS]...")
@click.option("--keys", default=200, show_default=True, help="Entities to sample per view.")
@click.option("--seed", default=0, show_default=True, help="Which sample.")
@click.option("--at", metavar="INSTANT", help="As of when; else the end of the last run.")
@with_output
def parity(views: tuple[str, ...], keys: int, seed: int, at: str | None, out: Output) -> None:
    """Compare online values with what the warehouse says as of the same instant.

    Ends with status 1 when a value differs.

    \b
    Example:
      fieldhouse parity
      fieldhouse parity airport_weather --keys 1000 --json
    """
    from featureserver.bootstrap import open_lookup, store_results_in
    from featureserver.carry import has_history
    from featureserver.materialize import choose_views
    from featureserver.parity import ParityReport, ViewParity, check_generation
    from featureserver.source_copies import source_copies
    from registry.bootstrap import open_registry
    from registry.kernel.clock import parse_instant
    from registry.settings import HOME, clock_of
    from warehouse.bootstrap import open_engine

    settings = project_settings()
    registry, engine = open_registry(settings), open_engine(settings)
    lookup = open_lookup(settings, registry)
    found: list[ViewParity] = []
    keep = store_results_in(registry)
    try:
        with source_copies(engine, settings.path(HOME)) as copies:
            for view in choose_views(registry.published(), list(views) or None):
                if not has_history(view):
                    continue
                mark = registry.watermarks.read(view.key, view.generation)
                instant = parse_instant(at) if at else mark.until if mark else clock_of(settings)()
                reading = copies.engine_for(view)
                found.append(check_generation(reading, lookup.store, view, instant, keys, seed))
                if keep is not None and found[-1].compared:
                    keep(view, "parity", found[-1].sentences, "parity")
    finally:
        lookup.close()
    report = ParityReport(clock_of(settings)(), tuple(found))
    out.data(report.views)
    out.say(f"{report.compared} values compared, {report.differing} differ")
    if report.differing:
        click.get_current_context().exit(1)


@click.command()
@click.argument("entities", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--service", metavar="NAME", help="The feature service to look up.")
@click.option("--feature", "refs", multiple=True, metavar="REF", help="view:feature[@version].")
@click.option("--full-names", is_flag=True, help="Name columns view__feature.")
@with_output
def lookup(
    entities: tuple[str, ...],
    service: str | None,
    refs: tuple[str, ...],
    full_names: bool,
    out: Output,
) -> None:
    """Look features up for one or more entities; repeat KEY=VALUE for further rows.

    \b
    Example:
      fieldhouse lookup --service flight_delay origin=JFK dest=LAX carrier=UA tailnum=N14228
      fieldhouse lookup --feature airport_weather:wind_speed origin=JFK origin=LGA --json
    """
    from featureserver.bootstrap import open_lookup
    from featureserver.typed_text import read_entities
    from registry.kernel.errors import Misuse

    if bool(service) == bool(refs):
        raise Misuse("name what to look up", hint="give --service NAME, or --feature REF")
    opened = open_lookup(project_settings())
    try:
        plan = _planned(opened, service or list(refs), full_names)
        for notice in plan.notices:
            out.say(f"{notice.ref} is deprecated; {notice.replaced_by or 'nothing'} replaces it")
        result = opened.get(
            plan.request,
            read_entities(plan, entities),
            full_feature_names=plan.full_feature_names,
        )
    finally:
        opened.close()
    out.data([row for column in result.columns for row in _rows(column, result.entities)])


def _planned(opened: "Lookup", asked: str | list[str], full_names: bool) -> "Plan":
    """The plan, with full names where short ones would be ambiguous."""
    from featureserver.plan import NameCollision

    try:
        return opened.plan(asked, full_feature_names=full_names)
    except NameCollision:
        return opened.plan(asked, full_feature_names=True)


def _rows(column: Any, entities: Any) -> list[dict[str, Any]]:
    rows = zip(column.values, column.statuses, column.event_times, strict=True)
    return [
        {
            **{name: values[i] for name, values in entities.items()},
            "feature": column.name,
            "value": value,
            "status": status,
            "event_time": event,
        }
        for i, (value, status, event) in enumerate(rows)
    ]


@click.command()
@click.option("--host", help="Address to listen on; else features.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; else features.port.")
@click.option("--socket", type=click.Path(path_type=Path), help="A Unix socket besides TCP.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; else features.workers.")
def serve_features(
    host: str | None, port: int | None, socket: Path | None, workers: int | None
) -> None:
    """Serve features over HTTP as Feast's feature server does, until Ctrl-C or SIGTERM.

    With several workers a dead one is replaced, and metrics are of all of them.

    \b
    Example:
      fieldhouse serve features
      fieldhouse serve features --port 0 --socket /tmp/features.sock
      fieldhouse serve features --workers 4
    """
    from featureserver import settings as names
    from featureserver.hosting import host_app
    from featureserver.listen import listen_tcp, listen_unix
    from featureserver.server import address_of, serve
    from featureserver.workers import serve_with_workers
    from registry.kernel.logs import configure_logs

    configure_logs()
    settings = project_settings()
    number = int(settings.get(names.PORT)) if port is None else port
    sockets = [listen_tcp(host or str(settings.get(names.HOST)), number)]
    unix = socket or _path(settings)
    if unix is not None:
        sockets.append(listen_unix(unix))
    count = workers or int(settings.get(names.WORKERS))
    drain_seconds = int(settings.get(names.DRAIN_SECONDS))
    addresses = [address_of(one) for one in sockets]
    if count > 1:
        _say_addresses(addresses)
        serve_with_workers(settings, sockets, count, drain_seconds)
        return
    with host_app(settings) as app:
        _say_addresses(addresses)
        serve(app, sockets, drain_seconds)


def _path(settings: "Settings") -> Path | None:
    from featureserver.settings import LISTEN_SOCKET

    return settings.path(LISTEN_SOCKET) if settings.get(LISTEN_SOCKET) else None


def _say_addresses(addresses: Sequence[str]) -> None:
    for address in addresses:
        click.echo(f"features on {address}", err=True)
