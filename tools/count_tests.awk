# Reads ctest's JUnit file; prints a line a test: "passed|failed|skipped <name>[: why]".
# ctest writes one element a line, and a skipped test's reason stands in its output, where GoogleTest
# put it: after "...: Skipped". A test that holds many cases prints "case: passed|failed|skipped <name>[: why]"
# for each; they are counted in its place.
function unescape(s) {
  gsub(/&quot;/, "\"", s); gsub(/&apos;/, "'", s); gsub(/&lt;/, "<", s); gsub(/&gt;/, ">", s)
  gsub(/&amp;/, "\\&", s)
  return s
}
function finish() {
  if (name == "") return
  # One that died between its cases has failed whatever they say.
  if (cases != "" && (state != "failed" || cases ~ /(^|\n)failed /)) { printf "%s", cases; name = ""; return }
  if (state == "skipped" && why == "") why = "no reason given"
  print state " " name (why != "" ? ": " why : "")
  name = ""
}
/<testcase / {
  finish()
  match($0, /name="[^"]*"/)
  name = unescape(substr($0, RSTART + 6, RLENGTH - 7))
  sub(/ +# GetParam.*/, "", name)  # the parameter has its name already
  state = $0 ~ /status="run"/ ? "passed" : $0 ~ /status="fail"/ ? "failed" : "skipped"
  why = cases = ""; reason_next = 0
}
reason_next && $0 !~ /^[[:space:]]*$/ { why = unescape($0); reason_next = 0 }
match($0, /case: (passed|failed|skipped) /) {
  line = unescape(substr($0, RSTART + 6))
  sub(/<\/system-out>.*/, "", line)
  match(line, / /)
  group = name
  sub(/\..*/, ".", group)
  cases = cases substr(line, 1, RSTART) group substr(line, RSTART + 1) "\n"
}
state == "skipped" && why == "" && /: Skipped/ { reason_next = 1 }
state == "skipped" && /<skipped message="(Disabled|Not Run|Unable to find)/ { state = "failed"; why = "not run" }
END { finish() }
