# Finds every library, and says which package brings a missing one.
find_package(PkgConfig REQUIRED)
set(SL_LIBRARIES "")
set(SL_DEFINITIONS "")
set(SL_MISSING "")

# sl_need(VAR module package): collected, so that one run names all that lack.
function(sl_find var module)
  pkg_check_modules(${var} QUIET IMPORTED_TARGET GLOBAL ${module})
  set(${var}_FOUND ${${var}_FOUND} PARENT_SCOPE)
  set(${var}_VERSION ${${var}_VERSION} PARENT_SCOPE)
  set(${var}_INCLUDE_DIRS ${${var}_INCLUDE_DIRS} PARENT_SCOPE)
endfunction()

macro(sl_need var module package)
  sl_find(${var} ${module})
  if(NOT ${var}_FOUND)
    list(APPEND SL_MISSING ${package})
  endif()
endmacro()

macro(sl_want var module package without)
  sl_find(${var} ${module})
  if(${var}_FOUND)
    list(APPEND SL_LIBRARIES PkgConfig::${var})
    list(APPEND SL_DEFINITIONS SL_HAVE_${var}=1)
  else()
    message(STATUS "${package} not found: ${without}")
  endif()
endmacro()

sl_need(LUA lua5.4 liblua5.4-dev)
sl_need(VIPS vips>=8.14 libvips-dev)
sl_need(JANSSON jansson libjansson-dev)
sl_need(XXHASH libxxhash libxxhash-dev)
sl_want(CURL libcurl libcurl4-openssl-dev "untar_data cannot download")
sl_want(ARCHIVE libarchive libarchive-dev "untar_data cannot unpack")
sl_want(JPEG libjpeg libjpeg-dev "JPEGs are decoded slower, through libvips")
sl_want(EDIT libedit libedit-dev "no line editing at the prompt")
if(SL_PICTURES)
  sl_want(PANGOCAIRO pangocairo "libcairo2-dev libpango1.0-dev"
    "no pictures (show_batch, plot_loss...)")
  sl_want(CHAFA chafa libchafa-dev "no pictures inside the terminal")
endif()
if(SL_TESTS)
  sl_need(CHECK check "check (or -DSL_TESTS=OFF)")
endif()

# oneDNN: Debian 12 (2.6) ships a CMake config and no .pc file; the wheel
# onednn-devel-cpu-gomp (3.x) ships include/ and lib/: -DDNNL_ROOT=DIR.
find_path(DNNL_INCLUDE_DIR dnnl.h HINTS ${DNNL_ROOT}/include
  $ENV{DNNL_ROOT}/include)
find_library(DNNL_LIBRARY NAMES dnnl libdnnl.so.3 libdnnl.so.2 HINTS
  ${DNNL_ROOT}/lib $ENV{DNNL_ROOT}/lib)
if(DNNL_INCLUDE_DIR AND DNNL_LIBRARY)
  file(STRINGS ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h DNNL_V
    REGEX "DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  string(REGEX REPLACE "[^0-9;]" "" DNNL_V "${DNNL_V}")
  string(REPLACE ";" "." DNNL_V "${DNNL_V}")
  message(STATUS "oneDNN ${DNNL_V}: ${DNNL_LIBRARY}")
  add_library(dnnl_lib INTERFACE)
  target_include_directories(dnnl_lib SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
  target_link_libraries(dnnl_lib INTERFACE ${DNNL_LIBRARY})
else()
  list(APPEND SL_MISSING libdnnl-dev)
endif()
find_package(OpenMP COMPONENTS C) # only to tell oneDNN "one thread"
find_package(Threads REQUIRED)

if(SL_MISSING)
  list(JOIN SL_MISSING " " names)
  message(FATAL_ERROR "missing: ${names}\n"
    "  Debian: apt-get install ${names}\n"
    "  or run ./quickstart.sh, which installs everything")
endif()
list(APPEND SL_LIBRARIES PkgConfig::VIPS PkgConfig::JANSSON PkgConfig::XXHASH
  dnnl_lib Threads::Threads)
