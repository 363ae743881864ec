import sys

from lab.plugins.install import sdk_version
from lab.plugins.kubernetes.provider import Kubernetes
from lab.plugins.resource_server import serve_resources

serve_resources(Kubernetes(), sdk_version("pulumi-kubernetes"), engine=sys.argv[-1])
