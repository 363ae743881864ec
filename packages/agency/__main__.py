"""Started by the engine: serves the components that agencies use."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pulumi.provider.experimental import component_provider_host

from components.agency.component import PACKAGE, App, GrpcRoute, Route

if __name__ == "__main__":
    component_provider_host(components=[App, Route, GrpcRoute], name=PACKAGE, version="0.1.0")
