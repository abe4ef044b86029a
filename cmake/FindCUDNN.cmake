# cuDNN 9: in the CUDA Toolkit's folders, in Debian's, in CUDNN_ROOT, or as the
# wheel that pip installs, which has libcudnn.so.9 and no libcudnn.so.
set(places ${CUDNN_ROOT} $ENV{CUDNN_ROOT} ${CUDAToolkit_TARGET_DIR}
  ${CUDAToolkit_LIBRARY_ROOT} $ENV{CUDA_HOME})
if(NOT CUDNN_INCLUDE_DIR AND NOT CUDNN_ROOT AND NOT DEFINED ENV{CUDNN_ROOT})
  find_program(CUDNN_PYTHON python3)
  if(CUDNN_PYTHON)
    execute_process(COMMAND ${CUDNN_PYTHON} -c
      "import nvidia.cudnn as m; print(list(m.__path__)[0])"
      OUTPUT_VARIABLE wheel OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    list(APPEND places ${wheel})
  endif()
endif()
find_path(CUDNN_INCLUDE_DIR cudnn_graph.h HINTS ${places}
  PATHS ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 NAMES_PER_DIR
  HINTS ${places} PATHS ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
if(CUDNN_INCLUDE_DIR)
  file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h version
    REGEX "^#define CUDNN_(MAJOR|MINOR|PATCHLEVEL)")
  string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]+([0-9]+)[^0-9]+([0-9]+).*"
    "\\1.\\2.\\3" CUDNN_VERSION "${version}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN
  REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION)
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY CUDNN_PYTHON)
if(CUDNN_FOUND AND NOT TARGET CUDNN::cudnn)
  add_library(CUDNN::cudnn UNKNOWN IMPORTED)
  set_target_properties(CUDNN::cudnn PROPERTIES
    IMPORTED_LOCATION ${CUDNN_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${CUDNN_INCLUDE_DIR})
endif()
