"""Every route of the data plane in one table, and how a path finds its own. No route's own work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving import asking, control, endpoints
from serving.control import Acting
from serving.endpoints import Endpoint
from serving.messages import Asked, Request
from serving.predict import Predictor


@dataclass(frozen=True, slots=True)
class Asking:
    """A route that predicts: reads what is asked; the predictor answers."""

    read: Callable[[Predictor, Request], Asked]


Route = Endpoint | Asking | Acting
_MODEL = "/v2/models/{model}"
_VERSION = _MODEL + "/versions/{version}"
_REPOSITORY = "/v2/repository"
ROUTES: tuple[tuple[str, str, Route], ...] = (
    ("POST", _MODEL + "/infer", Asking(asking.infer)),
    ("POST", _VERSION + "/infer", Asking(asking.infer)),
    ("POST", "/predict/{model}", Asking(asking.predict)),
    ("POST", "/predict/{model}/versions/{version}", Asking(asking.predict)),
    ("POST", "/v1/models/{model}:predict", Asking(asking.predict_v1)),
    ("POST", "/invocations", Asking(asking.invocations)),
    ("GET", "/v2", endpoints.server_metadata),
    ("GET", "/v2/", endpoints.server_metadata),
    ("GET", "/v2/health/live", endpoints.live),
    ("GET", "/v2/health/ready", endpoints.ready),
    ("GET", "/v2/models", endpoints.list_models),
    ("GET", "/v2/models/stats", endpoints.all_stats),
    ("GET", _MODEL, endpoints.model_metadata),
    ("GET", _VERSION, endpoints.model_metadata),
    ("GET", _MODEL + "/ready", endpoints.model_ready),
    ("GET", _VERSION + "/ready", endpoints.model_ready),
    ("GET", _MODEL + "/config", endpoints.model_config),
    ("GET", _VERSION + "/config", endpoints.model_config),
    ("GET", _MODEL + "/stats", endpoints.model_stats),
    ("GET", _VERSION + "/stats", endpoints.model_stats),
    ("POST", _REPOSITORY + "/index", endpoints.repository_index),
    ("POST", _REPOSITORY + "/models/{model}/load", control.LOAD),
    ("POST", _REPOSITORY + "/models/{model}/unload", control.UNLOAD),
    ("GET", "/v1/models", endpoints.list_models),
    ("GET", "/v1/models/{model}", endpoints.model_ready),
    ("GET", "/ping", endpoints.ready),
    ("GET", "/health", endpoints.ready),
    ("GET", "/version", endpoints.server_version),
    ("GET", "/metrics", endpoints.metrics),
    ("GET", "/openapi.json", endpoints.openapi),
    ("POST", "/labels", control.ADD_LABELS),
)
_Segment = tuple[str, str]
_MOST_KNOWN = 256


class RouteTable:
    """Paths to routes. A pattern's `{name}` matches one segment, `{name}:verb` one that ends so.
    The first paths that are found are remembered."""

    def __init__(self, routes: Sequence[tuple[str, str, Route]]) -> None:
        self._by_length: dict[int, list[tuple[str, list[_Segment], Route]]] = {}
        self._found: dict[tuple[str, str], tuple[Route, dict[str, str]]] = {}
        for method, pattern, route in routes:
            segments = [_segment(text) for text in pattern.split("/")]
            self._by_length.setdefault(len(segments), []).append((method, segments, route))

    def match(self, method: str, path: str) -> tuple[Route | None, dict[str, str], list[str]]:
        """The route and its captures, or None and the methods that the path does take."""
        known = self._found.get((method, path))
        if known is not None:
            return *known, []
        parts = path.split("/")
        allowed = []
        for wanted, segments, route in self._by_length.get(len(parts), ()):
            captures = _captures(segments, parts)
            if captures is None:
                continue
            if wanted == method:
                if len(self._found) < _MOST_KNOWN:
                    self._found[method, path] = route, captures
                return route, captures, []
            allowed.append(wanted)
        return None, {}, allowed


def _segment(text: str) -> _Segment:
    """The name that is captured, if any, and what the segment must be, or end in."""
    if not text.startswith("{"):
        return "", text
    name, _, ending = text[1:].partition("}")
    return name, ending


def _captures(segments: list[_Segment], parts: list[str]) -> dict[str, str] | None:
    found = {}
    for (name, text), part in zip(segments, parts, strict=True):
        if not name:
            if text != part:
                return None
        elif not part.endswith(text) or len(part) == len(text):
            return None
        else:
            found[name] = part[: len(part) - len(text)]
    return found
