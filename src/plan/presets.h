/* presets.h - configurations of published models, for plans without a file. */
#ifndef TRINE_PLAN_PRESETS_H
#define TRINE_PLAN_PRESETS_H

#include <jansson.h>

#include "trine/basics.h"

/* The name of preset i as its repository is called, in small letters, or NULL past the last. */
const char *trine_preset_name(int i);
/* The preset that `name` means, or -1: letter case, '-', '_', '.' and the owner before a '/' do not matter, nor what follows a size that
 * does not change it ("-instruct", "-chat", "-hf"). */
int trine_preset_find(const char *name);
/* The name of the preset that is nearest to what is no name, or NULL when none is near; static. */
const char *trine_preset_near(const char *name);
/* Its config.json, in new memory; NULL when memory ran out. */
json_t *trine_preset_config(int i);

#endif
