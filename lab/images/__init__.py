"""Images and charts of the lab's registry: made without a container engine, pushed by the registry's own protocol.

`prepare` needs package mirrors and the machine's own network, `push_all` only the registry and what is prepared.
"""

from lab.images.supply import prepare, push_all

__all__ = ["prepare", "push_all"]
