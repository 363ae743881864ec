"""The policy pack: it checks any Pulumi program, also one that uses none of our components."""
