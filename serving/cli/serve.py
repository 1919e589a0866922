"""`serve models`. Heavy imports wait inside."""

from pathlib import Path

import click

from serving.cli.session import open_room


@click.command("models")
@click.option("--host", help="Address to listen on; else serving.host.")
@click.option("--port", type=int, help="TCP port, 0 takes a free one; else serving.port.")
@click.option("--socket", type=click.Path(path_type=Path), help="Unix socket to listen on as well.")
@click.option("--workers", type=click.IntRange(1), help="Processes; else serving.workers.")
def serve_models(
    host: str | None, port: int | None, socket: Path | None, workers: int | None
) -> None:
    """Serve the champions by the Open Inference Protocol, until Ctrl-C or SIGTERM.

    \b
    Example:
      fieldhouse serve models
      fieldhouse serve models --port 0 --socket /tmp/models.sock
      fieldhouse serve models --workers 4
    """
    from featureserver.listen import listen_tcp, listen_unix
    from featureserver.server import address_of, serve
    from registry.kernel.logs import configure_logs
    from serving import settings as names
    from serving.hosting import open_data_plane

    configure_logs()
    room = open_room(own_process=True)
    settings = room.settings
    number = int(settings.get(names.PORT)) if port is None else port
    sockets = [listen_tcp(host or str(settings.get(names.HOST)), number)]
    unix = socket or (settings.path(names.SOCKET) if settings.get(names.SOCKET) else None)
    if unix is not None:
        sockets.append(listen_unix(unix))
    count = workers or int(settings.get(names.WORKERS))
    app = open_data_plane(room) if count == 1 else None
    for one in sockets:
        click.echo(f"models on {address_of(one)}", err=True)
    if app is not None:
        serve(app, sockets, int(settings.get(names.DRAIN_SECONDS)))
        return
    from featureserver.redis_server import running_redis
    from serving.spec import ServerSpec
    from serving.workers import serve_with_workers

    with running_redis(settings):  # held here, so that no worker's end takes it from the others
        serve_with_workers(settings, ServerSpec(str(settings.root)), count, sockets)
