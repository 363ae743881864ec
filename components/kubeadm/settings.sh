# --- settings of control plane and kubelet, on a member --------------------------------------------------

api_server_answers() {
	kubectl --kubeconfig "$admin" --server "$server" --request-timeout 5s get --raw /readyz >/dev/null 2>&1 </dev/null
}

kubelet_answers() {
	curl --silent --fail --max-time 5 --output /dev/null http://127.0.0.1:10248/healthz </dev/null
}

wait_for() { # what command
	tries=0
	until "$2"; do
		tries=$((tries + 1))
		[ "$tries" -lt 120 ] || {
			complain "has changed, and $1 does not answer: read journalctl -u kubelet and crictl logs there, correct" \
				"the stack file and run again"
			stop_if_problems 5
		}
		sleep 1
	done
}

close_files() {
	chmod 600 "$kubelet_config" # kubeadm writes it for everybody to read
	[ "$role" = worker ] || chmod 700 "$etcd_data" # kubeadm does it only where it makes the folder
}

with_settings() { # this member has the settings of the stack file
	close_files
	save "$state/settings" 644 "$settings"
}

# The first control plane is kept before the others: it changes the cluster's settings, and each member takes them. What
# kubeadm starts again it waits for, and it puts the old manifest back if that fails.
reconfigure() {
	differs "$state/settings" "$settings" || return 0
	if [ "$role" = first ]; then
		quietly 'changing the settings of the cluster' configured kubeadm init phase upload-config all
	fi
	if [ "$role" != worker ]; then
		quietly 'changing the settings of the control plane' kubeadm upgrade node phase control-plane \
			--certificate-renewal=false --etcd-upgrade=false
		wait_for 'its API server' api_server_answers
	fi
	quietly 'changing the settings of the kubelet' kubeadm upgrade node phase kubelet-config
	quietly 'starting the kubelet' systemctl restart kubelet
	wait_for 'its kubelet' kubelet_answers
	with_settings
	changed=changed
}
