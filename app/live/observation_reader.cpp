#include "app/live/observation_reader.h"

namespace mambo {

const Observation* ObservationReader::front(const ObservationSource& source,
                                            std::uint64_t generation) {
  front_ = nullptr;
  source_ = source;
  if (source_.queue == nullptr) return nullptr;
  if (generation != generation_) {
    generation_ = generation;
    clip_next_ = 0;
  }
  if (clip_next_ < source_.clip->size()) {
    Observation& o = (*source_.clip)[clip_next_];
    o.generation = generation;
    return front_ = &o;
  }
  for (front_ = source_.queue->front(); front_ != nullptr && front_->generation != generation;
       front_ = source_.queue->front()) {
    source_.queue->pop();  // from before Again
  }
  return front_;
}

void ObservationReader::pop() {
  if (front_ == nullptr) return;
  front_ = nullptr;
  if (clip_next_ < source_.clip->size()) {
    ++clip_next_;
  } else {
    source_.queue->pop();
  }
}

}  // namespace mambo
