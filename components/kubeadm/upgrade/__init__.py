"""Upgrades of the nodes of a cluster that kubeadm made."""
