# Manual pages and shell completions, printed by the command from its own tables. Run by the build:
#   cmake -D TRINE=PATH -D OUT=FOLDER -P pages.cmake
# writes OUT/man/trine.1, OUT/man/trine-COMMAND.1 and OUT/completions/{trine.bash,_trine,trine.fish}.
function(print_page file)
  execute_process(COMMAND ${TRINE} ${ARGN} OUTPUT_VARIABLE text RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${TRINE} ${ARGN} ended with status ${status}")
  endif()
  file(WRITE ${OUT}/${file} "${text}")
endfunction()

print_page(man/trine.1 help --man)
file(READ ${OUT}/man/trine.1 overview)
string(REGEX MATCHALL "trine\\\\-[a-z]+\\\\fR\\(1\\)" commands "${overview}") # the pages that the first one names
foreach(entry ${commands})
  string(REGEX REPLACE "^trine.*-([a-z]+).fR.*$" "\\1" command "${entry}")
  print_page(man/trine-${command}.1 help --man ${command})
endforeach()
print_page(completions/trine.bash help --completion bash)
print_page(completions/_trine help --completion zsh)
print_page(completions/trine.fish help --completion fish)
