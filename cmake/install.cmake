# What `make install` puts where (GNUInstallDirs): the command, both libraries, the headers, pkg-config and CMake package
# files, man pages and completions made from the command's own table, the models that ship, and the documents.
include(CMakePackageConfigHelpers)
# Both packages find what belongs to them from where they lie themselves: an installation may be moved, or installed elsewhere than configured.
file(RELATIVE_PATH TRINE_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH TRINE_PC_LIBDIR ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH TRINE_PC_INCLUDEDIR ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(cmake/libtrine.pc.in libtrine.pc @ONLY)
write_basic_package_version_file(trineConfigVersion.cmake VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)

install(TARGETS trine trine_static)
if(TARGET trine_mpi)
  install(TARGETS trine_mpi DESTINATION ${CMAKE_INSTALL_LIBDIR}/trine)
endif()
install(TARGETS trine_shared EXPORT trine)
install(EXPORT trine NAMESPACE trine:: FILE trineConfig.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/trine)
install(FILES ${CMAKE_BINARY_DIR}/trineConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/trine)
install(FILES ${CMAKE_BINARY_DIR}/libtrine.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES README.md CHANGELOG.md LICENSE NOTICES DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
# The models that ship, without what they were made with.
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/trine/models
  PATTERN "recipes" EXCLUDE PATTERN "*.py" EXCLUDE)
if(TARGET pages)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${CMAKE_BINARY_DIR}/completions/trine.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME trine)
  install(FILES ${CMAKE_BINARY_DIR}/completions/_trine DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${CMAKE_BINARY_DIR}/completions/trine.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
