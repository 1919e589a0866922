"""Drift on the flights: trained on January to May, served from June on, labels after landing.

Needs the training set that `fieldhouse demo` leaves in its home. Predictions are made in process in
the order of their times, each with the clock at its own; a flight's label arrives some hours after
it. Writes the page to bench/out/drift_flights.html, and a picture beside it where Chromium is.
"""

import shutil
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

OUT = Path(__file__).parent / "out"
SPLIT = datetime(2013, 6, 1, tzinfo=UTC)
SERVED = 20_000
LANDED_AFTER = timedelta(hours=8)
NAME = "flight_delay"


def run() -> dict[str, Any]:
    """What drifted, and the live metric beside the held-out one."""
    with tempfile.TemporaryDirectory(prefix="fh-") as folder:
        report = play(Path(folder))
    OUT.mkdir(exist_ok=True)
    from serving.drift.page import render_page

    page = OUT / "drift_flights.html"
    page.write_text(render_page(report))
    _picture(page)
    live = report.performance
    facts = {
        "predictions": report.rows,
        "labelled": report.labelled,
        "drifted": report.drifted,
        "psi": {c.name: round(c.psi, 3) for c in sorted(report.columns, key=lambda c: -c.psi)},
        "auc": None if live is None else round(live.value, 4),
        "auc_at_the_gate": None if live is None else live.gate,
        "worse": None if live is None else live.worse,
    }
    for name, value in facts.items():
        print(f"{name}: {value}")
    return facts


def play(folder: Path) -> Any:
    """Train, package, gate the held-out last fifth of the first months, serve, label, compare."""
    import xgboost as xgb

    from fieldhouse.demo.train import PARAMETERS, ROUNDS
    from registry.kernel.settings import Settings, read_settings
    from registry.testing import InMemoryRegistry, published
    from serving.bootstrap import open_serving
    from serving.drift.find import find_drift
    from serving.package import Parts
    from serving.signature import Input, Output, Signature

    settings = read_settings(Path.cwd())
    features, keys, table, times, labels = _flights(settings)
    rows = np.column_stack([table.column(f).cast("float64").to_numpy() for f in features])
    before = times < int(SPLIT.timestamp() * 1e6)
    known = np.flatnonzero(before)
    fit, held = known[: len(known) * 4 // 5], known[len(known) * 4 // 5 :]
    booster = xgb.train(PARAMETERS, xgb.DMatrix(rows[fit], labels[fit]), ROUNDS)
    file = folder / "model.ubj"
    booster.save_model(file)
    inputs = [Input(key, "BYTES", kind="entity") for key in keys] + [Input(f) for f in features]
    signature = Signature(tuple(inputs), (Output("probability", "FP32", (-1,), 0.0, 1.0),))
    clock = _Clock()
    room = open_serving(Settings(folder, None, {}, {}), InMemoryRegistry(published()), None, clock)
    parts = Parts(
        name=NAME, model_file=file, signature=signature, golden_rows=rows[fit][:8],
        reference=rows[fit],
        reference_keys={key: table.column(key).take(fit).to_pylist() for key in keys},
    )  # fmt: skip
    record = room.package(parts, actor="author@flights.example")
    _keep_gate(room, record, labels[held], booster.inplace_predict(rows[held]))
    later = np.flatnonzero(~before)
    chosen = np.sort(np.random.default_rng(1).choice(later, min(SERVED, len(later)), replace=False))
    _serve(room, record, clock, table, features, keys, rows, times, labels, chosen)
    return find_drift(room, NAME, record.version)


class _Clock:
    now = SPLIT

    def __call__(self) -> datetime:
        return self.now


def _flights(settings: Any) -> tuple[list[str], list[str], Any, Any, Any]:
    """Features, keys, rows in the order of their times, the times and labels."""
    from training.bootstrap import open_training

    trained = open_training(settings).load(NAME)
    time_column = trained.manifest.recipe.spec.time_column
    table = trained.to_arrow().sort_by(time_column)
    times = table.column(time_column).cast("int64").to_numpy()  # microseconds
    features = [
        name for name in trained.feature_names
        if str(table.schema.field(name).type) in ("double", "float", "int64", "int32")
    ]  # fmt: skip
    keys = [k for k in ("origin", "dest", "tailnum", "carrier") if k in table.column_names]
    labels = pc.cast(table.column(trained.label), "float64").to_numpy()
    return features, keys, table, times, labels


def _keep_gate(room: Any, record: Any, labels: Any, scores: Any) -> None:
    """The held-out AUC, as the gate would have it in its report."""
    from serving.gate.delong import auc
    from serving.gate.policy import GatePolicy
    from serving.gate.report import Check, GateReport

    found = auc(labels > 0, scores.astype(float))
    check = Check("better.auc", "better?", True, f"AUC {found:.4f}", {"candidate": found})
    report = GateReport(
        layout=1, model=record.name, version=record.version, bundle_digest=record.bundle_digest,
        passed=True, requested_by="bench", started_at="2013-06-01T00:00:00Z", seconds=0.0,
        policy=GatePolicy(), checks=(check,),
    )  # fmt: skip
    room.keep_report(record, report, "bench")


def _serve(
    room: Any, record: Any, clock: _Clock, table: Any, features: list[str], keys: list[str],
    rows: Any, times: Any, labels: Any, chosen: Any,
) -> None:  # fmt: skip
    """Predict flight by flight; what has landed meanwhile gets its label. The last day has none."""
    from serving.labels import Label, LabelBook

    predictor = room.predictor([(record.name, record.version)])
    book = LabelBook(room.settings.root / ".fieldhouse/labels", clock)
    given = {key: table.column(key).take(chosen).to_pylist() for key in keys}
    flying: list[tuple[datetime, Label]] = []
    for place, row in enumerate(chosen.tolist()):
        clock.now = datetime.fromtimestamp(times[row] / 1e6, UTC)
        inputs: dict[str, Any] = {key: [given[key][place]] for key in keys}
        inputs |= {name: rows[row, i : i + 1] for i, name in enumerate(features)}
        predictor.predict(NAME, inputs, prediction_id=f"f{row}")
        flying.append((clock.now + LANDED_AFTER, Label(f"f{row}", int(labels[row]))))
        if len(flying) >= 1000:
            landed = [label for due, label in flying if due <= clock.now]
            if landed:
                book.add(NAME, landed, "landing-feed@flights.example")
            flying = [entry for entry in flying if entry[0] > clock.now]
    predictor.close()


def _picture(page: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--window-size=1000,1500", f"--screenshot={page.with_suffix('.png')}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=False, capture_output=True, timeout=60)
