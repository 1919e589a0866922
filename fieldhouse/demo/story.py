"""The demo from first to last: eight steps, each done by the same code as in production."""

import signal
import time
from pathlib import Path
from typing import Any

from featureserver.redis_server import running_redis
from fieldhouse.demo import governance, learning, models, online
from fieldhouse.demo.flights import TABLE_COUNT, build_warehouse
from fieldhouse.demo.stage import Stage, open_stage
from registry.kernel.clock import format_instant
from registry.kernel.progress import progress
from warehouse.bootstrap import open_engine
from warehouse.settings import ROOT

NEXT = (
    ("look around", "fieldhouse show"),
    ("see one feature", "fieldhouse show carrier_performance:late_rate_30d"),
    ("see who did what", "fieldhouse audit show"),
    ("check the record", "fieldhouse audit verify"),
    ("rebuild the training set", f"fieldhouse dataset verify {learning.NAME}"),
    ("look features up", "fieldhouse lookup --service airport_status origin=JFK"),
    ("bring your own data", "fieldhouse init shop --data orders.csv"),
)


def play(start: Path, *, talk: bool, keep: bool, source: Path | None = None) -> dict[str, Any]:
    """Play the demo in the checkout at `start` and return its facts.

    `source` names a folder of edited CSV files. `keep` leaves the servers up until Ctrl-C.
    Whatever was started is stopped before this returns or raises.
    """
    with open_stage(start, talk) as stage:
        started = time.perf_counter()
        _play(stage, source)
        stage.facts["total_seconds"] = round(time.perf_counter() - started, 1)
        _sum_up(stage, keep)
        if keep:
            signal.pause()
        return stage.facts


def _play(stage: Stage, source: Path | None) -> None:
    with stage.step(1, "The warehouse, and the repository's way through review"):
        root = stage.settings.path(ROOT)
        with progress("building the warehouse", TABLE_COUNT) as shown:
            rows = build_warehouse(root, source, shown)
        stage.say(f"      warehouse {', '.join(f'{n:,} {t}' for t, n in rows.items())}")
        stage.facts["warehouse_rows"] = dict(rows)
        engine = open_engine(stage.settings)
        registry, people = governance.open_governed(stage, engine)
        now = registry.clock()
        stage.say(f"      the clock stands at {format_instant(now)}")
        governance.land_repository(stage, registry, people)
    with stage.step(2, "A copy of a feature under another name is refused"):
        governance.refuse_a_copy(stage, registry, people, engine)
    with stage.step(3, "A training set by point-in-time join"):
        made = learning.build(stage, registry, engine)
    with stage.step(4, "A model: trained on the first months, tested on the last"):
        learned = learning.learn(stage, made)
    with stage.step(5, "Online features: into a Redis of our own, out over HTTP"):
        stage.held.enter_context(running_redis(stage.settings))
        online.materialize(stage, registry, people, engine)
        keys = online.departures(registry, engine)
        url = stage.held.enter_context(online.feature_server(stage))
        stage.facts["feature_server"] = url
        online.look_up(stage, url, keys)
    with stage.step(6, "The model through the gate, and predictions by entity keys alone"):
        models.release(stage, registry, people, engine, learned, keys)
        models.serve(stage, keys)
    with stage.step(7, "Served values beside the warehouse's"):
        online.compare(stage, registry, engine, url, keys)


def _sum_up(stage: Stage, keep: bool) -> None:
    facts = stage.facts
    with stage.step(8, "What happened"):
        stage.tell(
            {
                "features": f"{facts['registry']['features']}, "
                f"in {len(facts['registry']['domains'])} domains, by an approved plan",
                "training set": f"{facts['training_set']['rows']:,} flights",
                "AUC": f"{facts['auc'][learning.TREES]} "
                f"(late rate of the carrier alone: {facts['auc'][learning.RATE]})",
                "lookup p50": f"{facts['lookup_ms']['p50']} ms",
                "predict p50": f"{facts['predict_ms']['unix_socket']['p50']} ms by Unix socket, "
                f"{facts['predict_ms']['tcp']['p50']} ms by TCP",
                "differing values": f"{facts['parity']['differing']} "
                f"of {facts['parity']['compared']:,}",
                "all in all": f"{facts['total_seconds']} s",
            }
        )
    stage.say("\nTry next (with .venv/bin on PATH):")
    for why, command in NEXT:
        stage.say(f"  {command:<58} # {why}")
    if keep:
        stage.say(f"\nfeatures on {facts['feature_server']}")
        stage.say(f"models on   {facts['model_server']['url']} and on the Unix socket")
        stage.say(f"            {facts['model_server']['unix_socket']}")
        stage.say("Ctrl-C stops them.")
