"""Cilium: values of its chart, their constraints, its rollout."""
