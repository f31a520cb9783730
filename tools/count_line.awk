# Reads lines "passed|failed|skipped NAME[: why]"; prints "<name>: 643 passed, 1,624 skipped (no GPU)".
function grouped(number,  text) {
  for (text = number ""; match(text, /[0-9][0-9][0-9][0-9]($|,)/); )
    text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
  return text
}
{ ++n[$1] }
$1 == "skipped" && /cuda|CUDA|GPU/ { ++no_gpu }
END {
  line = grouped(n["passed"] + 0) " passed"
  if (n["failed"] > 0) line = line ", " grouped(n["failed"]) " FAILED"
  if (n["skipped"] > 0) line = line ", " grouped(n["skipped"]) " skipped"
  if (no_gpu > 0) line = line (no_gpu == n["skipped"] ? " (no GPU)" : " (" grouped(no_gpu) " of them: no GPU)")
  print name ": " line
}
