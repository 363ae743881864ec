"""`vds reboot`: reboots nodes that need it, in the window and one at a time (ADR 46)."""
