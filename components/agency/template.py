"""The files of an agency's own project, with one app and one route, for `vds tenant new`. Pure."""

from collections.abc import Sequence
from string import Template
from typing import Literal

Language = Literal["yaml", "python"]
_IMAGE = f"sha256:{'0' * 64}"

_README = """\
# $tenant
What $tenant runs on the platform, with [Pulumi](https://www.pulumi.com/docs/iac/download-install/).

1. `Pulumi.$stack.yaml` is the stack `$stack`. Replace the image; `docker push` prints its digest.
2. `export KUBECONFIG=$tenant.kubeconfig`, the file that the platform team gave you.
3. `pulumi login`, with the place of your own state; `pulumi install`; `pulumi stack init $stack`.
4. `pulumi preview` says what would change and whether your contract allows it. `pulumi up` does it.

A new version: $canary
"""

_CANARY: dict[Language, str] = {
    "yaml": "take the `#` from the two lines with `canary` in `Pulumi.yaml`, and raise the percentage step by step.",
    "python": "add `canary: { image: … }` to the app and `canary: { percent: 10 }` to the route, and raise that.",
}

_YAML = {
    "Pulumi.yaml": """\
name: $tenant
description: What $tenant runs on the platform
runtime: yaml
packages:
  vds-agency: $repository/packages/agency@v$version
config:
  namespace: { type: string }
  hostname: { type: string }
  image: { type: string }
resources:
  app:
    type: vds-agency:App
    properties:
      namespace: $${namespace}
      image: $${image}
      port: 8080
      # canary: { image: $registry${tenant}@$image }
  site:
    type: vds-agency:Route
    properties:
      namespace: $${namespace}
      hostnames: ["$${hostname}"]
      app: $${app.service}
      # canary: { percent: 10 }
outputs:
  urls: $${site.urls}
""",
    "Pulumi.$stack.yaml": """\
config:
  $tenant:namespace: $namespace
  $tenant:hostname: $hostname
  $tenant:image: $registry${tenant}@$image
""",
}

_PYTHON = {
    "Pulumi.yaml": """\
name: $tenant
description: What $tenant runs on the platform
runtime:
  name: python
  options: { toolchain: pip, virtualenv: .venv }
""",
    "requirements.txt": """\
vds-platform @ git+$repository@v$version
""",
    "__main__.py": '''\
"""What $tenant runs on the platform. The apps and routes are in the stack files."""

import pulumi
from components.agency.component import App, GrpcRoute, Route

config = pulumi.Config()
apps = [App(name, settings) for name, settings in config.require_object("apps").items()]
after = pulumi.ResourceOptions(depends_on=apps)
for name, settings in config.require_object("routes").items():
    Route(name, settings, after)
for name, settings in (config.get_object("grpcRoutes") or {}).items():
    GrpcRoute(name, settings, after)
''',
    "Pulumi.$stack.yaml": """\
config:
  $tenant:apps:
    app:
      namespace: $namespace
      image: $registry${tenant}@$image
      port: 8080
  $tenant:routes:
    site:
      namespace: $namespace
      hostnames: [$hostname]
      app: app
""",
}


def project_files(
    language: Language,
    *,
    tenant: str,
    namespaces: Sequence[str],
    domain: str,
    registry: str,
    repository: str,
    version: str,
) -> dict[str, str]:
    """Names and texts of the files, with a stack for each of the tenant's namespaces.

    `repository` is the HTTPS address of this project's Git repository, which ends with `.git`, and `version` a released
    version of it, without `v`. `domain` is the host of the namespace `prod`; the others have a name below it.
    """
    files = {}
    for namespace in sorted(namespaces):
        stack = namespace.removeprefix(f"{tenant}-")
        values = {
            "tenant": tenant,
            "stack": stack,
            "namespace": namespace,
            "hostname": domain if stack == "prod" else f"{stack}.{domain}",
            "registry": registry,
            "image": _IMAGE,
            "repository": repository,
            "version": version,
            "canary": _CANARY[language],
        }
        texts = {"README.md": _README, **(_YAML if language == "yaml" else _PYTHON)}
        files.update(
            {Template(name).substitute(values): Template(text).substitute(values) for name, text in texts.items()}
        )
    return files
