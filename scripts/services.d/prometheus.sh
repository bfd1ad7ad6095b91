# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Prometheus, which reads leat's metrics.

prometheus_port=${LEAT_PROMETHEUS_PORT:-19090}
prometheus_target=${LEAT_PROMETHEUS_TARGET:-127.0.0.1:9464}
prometheus_stop=TERM

prometheus_prepare() {
	command -v prometheus || { echo "no prometheus; run scripts/deps --services"; return 1; }
	cat >"$prometheus_dir/prometheus.yml" <<-END
		global: {scrape_interval: 2s, evaluation_interval: 2s}
		scrape_configs:
		  - job_name: leat
		    static_configs: [{targets: ["$prometheus_target"]}]
	END
}

prometheus_command() {
	command=(prometheus "--config.file=$prometheus_dir/prometheus.yml" "--storage.tsdb.path=$prometheus_dir/data"
		"--web.listen-address=$host:$prometheus_port" --storage.tsdb.retention.time=1d --log.level=warn)
}

prometheus_ready() { curl -fsS --noproxy '*' -m 2 "http://$host:$prometheus_port/-/ready"; }

prometheus_env() { echo "export PROMETHEUS_URL=http://$host:$prometheus_port"; }
