# Which room may include which: awk -f tools/layers.awk FILES, from the root of the project. Prints a line
# per forbidden include and fails; ctest calls it lint.layers. A room is a folder with those below it
# that are not named themselves, or one file; it may always include itself.
BEGIN {
  seam = "kernels kernels/mixers"
  allow("dsp", "")
  allow("kernels", "kernels/mixers")
  allow("kernels/mixers", "kernels")
  allow("kernels/backends.cpp", "kernels kernels/cpu kernels/cuda")  # the one place that knows them all
  allow("kernels/reference", seam)
  allow("kernels/cpu", seam)
  allow("kernels/cuda/runtime", "kernels")
  layout = "kernels/cuda/plan/state_plan.h"  # where a stream's memory is: a leaf that all may see
  allow(layout, seam)
  allow("kernels/cuda/pack", seam " kernels/cuda/runtime " layout)
  allow("kernels/cuda/step", seam " kernels/cuda/runtime kernels/cuda/pack")
  allow("kernels/cuda/plan", seam " kernels/cuda/runtime kernels/cuda/pack kernels/cuda/step " layout)
  allow("kernels/cuda/prefill", seam " kernels/cuda/runtime kernels/cuda/pack kernels/cuda/plan " layout)
  allow("kernels/cuda", seam " kernels/cuda/runtime kernels/cuda/pack kernels/cuda/step kernels/cuda/plan kernels/cuda/prefill " layout)
  allow("model", seam)
  allow("bench", "model " seam " kernels/cpu kernels/cuda kernels/cuda/runtime kernels/cuda/prefill " layout)
  allow("app", seam)  # what all of it shares: errors
  allow("app/audio", "app dsp " seam)
  allow("app/files", "app dsp model " seam)
  allow("app/control", "app dsp model " seam)
  allow("app/live", "app app/audio app/files app/control dsp model " seam)
  allow("app/offline", "app app/files app/control dsp model " seam)
  allow("app/gui", "app app/audio app/files app/control app/live app/gui/model_facts.h " seam)
  # Of the window, what reads a model; the rest sees facts and observations.
  allow("app/gui/model_facts.h", "app/gui app/control model " seam)
  allow("app/gui/model_facts.cpp", "app/gui app/gui/model_facts.h app/files app/live model " seam)
  # And its settings, read as everything is that may come from a stranger (model/json_text.h).
  allow("app/gui/settings.cpp", "app/gui app/files app/control model " seam)
  allow("app/cli", "app app/audio app/files app/control app/live app/offline dsp model bench " seam)
  allow("app/main.cpp", "app app/cli app/gui " seam)
  allow("examples", "app app/audio app/files app/control app/live app/offline dsp model " seam)

  # Who alone may see a library: the start of a header's name in <>, and the rooms.
  only("imgui GLFW/ GL/ fontconfig/ fribidi/", "app/gui")
  only("portaudio", "app/audio")
  only("sndfile soxr ebur128", "app/files")
  only("CLI/", "app/cli")
  only("speex/", "dsp")
  only("nlohmann/", "model app/control app/files app/offline app/gui app/cli")
  only("hwy/", "kernels/cpu bench")
  only("cuda cublas cub/ cooperative_groups mma", "kernels/cuda kernels/cuda/runtime kernels/cuda/pack kernels/cuda/step kernels/cuda/plan kernels/cuda/prefill bench")
  only("gtest/ gmock/", "tests")

  # What is still to be moved: a file, and what it includes. The list may only shrink.
  except("app/cli/options.cpp", "backend")  # the words of --backend, which users write

  # Above the seam nothing knows a backend by its name (help texts, which users read, excepted).
  backend = "MAMBO_HAS_C(PU|UDA)|\"(cpu|cuda|CPU|CUDA)[\", ]|rfind\\(\"C"
}
function allow(room, rooms) { allowed[room] = " " rooms " " room " " }
function only(headers, rooms,  i, n, part) {
  n = split(headers, part, " ")
  for (i = 1; i <= n; ++i) library[part[i]] = " " rooms " "
}
function room_of(path) {
  while (!(path in allowed) && sub("/[^/]*$", "", path)) {}
  return path
}
function except(file, include) { excepted[file " " include] = 1 }
function wrong(what) { print FILENAME ":" FNR ": " what; bad = 1 }

FNR == 1 {
  ++files
  room = room_of(FILENAME)
  if (!(room in allowed)) wrong(room " is no room that tools/layers.awk knows")
}
/^ *# *include "/ {
  split($0, part, "\"")
  to = room_of(part[2])
  if ((room in allowed) && !index(allowed[room], " " to " ") && !((FILENAME " " part[2]) in excepted))
    wrong(room " may not include " part[2])
}
/^ *# *include </ {
  name = $0
  gsub(/.*<|>.*/, "", name)
  for (l in library)
    if (index(name, l) == 1 && !index(library[l], " " room " ")) wrong(room " may not see <" name ">")
}
room ~ /^(model|app)/ && $0 !~ /^ *(\/\/|#include)/ {
  code = $0
  sub(/ \/\/ .*/, "", code)
  if (code ~ backend && !((FILENAME " backend") in excepted)) wrong("a backend's name above the seam")
}
# fmt::print throws when the terminal is gone, a stream says nothing: app/cli/say.h does neither.
room ~ /^app/ && /fmt::print\(|std::(cout|cerr)|f?printf\(std/ {
  wrong("prints past app/cli/say.h")
}
END {
  if (files == 0) { print "no files given"; bad = 1 }
  exit bad
}
