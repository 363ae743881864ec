"""What an agency deploys in the namespaces of its tenant: apps and routes, within its contract."""
