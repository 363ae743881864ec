"""What Cilium's charts of other releases mean: explanation and migration of values."""
