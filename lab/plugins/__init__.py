"""Stand-ins for the three Pulumi plugins that a machine without downloads cannot have.

The engine and the SDKs are the real ones. `install()` writes launchers for a folder on the PATH;
`official()` tells which official plugins are there already, and those always win.
"""

from lab.plugins.install import BINARIES, Plugin, install, official

__all__ = ["BINARIES", "Plugin", "install", "official"]
