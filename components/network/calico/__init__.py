"""Calico: values of its operator's chart, its resources."""
