"""The feature server's application without a socket: requests in, answers out."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

from featureserver.app import FeatureApp, Parts, create_app
from featureserver.testing import lookup_over


class Reader:
    """An `AsyncReader` over a store in memory."""

    def __init__(self, store: Any) -> None:
        self.store = store

    async def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self.store.read(keys)

    async def ping(self) -> None:
        self.store.ping()

    async def close(self) -> None: ...


def app_over(state: Any, store: Any, registry: Any = None, **more: Any) -> FeatureApp:
    """The application of a published state over a store."""
    lookup = lookup_over(state, store)
    return create_app(
        Parts(
            lookup=lookup,
            reader=Reader(store),
            pusher=lambda: None,
            materializer=lambda: None,
            authority=registry.authority if registry else lambda token, *roles: None,
            **more,
        )
    )


def call(app: FeatureApp, method: str, path: str, **more: Any) -> httpx.Response:
    """One request."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **more)

    return asyncio.run(run())
