"""A short-lived login for the state backend, from the identity token of a CI job."""
