// Asks the system to prefer the calling thread. Platform calls only here.
#pragma once

namespace mambo {

// For the generator thread: a low real-time priority where the user may have one, otherwise as it
// is. Being refused is normal on a desktop and changes nothing but the margin.
void prefer_this_thread() noexcept;

}  // namespace mambo
