# The keys with which a control plane's API server encrypts Secrets in etcd. Two verbs:
#   write    put the keys on this control plane; on a member, wait until its API server has read them
#   rewrite  on the first control plane: store every Secret again, so that all are encrypted with the first key
# Standard output is one word: changed or unchanged. Exit codes are those of member.sh.
# The keys are in this text alone and go to a file of mode 600, by builtins: no process has them among its arguments.
set -eu

#: wanted

state=/var/lib/vds-platform-cluster
admin=/etc/kubernetes/admin.conf
read_seconds=180 # the API server looks at the file once a minute

known() { # name of a provider; is it in the present file?
	grep -q -F "\"$1\"" "$file"
}

judge_order() { # of keys. The file is there and will change
	known "$first_provider" ||
		complain "does not know the first key of encryptionKeys yet, and other control planes could not read what it" \
			"encrypts: write the new key last, run pulumi up, and write it first after that"
	[ "$role" = first ] || return 0 # it comes before the others
	stored=$(cat "$state/encrypted-with" 2>/dev/null) || stored=
	while IFS= read -r name; do
		case " $key_names " in *" $name "*) continue ;; esac
		[ "$stored" = "$first_provider" ] ||
			complain "may still need the key that leaves encryptionKeys, because Secrets are encrypted with it: keep it" \
				"as the last one, run pulumi up, and remove it after that"
		break
	done <<-END
		$(sed -n 's/^ *"name": "\(.*\)",*$/\1/p' "$file")
	END
}

has_read() { # has the API server of this node started, or read the file again, since it was written?
	kubectl --kubeconfig "$admin" --server "$server" --request-timeout 10s get --raw /metrics 2>/dev/null </dev/null |
		awk -v since="$(stat -c %Y "$file")" '
			/^process_start_time_seconds / && $NF + 0 >= since { found = 1 }
			/^apiserver_encryption_config_controller_automatic_reload_last_timestamp_seconds[{]/ && /status="success"/ &&
				$NF + 0 >= since { found = 1 }
			END { exit !found }'
}

wait_until_read() {
	waited=0
	until has_read; do
		[ "$waited" -lt "$read_seconds" ] || {
			complain "has new keys in $file, but its API server has not read them within $read_seconds s: read" \
				"crictl logs of kube-apiserver there, and run again"
			stop_if_problems 5
		}
		sleep 2
		waited=$((waited + 2))
	done
}

write() {
	if [ ! -e "$file" ] || [ "$(cat "$file")" != "$encryption_config" ]; then
		if [ -e "$file" ]; then judge_order; fi
		stop_if_problems 3
		mkdir -p "${file%/*}"
		chmod 700 "${file%/*}"
		temporary=$file.new
		(umask 077 && printf '%s\n' "$encryption_config" >"$temporary")
		sync "$temporary" 2>/dev/null || sync
		mv -f "$temporary" "$file"
		temporary=
		changed=changed
	fi
	if [ -e "$state/joined" ] && grep -q encryption-provider-config /etc/kubernetes/manifests/kube-apiserver.yaml; then
		wait_until_read
	fi
}

store_again() { # a Secret that changed in the meantime is a conflict, and its new version has the first key already
	kubectl --kubeconfig "$admin" get secrets --all-namespaces --output json </dev/null |
		kubectl --kubeconfig "$admin" replace --filename - --output name 2>&1
}

rewrite() {
	[ "$(cat "$state/encrypted-with" 2>/dev/null)" != "$first_provider" ] || return 0
	tries=1
	until said=$(store_again); do
		[ "$tries" -lt 5 ] || {
			printf '%s\n' "$said" | tail -n 20 >&2
			complain "could not store every Secret again, see above: correct it and run again"
			stop_if_problems 5
		}
		tries=$((tries + 1))
		sleep 2
	done
	printf '%s\n' "$first_provider" >"$state/encrypted-with"
	changed=changed
}

LC_ALL=C PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
problems='' changed=unchanged temporary=''
trap '[ -z "$temporary" ] || rm -f "$temporary"' EXIT
trap 'exit 143' HUP INT TERM
[ "$(id -u)" = 0 ] || complain "runs as $(id -un), but the API server's files are root's: write ssh.user: root"
stop_if_problems 3
case ${1:-} in
write) write ;;
rewrite) rewrite ;;
*)
	printf 'use: sh -s write|rewrite\n' >&2
	exit 2
	;;
esac
printf '%s\n' "$changed"
