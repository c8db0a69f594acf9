/* command.h - the two tables that describe the whole command: every subcommand (commands.c) and every option (options.c).
 *
 * Parsing, `trine help`, `trine COMMAND --help`, the manual pages and the shell completions all read these tables and
 * nothing else, so a flag that is not described does not exist, and one that is described works. */
#ifndef TRINE_APP_COMMAND_H
#define TRINE_APP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trine.h>

typedef struct run run;

/* The bit of each command in an option's set of commands. */
typedef enum command_id {
    CMD_INSPECT = 1 << 0,
    CMD_TOKENIZE = 1 << 1,
    CMD_DETOKENIZE = 1 << 2,
    CMD_FILL = 1 << 3,
    CMD_CLASSIFY = 1 << 4,
    CMD_TAG = 1 << 5,
    CMD_EMBED = 1 << 6,
    CMD_GENERATE = 1 << 7,
    CMD_CHAT = 1 << 8,
    CMD_TRANSLATE = 1 << 9,
    CMD_SUMMARIZE = 1 << 10,
    CMD_TRACE = 1 << 11,
    CMD_EVAL = 1 << 12,
    CMD_CONVERT = 1 << 13,
    CMD_HELP = 1 << 14,
    CMD_VERSION = 1 << 15,
    CMD_BENCH = 1 << 16,
    CMD_QUANTIZE = 1 << 17,
    CMD_TOKENIZER = 1 << 18,
    CMD_TRAIN = 1 << 19,
    CMD_FINETUNE = 1 << 20,
    CMD_RUNS = 1 << 21,
    CMD_FIT = 1 << 22,
    CMD_CORPUS = 1 << 23,
    CMD_PLAN = 1 << 24,
    CMD_COMPARE = 1 << 25,
    CMD_SERVE = 1 << 26,
    CMD_LAB = 1 << 27,
    CMD_MODELS = 1 << 28,
    CMD_ALL = (1 << 29) - 1
} command_id;

/* What several processes do together; of these, what they share out line by line. */
enum {
    CMD_SPREAD = CMD_FILL | CMD_CLASSIFY | CMD_TAG | CMD_EMBED | CMD_TRANSLATE | CMD_SUMMARIZE,
    CMD_RANKS = CMD_SPREAD | CMD_EVAL | CMD_TRAIN | CMD_FINETUNE
};

/* Those that a model ships for. */
enum { CMD_DEFAULTED = CMD_SPREAD | CMD_GENERATE };

typedef struct command {
    const char *name;
    command_id id;
    const char *group;                /* heading in `trine help` */
    const char *arguments;            /* what follows the options: "[TEXT...]" */
    int min_arguments, max_arguments; /* how many of them; max -1: any number */
    const char *help;                 /* one line */
    const char *about;                /* paragraphs, an empty line between */
    struct {
        const char *line, *what;
    } examples[5];       /* as typed after "trine " */
    int (*main)(run *r); /* returns the exit status */
} command;

extern const command trine_commands[];
extern const int trine_n_commands;
/* The command called `name`, or NULL. */
const command *command_find(const char *name);
/* What the first argument of a command is one of, "a|b|c"; NULL: a text or a path. */
const char *command_words(const command *cmd);
/* The name of the command nearest to a misspelt one, or NULL. */
const char *command_near(const char *name);

/* ------------------------------------------------------------------------------------------------ values of options */

typedef struct text_list {
    const char **items;
    int n;
} text_list;
typedef struct id_list {
    int32_t *items;
    int n;
} id_list;
typedef struct mask_value {
    trine_mask kind;
    int n; /* of the prefix or window */
} mask_value;

/* Everything a command line can say; options.c says by offset which option sets which field. */
typedef struct arguments {
    bool help, quiet, json;
    const char *model, *adapter, *cpu;
    int ctx, threads;
    int rope_scaling; /* index into its choices */
    float rope_scale;
    trine_dtype cache_type;
    mask_value mask;

    const char *prompt, *file, *pair;
    bool lines, truncate, chunk, no_special;
    id_list tokens, decoder_tokens, token_types;

    bool tensors, ids; /* inspect, tokenize */
    int top;           /* fill, classify */
    int pooling;       /* embed: index into its choices + 1 = trine_pooling */
    bool no_normalize, similarity;
    bool use_chat;                       /* generate */
    const char *system, *template_file;  /* generate, chat */
    const char *from, *to, *prefix;      /* translate, summarize, eval */
    bool whole;                          /* summarize */
    bool hidden, attention, lens, parts; /* trace */
    id_list draw;
    int task; /* eval: index into its choices = trine_eval_task */
    const char *label_column, *text_column, *pair_column;
    bool reverse;
    int limit, stride;
    int container; /* convert: index into its choices */
    trine_dtype type;
    size_t shard_bytes;
    bool overwrite;
    int mixture; /* quantize: index into its choices */
    const char *measure;
    text_list tensor_types;
    int tokenizer_type, algorithm; /* tokenizer: index into their choices */
    int vocab, sentinels, normalization, letter_case, min_count, max_piece, seed_pieces;
    text_list specials, added, held_out;
    const char *single, *pair_template, *column;
    bool digits, byte_fallback;
    float coverage;
    id_list prefill, decode, encode, depth, batch, beams, thread_counts, cache_types; /* bench; cache_types: of trine_dtype */
    int repeat;
    bool limits;
    bool details;
    id_list contexts; /* plan */
    int weights, source_ctx, n_sequences;
    size_t memory;
    const char *device;
    float bandwidth, tera_ops;
    bool train, verify;
    int optimizer, n_ranks; /* optimizer: index into the choices of plan, or of train and finetune */
    bool man;               /* help */
    int completion;

    int max_tokens, top_k, repeat_last_n, beam, parallel;
    float temperature, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty, length_penalty;
    int choices; /* generate */
    uint64_t seed;
    text_list stop;
    bool ignore_eos;

    const char *record, *svg; /* runs, train, finetune */
    text_list metrics_shown;

    const char *report; /* fit, compare */
    bool quick;
    id_list sizes, budgets, lengths;
    int recall_tokens, train_tokens, params, seeds, texts;
    int equal; /* index into its choices */
    bool anew;
    int bootstrap;
    float huber;
    int corpus_kind, count, first, filler; /* corpus; corpus_kind: index into its choices */
    bool grammar, facts;
    const char *save_tokenizer;

    int arch; /* train: the new model; index into its choices */
    const char *config, *tokenizer;
    int layers, width, heads, kv_heads, ff;
    text_list data, valid; /* train, finetune */
    const char *split, *mix, *metrics_file, *source_column, *target_column;
    int objective, decay; /* indices into their choices */
    int steps, batch_texts, batch_tokens, accumulate, seq_len, target_len, warmup, eval_every, save_every, keep, patience, lora;
    float epochs, hold_out, lr, min_lr, weight_decay, beta1, beta2, clip, dropout, noise, label_smoothing, ema, lora_alpha;
    int metric, metric_limit;
    bool neighbours, separate, whole_word, bf16, recompute, resume, no_record, shard_optimizer;

    const char *host, *cors; /* serve */
    bool no_open;            /* lab */
    text_list models;
    int port, queue, connections, idle_seconds, limit_seconds;
    size_t max_body;

    const char *out;
    text_list rest;      /* arguments that are no options */
    char complaint[400]; /* why the command line was refused */
    bool given[256];     /* by place in trine_options: the command line has set it */
} arguments;

typedef enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_INT,    /* int, min..max */
    OPTION_REAL,   /* float, min..max */
    OPTION_SEED,   /* uint64_t */
    OPTION_BYTES,  /* size_t: 4096, 512MiB, 2GB */
    OPTION_TEXT,   /* const char * */
    OPTION_FILE,   /* const char *: the same, completed as a file name */
    OPTION_TEXTS,  /* text_list: may be given again */
    OPTION_IDS,    /* id_list: "1,2,3" */
    OPTION_COUNTS, /* id_list: "1,2,3", numbers that are no ids */
    OPTION_TYPES,  /* id_list of trine_dtype: some of `choices`, with commas between */
    OPTION_CHOICE, /* int: place in `choices` */
    OPTION_TYPE,   /* trine_dtype: one of `choices` */
    OPTION_CPU,    /* const char *: a kernel level of this machine, or auto */
    OPTION_MASK    /* mask_value: bidirectional, causal, prefix:N */
} option_kind;

typedef enum option_group {
    GROUP_TASK,
    GROUP_TEXT,
    GROUP_LEARNING,
    GROUP_WRITING,
    GROUP_MODEL,
    GROUP_OUTPUT,
    GROUP_COUNT
} option_group;

typedef struct option {
    const char *name;     /* long name, without dashes */
    char letter;          /* short name, or 0 */
    const char *alias;    /* a second long name, or NULL */
    const char *argument; /* what the value is called in help: "N"; NULL for a flag */
    option_kind kind;
    option_group group;
    double min, max;         /* range of a number */
    const char *choices;     /* "a|b|c" */
    const char *fallback;    /* the default, in the form the command line takes; NULL: zero, or what `help` says */
    const char *environment; /* a variable that stands for it, or NULL */
    unsigned commands;       /* set of command_id */
    size_t offset;           /* in arguments */
    const char *help;        /* one line */
    const char *more;        /* further sentences for the manual and `trine help COMMAND`, or NULL */
} option;

/* What finetune and compare do, by their first argument. */
#define FINETUNE_TASKS "classify|tag|seq2seq|lm|embed"
#define EXPERIMENTS "paradigms|masks|scaling|long-document"
/* The choices of corpus --kind. */
#define CORPUS_KINDS "text|pairs|labelled|documents|recall|translate|reverse|world"

extern const option trine_options[];
extern const int trine_n_options;
extern const char *const trine_option_groups[GROUP_COUNT];

/* Fills `args` with the defaults, the environment and the command line. On failure args->complaint says why, in one line. */
bool command_line_parse(arguments *args, const command *cmd, int argc, char **argv);
void arguments_clear(arguments *args);
/* Whether the option that sets the field at `offset` was given. */
bool arguments_given(const arguments *args, size_t offset);
#define GIVEN(args, field) arguments_given((args), offsetof(arguments, field))
/* The word of the list "a|b|c" at `index`, copied to `out`; false past the last. */
bool choice_name(char *out, size_t out_size, const char *choices, int index);
/* The known name nearest to a misspelt one, or NULL when none is near. */
const char *nearest_name(const char *name, const char *(*nth)(int i, const void *data), const void *data);

/* Exit statuses, their meanings, and which failure of the library gives which. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DATA = 3, EXIT_MEMORY = 4, EXIT_INTERRUPTED = 130 };
typedef struct exit_meaning {
    int code;
    const char *text;
} exit_meaning;
extern const exit_meaning trine_exits[];
extern const int trine_n_exits;
int exit_of_status(trine_status status);

/* The subcommands, one file each. */
int inspect_main(run *r);
int tokenize_main(run *r);
int detokenize_main(run *r);
int fill_main(run *r);
int classify_main(run *r);
int tag_main(run *r);
int embed_main(run *r);
int generate_main(run *r);
int chat_main(run *r);
int translate_main(run *r);
int summarize_main(run *r);
int trace_main(run *r);
int eval_main(run *r);
int bench_main(run *r);
int plan_main(run *r);
int convert_main(run *r);
int quantize_main(run *r);
int train_main(run *r);
int finetune_main(run *r);
int runs_main(run *r);
int fit_main(run *r);
int compare_main(run *r);
int tokenizer_main(run *r);
int serve_main(run *r);
int lab_main(run *r);
int corpus_main(run *r);
int models_main(run *r);
int help_main(run *r);
int version_main(run *r);

/* Pages made from the tables (help.c, manual.c, completion.c). */
void help_overview(run *r, bool everything);
void help_command(run *r, const command *cmd, bool everything);
/* What stands after a command's name for its model: "", " [-m MODEL]" or " -m MODEL". */
const char *help_model(const command *cmd);
void manual_page(run *r, const command *cmd); /* NULL: of trine itself */
void completion_script(run *r, int shell);    /* place in the choices of --completion */

#endif
