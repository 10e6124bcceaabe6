# Slicer's CMake/SlicerExtensionCPack.cmake and SlicerExtensionGenerateConfig.cmake read these.
foreach(_field HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if(NOT EXTENSION_${_field})
    message(FATAL_ERROR "script does not set 'EXTENSION_${_field}'")
  endif()
endforeach()
