#include "app/gui/devices.h"

#include <chrono>
#include <exception>

namespace mambo::gui {

DeviceList::~DeviceList() {
  if (answer_.valid()) answer_.wait();  // the sound library cannot be interrupted
}

void DeviceList::refresh() {
  if (!answer_.valid()) answer_ = std::async(std::launch::async, list_);
}

const std::vector<AudioDeviceInfo>& DeviceList::get() {
  if (answer_.valid() && answer_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    try {
      known_ = answer_.get();
    } catch (const std::exception&) {
      known_.clear();  // no list; the default can still be chosen
    }
  }
  return known_;
}

}  // namespace mambo::gui
