"""What the engine writes to the standard input of a command of `vds`."""

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel


class EngineDocument(BaseModel):
    """A JSON document. Its representation and errors about it show no secrets."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class ClusterDocument(EngineDocument):
    """A document with a kubeconfig."""

    kubeconfig: SecretStr
