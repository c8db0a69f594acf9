/* Chat templates from anyone: parsed and run on a fixed conversation; every end but a crash or a leak is fine. */
#include <stdlib.h>
#include <string.h>

#include "trine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const trine_message messages[] = {
        { "system", " Be brief. " }, { "user", "Hi <b>\"you\"</b>\n" }, { "assistant", "\xc3\xa9\xf0\x9f\x98\x80" }, { "user", "" }
    };
    char *template = malloc(size + 1), *text;
    trine_error err;
    if (!template) return 0;
    memcpy(template, data, size);
    template[size] = 0;
    trine_chat_render(&text, NULL, template, messages, 4, size % 2 != 0, &err);
    trine_free(text);
    free(template);
    return 0;
}
