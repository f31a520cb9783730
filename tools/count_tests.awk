# Reads ctest's JUnit file; prints a line a test: "passed|failed|skipped <name>[: why]".
# ctest writes one element a line, and a skipped test's reason stands in its output, where GoogleTest
# put it: after "...: Skipped".
function unescape(s) {
  gsub(/&quot;/, "\"", s); gsub(/&apos;/, "'", s); gsub(/&lt;/, "<", s); gsub(/&gt;/, ">", s)
  gsub(/&amp;/, "\\&", s)
  return s
}
function finish() {
  if (name == "") return
  if (state == "skipped" && why == "") why = "no reason given"
  print state " " name (why != "" ? ": " why : "")
  name = ""
}
/<testcase / {
  finish()
  match($0, /name="[^"]*"/)
  name = unescape(substr($0, RSTART + 6, RLENGTH - 7))
  state = $0 ~ /status="run"/ ? "passed" : $0 ~ /status="fail"/ ? "failed" : "skipped"
  why = ""; reason_next = 0
}
reason_next && $0 !~ /^[[:space:]]*$/ { why = unescape($0); reason_next = 0 }
state == "skipped" && why == "" && /: Skipped/ { reason_next = 1 }
state == "skipped" && /<skipped message="(Disabled|Not Run|Unable to find)/ { state = "failed"; why = "not run" }
END { finish() }
