# How every library of the project is built, tested, installed and found again: the core, the room
# of files and training, and each package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(GLIA_CMAKE_FOLDER ${CMAKE_CURRENT_LIST_DIR})
set(GLIA_CONFIG_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/glia)
set(GLIA_PC_DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
# What an installed program or library finds others by, wherever the whole is moved to.
file(RELATIVE_PATH GLIA_BIN_TO_LIB /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
file(RELATIVE_PATH GLIA_PC_TO_PREFIX /${GLIA_PC_DESTINATION} /)
string(REGEX REPLACE "/$" "" GLIA_PC_TO_PREFIX "${GLIA_PC_TO_PREFIX}")

add_library(glia_options INTERFACE)
target_compile_options(glia_options INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
# Tests, recipes and the program call what is optimised: so they compile in a quarter less time.
add_library(glia_light INTERFACE)
target_compile_options(glia_light INTERFACE $<$<CONFIG:Release>:-O1>)

# The names by which pkg-config knows components: glia, glia-train, ...
function(glia_pc_names out)
  list(TRANSFORM ARGN PREPEND glia-)
  list(TRANSFORM ARGN REPLACE "^glia-glia$" glia)
  list(JOIN ARGN ", " names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

# glia_library(NAME DESCRIPTION text SOURCES file... [HEADERS folder] [NEEDS component...]
#              [LIBRARIES target...])
# The component NAME of find_package(glia): a shared library glia_NAME (the core: glia) with the
# alias glia::NAME. HEADERS is the folder of its public headers, NEEDS are the components that these
# use, LIBRARIES what only the sources do.
function(glia_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESCRIPTION;HEADERS" "SOURCES;NEEDS;LIBRARIES")
  set(target glia_${name})
  if(name STREQUAL glia)
    set(target glia)
  endif()
  add_library(${target} SHARED ${arg_SOURCES})
  add_library(glia::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
    EXPORT_NAME ${name} INSTALL_RPATH "$ORIGIN"
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}> PRIVATE src)
  if(arg_HEADERS)
    target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/${arg_HEADERS}>)
    install(DIRECTORY ${arg_HEADERS}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
            FILES_MATCHING PATTERN *.h)
  endif()
  list(TRANSFORM arg_NEEDS PREPEND glia:: OUTPUT_VARIABLE needs)
  target_link_libraries(${target} PUBLIC ${needs} PRIVATE glia_options ${arg_LIBRARIES})

  install(TARGETS ${target} EXPORT glia_${name}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
          NAMELINK_COMPONENT development)
  install(EXPORT glia_${name} NAMESPACE glia:: FILE targets-${name}.cmake
          DESTINATION ${GLIA_CONFIG_DESTINATION} COMPONENT development)
  set(description "${arg_DESCRIPTION}")
  glia_pc_names(pc ${name})
  glia_pc_names(requires ${arg_NEEDS})
  configure_file(${GLIA_CMAKE_FOLDER}/glia.pc.in ${PROJECT_BINARY_DIR}/${pc}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${pc}.pc DESTINATION ${GLIA_PC_DESTINATION}
          COMPONENT development)
  set_property(GLOBAL APPEND PROPERTY GLIA_COMPONENTS ${name})
endfunction()

# What find_package(glia) reads; called when all libraries are declared.
function(glia_install_config)
  get_property(GLIA_COMPONENTS GLOBAL PROPERTY GLIA_COMPONENTS)
  configure_package_config_file(${GLIA_CMAKE_FOLDER}/glia-config.cmake.in
    ${PROJECT_BINARY_DIR}/glia-config.cmake INSTALL_DESTINATION ${GLIA_CONFIG_DESTINATION})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/glia-config-version.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/glia-config.cmake
                ${PROJECT_BINARY_DIR}/glia-config-version.cmake
          DESTINATION ${GLIA_CONFIG_DESTINATION} COMPONENT development)
endfunction()

# glia_test(SOURCE [FOLDERS folder...] [LIBRARIES target...]): one test program of the file's name,
# which sees the private headers of the folders.
function(glia_test source)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FOLDERS;LIBRARIES")
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_include_directories(${name} PRIVATE ${arg_FOLDERS} ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} glia_options glia_light
                                        GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE GLIA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
