"""Watching a cluster: Prometheus, Alertmanager and node-exporter, the platform's own facts, alarms and a dashboard."""
