"""`vds without-bgp`: removes BGP sessions before MetalLB runs without FRR."""
