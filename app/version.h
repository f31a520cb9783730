// Which build this is. Files carry MAMBO_VERSION instead, the same for all commits of a version.
#pragma once

namespace mambo {

const char* version();  // "0.1.0", "0.1.0+4.g0123abc"; from git at build time (cmake/version.cmake)

}  // namespace mambo
