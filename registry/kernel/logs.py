"""Logs: one JSON object a line on stderr, a sentence, a stable `action`, the object's context."""

import json
import logging
import sys
from typing import Any, TextIO

_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object with `at`, `level`, `logger`, `message` and extras."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({k: v for k, v in vars(record).items() if k not in _RESERVED})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def configure_logs(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send our rooms' logs to `stream` (stderr by default). Called once, by an entry point."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    for room in ("fieldhouse", "registry", "warehouse", "training", "featureserver", "serving"):
        logger = logging.getLogger(room)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
