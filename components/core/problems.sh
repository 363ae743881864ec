# Problems of a node: collected, so that all of them are reported at once. Needs node and problems.

complain() {
	problems="${problems}node $node: $*
"
}

stop_if_problems() { # exit status
	[ -z "$problems" ] || {
		printf '%s' "$problems" >&2
		exit "$1"
	}
}
