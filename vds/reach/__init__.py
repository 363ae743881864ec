"""`vds reach`: `inputs` reads manifests, states and clusters, and `command` asks components/reach."""
