"""A stack's real state without its secrets, for a preview that has no passphrase. Pure.

`pulumi stack export` decrypts nothing. Each encrypted value is replaced by what the description has in its place, in
the engine's plan of creating the stack: so no secret is compared, and everything else is.
"""

import json
from collections.abc import Mapping
from typing import Any

from components.core.unknown import SIGNATURE
from vds.preview_comment.base_state import described_inputs
from vds.preview_comment.masking import SECRET


def deployment(exported: Mapping[str, Any], plan: Mapping[str, Any], salt: str) -> dict[str, Any]:
    """What `pulumi stack import` takes. `salt` is of the passphrase that the throw-away stack has.

    Raises KeyError, TypeError and AttributeError for another form than that of `pulumi stack export`.
    """
    kept = exported["deployment"]
    provider = {"type": "passphrase", "state": {"salt": salt}}
    resources = [_resource(one, described_inputs(plan, one["urn"])) for one in kept.get("resources") or ()]
    whole = {**kept, "secrets_providers": provider, "resources": resources}
    return {"version": exported["version"], "deployment": whole}


def _resource(stored: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    # Outputs repeat inputs under the same names; the Kubernetes provider has them in `__inputs` too.
    places = {"inputs": described, "outputs": {**described, "__inputs": described}}
    return {**stored, **{side: _public(stored.get(side) or {}, like) for side, like in places.items()}}


def _public(stored: Any, described: Any) -> Any:
    if isinstance(stored, Mapping):
        if SIGNATURE in stored and "ciphertext" in stored:
            is_secret = isinstance(described, Mapping) and SIGNATURE in described
            word = SECRET if described is None else described
            return described if is_secret else {SIGNATURE: stored[SIGNATURE], "plaintext": json.dumps(word)}
        group = described if isinstance(described, Mapping) else {}
        return {key: _public(value, group.get(key)) for key, value in stored.items()}
    if isinstance(stored, list):
        items = described if isinstance(described, list) and len(described) == len(stored) else [None] * len(stored)
        return [_public(*pair) for pair in zip(stored, items, strict=True)]
    return stored
