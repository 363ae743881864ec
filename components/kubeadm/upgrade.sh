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
