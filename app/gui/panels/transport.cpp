#include "app/gui/panels/transport.h"

#include "app/files/paths.h"
#include "app/gui/keys.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {

float draw_transport(Context& c, ImVec2 at) {
  const float height = c.u(32);
  const float y = at.y + c.u(18);
  float x = at.x;
  const bool playing = c.status.playing;
  ImGui::SetCursorScreenPos(ImVec2(x, y));
  if (icon_button(c.theme, "##play", playing ? Icon::pause : Icon::play, playing ? "Pause" : "Play",
                  !playing, colour::accent, ImVec2(c.u(88), height),
                  Words("Play or pause. Pausing fades the sound out; the model waits. Key: {}.",
                        key_words(Key::play))
                      .c_str())) {
    if (playing) {
      c.session.pause();
    } else {
      c.session.play();
      c.timeline.follow();
    }
  }
  x += c.u(88) + c.u(6);
  ImGui::SetCursorScreenPos(ImVec2(x, y));
  if (icon_button(c.theme, "##again", Icon::again, "Again", false, colour::text,
                  ImVec2(c.u(86), height),
                  Words("{} Key: {}.", control_spec(ControlId::again).help, key_words(Key::again))
                      .c_str())) {
    c.session.again();
    c.timeline.follow();
  }
  x += c.u(86) + c.u(6);
  ImGui::SetCursorScreenPos(ImVec2(x, y));
  const bool recording = c.status.recording;
  const Words label = recording ? Words("{:.1f} s", c.status.recorded_seconds) : Words("Record");
  const Words words("Record what is played to a file in {}; press again to stop. Key: {}.",
                    recordings_dir().string(), key_words(Key::record));
  if (icon_button(c.theme, "##record", recording ? Icon::stop : Icon::record, label.c_str(), true,
                  recording ? colour::text : colour::error, ImVec2(c.u(94), height),
                  words.c_str())) {
    toggle_record(c.session, recording);
  }
  return x + c.u(94);
}

}  // namespace mambo::gui
