"""Images and charts for the lab's registry, made without a container engine and pushed with the registry's protocol.

`prepare` needs package mirrors and the host's network. `push_all` needs only the registry and what `prepare` made.
"""

from lab.images.supply import prepare, push_all

__all__ = ["prepare", "push_all"]
