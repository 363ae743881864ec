"""The gateway: controller, listeners, certificates, canaries."""
