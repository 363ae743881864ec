"""Machines of the lab: Debian with systemd as its first process, each with its own disk, network and processes.

They are systemd-nspawn containers, which need no virtualisation. All of them share the host's kernel.
"""
