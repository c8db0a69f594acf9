/* directory_files.h - the files of a model's directory while it is being made: bytes, JSON, and what is copied from another model. */
#ifndef TRINE_LOAD_DIRECTORY_FILES_H
#define TRINE_LOAD_DIRECTORY_FILES_H

#include "checkpoint/json_file.h"
#include "load/new_directory.h"

trine_status trine_directory_put(trine_new_directory *d, const char *name, const void *bytes, size_t n, trine_error *err);
/* The object of a builder, which it ends; a want of memory that stuck in it is told here. */
trine_status trine_directory_put_json(trine_new_directory *d, const char *name, trine_json_builder *json, trine_error *err);
/* Copies what lies around the weights in directory `from`: tokenizer, chat template, generation_config.json, licence. */
trine_status trine_directory_put_fellows(trine_new_directory *d, const char *from, trine_error *err);

/* The same with `chat_template` in place of the one that is there. */
trine_status trine_directory_put_fellows_with(trine_new_directory *d, const char *from, const char *chat_template,
                                              trine_error *err);

#endif
