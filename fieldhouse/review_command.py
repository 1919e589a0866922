"""`serve reviews`: proposals over HTTP, until it is stopped. Heavy imports wait inside."""

import click

DRAIN_SECONDS = 5


@click.command("reviews")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8770, show_default=True, help="TCP port, 0 takes a free one.")
def serve_reviews(host: str, port: int) -> None:
    """Serve proposals over HTTP: list, show, propose, approve, reject, answer; each needs a token.

    \b
    Example:
      fieldhouse serve reviews
      fieldhouse serve reviews --port 0
    """
    from featureserver.listen import listen_tcp
    from featureserver.server import address_of, serve
    from fieldhouse.reviews import review_app
    from registry.cli.session import open_with_warehouse, project_settings
    from registry.kernel.logs import configure_logs

    configure_logs()
    registry = open_with_warehouse(project_settings(), runs_code=False)
    socket = listen_tcp(host, port)
    click.echo(f"reviews on {address_of(socket)}", err=True)
    serve(review_app(registry), [socket], DRAIN_SECONDS)
