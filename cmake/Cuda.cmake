# The CUDA backend, a module that the binary loads when it is asked for a GPU:
# built where nvcc, cuDNN and cuBLASLt are found. SL_CUDA=OFF leaves it out, ON
# insists. Neither the binary nor core.so ever depends on it.
set(SL_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, ON or OFF")
set_property(CACHE SL_CUDA PROPERTY STRINGS AUTO ON OFF)
# A developer's build is for one GPU, to spare time. Releases are made with
# "75-real;80-real;86-real;89-real;90-real;100-real;120".
set(SL_CUDA_ARCHITECTURES 90-real CACHE STRING
  "GPU architectures of the CUDA backend, as CMAKE_CUDA_ARCHITECTURES")
if(NOT SL_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "SL_CUDA is AUTO, ON or OFF, not ${SL_CUDA}")
endif()
if(SL_CUDA STREQUAL "OFF" OR SL_SANITIZE OR SL_TSAN)
  return()
endif()

# Ends this file: with a status, or with an error if CUDA was insisted on.
macro(sl_no_cuda what how)
  if(SL_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SL_CUDA=ON, but ${what}: ${how}")
  endif()
  message(STATUS "no CUDA backend: ${what}")
  return()
endmacro()

list(APPEND CMAKE_MODULE_PATH ${CMAKE_SOURCE_DIR}/cmake)
include(CheckLanguage)
set(CMAKE_CUDA_ARCHITECTURES ${SL_CUDA_ARCHITECTURES})
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  sl_no_cuda("no nvcc of CUDA 12.8 or newer was found"
    "install the CUDA Toolkit and g++, and put its bin/ into PATH")
endif()
enable_language(CUDA)
find_package(CUDAToolkit 12.8)
if(NOT TARGET CUDA::cublasLt)
  sl_no_cuda("cuBLASLt was not found" "install it with the CUDA Toolkit")
endif()
find_package(CUDNN 9.8)
if(NOT CUDNN_FOUND)
  sl_no_cuda("cuDNN 9.8 or newer was not found"
    "install it, or set CUDNN_ROOT to where it is")
endif()
message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION}, cuDNN ${CUDNN_VERSION}")

# The oldest compute capability that there is code for.
string(REGEX MATCHALL "[0-9]+" numbers "${SL_CUDA_ARCHITECTURES}")
list(SORT numbers COMPARE NATURAL)
list(GET numbers 0 oldest)

file(GLOB CUDA_SOURCES CONFIGURE_DEPENDS engine/cuda/*.c engine/cuda/*.cu)
add_library(sota_cuda MODULE ${CUDA_SOURCES})
target_include_directories(sota_cuda PRIVATE engine)
target_include_directories(sota_cuda SYSTEM PRIVATE
  ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(sota_cuda PRIVATE CUDNN::cudnn CUDA::cublasLt)
# NVIDIA's C headers are not pedantic; calls that it means to remove are errors.
target_compile_definitions(sota_cuda PRIVATE CUDNN_WARN_DEPRECATED
  SL_CUDA_OLDEST=${oldest})
# The flags above are for C: nvcc gets its own.
get_directory_property(c_options COMPILE_OPTIONS)
set_property(TARGET sota_cuda PROPERTY COMPILE_OPTIONS "")
target_compile_options(sota_cuda PRIVATE
  "$<$<COMPILE_LANGUAGE:C>:${c_options};-Werror=deprecated-declarations>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>")
if(SL_WERROR)
  target_compile_options(sota_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
endif()
set_target_properties(sota_cuda PROPERTIES PREFIX "" CUDA_STANDARD 17
  C_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
  CUDA_RUNTIME_LIBRARY Static LINKER_LANGUAGE CUDA
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/sota-lua)
install(TARGETS sota_cuda DESTINATION lib/sota-lua)
