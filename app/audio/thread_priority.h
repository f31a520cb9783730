// Asks the system to prefer the calling thread. Platform calls only here.
#pragma once

namespace mambo {

// For the generator thread: a low real-time priority where the user may have one, otherwise as it
// is. Being refused is normal on a desktop and changes nothing but the margin.
void prefer_this_thread() noexcept;
// For what is drawn aside: this thread, and those that it starts, run where nothing else wants to.
void yield_to_others() noexcept;

}  // namespace mambo
