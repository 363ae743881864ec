"""`vds cilium-values`: explain and migrate values of Cilium's chart."""
