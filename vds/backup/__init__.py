"""`vds backup`: snapshots of etcd."""
