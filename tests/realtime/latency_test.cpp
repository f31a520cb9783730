// From the hand to the ear: a control is changed, the change is heard at a sink, and the time
// between the two is what the session says.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <optional>
#include <random>
#include <thread>

#include "listen.h"
#include "sanitized.h"
#include "sound_server.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::SinkRecording;
using testing::SoundServer;
using testing::within;
using Clock = std::chrono::steady_clock;

// Draws nothing but what its temperature says: silence at 1, a loud square wave at 0.
class SwitchedTone final : public Engine {
 public:
  SwitchedTone(const NetworkView& net, const EngineOptions& options)
      : Engine(net), inner_(make_engine(net, "cpu", options)) {}
  Backend backend() const override { return Backend::cpu; }
  std::string description() const override { return "a switched tone"; }
  std::size_t weight_bytes() const override { return inner_->weight_bytes(); }
  std::size_t state_bytes() const override { return inner_->state_bytes(); }
  std::unique_ptr<State> make_state() const override { return inner_->make_state(); }
  void reset(State& state) const override { inner_->reset(state); }
  void copy(const State& from, State& to) const override { inner_->copy(from, to); }
  void prefill(State& state, std::span<const std::uint8_t> codes, PrefillSink* sink,
               const Selectivity* by_hand) const override {
    inner_->prefill(state, codes, sink, by_hand);
  }
  void step(State& state, std::span<const std::uint8_t> codes,
            const Selectivity* by_hand) const override {
    inner_->step(state, codes, by_hand);
  }
  void generate(State& /*state*/, const GenerateRequest& request) const override {
    const bool on = request.sampling.temperature < 0.5F;
    for (std::size_t i = 0; i < request.codes.size(); ++i) {
      request.codes[i] = !on ? silence_code : i % 8 < 4 ? 200 : 56;
    }
  }
  void generate_many(std::span<Stream> /*streams*/) const override {}
  void read_state(const State& state, std::span<float> out) const override {
    inner_->read_state(state, out);
  }
  void write_state(State& state, std::span<const float> in, std::uint64_t position) const override {
    inner_->write_state(state, in, position);
  }

 private:
  std::unique_ptr<Engine> inner_;
};

// When the first loud sample is heard after listen(): the moments at which a sink's sound passes.
class Ear {
 public:
  virtual ~Ear() = default;
  virtual void listen() = 0;
  virtual std::optional<Clock::time_point> heard() = 0;
};

bool is_loud(float x) { return std::fabs(x) > 0.02F; }

// At a null sink's monitor. It gets the sound up to a block (20 ms) before it is played, and hands
// it on up to 20 ms later.
class AtTheMonitor final : public Ear {
 public:
  AtTheMonitor(const SoundServer& server, int rate) : recording_(server, rate), rate_(rate) {}
  void listen() override { from_ = recording_.so_far().size(); }
  std::optional<Clock::time_point> heard() override {
    const std::vector<float> sound = recording_.so_far();
    const auto now = Clock::now();
    const auto loud =
        std::find_if(sound.begin() + static_cast<std::ptrdiff_t>(from_), sound.end(), &is_loud);
    if (loud == sound.end()) return {};
    // What arrived with it and after it is played later.
    const std::chrono::duration<double> later(static_cast<double>(sound.end() - loud) / rate_);
    return now - std::chrono::duration_cast<Clock::duration>(later);
  }

 private:
  SinkRecording recording_;
  std::size_t from_ = 0;
  int rate_;
};

// A card behind a pipe: takes a sample out when it is due.
class AtThePipe final : public Ear {
 public:
  AtThePipe(const SoundServer& server, int rate, int bytes_kept) : rate_(rate) {
    fd_ = ::open(server.pipe().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT_GE(::fcntl(fd_, F_SETPIPE_SZ, bytes_kept), 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { play(stop); });
  }
  ~AtThePipe() override {
    thread_ = {};
    ::close(fd_);
  }
  AtThePipe(const AtThePipe&) = delete;
  AtThePipe& operator=(const AtThePipe&) = delete;
  void listen() override { loud_at_ = 0; }
  std::optional<Clock::time_point> heard() override {
    const std::int64_t at = loud_at_;
    if (at == 0) return {};
    return Clock::time_point(std::chrono::nanoseconds(at));
  }

 private:
  void play(const std::stop_token& stop) {
    const auto begin = Clock::now();
    std::int64_t played = 0;
    std::array<float, 1024> block{};
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(2ms);
      const double passed = std::chrono::duration<double>(Clock::now() - begin).count();
      auto due = static_cast<std::int64_t>(passed * rate_) - played;
      while (due > 0) {
        const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(due, 1024));
        const ssize_t got = ::read(fd_, block.data(), wanted * sizeof(float));
        if (got <= 0) {  // nothing there: the card plays silence
          played += due;
          break;
        }
        const auto n = static_cast<std::size_t>(got) / sizeof(float);
        if (loud_at_ == 0 && std::any_of(block.begin(), block.begin() + n, &is_loud)) {
          loud_at_ = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
        }
        played += static_cast<std::int64_t>(n);
        due -= static_cast<std::int64_t>(n);
      }
    }
  }

  int fd_ = -1;
  int rate_;
  std::atomic<std::int64_t> loud_at_{1};
  std::jthread thread_;
};

struct Latency {
  double heard_ms = 0, said_ms = 0;  // medians: a busy machine is late now and then
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

// Of `changes` changes at moments of no pattern. The time that is said is read when the hand moves.
Latency measure(Ear& ear, double latency_ms, int changes) {
  SessionOptions options;
  options.latency_s = 1e-3 * latency_ms;
  options.engines = [](const NetworkView& net, const std::string&, const EngineOptions& o,
                       std::string*) { return std::make_unique<SwitchedTone>(net, o); };
  Session session(options);
  if (!testing::bring_up(session)) return {};
  session.set(ControlId::temperature, 1);
  session.play();
  std::mt19937 rng(7);
  const auto look = [&](int times) {  // at the meter, as a window does
    for (int i = 0; i < times; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(15000 + rng() % 10000));
      session.status();
    }
  };
  look(100);
  EXPECT_FALSE(session.status().silent) << session.status().message;
  std::vector<double> heard;
  std::vector<double> all_said;
  for (int i = 0; i < changes; ++i) {
    ear.listen();
    const double said = session.status().output_latency_ms;
    const auto hand = Clock::now();
    session.set(ControlId::temperature, 0);
    std::optional<Clock::time_point> at;
    EXPECT_TRUE(within(3, [&] { return (at = ear.heard()).has_value(); })) << "change " << i;
    const double ms =
        std::chrono::duration<double, std::milli>(at.value_or(Clock::now()) - hand).count();
    heard.push_back(ms);
    all_said.push_back(said);
    session.set(ControlId::temperature, 1);
    look(25 + static_cast<int>(rng() % 10));
  }
  return {median(heard), median(all_said)};
}

constexpr double kTolerance = 30;  // ms: the ear's own uncertainty

TEST(Latency, FromHandToEarIsWhatIsSaid) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  for (const auto& [wanted_ms, rate] : {std::pair(60.0, 48000), {250.0, 16000}}) {
    SoundServer server(rate, 1);
    ASSERT_EQ(server.problem(), "");
    AtTheMonitor ear(server, rate);
    const Latency l = measure(ear, wanted_ms, 5);
    EXPECT_NEAR(l.said_ms, l.heard_ms, kTolerance) << wanted_ms << " ms wanted";
  }
}

// What a sound server keeps is no part of the latency that PortAudio gives a stream.
TEST(Latency, IncludesWhatTheSoundServerKeeps) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(48000, 2, SoundServer::Sink::pipe);
  ASSERT_EQ(server.problem(), "");
  AtThePipe ear(server, 2 * 48000, 65536);  // 170 ms; a pipe gives room by pages of 11 ms
  const Latency l = measure(ear, 60, 5);
  EXPECT_GT(l.heard_ms, 150);
  EXPECT_NEAR(l.said_ms, l.heard_ms, kTolerance);
}

}  // namespace
}  // namespace mambo
