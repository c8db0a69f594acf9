/* task_translate.c - translation as text to text (Raffel et al. 2020, sec. 2.4): the task is named in the input. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/status.h"
#include "tasks/text_to_text.h"

/* ISO 639-1 codes and the English names that prompts are written with. */
static const struct {
    const char *code, *name;
} languages[] = {
    { "ar", "Arabic" },     { "bg", "Bulgarian" }, { "bn", "Bengali" },    { "ca", "Catalan" },    { "cs", "Czech" },
    { "da", "Danish" },     { "de", "German" },    { "el", "Greek" },      { "en", "English" },    { "es", "Spanish" },
    { "et", "Estonian" },   { "fa", "Persian" },   { "fi", "Finnish" },    { "fr", "French" },     { "he", "Hebrew" },
    { "hi", "Hindi" },      { "hr", "Croatian" },  { "hu", "Hungarian" },  { "id", "Indonesian" }, { "it", "Italian" },
    { "ja", "Japanese" },   { "ko", "Korean" },    { "lt", "Lithuanian" }, { "lv", "Latvian" },    { "nl", "Dutch" },
    { "no", "Norwegian" },  { "pl", "Polish" },    { "pt", "Portuguese" }, { "ro", "Romanian" },   { "ru", "Russian" },
    { "sk", "Slovak" },     { "sl", "Slovenian" }, { "sr", "Serbian" },    { "sv", "Swedish" },    { "sw", "Swahili" },
    { "ta", "Tamil" },      { "th", "Thai" },      { "tr", "Turkish" },    { "uk", "Ukrainian" },  { "ur", "Urdu" },
    { "vi", "Vietnamese" }, { "zh", "Chinese" },
};
enum { N_LANGUAGES = sizeof languages / sizeof *languages };

/* "de" or "German" to the name; anything longer than a code is taken as a name. */
static trine_status language_name(const char **out, const char *given, trine_error *err)
{
    *out = given;
    for (int i = 0; i < N_LANGUAGES; i++)
        if (!strcasecmp(given, languages[i].code) || !strcasecmp(given, languages[i].name)) {
            *out = languages[i].name;
            return TRINE_OK;
        }
    if (strlen(given) > 3 && strlen(given) < 40) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_ARGUMENT,
                      "translate: '%.40s' is no language code known here (en, de, fr, es, it, ro, zh...): give its English name",
                      given);
}

static const char *language_code(const char *name)
{
    for (int i = 0; i < N_LANGUAGES; i++)
        if (!strcmp(name, languages[i].name)) return languages[i].code;
    return name;
}

trine_status trine_translate_request(trine_request *out, trine_translate_room *room, const trine_session *s,
                                     const trine_text_options *o, trine_error *err)
{
    *out = (trine_request) { .prefix = o->prefix, .instruction = o->prefix, .before = o->prefix, .after = "\n" };
    if (o->prefix || o->generate.ids) return TRINE_OK;
    if (!o->from && !o->to)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "translate: from which language, and to which? (--from en --to de, or --prefix TEXT)");
    const char *from, *to;
    trine_status status = language_name(&from, o->from ? o->from : "en", err);
    if (!status) status = language_name(&to, o->to ? o->to : "en", err);
    if (status) return status;
    if (!strcmp(from, to))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "translate: from %s to %s: name the other language", from, to);
    char task[128];
    snprintf(task, sizeof task, "translation_%s_to_%s", language_code(from), language_code(to));
    const char *own = trine_config_prefix(s, task);
    snprintf(room->prefix, sizeof room->prefix, "translate %s to %s: ", from, to);
    snprintf(room->instruction, sizeof room->instruction,
             "Translate the following text from %s to %s. Reply with the translation only.\n\n", from, to);
    snprintf(room->before, sizeof room->before, "%s: ", from);
    snprintf(room->after, sizeof room->after, "\n%s:", to);
    *out = (trine_request) { own ? own : room->prefix, room->instruction, room->before, room->after, "\n" };
    return TRINE_OK;
}

trine_status trine_translate(trine_generation *out, trine_session *s, const char *text, const trine_text_options *options,
                             trine_error *err)
{
    static const trine_text_options defaults = { 0 };
    const trine_text_options *o = options ? options : &defaults;
    if (out) *out = (trine_generation) { 0 };
    if (!out || !s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "translate: no %s", s ? "result" : "session");
    trine_request request;
    trine_translate_room room;
    trine_status status = trine_request_check(s, "translate", err);
    if (!status) status = trine_translate_request(&request, &room, s, o, err);
    if (!status) status = trine_request_run(out, s, &request, text, &o->generate, err);
    return status;
}

trine_status trine_generator_translate(trine_generator *generator, int64_t id, const char *text, const trine_text_options *options,
                                       trine_error *err)
{
    static const trine_text_options defaults = { 0 };
    const trine_text_options *o = options ? options : &defaults;
    const trine_session *s = trine_generator_session(generator);
    trine_request request;
    trine_translate_room room;
    trine_status status = trine_request_check(s, "translate", err);
    if (!status) status = trine_translate_request(&request, &room, s, o, err);
    if (!status) status = trine_request_put(generator, id, &request, text, &o->generate, err);
    return status;
}
