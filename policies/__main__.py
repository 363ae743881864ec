"""Started by the engine: serves the pack and never returns."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policies.pack import POLICIES

PolicyPack("vds-platform", policies=POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
