# The CUDA part: on when nvcc is found. SL_CUDA=OFF leaves it out, ON insists.
# The binary never depends on it.
set(SL_CUDA AUTO CACHE STRING "Build the CUDA part: AUTO, ON or OFF")
set_property(CACHE SL_CUDA PROPERTY STRINGS AUTO ON OFF)
if(NOT SL_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "SL_CUDA is AUTO, ON or OFF, not ${SL_CUDA}")
endif()
if(SL_CUDA STREQUAL "OFF" OR SL_SANITIZE OR SL_TSAN)
  return()
endif()

include(CheckLanguage)
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 120)
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(SL_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SL_CUDA=ON, but no nvcc was found that works: "
      "install the CUDA Toolkit (12.8 or newer) and g++, and put its bin/ "
      "into PATH")
  endif()
  message(STATUS "no nvcc of CUDA 12.8 or newer: no CUDA part")
  return()
endif()
enable_language(CUDA)
message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION}: ${CMAKE_CUDA_COMPILER}")

# Not a backend yet: see engine/cuda/elementwise.cu.
add_library(cuda OBJECT engine/cuda/elementwise.cu)
target_include_directories(cuda PRIVATE engine)
set_target_properties(cuda PROPERTIES CUDA_STANDARD 17)
# The warning flags above are gcc's C ones; nvcc gets its own.
set_property(TARGET cuda PROPERTY COMPILE_OPTIONS "")
target_compile_options(cuda PRIVATE -Xcompiler=-Wall,-Wextra
  $<$<BOOL:${SL_WERROR}>:-Werror=all-warnings>)
