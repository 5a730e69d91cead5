#!/bin/sh
# growth.sh prints what one thing costs in folders of 1,000, 100,000 and 1,000,000
# messages, side by side, and the ratio of the last to the first. It fails if a row
# grows by more than 3 times, or if the first open of a million takes 100 ms or more.
# GROWTH names the sizes, BENCHTIME how long each is measured.
set -eu
cd "$(dirname "$0")/.."
"${GO:-go}" test ./mailbox -run xxx -bench "Growth/${GROWTH:-.}" -benchtime "${BENCHTIME:-200x}" -timeout 60m |
	awk '
	/^BenchmarkGrowth\// {
		split($1, part, "/"); row = part[3]; sub(/-[0-9]+$/, "", row)
		if (!(row in seen)) { seen[row] = 1; order[++rows] = row }
		if (!(part[2] in size)) { size[part[2]] = 1; sizes[++columns] = part[2] }
		cost[row, part[2]] = $3 / 1000
		next
	}
	/FAIL|panic/ { print; bad = 1 }
	END {
		printf "| microseconds |"; for (k = 1; k <= columns; k++) printf " %s |", sizes[k]; print " ratio |"
		printf "|---|"; for (k = 0; k <= columns; k++) printf "---|"; print ""
		for (r = 1; r <= rows; r++) {
			row = order[r]; printf "| %s |", row
			for (k = 1; k <= columns; k++) printf " %.1f |", cost[row, sizes[k]]
			for (k = 1; k <= columns; k++) if (!((row, sizes[k]) in cost)) { bad = 1; late = late " " row " (not measured)" }
			last = cost[row, sizes[columns]]; ratio = last / cost[row, sizes[1]]
			printf " %.1f |\n", ratio
			if (row == "select-new-process" ? last >= 100000 : ratio > 3) { bad = 1; late = late " " row }
		}
		if (late != "") print "too much:" late
		exit bad || rows == 0
	}'
