"""What the first control plane's script printed."""

import base64
import json


def kubeconfig(output: str) -> str:
    """The administrator's kubeconfig. Raises ValueError where the output has none; its text is in no message."""
    for line in output.split("\n"):
        if line.startswith('{"kubeconfig"'):
            return base64.b64decode(json.loads(line)["kubeconfig"]).decode()
    raise ValueError("the first control plane's script printed no kubeconfig")
