"""Run public conformance suites against the finished platform and keep their own reports."""

from lab.conformance.runner import SUITES, folder, run
from lab.conformance.suite import Suite
from lab.conformance.table import show

__all__ = ["SUITES", "Suite", "folder", "run", "show"]
