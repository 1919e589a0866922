"""The one place that joins the model room: settings, stores, keys, registry, lookup, server."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.kernel.clock import Clock
from registry.kernel.errors import FieldhouseError, Refused
from registry.kernel.settings import Settings
from registry.kernel.signing import SigningKey
from registry.ports import ModelRecord, Principal, Registry
from registry.settings import HOME, clock_of
from serving import settings as names
from serving.bundle import MANIFEST, TrainedOn, decode_manifest
from serving.package import Parts, package_model
from serving.ports import FeatureLookup, FeatureMatrix
from serving.runtimes import find_format
from serving.runtimes.port import RuntimePolicy, import_library
from serving.signature import Output, Signature, signature_of_service
from serving.signing import (
    TRUSTED,
    TrustedKeys,
    ensure_signing_key,
    read_trusted_keys,
    seal,
    verify,
)
from serving.store import Bundle, Store, Stores, bundle_folder, read_bundle

if TYPE_CHECKING:
    from serving.follow import ModelFollower
    from serving.gate.evidence import Evidence, OfflineSample
    from serving.gate.report import GatePolicy, GateReport
    from serving.loaded import LoadedModel, Router
    from serving.log import PredictionLog
    from serving.predict import Predictor

REPORT = "report.json"
PAGE = "report.html"


class Serving:
    """Models from package to prediction. What it needs is opened when it is first used."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry | None = None,
        lookup: FeatureLookup | None = None,
        clock: Clock | None = None,
        own_process: bool = False,
    ) -> None:
        self.settings = settings
        self._own_process = own_process
        self.clock = clock or clock_of(settings)
        self._registry = registry
        self._lookup = lookup
        self._resources = contextlib.ExitStack()

    def close(self) -> None:
        """Close what was opened here: the lookup and its store."""
        self._resources.close()

    @cached_property
    def registry(self) -> Registry:
        if self._registry is not None:
            return self._registry
        from registry.bootstrap import open_registry

        opened: Registry = open_registry(self.settings)
        return opened

    @cached_property
    def lookup(self) -> FeatureLookup:
        if self._lookup is not None:
            return self._lookup
        from featureserver.bootstrap import open_lookup

        opened = open_lookup(self.settings, registry=self.registry)
        self._resources.callback(opened.close)
        return opened

    @cached_property
    def stores(self) -> Stores:
        home = str(self.settings.path(HOME) / "models")
        backup = str(self.settings.get(names.BACKUP))
        return Stores(
            Store(self._place(str(self.settings.get(names.STORE)) or home)),
            Store(self._place(backup)) if backup else None,
        )

    def _place(self, url: str) -> str:
        return url if "://" in url else str(self.settings.root / url)

    @property
    def key_folder(self) -> Path:
        return self.settings.path(HOME) / "keys"

    @property
    def signing_key(self) -> SigningKey:
        """This installation's signing key, made on first use."""
        return ensure_signing_key(self.key_folder)

    @property
    def trusted(self) -> TrustedKeys:
        """The keys that this server trusts now; read each time, so revoking one takes effect."""
        folder = str(self.settings.get(names.TRUSTED_KEYS))
        return read_trusted_keys(
            self.settings.root / folder if folder else self.key_folder / TRUSTED
        )

    @property
    def policy(self) -> RuntimePolicy:
        allowed = tuple(self.settings.get(names.SKOPS_TYPES))
        return RuntimePolicy(skops_types=allowed, own_process=self._own_process)

    def signature(
        self, service: str, outputs: Sequence[Output], columns: Sequence[str] | None = None
    ) -> Signature:
        """The signature of a model over a feature service, pinned as it is published now."""
        return signature_of_service(self.registry.published(), service, outputs, columns)

    def trained_on(self, training_set: str) -> TrainedOn:
        """What a bundle records of a training set; raises `NotFound`."""
        record = self.registry.datasets.get(training_set)
        return TrainedOn(record.name, record.manifest_digest, tuple(record.features))

    def sample(self, signature: Signature, keys: Mapping[str, Sequence[Any]]) -> "OfflineSample":
        """What the warehouse gives for these lookup keys now, for the gate to compare with."""
        from serving.offline import offline_sample
        from warehouse.bootstrap import open_engine

        engine = open_engine(self.settings)
        return offline_sample(keys, signature, self.registry.published(), engine, self.clock())

    def package(self, parts: Parts, *, actor: str) -> ModelRecord:
        """Package, sign, store and register. Raises as `serving.package.package_model`."""
        return package_model(
            parts,
            actor=actor,
            stores=self.stores,
            models=self.registry.models,
            key=self.signing_key,
            policy=self.policy,
            clock=self.clock,
        )

    def bundle(self, name: str, version: str) -> Bundle:
        """The verified bundle. Raises `NotFound`, `Refused`, `Corrupt`."""
        return read_bundle(self.stores.primary, name, version, self.trusted)

    def gate(
        self,
        name: str,
        version: str | None,
        evidence: "Evidence",
        policy: "GatePolicy",
        *,
        actor: str,
    ) -> "GateReport":
        """Run the gate, store its signed report, and move a version that passed to `gated`.

        Raises `NotFound`, `Refused` (already approved, rejected or retired) or `Corrupt`.
        """
        from serving.gate.run import GateTools, run_gate

        record = self.registry.models.get(name, version)
        if record.state not in ("packaged", "gated"):
            raise Refused(
                f"model {name} {record.version} is {record.state}", "it cannot be gated again"
            )
        bundle = self.bundle(name, record.version)
        champion = self.registry.models.champion(name)
        incumbent = self.bundle(name, champion.version) if champion else None
        tools = GateTools(self.settings, self.clock, self.registry.published, lambda: self.lookup)
        report = run_gate(bundle, incumbent, evidence, policy, actor, tools)
        self.keep_report(record, report, actor)
        return report

    def keep_report(self, record: ModelRecord, report: "GateReport", actor: str) -> None:
        from dataclasses import replace

        from serving.gate.page import render_page

        raw = report.encode()
        folder = report_folder(record.name, record.version, report.digest)
        sealed = seal(self.signing_key, "report", raw)
        page = render_page(report).encode()
        self.stores.write(folder, {REPORT: raw, PAGE: page, "seal.json": sealed})
        facts = {
            **record.facts,
            "report_digest": report.digest,
            "report_passed": report.passed,
            "report_location": f"{self.stores.primary.url}/{folder}",
        }
        state = "gated" if report.passed else "packaged"
        action = "model:gated" if report.passed else "model:gate-failed"
        self.registry.models.save(replace(record, state=state, facts=facts), actor, action)

    def report(self, name: str, version: str | None = None) -> "GateReport":
        """The newest gate report of a version, verified. Raises `Refused`, `Corrupt`."""
        from serving.gate.report import decode_report

        record = self.registry.models.get(name, version)
        digest = record.facts.get("report_digest")
        if not digest:
            raise Refused(f"model {name} {record.version} was not gated", hint="run the gate first")
        folder = report_folder(name, record.version, str(digest))
        raw = self.stores.primary.read(folder, REPORT)
        verify(self.stores.primary.read(folder, "seal.json"), "report", raw, self.trusted)
        report = decode_report(raw)
        if report.digest != digest:
            raise Refused(f"the report of {name} {record.version} is not the recorded one")
        return report

    def approve(self, name: str, version: str, by: Principal, comment: str) -> ModelRecord:
        """Approve a gated version on its report. Raises `Forbidden`, `Refused`, `Corrupt`."""
        from serving.approval import approve_model

        record = self.registry.models.get(name, version)
        self.bundle(name, record.version)
        if record.state != "gated":
            raise Refused(
                f"model {name} {version} is {record.state}", hint="only gated ones are approved"
            )
        return approve_model(
            record,
            self.report(name, record.version),
            by,
            comment,
            models=self.registry.models,
            key=self.signing_key,
            now=self.clock(),
            valid_days=int(self.settings.get(names.APPROVAL_DAYS)),
        )

    def reject(self, name: str, version: str, by: Principal, reason: str) -> ModelRecord:
        """Reject a version for good."""
        from serving.approval import reject_model

        record = self.registry.models.get(name, version)
        return reject_model(record, by, reason, models=self.registry.models)

    def promote(self, name: str, version: str, by: Principal) -> ModelRecord:
        """Make an approved version the champion. Raises as `serving.release.promote_model`."""
        from serving.release import promote_model

        self.bundle(name, version)
        return promote_model(
            name, version, by, models=self.registry.models, trusted=self.trusted, now=self.clock()
        )

    def rollback(self, name: str, by: Principal, reason: str) -> ModelRecord:
        """Swap back to the version before. Raises as `serving.release.rollback_model`."""
        from serving.release import rollback_model

        return rollback_model(name, by, reason, models=self.registry.models, trusted=self.trusted)

    def predictor(
        self,
        models: Sequence[tuple[str, str]] | None = None,
        *,
        lookup: bool = True,
        log: bool = True,
        follow: bool = True,
    ) -> "Predictor":
        """The predictor over the registry's approved versions, following its champions.

        With `models`, pairs of name and version, exactly these are loaded without asking the
        registry, and any error in loading them is raised. Close it when done.
        """
        from serving.loaded import Router, routes_of
        from serving.predict import Predictor

        router = Router()
        features = _DeferredLookup(lambda: self.lookup) if lookup else None
        closing = contextlib.ExitStack()
        closing.callback(self.close)
        if models is not None:
            router.routes = routes_of([self.load(name, version) for name, version in models])
        else:
            follower = self.follower(router, features)
            follower.refresh()
            if follow:
                follower.start()
                closing.callback(follower.stop)
        if features is not None:
            features.warm(router.routes.all())
        return Predictor(
            router, self.clock, features, self._open_log() if log else None, on_close=closing.close
        )

    def follower(
        self, router: "Router", features: "_DeferredLookup | None" = None
    ) -> "ModelFollower":
        """What keeps `router` in step with the model book; `refresh` it, or `start` it."""
        from serving.approval import check_approval
        from serving.follow import ModelFollower

        def load(record: ModelRecord) -> "LoadedModel":
            check_approval(record, self.trusted)
            model = self.load(record.name, record.version)
            if features is not None:
                features.warm([model])
            return model

        poll_seconds = float(self.settings.get(names.POLL_SECONDS))
        return ModelFollower(self.registry.models, load, router, poll_seconds)

    def _open_log(self) -> "PredictionLog":
        from serving.log import PredictionLog

        return PredictionLog(
            self.settings.path(HOME) / "predictions",
            int(self.settings.get(names.LOG_CAPACITY)),
            float(self.settings.get(names.LOG_FLUSH_SECONDS)),
        )

    def load(self, name: str, version: str) -> "LoadedModel":
        """Verify and load one version. Raises as `bundle` does, or as its runtime does."""
        from serving.loaded import load_model

        return load_model(self.bundle(name, version), self.policy)


class _DeferredLookup:
    """A lookup that is opened when the first model needs one, before that model is offered."""

    def __init__(self, open_lookup: Callable[[], FeatureLookup]) -> None:
        self._open = open_lookup
        self._opened: FeatureLookup | None = None

    def warm(self, models: "Sequence[LoadedModel]") -> None:
        """Compile the plans of these models. One that cannot be compiled now is tried again, and
        answered with its error, when a prediction needs it."""
        for model in models:
            if model.refs:
                with contextlib.suppress(FieldhouseError):
                    self.plan(model.refs, full_feature_names=True)

    def plan(self, features: str | Sequence[str], /, *, full_feature_names: bool = False) -> Any:
        if self._opened is None:
            self._opened = self._open()
        return self._opened.plan(features, full_feature_names=full_feature_names)

    def matrix(self, plan: Any, entities: Mapping[str, Sequence[Any]], /) -> FeatureMatrix:
        if self._opened is None:
            self._opened = self._open()
        return self._opened.matrix(plan, entities)


def import_runtimes(serving: Serving, models: Sequence[tuple[str, str]]) -> None:
    """Import what these bundles' formats need, so that loading them can be measured alone.

    The manifests are read unverified for their formats' names only; `load` verifies.
    """
    import_module("serving.predict")
    for name, version in models:
        with contextlib.suppress(FieldhouseError):
            raw = serving.stores.primary.read(bundle_folder(name, version), MANIFEST)
            package = find_format(decode_manifest(raw).model.format).package
            import_library(package, serving.policy)


def open_serving(
    settings: Settings,
    registry: Registry | None = None,
    lookup: FeatureLookup | None = None,
    clock: Clock | None = None,
    own_process: bool = False,
) -> Serving:
    """The model room over these settings; what is not passed is opened when first needed.

    `own_process` says that the process is a model server and nothing else.
    """
    return Serving(settings, registry, lookup, clock, own_process)


def open_predictor(
    settings: Settings, registry: Registry | None = None, lookup: FeatureLookup | None = None
) -> "Predictor":
    """The predictor in process: champions of the registry, followed. Close it when done."""
    return open_serving(settings, registry, lookup).predictor()


def report_folder(name: str, version: str, digest: str) -> str:
    """The folder of one gate report."""
    return f"reports/{name}/{version}/{digest.removeprefix('sha256:')[:12]}"
