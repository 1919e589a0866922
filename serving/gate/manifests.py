"""Kubernetes objects from a resource profile, checked against the API's own schemas. Pure.

Deployment, Service, HorizontalPodAutoscaler and PodDisruptionBudget, of the stable API versions.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from serving.gate.policy import MIB
from serving.gate.resources import ResourceProfile
from serving.gate.yaml_text import yaml_text

PORT = 8081
HOME = "/srv/fieldhouse"
TRUSTED = "/etc/fieldhouse/trusted"
_BUSY_PERCENT = 60
_DRAIN_SECONDS = 30
_SCHEMA = "kubernetes.schema.json"
Object = dict[str, Any]


def manifests(model: str, version: str, image: str, profile: ResourceProfile) -> list[Object]:
    """The four objects that run one model's server at the rate it was measured at.

    The container finds the registry, the stores and Redis in the Secret `fieldhouse`, and the keys
    whose bundles it may load in the ConfigMap `fieldhouse-trusted-keys`.
    """
    name = f"model-{dns_label(model)}"
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "fieldhouse"}
    facts = {"fieldhouse/gated-version": version, "fieldhouse/resource-profile": profile.digest}
    meta = {"name": name, "labels": labels, "annotations": facts}
    return [
        _deployment(meta, labels, image, profile),
        _service(meta, labels),
        _autoscaler(meta, name, profile),
        _budget(meta, labels),
    ]


def dns_label(name: str) -> str:
    """`name` as a DNS label of at most 50 characters."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50] or "model"


def _deployment(meta: Object, labels: Object, image: str, profile: ResourceProfile) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": profile.replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": _pod(image, profile)},
        },
    }


def _pod(image: str, profile: ResourceProfile) -> Object:
    return {
        "terminationGracePeriodSeconds": _DRAIN_SECONDS,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(image, profile)],
        "volumes": [
            {"name": "home", "emptyDir": {}},
            {"name": "trusted", "configMap": {"name": "fieldhouse-trusted-keys"}},
        ],
    }


def _container(image: str, profile: ResourceProfile) -> Object:
    return {
        "name": "models",
        "image": image,
        "command": ["fieldhouse", "serve", "models", "--host", "0.0.0.0", "--port", str(PORT)],
        "workingDir": HOME,
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [{"name": "FIELDHOUSE_SERVING_TRUSTED_KEYS", "value": TRUSTED}],
        "envFrom": [{"secretRef": {"name": "fieldhouse"}}],
        "resources": {
            "requests": {
                "cpu": f"{profile.cpu_request_millicores}m",
                "memory": f"{profile.memory_request_bytes // MIB}Mi",
            },
            "limits": {"memory": f"{profile.memory_limit_bytes // MIB}Mi"},
        },
        "startupProbe": _probe(
            "/v2/health/ready", profile.start_period_seconds, profile.start_failures
        ),
        "readinessProbe": _probe("/v2/health/ready", 5, 2),
        "livenessProbe": _probe("/v2/health/live", 10, 3),
        "volumeMounts": [
            {"name": "home", "mountPath": f"{HOME}/.fieldhouse"},
            {"name": "trusted", "mountPath": TRUSTED, "readOnly": True},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, period_seconds: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_seconds,
        "failureThreshold": failures,
        "timeoutSeconds": 2,
    }


def _service(meta: Object, labels: Object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {
            "selector": labels,
            "ports": [{"name": "http", "port": PORT, "targetPort": "http"}],
        },
    }


def _autoscaler(meta: Object, name: str, profile: ResourceProfile) -> Object:
    busy = {"type": "Utilization", "averageUtilization": _BUSY_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": profile.replicas,
            "maxReplicas": profile.most_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": busy}}],
        },
    }


def _budget(meta: Object, labels: Object) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta,
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}},
    }


def manifest_text(objects: Sequence[Object]) -> str:
    """The objects as one YAML file."""
    return "---\n".join(yaml_text(one) for one in objects)


def broken_rules(objects: Sequence[Object]) -> list[str]:
    """What the Kubernetes API's schema refuses of these objects, one sentence each."""
    return [finding for one in objects for finding in _broken(one)]


def _broken(one: Object) -> Iterator[str]:
    from jsonschema import Draft7Validator  # type: ignore[import-untyped]

    schema = _schema()
    if one["kind"] not in schema["definitions"]:
        yield f"{one['kind']}: no schema of this kind"
        return
    rules = {**schema, "$ref": f"#/definitions/{one['kind']}"}
    for error in Draft7Validator(rules).iter_errors(one):
        place = "/".join(str(step) for step in error.absolute_path)
        yield f"{one['kind']} {place}: {error.message[:200]}"


@cache
def _schema() -> Mapping[str, Any]:
    text = files(__package__).joinpath(_SCHEMA).read_text()
    schema: Mapping[str, Any] = json.loads(text)
    return schema
