"""The three Pulumi plugins that the platform needs.

The Kubernetes provider is the official one. The Python language host and the command provider have stand-ins here, for
machines that can't download them. An official plugin is used if there is one.
"""

from lab.plugins.install import BINARIES, KUBERNETES, Plugin, official, provide

__all__ = ["BINARIES", "KUBERNETES", "Plugin", "official", "provide"]
