# Renews the certificates that kubeadm made on this control plane and starts its static pods again, one after the other.
# A timer runs it once a day, at another hour on each control plane, so that never two of them start at once.
# Arguments: it does something if a certificate ends within so many days; the address of this node's own API server,
# because the endpoint in front may lead to another one. A run that was interrupted is finished.
set -eu
LC_ALL=C PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

days=$1 server=$2
kubernetes=/etc/kubernetes
admin=$kubernetes/admin.conf
state=/var/lib/vds-platform-cluster
mark=$state/renewing
seconds=120 # until a container is there again, or the API server answers

fail() {
	echo "$*" >&2
	exit 1
}

end_within() { # seconds; is there one that ends? kubeadm renews no authority, and the kubelet renews its own
	for file in pki/apiserver.crt pki/apiserver-etcd-client.crt pki/apiserver-kubelet-client.crt pki/front-proxy-client.crt \
		pki/etcd/server.crt pki/etcd/peer.crt pki/etcd/healthcheck-client.crt \
		admin.conf super-admin.conf controller-manager.conf scheduler.conf; do
		file=$kubernetes/$file
		[ -e "$file" ] || continue
		case $file in
		*.conf) sed -n 's/^ *client-certificate-data: *//p' "$file" | base64 -d ;;
		*) cat "$file" ;;
		esac | openssl x509 -noout -checkend "$1" >/dev/null || return 0
	done
	return 1
}

running() { # name; its container: pods of others may have containers of the same name
	crictl ps --quiet --state Running --label io.kubernetes.pod.namespace=kube-system --name "^$1\$"
}

wait_until() { # what command …
	what=$1 tries=0
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt "$seconds" ] || fail "has renewed its certificates, and $what: read crictl logs and journalctl -u kubelet"
		sleep 1
	done
}

is_another() { # name, container that was stopped
	now=$(running "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

ask() { # path
	kubectl --kubeconfig "$admin" --server "$server" --request-timeout 5s get --raw "$1"
}

control_planes_are_ready() {
	kubectl --kubeconfig "$admin" --server "$server" --request-timeout 30s --namespace kube-system wait pod \
		--selector tier=control-plane --for condition=Ready --timeout 20s
}

[ -e "$mark" ] || end_within $((days * 86400)) || exit 0
exec 9<"$state" # the lock of member.sh: an upgrade restarts the same pods
flock -n 9 || fail "another run of vds-platform holds $state: it tries again tomorrow"
if [ ! -e "$mark" ]; then
	# With certificates that have ended, nothing answers any more, and there is nothing to spare.
	end_within 0 || control_planes_are_ready >/dev/null ||
		fail "does not renew its certificates, because pods of a control plane are not ready: correct that; it tries again tomorrow"
	: >"$mark"
fi
kubeadm certs renew all
! end_within $((days * 86400)) || fail "has certificates that kubeadm did not renew: run kubeadm certs check-expiration there"
for name in etcd kube-apiserver kube-controller-manager kube-scheduler; do
	before=$(running "$name")
	[ -z "$before" ] || crictl stop --timeout 30 "$before"
	wait_until "$name does not run" is_another "$name" "$before"
	wait_until "the API server does not answer" ask /readyz
done
rm -f "$mark"
