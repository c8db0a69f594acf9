# The commit that a build is of, as a header: what `git describe` says of the tree, nothing where there is no git tree. Run by every build:
#   cmake -D SOURCE=FOLDER -D OUT=FILE -P commit.cmake
# The file is written only when it changes, so nothing is compiled anew for nothing.
set(commit "")
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --show-prefix OUTPUT_VARIABLE prefix ERROR_QUIET RESULT_VARIABLE status
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(status EQUAL 0 AND prefix STREQUAL "") # the tree itself, not a folder in somebody else's
    execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --tags OUTPUT_VARIABLE commit ERROR_QUIET
      OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
endif()
set(plus "")
if(commit)
  set(plus "+${commit}")
endif()
set(text "/* Written by cmake/commit.cmake. */\n#define TRINE_COMMIT \"${commit}\"\n#define TRINE_PLUS_COMMIT \"${plus}\"\n")
set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
