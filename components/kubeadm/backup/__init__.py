"""Snapshots of etcd: encrypted on the control plane, kept in a bucket, and checked by a restore."""
