# --- upgrade of a member, which is drained ---------------------------------------------------------------

a_tool() { # package version; what may be newer than the kubelet before the control plane is
	case $1 in kubeadm | kubectl | cri-tools) missing_package "$@" ;; esac
}

of_kubernetes() { # package version
	case $1 in kubeadm | kubelet) missing_package "$@" ;; esac
}

# A kubelet may not be newer than its API server, so its package comes after the control plane.
upgrade_kubernetes() {
	save "$state/upgrading" 644 "$kubernetes"
	missing=
	packages a_tool
	fetch
	if [ "$role" = first ]; then
		quietly 'kubeadm upgrade apply' kubeadm upgrade apply "v$kubernetes" --yes \
			${ignored_checks:+"--ignore-preflight-errors=$ignored_checks"}
	else
		quietly 'kubeadm upgrade node' kubeadm upgrade node ${ignored_checks:+"--ignore-preflight-errors=$ignored_checks"}
	fi
}

in_etcd() { # what command …; a program of etcd's image, with the certificate of this member
	what=$1
	shift
	# Pods of others may have a container of that name.
	etcd=$(crictl ps --quiet --state Running --label io.kubernetes.pod.namespace=kube-system --name '^etcd$' \
		</dev/null) || etcd=
	quietly "$what" crictl exec "$etcd" "$@"
}

on_etcd() { # what command …; of etcdctl
	asked=$1
	shift
	in_etcd "$asked" etcdctl --endpoints https://127.0.0.1:2379 --cacert "$pki/etcd/ca.crt" --cert "$pki/etcd/server.crt" \
		--key "$pki/etcd/server.key" "$@"
}

# Before the first control plane is upgraded, where no backup is configured. One snapshot stays on the node.
snapshot() {
	only_a_member
	check
	lock
	made=$etcd_data/vds-platform-snapshot.db # etcd's container can write there
	rm -f "$made" "$made.part"
	on_etcd "taking a snapshot of etcd" snapshot save "$made"
	in_etcd "reading the snapshot of etcd" etcdutl snapshot status "$made"
	chmod 600 "$made"
	rm -f "$state"/etcd-before-*.db
	mv -f "$made" "$state/etcd-before-$kubernetes.db"
	printf '%s\n' "$state/etcd-before-$kubernetes.db"
}

upgrade() {
	only_a_member
	check
	lock
	files put_file
	missing=
	packages of_kubernetes
	if [ -n "$missing" ] || [ -e "$state/upgrading" ]; then
		upgrade_kubernetes
	fi
	install
	runtime
	close_files
	quietly 'starting the kubelet' systemctl restart kubelet
	[ "$role" = worker ] || wait_for 'its API server' api_server_answers
	wait_for 'its kubelet' kubelet_answers
	rm -f "$state/upgrading"
	changed=changed
	tell
}
