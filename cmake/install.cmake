# What `cmake --install` and `cpack` install: program, assets, manual pages, completions, desktop entry and icon. Included by
# app/, whose program it is. No GPU is needed to build it; with one, the package has the CUDA engine (cmake/cuda.cmake).
include(GNUInstallDirs)

# From the options themselves; see app/cli/pages.h.
add_executable(mambo_pages ${CMAKE_CURRENT_SOURCE_DIR}/cli/pages_main.cpp)
target_link_libraries(mambo_pages PRIVATE mambo_cli CLI11::CLI11)
target_compile_options(mambo_pages PRIVATE $<$<CONFIG:Release>:-O1>)
set(pages ${PROJECT_BINARY_DIR}/pages)
add_custom_command(OUTPUT ${pages}/mambo.1 COMMAND mambo_pages ${pages} DEPENDS mambo_pages VERBATIM)
add_custom_target(pages ALL DEPENDS ${pages}/mambo.1)

# The program looks for its assets in ../share/mambo/assets beside its own folder (app/files/paths.cpp).
install(TARGETS mambo RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/assets DESTINATION ${CMAKE_INSTALL_DATADIR}/mambo
  PATTERN "*.py" EXCLUDE PATTERN listen EXCLUDE PATTERN music EXCLUDE)
install(DIRECTORY ${pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(FILES ${pages}/mambo.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mambo)
install(FILES ${pages}/_mambo DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${pages}/mambo.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
set(packaging ${PROJECT_SOURCE_DIR}/packaging)
install(FILES ${packaging}/copyright ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(MAMBO_GUI)
  install(FILES ${packaging}/mambo.desktop DESTINATION ${CMAKE_INSTALL_DATADIR}/applications)
  install(FILES ${packaging}/mambo.svg DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps)
endif()

# The Debian package: cpack --config build/release/CPackConfig.cmake
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mambo)
set(CPACK_PACKAGE_VERSION ${MAMBO_VERSION_LONG})
set(CPACK_PACKAGE_CONTACT "the mambo authors <mambo@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "instrument that plays a waveform Mamba")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "A neural network with a selective state space hears a clip and continues it, sample
by sample, through the sound card or into files, while a window shows what it
remembers and lets one steer it. Models of piano, drums and spoken digits are
included.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "")
if(MAMBO_GUI)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "fonts-inter, libgl1")  # what no program links: theme.cpp opens the font, GLFW OpenGL
endif()
# The way from PortAudio to the sound server of a desktop; fonts for names in other scripts (app/gui/glyphs.cpp).
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libasound2-plugins, fonts-wqy-microhei, fonts-dejavu-core")
include(CPack)
