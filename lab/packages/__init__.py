"""Debian packages of what a node runs, in an apt repository that one key signs: the lab's stand for pkgs.k8s.io."""

from lab.packages.repository import Repository, build

__all__ = ["Repository", "build"]
