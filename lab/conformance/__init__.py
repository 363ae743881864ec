"""Run the public conformance suites against the running platform and keep their reports."""

from lab.conformance.runner import SUITES, folder, run
from lab.conformance.suite import Suite
from lab.conformance.table import show

__all__ = ["SUITES", "Suite", "folder", "run", "show"]
