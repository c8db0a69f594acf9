/* run.h - one run of the command: its arguments, its streams, its input, the model it opened.
 *
 * Three rules hold everywhere: results and nothing else go to standard output, through put and print, which remember
 * the first write that failed; everything said about the run goes to standard error, through note and fail; a function that
 * returns int returns an exit status. */
#ifndef TRINE_APP_RUN_H
#define TRINE_APP_RUN_H

#include "command.h"

struct run {
    const command *command; /* NULL before it is known */
    arguments args;

    bool out_terminal, err_terminal, color, err_color, utf8; /* what the streams can show */
    int width;                                               /* columns to draw in */
    int output_errno;                                        /* of the first write to standard output that failed; else 0 */
    bool progress_shown;
    double progress_start, progress_last, progress_from;
    const char *progress_what;

    trine_model *model;
    const trine_model_info *info;
    const trine_tokenizer *tokenizer; /* of the model, or NULL */
    trine_session *session;
    trine_memory memory;

    trine_shipped shipped; /* the models that come with trine, once asked for */
    bool shipped_read;
    trine_status shipped_status; /* how that went */
    trine_error shipped_why;

    trine_ranks *ranks; /* the processes that run this command together, or NULL */
    char *kept;         /* another rank than the first: what it would have written, until the round ends */
    size_t kept_bytes, kept_size;
    char *withheld; /* and what it would have said, until ranks meet again: what all have failed at is told once */
    size_t last_withheld;
    uint64_t options_sum; /* of the arguments that ranks must have alike */
    bool met;             /* ranks know that all have come as far as to work, or that they have not */
    long n_read;          /* lines of the file so far, of whichever rank, and their checksum */
    uint64_t read_sum;
    int batch_lines;                 /* lines that are read at a time */
    int (*finish_round)(void *user); /* brings what was begun to its end, before a round does; or NULL */
    void *finish_user;

    long line;                /* of the input being worked on, with --lines; else 0 */
    trine_status last_status; /* of the last failure reported */
    bool to_json_errors;      /* --lines --json: a failed line is a document too */
};

/* ---------------------------------------------------------------------------------------------------- console.c */
void console_open(run *r);
/* Flushes standard output, says what went wrong with it, and returns the exit status that `code` becomes. */
int console_close(run *r, int code);
void put(run *r, const char *bytes, size_t n);
void puts_out(run *r, const char *text);
void print(run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void flush_output(run *r);
bool output_failed(const run *r);
/* A line on standard error, silenced by -q. */
void note(run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An error on standard error, "trine COMMAND: ..."; returns `code`. */
int fail(run *r, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for wrong usage: adds where help is. */
int fail_usage(run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a failure of the library. */
int fail_status(run *r, trine_status status, const trine_error *err);
int fail_memory(run *r);
/* Whether a failure is the input's own, so that the next input is worth a try. */
bool is_input_failure(trine_status status);
/* Draws how far a long piece of work is, when standard error is a terminal; a trine_progress_fn with `run *` as user that
 * asks to stop when Control-C was pressed or the output is gone. */
void progress_begin(run *r, const char *what);
bool progress_step(void *user, int done, int total);
/* The same for work of many kinds: what it is at, and the share of its time that is done, 0 to 1; begun by its first call. */
bool progress_share(run *r, const char *what, double share);
void progress_end(run *r);
/* Seconds of a clock that only goes forward. */
double seconds_now(void);

/* -------------------------------------------------------------------------------------------- shipped_models.c */
/* Those that are there, looked for once; an empty list where there are none. */
const trine_shipped *shipped_list(run *r);
/* The model that ships under the name `given`; NULL: it is a path, or no name. Borrowed. */
const trine_shipped_model *shipped_model(run *r, const char *given);
/* Where args.model is such a name, the model's path takes its place, and its adapter that of args.adapter. */
int take_shipped_model(run *r);
/* No model was named: takes the one that ships for this command, or says what is missing. */
int take_default_model(run *r);
/* The same for a server: all of them, by name. */
int serve_shipped_models(run *r);
/* args.model is neither a path nor a name: says which names there are. */
int model_not_found(run *r, const trine_error *err);

/* ----------------------------------------------------------------------------------------------------- own_path.c */
/* The file of this program, in `out`; false where the system does not tell, or it is longer than `size`. */
bool own_path(char *out, size_t size);

/* ----------------------------------------------------------------------------------------------------- joining.c */
/* Meets the other processes that mpirun or srun has started, where the command is one that they share. */
int join_ranks(run *r);
/* Leaves them; returns `code`. A failure that they do not know of ends them. */
int leave_ranks(run *r, int code);
/* Whether mpirun or srun has started this process as another than its first. */
bool is_other_process(void);
/* Whether this process is another rank than the first: it has no voice but for what went wrong with it alone. */
static inline bool is_silent(const run *r) { return r->ranks && r->ranks->rank; }

/* ----------------------------------------------------------------------------------------------------- meeting.c */
/* A checksum that goes on with n bytes and the end of a line. */
uint64_t add_to_sum(uint64_t sum, const char *text, size_t n);
/* The arguments, before ranks are joined: but for the number of threads and --quiet they must be alike. */
void note_options(run *r, int argc, char **argv);
/* A line for standard error, kept until ranks meet. */
void withhold(run *r, const char *line);
/* Says what was withheld; `but_last`: without the last, which another rank says. */
void say_withheld(run *r, bool but_last);
/* How ranks stand when they meet. */
typedef struct meeting {
    int code;             /* exit status of the first that has failed, or 0 */
    int other;            /* where none has: the first that has another number than rank 0, or 0 */
    int what;             /* which of the numbers, */
    uint64_t here, there; /* that of rank 0, and of the other */
} meeting;
/* All ranks come here and tell `code`, their exit status so far, and n <= 3 numbers that must be alike. Failures are told by the first
 * rank that has one. Returns an exit status where they cannot meet. */
int meet(meeting *m, run *r, int code, const uint64_t *numbers, int n);
/* The first meeting, when the model is open, or has failed to: returns `code`, or why all end. */
int meet_first(run *r, int code);

/* ---------------------------------------------------------------------------------------------------- spreading.c */
/* Whether this rank answers line i (from 0; blank ones do not count), and whether a round of all ranks ends with it. */
bool is_own_line(const run *r, long i);
bool ends_round(const run *r, long i);
/* A line was read: all ranks must read the same ones. */
void note_line(run *r, const char *line, size_t n);
/* What a rank that is not the first would write. */
void keep_output(run *r, const char *bytes, size_t n);
/* All answers of a round to standard output, in order. `code`: why this rank cannot go on, or 0; returns why all cannot. */
int end_round(run *r, int code);
/* The exit status of lines that failed, at whatever rank. */
int share_failure(run *r, int code);

/* --------------------------------------------------------------------------------------------------- recording.c */
/* The record that the options name; NULL where it is not wanted, or not to be had and was not named. */
int open_record(run *r, trine_record **record);

/* --------------------------------------------------------------------------------------------------- interrupt.c */
/* The first Control-C is remembered, the second ends the program. */
void interrupt_catch(void);
/* SIGTERM and SIGUSR1 too, as kill and job schedulers send them: a run saves before it ends. */
void interrupt_catch_end(void);
bool interrupted(void);
/* Forgets it (chat: the answer was stopped, the program goes on). */
void interrupt_forget(void);

/* ----------------------------------------------------------------------------------------------------- drawing.c */
/* Columns that a text takes in a terminal. */
int text_columns(const char *text);
/* A copy of `text` fit to be shown in one line: control characters escaped, invalid bytes replaced, cut with "..." to
 * `columns` (0: any length). Free it; NULL when memory ran out. */
char *text_shown(const run *r, const char *text, size_t bytes, int columns);
/* Writes `text` and then spaces up to `columns`. */
void print_padded(run *r, const char *text, int columns);
/* The two together: at most `most` columns of the text as it is shown, in `columns`. */
void print_fitted(run *r, const char *text, size_t bytes, int most, int columns);
/* A bar of `columns` for a share of 0 to 1. */
void print_bar(run *r, double share, int columns);
/* ANSI attributes, or nothing when colors are off. */
typedef enum style {
    STYLE_NONE,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_RED,
    STYLE_GREEN,
    STYLE_YELLOW,
    STYLE_BLUE,
    STYLE_MAGENTA,
    STYLE_CYAN
} style;
void print_style(run *r, style s);
/* "22.7 M", "86.6 MiB". */
const char *show_count(char buffer[32], double n);
const char *show_bytes(char buffer[32], double n);
/* "131,072"; and "4.52 GiB", "131 MiB", of three digits. */
const char *show_number(char buffer[32], int64_t n);
const char *show_size(char buffer[32], size_t bytes);

/* -------------------------------------------------------------------------------------------------- text_input.c */
typedef struct input {
    const char *text; /* NULL with ids */
    size_t bytes;
    const int32_t *ids;
    int n_ids;
    long line; /* where it stands, with --lines; else 0 */
} input;
/* Checks that the arguments that give text do not contradict each other: before a model is opened for nothing. */
int check_sources(run *r);
/* Calls `each` for every input of the command line: --tokens, TEXT, -p, -f, standard input. With --lines a line that fails is
 * reported and the next is read; the first failure gives the status. */
int for_each_input(run *r, int (*each)(run *r, const input *in, void *user), void *user);
/* The same, in groups of up to `most` when the input is a file whose end is known. */
int for_each_batch(run *r, int most, int (*each)(run *r, const input *in, int n, void *user), void *user);
/* The text of a file ("-": standard input), terminated by zero, to be freed. */
int read_file(run *r, char **text, size_t *bytes, const char *path);
/* Checks that a file could be made at `path`: before the work that it is to hold. */
int check_folder_of(run *r, const char *path);
/* in_and_out.c: a.model and a.out, from -m and -o or in their order from the arguments; nothing is in the way of the output. */
int in_and_out(run *r);

/* -------------------------------------------------------------------------------------------------- open_model.c */
/* Opens -m MODEL and checks that it can do what the command asks. */
int open_model(run *r);
/* Opens the session and tells what it takes. `options` holds what the command needs; the rest comes from the arguments. */
int open_session(run *r, trine_session_options options);
/* Number of tokens of an input, special tokens included. */
int count_tokens(run *r, int *n, const input *in);
trine_task_options task_options(const run *r, const input *in);
/* The part of a path after the last slash, or the whole. */
const char *base_name(const char *path);
/* Words for people; the paradigm's are in model_words.h. */
const char *head_name(trine_head h);
const char *pooling_name(trine_pooling p);

/* -------------------------------------------------------------------------------------------------- generating.c */
/* The sampling options of the command line, with `greedy` in place of a temperature that was not given. */
trine_generate_options generate_options(const run *r, bool greedy);
/* Whether the model's own default is to take the likeliest token. */
bool greedy_by_default(const run *r);
/* --from; English when only another target is named. */
const char *source_language(const run *r);
/* What every command that writes text calls for one input. `user` of options must be a `writing`. */
typedef struct writing {
    run *run;
    bool streamed;             /* something was written */
    char last;                 /* the last byte written */
    bool collecting;           /* nothing is streamed: --json, --choices */
    trine_token_chance *steps; /* --json --choices N: of each step the token chosen and the N likeliest, id -1 past the last */
    int n_steps;
    bool no_memory; /* for them */
} writing;
void stream_to_output(trine_generate_options *options, writing *w, run *r);
/* generate --choices: draws a step, or keeps it for the document (a trine_token_fn with a `writing`). */
void on_choice(void *user, const trine_chosen_token *token);
/* Writes a finished generation: the rest of the text, or the JSON document; returns the exit status. */
int finish_generation(run *r, writing *w, const trine_generation *g, const trine_generate_options *options, bool with_score);
/* Tells why none came; a line that was begun is ended first. */
int generation_failed(run *r, writing *w, trine_status status, const trine_error *err);
/* The chat template to render with: the file of --template; the adapter's; NULL for the model's own; a plain one, with a note and a
 * stop text, when there is none. Free it. */
int chat_template(run *r, char **jinja);

/* ---------------------------------------------------------------------------------------------------- parallel.c */
/* Puts one input into the generator as text `id`; *options: what it is written with. */
typedef trine_status put_input_fn(run *r, trine_generator *generator, int64_t id, const input *in, trine_generate_options *options,
                                  void *user, trine_error *err);
/* Every input of the command line, --parallel of them at a time; results in the order of the inputs. */
int for_each_in_parallel(run *r, put_input_fn *put_input, void *user, bool with_score);
/* --parallel and --beam exclude each other; the sequences that a session needs for either. */
int check_parallel(run *r, int *n_sequences);

/* --------------------------------------------------------------------------------------------------- measuring.c */
/* --task, or what the model's head is for; fails when it does not suit the model. */
int eval_task(run *r, trine_eval_task *task);
trine_session_options eval_session(const run *r, trine_eval_task task);
trine_eval_options eval_options(run *r);
/* The figures of a task, in the order they are shown. */
typedef struct score {
    const char *name;
    double value;
    int decimals;
} score;
int eval_figures(score f[4], trine_eval_task task, const trine_eval_result *e);

#endif
