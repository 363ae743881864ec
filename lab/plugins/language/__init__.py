"""Language host for Python: what the engine asks for to run a program or a policy pack."""
