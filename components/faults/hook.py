"""When the update of a chart or of something waited for fails, says what does not run in the cluster, and why."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pulumi

from components.core.names import KUBE_SYSTEM
from components.faults.reading import faults, node_fault
from components.kubernetes_api import ApiError, Cluster, CredentialsError, KubeconfigError, UnreachableError

_WAITS = (":Release", ":Deployment", ":DaemonSetPatch", ":DeploymentPatch", ":NodePatch", ":Gateway")
"""Types of resources that wait for pods, or for what pods do."""
_MOST = 10
"""Lines; a node that is down takes many pods with it."""
_KEPT = (":CustomResourceDefinition", ":ValidatingAdmissionPolicy", ":ValidatingAdmissionPolicyBinding")
"""Types of what stays in the cluster after a destroy, and may be there from somebody else."""

CONFLICT = (
    "the cluster has it in another version, from somebody else or from a stack that was destroyed: "
    "run `vds gateway-crds` and use the bundle of that version, or apply this bundle once with "
    "`kubectl apply --server-side --force-conflicts --filename` and run `pulumi up` again"
)

READ_AGAIN = (
    "read the new kubeconfig before that day (docs/howto/bootstrap-a-cluster.md, renew the stack's kubeconfig); then "
    "nothing can be changed without it"
)

ETCD = (
    "on each control plane, see with `crictl ps --all` whether etcd and kube-apiserver run, and with "
    "`df /var/lib/etcd` whether etcd's disk has space; then run `pulumi up` again"
)


def answering(kubeconfig: pulumi.Input[str]) -> pulumi.Output[str]:
    """The same kubeconfig. A preview asks the API server first, and has no kubeconfig if it does not answer.

    Otherwise the provider would ask it ten times for each custom resource, one after the other: minutes. If only an
    operator can make it answer, the preview fails. If the update may do that, it warns. It also warns of a client
    certificate that ends soon.
    """
    known = pulumi.Output.from_input(kubeconfig)
    if not pulumi.runtime.is_dry_run():
        return known
    refused: list[str] = []

    async def ask(text: str) -> str:
        try:
            cluster = Cluster(text)
            if cluster.ends_soon:
                pulumi.log.warn(f"{cluster.ends_soon}: {READ_AGAIN}")
            await asyncio.to_thread(cluster.text, "GET", "/version")
        except (CredentialsError, KubeconfigError) as error:
            refused.append(f"the cluster can't be changed: {error}")
        except UnreachableError as error:
            pulumi.log.warn(f"this preview does not compare what is in the cluster: {error}: {ETCD}")
        except ApiError:  # it has answered
            return text
        else:
            return text
        return cast(str, pulumi.output.UNKNOWN)

    answered: pulumi.Output[str] = known.apply(ask)

    async def stop() -> None:  # an error that is only logged does not stop `pulumi up`
        await answered.future()
        if refused:
            raise pulumi.RunError(refused[0])

    pulumi.run(stop)
    return answered


def explain_failures(kubeconfig: pulumi.Output[str]) -> None:
    """From here on, every object of the cluster gets a hook for its failure. It reads the cluster, and changes nothing.

    Helm itself says only "context deadline exceeded", and an API server without etcd only "EOF". The hook runs before
    the engine ends, while what failed is there.
    """

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        known = await kubeconfig.future()
        if known is not None:
            about = _about(args.type, args.new_inputs or args.old_inputs or {})
            pulumi.log.error(await asyncio.to_thread(explanation, known, args.name, *about))
        return False  # no retry

    said = False

    def explain_conflict(args: pulumi.ErrorHookArgs) -> bool:
        nonlocal said
        if not said and any("conflict" in error for error in args.errors):
            pulumi.log.error(f"{args.name}: {CONFLICT}")
            said = True  # one bundle has many objects
        return False

    asked = False

    async def explain_server(_: pulumi.ErrorHookArgs) -> bool:
        nonlocal asked
        known = None if asked else await kubeconfig.future()
        if known is not None and not asked:
            asked = True  # one server refuses many objects
            if (said := await asyncio.to_thread(server_fault, known)) is not None:
                pulumi.log.error(said)
        return False

    waits, kept = pulumi.ErrorHook("explain-failure", explain), pulumi.ErrorHook("explain-conflict", explain_conflict)
    others = pulumi.ErrorHook("explain-server", explain_server)

    def with_hook(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("kubernetes:"):
            return None
        hook = waits if args.type_.endswith(_WAITS) else kept if args.type_.endswith(_KEPT) else others
        own = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[hook]))
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, own))

    pulumi.runtime.register_stack_transformation(with_hook)


def server_fault(kubeconfig: str) -> str | None:
    """Why the API server can't write, and what to do; None if it can."""
    api = None
    try:
        api = Cluster(kubeconfig)
        api.text("GET", "/readyz/etcd")
    except (CredentialsError, KubeconfigError) as error:
        return str(error)
    except UnreachableError as error:
        return f"{error}: {ETCD}"
    except ApiError as error:
        return f"{api.host if api else ''}: etcd does not answer the API server ({error}): {ETCD}"
    return None


def explanation(kubeconfig: str, resource: str, namespace: str, node: str = "") -> str:
    """What does not run in the namespace, a line each, and why the node is not Ready; or why that can't be said."""
    try:
        api = Cluster(kubeconfig)
        not_ready = node_fault(api, node) if node else None
        found = [*([not_ready] if not_ready else []), *faults(api, namespace)]
    except (ApiError, UnreachableError, KubeconfigError) as error:
        return f"{resource}: what runs in {namespace} can't be read ({error}): run `vds doctor` when the API answers"
    if not found:
        return f"{resource}: everything in {namespace} runs by now: run `pulumi up` again"
    more = [f"and {len(found) - _MOST} more: `vds doctor` has them all"] if len(found) > _MOST else []
    lines = [*(f"{fault.item}: {fault.says}" for fault in found[:_MOST]), *more]
    return f"{resource}: what does not run in {namespace}:\n  " + "\n  ".join(lines)


def _about(resource_type: str, inputs: Mapping[str, Any]) -> tuple[str, str]:
    """The namespace of a Release or of an object; for a node that of its system pods, and its name."""
    metadata = inputs.get("metadata") or {}
    namespace = str(inputs.get("namespace") or metadata.get("namespace") or KUBE_SYSTEM)
    return namespace, str(metadata["name"]) if resource_type.endswith(":NodePatch") else ""
