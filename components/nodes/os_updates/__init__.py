"""Updates of the nodes' operating system by unattended-upgrades, and when nodes are rebooted (ADR 46)."""
