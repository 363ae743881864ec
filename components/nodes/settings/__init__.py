"""Kernel settings of a node: profiles, the script that writes them, what it read back."""
