import sys

from lab.plugins.command.provider import Command
from lab.plugins.install import sdk_version
from lab.plugins.resource_server import serve_resources

serve_resources(Command(engine=sys.argv[-1]), sdk_version("pulumi-command"), engine=sys.argv[-1])
