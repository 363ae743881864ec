"""What `pulumi up` waits for: without an annotation, Pulumi treats a custom resource as ready at once."""

API = "gateway.networking.k8s.io/v1"

ADDRESS = "jsonpath={.status.addresses[0].value}"
"""The Gateway has an address. Data planes report `Programmed` before."""
PROGRAMMED = f'["condition=Programmed", "{ADDRESS}"]'
"""Every listener works, certificates included, and the Gateway has an address."""
PROGRAMMED_SET = "condition=Programmed"
"""Every listener of a ListenerSet works."""
ACCEPTED = 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'
"""A listener takes the route."""
READY = "condition=Ready"
"""cert-manager's issuer has an account, or its certificate is there."""
