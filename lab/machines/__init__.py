"""Machines of the lab: Debian with systemd as its first process, each with a disk, a network and processes of its own.

They run as systemd-nspawn containers, because that takes no virtualisation: all of them share this machine's kernel.
"""
