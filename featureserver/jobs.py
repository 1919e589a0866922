"""Materializations that a request starts: one at a time, now or after the answer."""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from fastapi import BackgroundTasks, Response

from featureserver.materialize import Materializer, check_failed
from registry.kernel.errors import FieldhouseError

logger = logging.getLogger(__name__)
_JSON = "application/json"


class MaterializationJobs:
    """Runs the materializer, which is opened when first needed, and never twice at once."""

    def __init__(self, open_materializer: Callable[[], Materializer]) -> None:
        self._open = open_materializer
        self._opened: Materializer | None = None
        self._busy = threading.Lock()

    def start(
        self,
        views: Sequence[str] | None,
        since: datetime | None,
        until: datetime | None,
        actor: str,
        later: BackgroundTasks | None,
    ) -> Response:
        """200 with `null` when done; 202 when `later` will run it; 409 when one is under way."""
        told = {"feature_views": list(views or [])}
        if not self._busy.acquire(blocking=False):
            busy = {"error": "a materialization is under way", **told}
            return Response(json.dumps(busy), 409, media_type=_JSON)
        if later is not None:
            later.add_task(self._run_logged, views, since, until, actor)
            accepted = {"status": "accepted", **told}
            return Response(json.dumps(accepted), 202, media_type=_JSON, background=later)
        self._run(views, since, until, actor)
        return Response("null", 200, media_type=_JSON)

    def _run(
        self,
        views: Sequence[str] | None,
        since: datetime | None,
        until: datetime | None,
        actor: str,
    ) -> None:
        try:
            if self._opened is None:
                self._opened = self._open()
            check_failed(self._opened.run_until(views, since, until, actor=actor))
        finally:
            self._busy.release()

    def _run_logged(
        self,
        views: Sequence[str] | None,
        since: datetime | None,
        until: datetime | None,
        actor: str,
    ) -> None:
        try:
            self._run(views, since, until, actor)
        except FieldhouseError as error:
            logger.error(f"materialization failed: {error}", extra={"action": "materialize:failed"})
