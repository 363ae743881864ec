"""Addresses of load balancers: MetalLB's pools, or Cilium's."""
