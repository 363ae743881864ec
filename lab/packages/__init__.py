"""Debian packages for nodes, in a signed apt repository: the lab's replacement for pkgs.k8s.io."""

from lab.packages.repository import Repository, build

__all__ = ["Repository", "build"]
