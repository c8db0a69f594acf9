/* options.c - every option of the command, described once.
 *
 * Names are those that users of the peers know. The order here is the order in help: within a group, the most used first. A
 * default that depends on the command or the model stands in `help`; one that does not stands in `fallback`. */
#include "command.h"

#define TEXT_TASKS (CMD_FILL | CMD_CLASSIFY | CMD_TAG | CMD_EMBED)
#define TEXT_TO_TEXT (CMD_TRANSLATE | CMD_SUMMARIZE)
#define WRITERS (CMD_GENERATE | CMD_CHAT | TEXT_TO_TEXT)
#define READERS (CMD_TOKENIZE | TEXT_TASKS | CMD_GENERATE | TEXT_TO_TEXT | CMD_TRACE) /* take text */
#define RUNNERS (TEXT_TASKS | WRITERS | CMD_TRACE | CMD_EVAL | CMD_BENCH)             /* open a session */

#define FIELD(name) offsetof(arguments, name)

const char *const trine_option_groups[GROUP_COUNT] = {
    [GROUP_TASK] = "What to do",         [GROUP_TEXT] = "Text in",       [GROUP_WRITING] = "How to write",
    [GROUP_MODEL] = "Model and machine", [GROUP_OUTPUT] = "Results out",
};

const option trine_options[] = {
    /* What to do: options of one or two commands. */
    { "tensors", .kind = OPTION_FLAG, .commands = CMD_INSPECT, .offset = FIELD(tensors),
      .help = "list every tensor with its type, shape and bytes" },
    { "ids", .kind = OPTION_FLAG, .commands = CMD_TOKENIZE, .offset = FIELD(ids),
      .help = "print the ids alone, \"1,2,3\", as --tokens takes them" },
    { "top", .argument = "N", .kind = OPTION_INT, .min = 1, .max = 100000, .commands = CMD_FILL | CMD_CLASSIFY,
      .offset = FIELD(top), .help = "how many results, best first (default: 5 for fill, all for classify)" },
    { "similarity", .kind = OPTION_FLAG, .commands = CMD_EMBED, .offset = FIELD(similarity),
      .help = "compare the texts: the cosine of every two of their vectors",
      .more = "Takes two texts or more. With --json one document {\"similarity\":[[...]]} for all of them." },
    { "pooling", .argument = "KIND", .kind = OPTION_CHOICE, .choices = "mean|cls|max|last", .commands = CMD_EMBED,
      .offset = FIELD(pooling), .help = "how one vector is made of a text's tokens (default: as the model declares)" },
    { "no-normalize", .kind = OPTION_FLAG, .commands = CMD_EMBED, .offset = FIELD(no_normalize),
      .help = "leave vectors as long as they come, not scaled to length 1" },
    { "chat", .kind = OPTION_FLAG, .commands = CMD_GENERATE, .offset = FIELD(use_chat),
      .help = "treat the text as a message, put in the model's chat template" },
    { "system", .argument = "TEXT", .kind = OPTION_TEXT, .commands = CMD_GENERATE | CMD_CHAT, .offset = FIELD(system),
      .help = "system message at the head of the conversation" },
    { "template", .argument = "FILE", .kind = OPTION_FILE, .commands = CMD_GENERATE | CMD_CHAT, .offset = FIELD(template_file),
      .help = "chat template (Jinja) to use in place of the model's own" },
    { "task", .argument = "TASK", .kind = OPTION_CHOICE, .choices = "lm|mlm|classify|tag|translate|summarize", .commands = CMD_EVAL | CMD_QUANTIZE,
      .offset = FIELD(task), .help = "what to measure (default: what the model's head is for)" },
    { "from", .argument = "LANG", .kind = OPTION_TEXT, .commands = CMD_TRANSLATE | CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(from),
      .help = "language of the source: en, de, fr, ... (default: en, with --to)" },
    { "to", .argument = "LANG", .kind = OPTION_TEXT, .commands = CMD_TRANSLATE | CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(to),
      .help = "language of the translation" },
    { "prefix", .argument = "TEXT", .kind = OPTION_TEXT, .commands = TEXT_TO_TEXT | CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(prefix),
      .help = "instruction put before the text (default: by task and languages)" },
    { "whole", .kind = OPTION_FLAG, .commands = CMD_SUMMARIZE, .offset = FIELD(whole),
      .help = "refuse a document longer than the context, do not read it in parts" },
    { "hidden", .kind = OPTION_FLAG, .commands = CMD_TRACE, .offset = FIELD(hidden),
      .help = "write hidden.L, the states after each layer (0: the embedding)" },
    { "attention", .kind = OPTION_FLAG, .commands = CMD_TRACE, .offset = FIELD(attention),
      .help = "write attention.L and cross.L, the weights [heads, n, n]" },
    { "lens", .kind = OPTION_FLAG, .commands = CMD_TRACE, .offset = FIELD(lens),
      .help = "write lens.L, the logits each layer would give (logit lens)" },
    { "label", .argument = "COLUMN", .kind = OPTION_TEXT, .commands = CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(label_column),
      .help = "column with the label or target (default: found by the header)" },
    { "text", .argument = "COLUMN", .kind = OPTION_TEXT, .commands = CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(text_column),
      .help = "column with the text or source (default: found by the header)" },
    { "pair-column", .argument = "COLUMN", .kind = OPTION_TEXT, .commands = CMD_EVAL, .offset = FIELD(pair_column),
      .help = "column with the second text of a pair" },
    { "reverse", .kind = OPTION_FLAG, .commands = CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(reverse), .help = "the file holds target TAB source" },
    { "limit", .argument = "N", .kind = OPTION_INT, .min = 1, .max = 2147483647, .commands = CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(limit),
      .help = "examples at most, from the beginning (default: all)" },
    { "stride", .argument = "N", .kind = OPTION_INT, .min = -1, .max = 16777216, .commands = CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(stride),
      .help = "lm: tokens the window moves by (default: the window, no overlap; -1: as llama.cpp, second halves scored)" },
    { "type", .argument = "TYPE", .kind = OPTION_TYPE, .choices = "f32|f16|bf16", .commands = CMD_CONVERT, .offset = FIELD(type),
      .help = "type of the matrices (default: as they are, where that can be held)" },
    { "type", .argument = "TYPE", .kind = OPTION_CHOICE,
      .choices = "f32|f16|bf16|q8_0|q4_0|q4_1|q5_0|q5_1|q4_k|q4_k_s|q4_k_m|q5_k|q5_k_s|q5_k_m|q6_k", .commands = CMD_QUANTIZE,
      .offset = FIELD(mixture), .help = "type of the matrices, or a mixture that GGUF has a name for",
      .more = "q4_k_s, q4_k_m and q5_k_m give more bits to matrices that cost most when they are wrong. The output layer (or the "
              "embedding that serves as one) is q6_k in all types below q8_0." },
    { "tensor", .argument = "NAME=TYPE", .kind = OPTION_TEXTS, .commands = CMD_QUANTIZE, .offset = FIELD(tensor_types),
      .help = "another type for the matrices with NAME in their names; may be given again",
      .more = "NAME is a part of the name that `trine inspect --tensors` or GGUF has for it, or with * ? [ a pattern of the whole "
              "name. The last that fits counts. TYPE is f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k or q6_k." },
    { "measure", .argument = "FILE", .kind = OPTION_FILE, .commands = CMD_QUANTIZE, .offset = FIELD(measure),
      .help = "measure both models on FILE, and how far the new one's distributions are from the old one's",
      .more = "As `trine eval` reads and measures it: perplexity of a decoder, masked tokens found by an encoder, BLEU or ROUGE of "
              "an encoder-decoder (--task). Beside it the mean KL divergence in nats, and how often both hold the same token for the "
              "likeliest." },
    { "container", .argument = "KIND", .kind = OPTION_CHOICE, .choices = "gguf|safetensors", .commands = CMD_CONVERT | CMD_QUANTIZE,
      .offset = FIELD(container), .help = "form to write (default: by OUT's name: .gguf, else a directory)" },
    { "shard-size", .argument = "BYTES", .kind = OPTION_BYTES, .min = 1024, .max = 1e15, .commands = CMD_CONVERT | CMD_QUANTIZE,
      .offset = FIELD(shard_bytes), .help = "safetensors: start a new file past this size, such as 2GB" },
    { "overwrite", .kind = OPTION_FLAG, .commands = CMD_CONVERT | CMD_QUANTIZE, .offset = FIELD(overwrite),
      .help = "replace what is there" },
    { "prefill", .argument = "N,N", .kind = OPTION_COUNTS, .min = 0, .max = 16777216, .commands = CMD_BENCH,
      .offset = FIELD(prefill), .help = "decoders: tokens of a prompt to read (default: 512)" },
    { "decode", .argument = "N,N", .kind = OPTION_COUNTS, .min = 0, .max = 16777216, .commands = CMD_BENCH, .offset = FIELD(decode),
      .help = "tokens to write (default: 128; encoder-decoders: 64)" },
    { "encode", .argument = "N,N", .kind = OPTION_COUNTS, .min = 0, .max = 16777216, .commands = CMD_BENCH, .offset = FIELD(encode),
      .help = "tokens of a text to encode, or of a source (default: 128)" },
    { "depth", .argument = "N,N", .kind = OPTION_COUNTS, .min = 0, .max = 16777216, .commands = CMD_BENCH, .offset = FIELD(depth),
      .help = "decoders: tokens the context holds before (default: 0)" },
    { "batch", .argument = "N,N", .kind = OPTION_COUNTS, .min = 1, .max = 65536, .commands = CMD_BENCH, .offset = FIELD(batch),
      .help = "sequences decoded, or texts encoded, together (default: 1; encoders: 1,32)" },
    { "repeat", .argument = "N", .kind = OPTION_INT, .min = 1, .max = 100000, .fallback = "5", .commands = CMD_BENCH,
      .offset = FIELD(repeat), .help = "runs of each; the best and the median are told" },
    { "limits", .kind = OPTION_FLAG, .commands = CMD_BENCH, .offset = FIELD(limits),
      .help = "measure the machine's limits too, and each figure's share",
      .more = "Bytes a second that memory gives, and the peaks of f32, bf16 and int8 arithmetic, at the same number of threads and "
              "kernel level. Without a model the limits alone are told." },
    { "man", .kind = OPTION_FLAG, .commands = CMD_HELP, .offset = FIELD(man),
      .help = "print the manual page (roff) of trine or of COMMAND" },
    { "completion", .argument = "SHELL", .kind = OPTION_CHOICE, .choices = "bash|zsh|fish", .commands = CMD_HELP,
      .offset = FIELD(completion), .help = "print the completion script of a shell" },

    /* Text in. */
    { "prompt", 'p', .argument = "TEXT", .kind = OPTION_TEXT, .group = GROUP_TEXT, .commands = READERS | CMD_CHAT,
      .offset = FIELD(prompt), .help = "the text, as an option", .more = "For chat: the first message." },
    { "file", 'f', .argument = "FILE", .kind = OPTION_FILE, .group = GROUP_TEXT, .commands = READERS | CMD_DETOKENIZE,
      .offset = FIELD(file), .help = "read the text from FILE (\"-\": standard input)",
      .more = "The whole file is one text; one newline at its end does not count." },
    { "lines", .kind = OPTION_FLAG, .group = GROUP_TEXT, .commands = READERS | CMD_DETOKENIZE, .offset = FIELD(lines),
      .help = "every line of the file or standard input is one text",
      .more =
          "Lines are answered as they come, so that a pipe that never ends works. Blank lines are skipped, except by tokenize. A "
          "line "
          "that fails (too long, no mask) is reported, with --json also as a document {\"error\"}, and the next is read; the exit "
          "status is then that of the first failure." },
    { "pair", .argument = "TEXT", .kind = OPTION_TEXT, .group = GROUP_TEXT, .commands = CMD_TOKENIZE | CMD_CLASSIFY,
      .offset = FIELD(pair), .help = "second text of a pair" },
    { "tokens", .argument = "IDS", .kind = OPTION_IDS, .group = GROUP_TEXT, .min = 0, .max = 2147483647,
      .commands = (READERS | CMD_DETOKENIZE) & ~CMD_TOKENIZE, .offset = FIELD(tokens),
      .help = "raw ids in place of text: \"5,6,7\"; nothing is added to them" },
    { "decoder-tokens", .argument = "IDS", .kind = OPTION_IDS, .group = GROUP_TEXT, .min = 0, .max = 2147483647,
      .commands = CMD_GENERATE | TEXT_TO_TEXT | CMD_TRACE, .offset = FIELD(decoder_tokens),
      .help = "encoder-decoders: ids the decoder begins with (default: its start token)" },
    { "token-types", .argument = "IDS", .kind = OPTION_IDS, .group = GROUP_TEXT, .min = 0, .max = 65535,
      .commands = TEXT_TASKS | CMD_TRACE, .offset = FIELD(token_types),
      .help = "with --tokens: the type of each (default: all 0)" },
    { "no-special", .kind = OPTION_FLAG, .group = GROUP_TEXT,
      .commands = CMD_TOKENIZE | CMD_DETOKENIZE | CMD_GENERATE | TEXT_TO_TEXT, .offset = FIELD(no_special),
      .help = "add no special tokens around the text (detokenize: show none)" },
    { "truncate", .kind = OPTION_FLAG, .group = GROUP_TEXT, .commands = TEXT_TASKS | CMD_EVAL, .offset = FIELD(truncate),
      .help = "cut the end of a text that is longer than the model takes" },
    { "chunk", .kind = OPTION_FLAG, .group = GROUP_TEXT, .commands = TEXT_TASKS | CMD_EVAL, .offset = FIELD(chunk),
      .help = "read a text that is longer than the model takes in parts" },

    /* How to write. */
    { "max-tokens", 'n', .alias = "predict", .argument = "N", .kind = OPTION_INT, .group = GROUP_WRITING, .min = 0, .max = 16777216,
      .commands = WRITERS | CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(max_tokens),
      .help = "new tokens at most; 0: until the end token or a full context (default: 512)", .more = "For chat the default is 0." },
    { "temp", .alias = "temperature", .argument = "T", .kind = OPTION_REAL, .group = GROUP_WRITING, .min = 0, .max = 100,
      .commands = WRITERS, .offset = FIELD(temperature), .help = "how freely to choose; 0: always the likeliest token",
      .more = "The default is 0.8 for generate and chat, and 0 for translate, summarize and encoder-decoder models." },
    { "top-k", .argument = "K", .kind = OPTION_INT, .group = GROUP_WRITING, .min = 0, .max = 16777216, .fallback = "40",
      .commands = WRITERS, .offset = FIELD(top_k), .help = "choose among the K likeliest tokens; 0: all" },
    { "top-p", .argument = "P", .kind = OPTION_REAL, .group = GROUP_WRITING, .min = 0, .max = 1, .fallback = "0.95",
      .commands = WRITERS, .offset = FIELD(top_p), .help = "among the likeliest that together have probability P; 1: all" },
    { "min-p", .argument = "P", .kind = OPTION_REAL, .group = GROUP_WRITING, .min = 0, .max = 1, .fallback = "0.05",
      .commands = WRITERS, .offset = FIELD(min_p), .help = "among those with P times the probability of the likeliest; 0: all" },
    { "repeat-penalty", .argument = "X", .kind = OPTION_REAL, .group = GROUP_WRITING, .min = 0.01, .max = 100, .fallback = "1",
      .commands = WRITERS, .offset = FIELD(repeat_penalty),
      .help = "make tokens already seen less likely, by this factor; 1: off" },
    { "presence-penalty", .argument = "X", .kind = OPTION_REAL, .group = GROUP_WRITING, .min = -100, .max = 100, .fallback = "0",
      .commands = WRITERS, .offset = FIELD(presence_penalty), .help = "subtracted from the logit of a token already seen" },
    { "frequency-penalty", .argument = "X", .kind = OPTION_REAL, .group = GROUP_WRITING, .min = -100, .max = 100, .fallback = "0",
      .commands = WRITERS, .offset = FIELD(frequency_penalty), .help = "the same for each time it was seen" },
    { "repeat-last-n", .argument = "N", .kind = OPTION_INT, .group = GROUP_WRITING, .min = -1, .max = 16777216, .fallback = "64",
      .commands = WRITERS, .offset = FIELD(repeat_last_n), .help = "how many tokens back count as seen; -1: all" },
    { "seed", 's', .argument = "N", .kind = OPTION_SEED, .group = GROUP_WRITING, .commands = WRITERS | CMD_EVAL | CMD_QUANTIZE,
      .offset = FIELD(seed), .help = "the same seed gives the same text (default: a new one, which is told)",
      .more = "For eval: which tokens are masked; there the default is 0." },
    { "stop", .argument = "TEXT", .kind = OPTION_TEXTS, .group = GROUP_WRITING, .commands = WRITERS, .offset = FIELD(stop),
      .help = "end where this text would appear; may be given again" },
    { "beam", .argument = "N", .kind = OPTION_INT, .group = GROUP_WRITING, .min = 1, .max = 256, .fallback = "1",
      .commands = (WRITERS & ~CMD_CHAT) | CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(beam),
      .help = "follow N continuations at a time and take the best; 1: off" },
    { "beam", .argument = "N,N", .kind = OPTION_COUNTS, .min = 1, .max = 256, .commands = CMD_BENCH, .offset = FIELD(beams),
      .help = "encoder-decoders: beams (default: 1,4)" },
    { "parallel", .argument = "N", .kind = OPTION_INT, .group = GROUP_WRITING, .min = 1, .max = 1024, .fallback = "1",
      .commands = CMD_GENERATE | CMD_TRANSLATE, .offset = FIELD(parallel),
      .help = "write N texts at a time as one batch: faster, for many inputs",
      .more =
          "Results come in the order of the inputs, each whole and as if it had been alone (to the rounding of sums). When a text "
          "ends the next input takes its place. Each of the N has a context of its own." },
    { "length-penalty", .argument = "A", .kind = OPTION_REAL, .group = GROUP_WRITING, .min = -100, .max = 100, .fallback = "1",
      .commands = (WRITERS & ~CMD_CHAT) | CMD_EVAL | CMD_QUANTIZE, .offset = FIELD(length_penalty),
      .help = "beam search: scores are divided by length^A" },
    { "ignore-eos", .kind = OPTION_FLAG, .group = GROUP_WRITING, .commands = WRITERS & ~CMD_CHAT, .offset = FIELD(ignore_eos),
      .help = "go on past the end token, up to -n" },

    /* Model and machine. */
    { "model", 'm', .argument = "MODEL", .kind = OPTION_FILE, .group = GROUP_MODEL, .environment = "TRINE_MODEL",
      .commands = CMD_ALL & ~(CMD_HELP | CMD_VERSION), .offset = FIELD(model),
      .help = "a directory in the Hugging Face layout, or a .gguf file",
      .more = "The directory holds config.json, *.safetensors and the tokenizer's files. For tokenize and detokenize a tokenizer "
              "alone is "
              "enough: its directory, or one file such as tokenizer.json, vocab.txt or spiece.model." },
    { "ctx-size", 'c', .argument = "N", .kind = OPTION_INT, .group = GROUP_MODEL, .min = 0, .max = 16777216, .commands = RUNNERS | CMD_QUANTIZE,
      .offset = FIELD(ctx), .help = "tokens of context; 0: what the model takes and memory allows (default: 0)" },
    { "cache-type", .argument = "TYPE", .kind = OPTION_TYPE, .group = GROUP_MODEL, .choices = "f32|f16|bf16|q8_0|q4_0",
      .commands = WRITERS | CMD_TRACE | CMD_EVAL, .offset = FIELD(cache_type),
      .help = "type of the key-value cache (default: f32 or f16, by its size)" },
    { "cache-type", .argument = "TYPE,TYPE", .kind = OPTION_TYPES, .group = GROUP_MODEL, .choices = "f32|f16|bf16|q8_0|q4_0",
      .commands = CMD_BENCH, .offset = FIELD(cache_types), .help = "types of the key-value cache (default: by its size)" },
    { "rope-scale", .argument = "X", .kind = OPTION_REAL, .group = GROUP_MODEL, .min = 1, .max = 1e6, .commands = RUNNERS,
      .offset = FIELD(rope_scale), .help = "rotary positions: read texts X times as long as the model was trained on",
      .more = "A context beyond the trained one is refused without it. What the model makes of such a text is not what it was trained "
              "for; yarn does it the least harm." },
    { "rope-scaling", .argument = "KIND", .kind = OPTION_CHOICE, .group = GROUP_MODEL, .choices = "yarn|linear", .fallback = "yarn",
      .commands = RUNNERS, .offset = FIELD(rope_scaling), .help = "how --rope-scale stretches them" },
    { "mask", .argument = "MASK", .kind = OPTION_MASK, .group = GROUP_MODEL, .choices = "bidirectional|causal|prefix:N",
      .commands = RUNNERS & ~(CMD_CHAT | CMD_BENCH), .offset = FIELD(mask),
      .help = "which tokens a token sees (default: as the model was trained)",
      .more = "To see what a mask does: bidirectional lets every token see all, causal only those before it, prefix:N the first N "
              "and those "
              "before it." },
    { "threads", 't', .argument = "N", .kind = OPTION_INT, .group = GROUP_MODEL, .min = 0, .max = 1024,
      .environment = "TRINE_THREADS", .commands = RUNNERS | CMD_QUANTIZE, .offset = FIELD(threads),
      .help = "threads; 0: one a core (default: 0)" },
    { "cpu", .argument = "LEVEL", .kind = OPTION_CPU, .group = GROUP_MODEL, .fallback = "auto", .environment = "TRINE_CPU",
      .commands = RUNNERS | CMD_INSPECT | CMD_QUANTIZE, .offset = FIELD(cpu),
      .help = "kernels to use: auto, scalar, avx2, ... amx (see `trine version`)" },

    /* Results out. */
    { "out", 'o', .argument = "PATH", .kind = OPTION_FILE, .group = GROUP_OUTPUT,
      .commands = CMD_TRACE | CMD_CONVERT | CMD_QUANTIZE, .offset = FIELD(out), .help = "where to write" },
    { "json", .kind = OPTION_FLAG, .group = GROUP_OUTPUT, .commands = CMD_ALL & ~CMD_HELP, .offset = FIELD(json),
      .help = "print one JSON document for each input, a line each" },
    { "quiet", 'q', .kind = OPTION_FLAG, .group = GROUP_OUTPUT, .commands = CMD_ALL & ~CMD_HELP, .offset = FIELD(quiet),
      .help = "no notes and no progress, only errors" },
    { "help", 'h', .kind = OPTION_FLAG, .group = GROUP_OUTPUT, .commands = CMD_ALL, .offset = FIELD(help),
      .help = "show this help" },
};

const int trine_n_options = (int)(sizeof trine_options / sizeof trine_options[0]);
_Static_assert(sizeof trine_options / sizeof trine_options[0] <= sizeof((arguments *)0)->given / sizeof(bool),
               "arguments.given is too small");
