"""`vds gateway-crds`: the stack's bundle of CRDs against the cluster's."""
