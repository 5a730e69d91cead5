#!/bin/sh
# promises.sh prints what each promise costs: the same work with it and without, in
# microseconds. BENCHTIME is how often each is done, COUNT how many times all of it is
# measured: the table has the least of these. TMPDIR names the file system.
set -eu
cd "$(dirname "$0")/.."
"${GO:-go}" test -run xxx -bench '^Benchmark(Promise|Durability)$' -benchtime "${BENCHTIME:-200x}" -count "${COUNT:-3}" -timeout 60m ./account ./mailbox |
	awk '
	function cell(row, column) { return (row, column) in cost ? sprintf("%.0f", cost[row, column]) : "" }
	function over(row, column, base) { return (row, column) in cost && (row, base) in cost ? sprintf("%.1f", cost[row, column] / cost[row, base]) : "" }
	/^Benchmark(Promise|Durability)\// {
		name = $1; sub(/^Benchmark(Promise\/)?/, "", name); sub(/-[0-9]+$/, "", name); gsub(/_/, " ", name)
		sub(/fsync=true$/, "with", name); sub(/fsync=false$/, "without", name)
		column = name; sub(/.*\//, "", column); row = substr(name, 1, length(name) - length(column) - 1); sub(/\//, ": ", row)
		if (!(row in seen)) { seen[row] = 1; order[++rows] = row; mode[row] = column ~ /^with/ ? 1 : 2 }
		if (!((row, column) in cost) || $3 / 1000 < cost[row, column]) cost[row, column] = $3 / 1000
	}
	/FAIL|panic/ { print; bad = 1 }
	END {
		print "| microseconds | with | without | ratio |\n|---|---|---|---|"
		for (r = 1; r <= rows; r++) if (mode[order[r]] == 1) printf "| %s | %s | %s | %s |\n", order[r], cell(order[r], "with"), cell(order[r], "without"), over(order[r], "with", "without")
		print "\n| microseconds | off | follow | live | live to off |\n|---|---|---|---|---|"
		for (r = 1; r <= rows; r++) if (mode[order[r]] == 2) printf "| %s | %s | %s | %s | %s |\n", order[r], cell(order[r], "off"), cell(order[r], "follow"), cell(order[r], "live"), over(order[r], "live", "off")
		exit bad || rows == 0
	}'
