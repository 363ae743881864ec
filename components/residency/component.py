"""The component that shows the declared places to the policies."""

import pulumi

from components.core.names import token
from components.residency.model import Residency as ResidencySpec
from components.residency.model import StateStore


class Residency(pulumi.ComponentResource):
    """Makes nothing in the cluster. The residency policies read its inputs."""

    def __init__(self, name: str, spec: ResidencySpec, state: StateStore) -> None:
        """`state`: where the engine stores this stack, as far as the program can know."""
        record = {
            "places": [place.model_dump(mode="json", by_alias=True) for place in spec.places],
            "exceptions": [item.model_dump(mode="json", by_alias=True) for item in spec.exceptions],
            "stateBackend": state.backend,
            "secretsProvider": state.secrets_provider,
            "ciRunners": [runner._asdict() for runner in state.runners],
        }
        super().__init__(token("Residency"), name, record)
        self.register_outputs(record)
