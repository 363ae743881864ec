"""A state as `pulumi stack export` writes it (form 3), of what the program declares under the mocks."""

import copy
import hashlib
from typing import Any

from tests.support.program import Declared, Program, run_program

SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def ciphertext(seed: str) -> str:
    """Made up, and the same for the same seed: nothing is in it."""
    return f"v1:{hashlib.sha256(seed.encode()).hexdigest()[:16]}:CIPHERTEXT{hashlib.sha256(seed.encode()).hexdigest()}"


def exported(name: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """The export of a committed stack, or of `data` in its place, with secrets encrypted as the engine marks them."""
    return export_of(run_program(name, data))


def export_of(program: Program) -> dict[str, Any]:
    """The export of a program's run. Inputs stand in for outputs, which hold them all."""
    return {
        "version": 3,
        "deployment": {
            "manifest": {
                "time": "2026-11-20T22:41:07.000000000Z",
                "magic": "0" * 64,
                "version": "v3.259.0",
                "plugins": [
                    {"name": "kubernetes", "type": "resource", "version": "4.34.0"},
                    {"name": "command", "type": "resource", "version": "1.2.1"},
                ],
            },
            "secrets_providers": {"type": "passphrase", "state": {"salt": ciphertext("salt")}},
            "resources": [_entry(item) for item in sorted(program.resources.values(), key=lambda item: item.urn)],
            "metadata": {},
        },
    }


def _entry(item: Declared) -> dict[str, Any]:
    values = copy.deepcopy(item.inputs)
    for path in item.secret_inputs:
        _encrypt(values, path, f"{item.urn} {path}")
    outputs = {
        **copy.deepcopy(values),
        **{key: {**SIGNATURE, "ciphertext": ciphertext(key)} for key in item.secret_outputs},
    }
    custom = bool(item.provider) or item.type.startswith("pulumi:providers:")
    entry = {
        "urn": item.urn,
        "custom": custom,
        "type": item.type,
        "inputs": values,
        "outputs": outputs,
        "parent": item.parent,
        "provider": item.provider,
        "dependencies": sorted(item.depends_on),
    }
    return {key: value for key, value in entry.items() if value or key == "custom"}


def _encrypt(values: Any, path: str, seed: str) -> None:
    *groups, last = path.split(".")
    for group in groups:
        values = values[group]
    values[last] = {**SIGNATURE, "ciphertext": ciphertext(seed)}
