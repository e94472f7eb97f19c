# Defines the targets of dl_auth. dl_auth-config.cmake includes this file in an installed library, and CMakeLists.txt in
# a source tree. It needs these variables: _dl_auth_version, _dl_auth_libdir, _dl_auth_includedir, _dl_auth_libs (what
# rustc reports for the archive) and _dl_auth_scope (empty or GLOBAL).
#
#   dl_auth::shared   the shared library
#   dl_auth::static   the archive; the program then needs only the C library at run time
#   dl_auth::dl_auth  the shared library, or the archive if dl_auth_USE_STATIC_LIBS is true
if(NOT TARGET dl_auth::shared)
  string(REGEX MATCH "^[0-9]+" _dl_auth_major "${_dl_auth_version}")
  add_library(dl_auth::shared SHARED IMPORTED ${_dl_auth_scope})
  if(EXISTS "${_dl_auth_libdir}/libdl_auth.dll.a")
    set_target_properties(dl_auth::shared PROPERTIES
      IMPORTED_LOCATION "${_dl_auth_includedir}/../bin/dl_auth.dll"
      IMPORTED_IMPLIB "${_dl_auth_libdir}/libdl_auth.dll.a")
  elseif(EXISTS "${_dl_auth_libdir}/libdl_auth.dylib")
    set_target_properties(dl_auth::shared PROPERTIES
      IMPORTED_LOCATION "${_dl_auth_libdir}/libdl_auth.dylib"
      IMPORTED_SONAME "@rpath/libdl_auth.dylib")
  else()
    set_target_properties(dl_auth::shared PROPERTIES
      IMPORTED_LOCATION "${_dl_auth_libdir}/libdl_auth.so.${_dl_auth_version}"
      IMPORTED_SONAME "libdl_auth.so.${_dl_auth_major}")
  endif()
  set_target_properties(dl_auth::shared PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_dl_auth_includedir}")

  string(REGEX MATCHALL "[^ ]+" _dl_auth_libs "${_dl_auth_libs}")
  add_library(dl_auth::static STATIC IMPORTED ${_dl_auth_scope})
  set_target_properties(dl_auth::static PROPERTIES
    IMPORTED_LOCATION "${_dl_auth_libdir}/libdl_auth.a"
    IMPORTED_LINK_INTERFACE_LANGUAGES C
    INTERFACE_LINK_LIBRARIES "${_dl_auth_libs}"
    INTERFACE_INCLUDE_DIRECTORIES "${_dl_auth_includedir}")

  add_library(dl_auth::dl_auth INTERFACE IMPORTED ${_dl_auth_scope})
  if(dl_auth_USE_STATIC_LIBS)
    set_property(TARGET dl_auth::dl_auth PROPERTY INTERFACE_LINK_LIBRARIES dl_auth::static)
  else()
    set_property(TARGET dl_auth::dl_auth PROPERTY INTERFACE_LINK_LIBRARIES dl_auth::shared)
  endif()
  unset(_dl_auth_major)
endif()
