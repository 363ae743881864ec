"""Every place that bytes can go, who holds it, and under whose law."""
