"""Pods' network: the CNI, its data path and its MTU."""
