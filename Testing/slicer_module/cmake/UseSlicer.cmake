# CTK's CMake/ctkMacroCompilePythonScript.cmake: copies scripts and resources to DESTINATION_DIR,
# keeping their folders, and installs that folder.
macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(MY "NO_INSTALL_SUBDIR" "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR"
    "SCRIPTS;RESOURCES" ${ARGN})
  set(_copied)
  foreach(_file ${MY_SCRIPTS} ${MY_RESOURCES})
    set(_source ${CMAKE_CURRENT_SOURCE_DIR}/${_file})
    set(_target ${MY_DESTINATION_DIR}/${_file})
    add_custom_command(OUTPUT ${_target} DEPENDS ${_source}
      COMMAND ${CMAKE_COMMAND} -E copy ${_source} ${_target})
    list(APPEND _copied ${_target})
  endforeach()
  add_custom_target(Copy${MY_TARGET_NAME}PythonFiles ALL DEPENDS ${_copied})
  install(DIRECTORY ${MY_DESTINATION_DIR}/ DESTINATION ${MY_INSTALL_DIR})
endmacro()

# Slicer's CMake/SlicerMacroBuildScriptedModule.cmake.
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY_SLICER "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME"
    "SCRIPTS;RESOURCES" ${ARGN})
  foreach(_file ${MY_SLICER_SCRIPTS} ${MY_SLICER_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${_file})
      message(FATAL_ERROR "given nonexistent file '${_file}'")
    endif()
  endforeach()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${MY_SLICER_NAME}
    SCRIPTS "${MY_SLICER_SCRIPTS}"
    RESOURCES "${MY_SLICER_RESOURCES}"
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    NO_INSTALL_SUBDIR
    )
  if(BUILD_TESTING AND MY_SLICER_WITH_GENERIC_TESTS)
    add_test(NAME py_nomainwindow_qSlicer${MY_SLICER_NAME}ModuleGenericTest COMMAND true)
  endif()
endmacro()

# Slicer's CMake/SlicerMacroPythonTesting.cmake.
macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT})
    message(FATAL_ERROR "There is no test ${MY_SCRIPT}")
  endif()
  get_filename_component(_name ${MY_SCRIPT} NAME_WE)
  add_test(NAME py_${MY_TESTNAME_PREFIX}${_name} COMMAND true)
endmacro()

include(CTest)
