# Reads lines "passed|failed|skipped STAGE: NAME[: why]"; prints what was skipped, a line for many of a
# kind that share a reason, what failed, and as the last line the three sums.
function add(key, line) {
  if (!(key in n)) order[++kinds] = key
  ++n[key]; lines[key] = line
}
{ ++count[$1] }
$1 == "failed" { sub(/^failed /, ""); failures = failures "  " $0 "\n"; next }
$1 == "skipped" {
  sub(/^skipped /, "")
  kind = $0; why = ""
  if (match($0, /^[a-z-]+: [a-z]+\.[^ ]+: /)) {
    why = substr($0, RLENGTH + 1)
    match($0, /^[a-z-]+: [a-z]+\.[^.]+/)  # up to the name of the suite
    kind = substr($0, 1, RLENGTH)
  }
  add(kind "\t" why, $0)
}
END {
  if (kinds > 0) print "Skipped (one by one: build/check/results.txt):"
  for (i = 1; i <= kinds; ++i) {
    key = order[i]
    split(key, part, "\t")
    print "  " (n[key] == 1 ? lines[key] : part[1] ": " n[key] " tests: " part[2])
  }
  if (failures != "") printf "Failed:\n%s", failures
  printf "%d passed, %d failed, %d skipped\n", count["passed"], count["failed"], count["skipped"]
  exit count["failed"] > 0 || count["passed"] == 0
}
