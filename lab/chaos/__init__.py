"""Faults, survived and counted: `make chaos` makes each one in the running lab, and compares before and after."""
