// The audio devices, listed in the background: that can take seconds.
#pragma once

#include <future>
#include <vector>

#include "app/audio/audio_device.h"
#include "app/audio/audio_input.h"

namespace mambo::gui {

class DeviceList {
 public:
  using List = std::vector<AudioDeviceInfo> (*)();
  explicit DeviceList(List list = &list_audio_devices) : list_(list) {}
  ~DeviceList();
  DeviceList(const DeviceList&) = delete;
  DeviceList& operator=(const DeviceList&) = delete;

  void refresh();                             // starts asking unless it is asking already
  const std::vector<AudioDeviceInfo>& get();  // what is known by now; never waits
  bool asking() const { return answer_.valid(); }

 private:
  List list_;
  std::future<std::vector<AudioDeviceInfo>> answer_;
  std::vector<AudioDeviceInfo> known_;
};

}  // namespace mambo::gui
