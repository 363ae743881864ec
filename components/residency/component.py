"""The record of places, as the engine and its policies see it."""

import pulumi

from components.core.names import token
from components.residency.model import Residency as ResidencySpec
from components.residency.model import StateStore


class Residency(pulumi.ComponentResource):
    """Declares nothing in the cluster: its inputs are what the residency policies judge the other resources by."""

    def __init__(
        self, name: str, spec: ResidencySpec, state: StateStore, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`state`: where the engine keeps this stack, as far as the program can know."""
        record = {
            "places": [place.model_dump(mode="json", by_alias=True) for place in spec.places],
            "exceptions": [item.model_dump(mode="json", by_alias=True) for item in spec.exceptions],
            "stateBackend": state.backend,
            "secretsProvider": state.secrets_provider,
        }
        super().__init__(token("Residency"), name, record, opts)
        self.register_outputs(record)
