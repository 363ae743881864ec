"""Bundles of Gateway API's CRDs: small made-up ones, and the published ones."""

import hashlib

import yaml

from components.gateway.bundle import CHANNEL, VERSION
from tests.support.modules import GATEWAY_API
from tests.support.schemas import crds


def crd(plural="httproutes", release="v1.6.1", channel="standard", group="gateway.networking.k8s.io", **versions):
    """One CRD; `versions` are name → what its entry says beside the name. Left out: v1, served and stored."""
    entries = versions or {"v1": {"served": True, "storage": True}}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {VERSION: release, CHANNEL: channel},
            "creationTimestamp": None,
        },
        "spec": {
            "group": group,
            "names": {"kind": plural[:-1].capitalize(), "plural": plural},
            "scope": "Namespaced",
            "versions": [{"name": name, "schema": schema, **entry} for name, entry in entries.items()],
        },
        "status": {"conditions": None},
    }


def guard(kind="ValidatingAdmissionPolicy", release="v1.6.1"):
    """The bundle's admission policy, or its binding."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {
            "name": "safe-upgrades.gateway.networking.k8s.io",
            "annotations": {VERSION: release, CHANNEL: "standard"},
        },
        "spec": {"policyName": "x"},
    }


def text(*items):
    """A bundle's file."""
    return yaml.safe_dump_all(items)


def digest(content):
    """SHA-256 of a text."""
    return hashlib.sha256(content.encode()).hexdigest()


def published(release):
    """The file of a release's standard channel, put together of its parts."""
    return "\n---\n".join(part.read_text() for part in crds(GATEWAY_API, release))
