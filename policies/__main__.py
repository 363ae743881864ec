"""Started by the engine: serves the pack and never returns."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policies.engine import ENGINE_POLICIES
from policies.reading import read_once

read_once()
PolicyPack("vds-platform", policies=ENGINE_POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
