/* checkpoint_build.h - how a container's reader fills a checkpoint. Only files of this room include it. */
#ifndef TRINE_CHECKPOINT_CHECKPOINT_BUILD_H
#define TRINE_CHECKPOINT_CHECKPOINT_BUILD_H

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf.h"

struct trine_checkpoint {
    const char *container;
    json_t *config;
    char *directory;      /* where the files that belong to the model lie; NULL for GGUF */
    trine_mapping *files; /* mapped .safetensors files */
    int n_files;
    trine_gguf *gguf;        /* or NULL */
    void *restored;          /* a tensor that is not in the file as it is given, or NULL */
    bool blank;              /* blank_checkpoint.h */
    bool hollow;             /* hollow_checkpoint.h: tensors without data */
    bool packed;             /* hollow: addresses follow each other without gaps */
    size_t hollow_bytes;     /* of their addresses, so far */
    const void **lies;       /* [n_tensors] of a head: where data is in the file after all; else NULL */
    unsigned char *declared; /* [n_tensors] of a blank one: TRINE_DECLARED_... */
    trine_tensor *tensors;   /* names are owned; file_name is when it is not the name */
    int n_tensors, tensors_cap;
    int *slots;     /* hash table of tensor indices + 1, open addressing; 0 is empty */
    size_t n_slots; /* power of two */
};

enum { TRINE_DECLARED_TURNED = 1, TRINE_DECLARED_UNUSED = 2 };

/* Adds a tensor, copying its names (file_name NULL: the same). ERROR_MEMORY. */
trine_status trine_checkpoint_add(trine_checkpoint *c, const trine_tensor *tensor, trine_error *err);
/* Fills the hash table. ERROR_FORMAT when two tensors have one name. */
trine_status trine_checkpoint_index(trine_checkpoint *c, const char *path, trine_error *err);
/* Takes the tensor that was added last into a table that holds all others; its name must be new. ERROR_MEMORY. */
trine_status trine_checkpoint_index_last(trine_checkpoint *c, trine_error *err);

/* hollow_checkpoint.c: gives the tensors of a head addresses in place of their data, which is where it lies in the file, or, where the
 * file ends before, those of its low bits that decide what it is aligned to. ERROR_FORMAT when they are more than can be. */
trine_status trine_checkpoint_empty(trine_checkpoint *c, trine_error *err);
/* trine_checkpoint_same of a hollow one: true where one of both is not in the file to be seen, false without a file. */
bool trine_hollow_same(const trine_checkpoint *c, const void *a, const void *b, size_t n);

/* safetensors.c: maps a file and adds its tensors in the order of their bytes. */
trine_status trine_safetensors_read(trine_checkpoint *c, const char *path, trine_error *err);
/* hf_directory.c: config.json with one file or shards; a single .safetensors file with config.json beside. */
trine_status trine_hf_directory_read(trine_checkpoint *c, const char *path, trine_error *err);
trine_status trine_hf_file_read(trine_checkpoint *c, const char *path, trine_error *err);
/* gguf_checkpoint.c: names and configuration translated. */
trine_status trine_gguf_checkpoint_read(trine_checkpoint *c, const char *path, trine_error *err);

#endif
