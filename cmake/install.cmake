# What `make install` puts where (GNUInstallDirs): the command, both libraries, the header, pkg-config and CMake package
# files, man pages and completions made from the command's own table, and the documents.
include(CMakePackageConfigHelpers)
configure_file(cmake/libtrine.pc.in libtrine.pc @ONLY)
write_basic_package_version_file(trineConfigVersion.cmake VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)

install(TARGETS trine trine_static)
install(TARGETS trine_shared EXPORT trine)
install(EXPORT trine NAMESPACE trine:: FILE trineConfig.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/trine)
install(FILES ${CMAKE_BINARY_DIR}/trineConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/trine)
install(FILES ${CMAKE_BINARY_DIR}/libtrine.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES include/trine.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES README.md CHANGELOG.md LICENSE NOTICES DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
