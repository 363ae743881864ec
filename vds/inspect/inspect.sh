# Reads a node and the pods on it. It changes nothing.
# The result goes to standard output. Exit code: 0 read, 1 read and not ready (status), 3 can't be read: standard error
# says why and what to do. All commands are in functions: a connection lost half-way runs nothing.
set -eu

#: variables

refuse() {
	printf 'node %s %s\n' "$node" "$*" >&2
	exit 3
}

need() { # tool …; says all that are missing at once
	missing=
	for tool in "$@"; do
		command -v "$tool" >/dev/null || missing="$missing${missing:+; }$tool ($(package_of "$tool"))"
	done
	[ -z "$missing" ] || refuse "lacks $missing: install it there, for example with apt-get"
}

package_of() {
	case $1 in
	crictl) echo "of cri-tools, and let /etc/crictl.yaml name the container runtime's socket" ;;
	nsenter) echo "of util-linux" ;;
	ip) echo "of iproute2" ;;
	iptables-save) echo "of iptables" ;;
	nft) echo "of nftables" ;;
	*) echo "of $1" ;;
	esac
}

within() { # command …; ended after $seconds, which is no failure. 143: how busybox' timeout says it; 137: by force
	status=0
	timeout -k 2 "$seconds" "$@" </dev/null || status=$?
	case $status in 124 | 137 | 143) status=0 ;; esac
	return "$status"
}

# --- a pod's network namespace ---------------------------------------------------------------------------

ask_runtime() { # words for crictl; sets answer
	answer=$(crictl "$@" </dev/null) ||
		refuse "has a crictl that gets no answer from the container runtime (its words stand above): run it as root \
and let /etc/crictl.yaml name the runtime's socket"
}

enter_pod() { # tools beside those it needs itself; sets pid, a process in the pod's network
	need crictl nsenter "$@"
	# By labels, not by --name and --namespace: those are patterns, and find more than the pod.
	ask_runtime pods --quiet --state ready --latest \
		--label "io.kubernetes.pod.namespace=$namespace" --label "io.kubernetes.pod.name=$pod"
	[ -n "$answer" ] || refuse "has no ready sandbox of pod $namespace/$pod: it has just been moved or is starting; \
try again, or see \`kubectl -n $namespace describe pod $pod\`"
	ask_runtime inspectp --output go-template --template '{{.info.pid}}' "$answer"
	pid=$answer
	case $pid in
	'' | 0 | *[!0-9]*) refuse "has a container runtime that gives no process of pod $namespace/$pod (it says '$pid'): \
pods in virtual machines can't be entered from the node" ;;
	esac
}

in_pod() {
	nsenter -t "$pid" -n "$@" </dev/null
}

routes() {
	enter_pod ip
	addresses=$(in_pod ip -j address show)
	routes=$(in_pod ip -j route show)
	routes6=$(in_pod ip -j -6 route show 2>/dev/null) || routes6= # a kernel may be without IPv6
	printf '%s\n' "${addresses:-[]}" "${routes:-[]}" "${routes6:-[]}"
}

capture() {
	enter_pod ip tcpdump
	if [ -z "$interface" ]; then
		interface=$(in_pod ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
		interface=${interface:-any}
	fi
	there=$(in_pod ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/')
	printf '%s\nany\n' "$there" | grep -Fqx -e "$interface" ||
		refuse "has no interface '$interface' in pod $namespace/$pod: there are $(echo $there)"
	if [ "$binary" = true ]; then set -- -U -w -; else set -- -l; fi
	# -p: do not switch the interface into promiscuous mode; --: no word of the filter is an option.
	filtered within nsenter -t "$pid" -n tcpdump -n -p -i "$interface" -c "$packets" "$@" --
}

# --- Cilium ----------------------------------------------------------------------------------------------

find_container() { # name; sets container
	need crictl
	ask_runtime ps --quiet --state running --latest --label "io.kubernetes.container.name=$1"
	container=$answer
	[ -n "$container" ] || refuse "runs no container $1: see \`kubectl get pods -A -o wide\` for its pod on this node"
}

find_cilium() { # sets container, empty where the agent runs on the node itself
	container=
	if command -v cilium-dbg >/dev/null; then
		# A node may have the tool and the agent in a pod; its socket is on the node either way.
		if [ -S /var/run/cilium/cilium.sock ] || ! command -v crictl >/dev/null; then return; fi
	fi
	find_container cilium-agent
}

agent() { # command …; where the agent's tools are
	if [ -n "$container" ]; then crictl exec "$container" "$@" </dev/null; else "$@" </dev/null; fi
}

cilium_drops() {
	find_cilium
	# Without an agent the monitor ends with 0 and shows no drops.
	agent cilium-dbg status -o json >/dev/null ||
		refuse "has a Cilium agent that does not answer: see \`vds inspect cni --node $node\`"
	# Ended inside the container: crictl gone, it would go on there.
	# shellcheck disable=SC2016  # for the inner shell
	agent sh -c 'timeout -k 2 "$1" cilium-dbg monitor --type drop --json
		case $? in 0 | 124 | 137 | 143) ;; *) exit 4 ;; esac' sh "$seconds" ||
		refuse "has a Cilium agent whose monitor failed: its words stand above"
}

cilium_live() { # the agent's status as JSON, then its table of MTUs
	find_cilium
	agent cilium-dbg status -o json || exit 1
	echo
	agent cilium-dbg shell -- db/show mtu || exit 1
}

cilium_status() {
	find_cilium
	if [ "$json" = true ]; then set -- -o json; else set -- --verbose; fi
	agent cilium-dbg status "$@" || exit 1
}

# --- Calico ----------------------------------------------------------------------------------------------

counters() {
	case $dataplane in
	Nftables) nft list table ip calico ;;
	*) iptables-save -c ;;
	esac </dev/null
}

calico_drops() { # Calico tells of no single drop: its rules count, so what they counted meanwhile is the answer
	case $dataplane in
	Nftables) need nft ;;
	*) need iptables-save ;;
	esac
	counters || refuse "does not show its packet filter: its words stand above"
	echo '# later'
	sleep "$seconds"
	counters
}

calico_status() {
	find_container calico-node
	well=0
	# shellcheck disable=SC2086  # words of our own
	agent calico-node -felix-ready $bird_ready || well=1
	if [ -n "$bird_ready" ] && command -v calicoctl >/dev/null; then calicoctl node status </dev/null || well=1; fi
	exit "$well"
}

main() {
	LC_ALL=C PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	export LC_ALL PATH
	[ "$(id -u)" = 0 ] || refuse "lets us in as $(id -un): other namespaces are root's to enter; let ssh.user be root"
	"$action"
}

main "$@"
