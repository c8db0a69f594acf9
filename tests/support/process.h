/* process.h - runs a program as a shell would and keeps what it did: for the tests of the command. */
#ifndef TRINE_TESTS_PROCESS_H
#define TRINE_TESTS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct process_options {
    const char *input;          /* written to its standard input, which is then closed; NULL: /dev/null */
    size_t input_bytes;         /* 0: up to the terminating zero */
    bool keep_input;            /* standard input stays open until its output has come (input_until) */
    const char *input_until;    /* with keep_input: close it once standard output holds this */
    const char *output;         /* a file for its standard output, "/dev/full" */
    bool close_output;          /* the reader of its standard output goes away at once */
    const char *interrupt_at;   /* send SIGINT once standard output holds this text ("": any) */
    bool terminate;             /* interrupt_at: send SIGTERM instead */
    size_t memory;              /* limit of its address space; 0: none */
    size_t file_size;           /* limit of the files it writes; 0: none */
    bool terminal;              /* all three streams are one terminal: out holds everything shown */
    const char *environment[8]; /* "NAME=VALUE" to add, ended by NULL */
} process_options;

typedef struct process_result {
    int status;      /* exit status; 128 + signal when killed; -1 when it did not end */
    char *out, *err; /* terminated by zero */
    size_t out_bytes, err_bytes;
} process_result;

/* Runs argv[0] with argv, NULL last. A program that runs for more than two minutes is killed: it hangs. */
process_result process_run(const char *const *argv, const process_options *options);
void process_result_clear(process_result *result);

#endif
