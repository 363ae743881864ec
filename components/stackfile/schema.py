"""JSON Schema of the stack file, for editors: `python -m components.stackfile.schema` writes it to `schemas/`."""

import json
from pathlib import Path
from typing import Any

from components.core.names import PROJECT
from components.gateway.certificates import CERTIFICATES
from components.kubeadm.credentials import BY_KIND
from components.stackfile.spec import PlatformSpec

FILE = Path(__file__).parents[2] / "schemas" / "stack.schema.json"


def stack_schema() -> dict[str, Any]:
    """The schema of a whole `Pulumi.<stack>.yaml`: our key in full, secrets as the engine writes them."""
    spec = PlatformSpec.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = spec.pop("$defs")
    secret = {"type": "object", "required": ["secure"], "properties": {"secure": {"type": "string"}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of vds-platform",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "required": [f"{PROJECT}:spec"],
                "properties": {
                    f"{PROJECT}:spec": {"$ref": "#/$defs/PlatformSpec"},
                    **{f"{PROJECT}:{name}": secret for names in BY_KIND.values() for name in names},
                    f"{PROJECT}:sshPrivateKey": secret,
                    f"{PROJECT}:{CERTIFICATES}": secret,
                    f"{PROJECT}:readNodes": {
                        "type": "boolean",
                        "default": True,
                        "description": "Ask every node how it stands before a preview or update, so that drift shows.",
                    },
                },
            }
        },
        "$defs": {"PlatformSpec": spec, **definitions},
    }


def text() -> str:
    """The schema as the committed file has it."""
    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
