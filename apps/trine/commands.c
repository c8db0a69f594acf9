/* commands.c - every subcommand, described once: the other half of what help, manual pages and completions are made from. */
#include "command.h"

#include <string.h>

#define LOOK "Look at a model or a text"
#define UNDERSTAND "Understand a text (encoder-only models: BERT and its kin)"
#define WRITE "Write a text (decoders: GPT, Llama; encoder-decoders: T5)"
#define MEASURE "Measure and change a model"
#define LEARN "Train a model"
#define COMPARE "Compare the paradigms"
#define SERVE "Serve models"
#define HELP "Help"

const command trine_commands[] = {
    { "inspect",
      CMD_INSPECT,
      LOOK,
      "[MODEL]",
      0,
      1,
      "draw a model: its blocks, parameters and bytes",
      "Draws the model as a diagram of its blocks with the real sizes, and counts parameters and bytes by kind. Nothing is "
      "computed: weights stay in "
      "the file.",
      { { "inspect -m SmolLM2-135M-Instruct.Q4_1.gguf", "the diagram" },
        { "inspect --tensors bert-base-uncased", "and every tensor" } },
      inspect_main },
    { "trace",
      CMD_TRACE,
      LOOK,
      "[TEXT]",
      0,
      1,
      "write logits, states and attention to a file",
      "Runs one text and writes what happened inside as float32 safetensors: logits [n, vocab] always (a classifier's [labels], a "
      "tagger's [n, labels]), "
      "hidden.L [n, d_model] with --hidden, attention.L [heads, n, n] and cross.L with --attention, lens.L [n, vocab] with --lens. "
      "An encoder-decoder's "
      "encoder tensors begin with \"encoder.\". The file is written whole or not at all, and replaces one of its name.",
      { { "trace -m gpt2 -o t.safetensors --attention \"The cat sat\"", "attention of every head" },
        { "trace -m decoder --draw 3,1 \"The cat sat on the mat.\"", "one head's, in the terminal" },
        { "trace -m gpt2 -o t.safetensors --lens --mask bidirectional \"The cat sat\"", "what a mask does" } },
      trace_main },
    { "models",
      CMD_MODELS,
      LOOK,
      "",
      0,
      0,
      "list the models that come with trine",
      "Tells each model's name, family, parameters, size and licence, what it is for, and which commands take it when no -m is "
      "given. -m NAME names one wherever a model is expected; a file or directory of that name in the current directory goes "
      "before it, and a note says so.\n\n"
      "They lie in share/trine/models below the prefix where trine is installed, wherever that was moved, or in models/ of its "
      "source. TRINE_MODELS=DIR names another folder with a models.json.",
      { { "models", "the list" }, { "models --json", "a document for each, with its path" } },
      models_main },
    { "tokenize",
      CMD_TOKENIZE,
      LOOK,
      "[TEXT...]",
      0,
      -1,
      "split a text into tokens",
      "Shows the ids and pieces that a text becomes, with the part of the text (in bytes) each came from. -m may hold a tokenizer "
      "alone.",
      { { "tokenize -m bert-base-uncased \"Unbelievable!\"", "ids, pieces, places" },
        { "tokenize -m gpt2 --ids \"Hello\"", "ids for --tokens" } },
      tokenize_main },
    { "detokenize",
      CMD_DETOKENIZE,
      LOOK,
      "[IDS...]",
      0,
      -1,
      "turn ids back into text",
      "Gives the text of ids, from --tokens, arguments, a file or standard input, separated by commas or spaces. With --no-special "
      "special tokens leave no trace.",
      { { "detokenize -m gpt2 --tokens \"15496,995\"", "" } },
      detokenize_main },

    { "fill",
      CMD_FILL,
      UNDERSTAND,
      "[TEXT...]",
      0,
      -1,
      "fill every [MASK] of a text",
      "Shows the likeliest tokens for each mask of a text, [MASK] or <mask>, with their probabilities, by a model with a "
      "masked-language-model head. An encoder-decoder that was trained to restore spans (T5) fills each mask, or <extra_id_0> and "
      "so "
      "on, with as many words as it likes.",
      { { "fill \"The cat sat on the [MASK].\"", "by the encoder that ships" },
        { "fill -m bert-base-uncased \"Paris is the [MASK] of France.\"", "" },
        { "fill -m roberta-base --top 10 --json \"A <mask> day.\"", "ten, as JSON" } },
      fill_main },
    { "classify",
      CMD_CLASSIFY,
      UNDERSTAND,
      "[TEXT...]",
      0,
      -1,
      "label a text or a pair of texts",
      "Shows the labels of a text, best first, with their probabilities. Needs a model with a sequence-classification head.",
      { { "classify -m sst2 \"A joy from start to end.\"", "" },
        { "classify -m mnli --pair \"Someone sings.\" \"A man sings.\"", "a pair" },
        { "classify -m sst2 --lines --json -f reviews.txt", "one document a line" } },
      classify_main },
    { "tag",
      CMD_TAG,
      UNDERSTAND,
      "[TEXT...]",
      0,
      -1,
      "find named entities, with their places",
      "Finds the entities of a text: their kind, their place (in characters, from 0) and their probability. B- and I- tags are "
      "joined. Needs a model with a "
      "token-classification head.",
      { { "tag -m bert-ner \"Ada Lovelace lived in London.\"", "" } },
      tag_main },
    { "embed",
      CMD_EMBED,
      UNDERSTAND,
      "[TEXT...]",
      0,
      -1,
      "turn texts into vectors, or compare them",
      "Gives the vector of a text, pooled and scaled as the model declares. Without --json a summary is printed; the numbers are "
      "in the JSON. Any family: a decoder's "
      "vector is pooled from its last layer, an encoder-decoder's from its encoder. A decoder takes texts of at most 2048 tokens "
      "unless -c gives more.",
      { { "embed -m all-MiniLM-L6-v2 --json \"A cat sits.\"", "384 numbers" },
        { "embed -m all-MiniLM-L6-v2 --similarity \"a cat\" \"a kitten\" \"a car\"", "what is near to what" },
        { "embed -m all-MiniLM-L6-v2 --lines --json -f texts.txt > vectors.jsonl", "a file of texts" } },
      embed_main },

    { "generate",
      CMD_GENERATE,
      WRITE,
      "[TEXT...]",
      0,
      -1,
      "continue a text",
      "Continues a prompt (decoders), or maps a source to its target (encoder-decoders). The new text appears as it is made. A "
      "model that was trained for conversation wants its chat "
      "template: --chat, or `trine chat`.",
      { { "generate -m gpt2 -n 40 \"Once upon a time\"", "" },
        { "generate -m SmolLM2.gguf --chat --temp 0 \"What is the capital of Peru?\"", "one question" },
        { "generate -m gpt2 --tokens 464,3290 -n 8 --temp 0 --json", "raw ids, no tokenizer" },
        { "generate --choices 5 --temp 0 -n 12 \"Once upon a time\"", "each step, and what else it could have been" },
        { "generate -m gpt2 --lines -f prompts.txt --parallel 8 --json", "many, as one batch" } },
      generate_main },
    { "chat",
      CMD_CHAT,
      WRITE,
      "[TEXT]",
      0,
      1,
      "talk with a model in the terminal",
      "A conversation through the model's chat template, with line editing and history. Control-C stops the answer, Control-D or "
      "/quit ends. In the conversation: /help, /clear, /system TEXT, "
      "/save FILE, /quit. When standard input is not a terminal each of its lines is a message. What was read is kept, so that "
      "each turn costs only its own tokens.",
      { { "chat -m SmolLM2-135M-Instruct.Q4_1.gguf", "" },
        { "chat -m SmolLM2.gguf --system \"Answer in one word.\" < questions.txt", "each line a turn" } },
      chat_main },
    { "translate",
      CMD_TRANSLATE,
      WRITE,
      "[TEXT...]",
      0,
      -1,
      "translate a text",
      "Translates with the prefix T5 was trained on (\"translate English to German: \"), or with a prompt for decoders. --from and "
      "--to choose the languages, --prefix gives another instruction.",
      { { "translate -m t5-small --to de \"That is good.\"", "" },
        { "translate -m t5-small --to fr --beam 4 --lines -f news.en", "line by line" } },
      translate_main },
    { "summarize",
      CMD_SUMMARIZE,
      WRITE,
      "[TEXT...]",
      0,
      -1,
      "summarise a document",
      "Summarises with T5's prefix, or with a prompt for decoders. A document longer than the context is summarised in parts and "
      "then the parts together, which a note says; "
      "--whole refuses it.",
      { { "summarize -m t5-small -f report.txt", "" }, { "summarize -m SmolLM2.gguf -n 100 < article.txt", "" } },
      summarize_main },

    { "eval",
      CMD_EVAL,
      MEASURE,
      "FILE",
      1,
      1,
      "measure a model on a file",
      "Measures what --task says. lm (perplexity) and mlm (masked tokens found) read text. classify reads TSV, CSV or JSON lines; "
      "its columns are found by the header (label, and text, sentence "
      "or content) or named by --label and --text. tag reads CoNLL columns, token first and tag last. translate and summarize read "
      "source TAB target, or JSON lines. FILE may be .gz, .xz or .zst.\n\n"
      "translate gives BLEU and chrF as sacrebleu counts, summarize ROUGE-1, -2 and -L, tag precision, recall and F1 of entities "
      "as conlleval counts.",
      { { "eval --task lm -m gpt2 wiki.txt", "perplexity" },
        { "eval --task classify -m sst2 dev.tsv", "accuracy and F1" },
        { "eval --task translate --from en --to de -m t5-small --limit 100 test.tsv", "BLEU and chrF" } },
      eval_main },
    { "bench",
      CMD_BENCH,
      MEASURE,
      "[MODEL]",
      0,
      1,
      "measure how fast a model runs here",
      "Measures the rate of reading a prompt (prefill) and of writing (decode) of a decoder, of encoding texts, and of an "
      "encoder-decoder's way from source to target, at the lengths, depths, batches, cache types and threads that are given; each "
      "list "
      "is combined with the others, but for --batch and --beam of an encoder-decoder, of which there is one. Token ids are "
      "pseudo-random, the same in every run; the end token ends nothing. What runs "
      "before the clock warms up; of the others the best and the median are told.",
      { { "bench -m TinyLlama.gguf", "prefill of 512 tokens, decoding of 128" },
        { "bench -m SmolLM2.gguf --prefill 0 --depth 0,8192 --cache-type f16,q8_0", "decoding deep in a context" },
        { "bench -m SmolLM2.gguf --prefill 0 --batch 1,8 --json", "eight sequences as one batch" },
        { "bench -m all-MiniLM-L6-v2 --encode 32,128 --batch 1,32", "sentences a second" } },
      bench_main },
    { "plan",
      CMD_PLAN,
      MEASURE,
      "[MODEL]",
      0,
      1,
      "say what a model needs before it is loaded",
      "Counts the memory of a model by part, for contexts, cache types, types of weights and batches, and says what fits, the "
      "longest context and the largest batch that do, and which type makes the rest fit; with the machine's limits, the rates that "
      "it cannot exceed. MODEL is a directory, a config.json, the head of a .gguf or .safetensors file, or the name of a published "
      "model. Nothing of it is loaded: what is said is counted by the code that would allocate it.",
      { { "plan llama-3-8b -c 8192,100000 --memory 24GiB", "what fits" },
        { "plan bert-base-uncased --batch 32", "by name, no file needed" },
        { "plan -m SmolLM2-135M.gguf --limits", "with bounds of its rates here" },
        { "plan qwen2.5-7b --weights q4_k_m --device rtx-4090 --json", "as JSON" } },
      plan_main },
    { "convert",
      CMD_CONVERT,
      MEASURE,
      "[MODEL] [OUT]",
      0,
      2,
      "write a model in another type or container",
      "Writes the model at -m (or MODEL) with its tokenizer to -o (or OUT): a .gguf file, or a directory of safetensors. The "
      "output appears whole or not at all.",
      { { "convert -m bert-base-uncased -o bert.gguf --type f16", "" },
        { "convert SmolLM2.gguf smol-directory", "back to safetensors" },
        { "convert -m MiniLM --adapter sentiment -o sentiment.gguf", "with an adapter in its weights" } },
      convert_main },
    { "quantize",
      CMD_QUANTIZE,
      MEASURE,
      "[MODEL] [OUT]",
      0,
      2,
      "write a model with smaller weights",
      "Writes the model at -m (or MODEL) with its tokenizer to -o (or OUT), its matrices packed as --type says: a .gguf file, or "
      "for "
      "f32, f16 and bf16 a directory of safetensors, which has no quantised types. Scales are searched for, so that the weights' "
      "errors "
      "cost least. Norms, biases and the tables of positions, token types and relative biases stay exact. The output appears whole "
      "or "
      "not at all.\n\n"
      "A matrix whose rows blocks of 256 values do not divide gets blocks of 32 with as many bits or more (q5_0 for q4_k, q5_1 for "
      "q5_k, q8_0 for q6_k), which a note says. In a T5 the second matrices of the feed-forwards stay bf16, for the states before "
      "them "
      "are large.",
      { { "quantize gpt2 gpt2-q8.gguf --type q8_0", "" },
        { "quantize -m SmolLM2-f16.gguf -o small.gguf --type q4_k_m", "4 to 6 bits a weight" },
        { "quantize SmolLM2-f16.gguf small.gguf --type q4_0 --tensor attn_v=q8_0", "with a choice of one's own" } },
      quantize_main },
    { "tokenizer",
      CMD_TOKENIZER,
      MEASURE,
      "FILE...",
      1,
      -1,
      "train a vocabulary on text",
      "Trains a WordPiece, byte-level BPE or unigram vocabulary on files and folders of text (plain, .tsv, .jsonl; packed or not) "
      "and "
      "writes tokenizer.json with its neighbours into the directory -o, for trine and for Hugging Face's libraries. --type chooses "
      "whose conventions it follows: special tokens, how text is normalised and split, what is put around it. The same texts give "
      "the "
      "same vocabulary, on any number of threads.\n\n"
      "Texts are cut into words as the new tokenizer will cut them; special tokens in them are not trained on. A file is one text, "
      "or "
      "with --lines each of its lines is.",
      { { "tokenizer --type bert --vocab 8000 -o bert-vocab texts/", "WordPiece" },
        { "tokenizer --type gpt2 -o gpt-vocab --held-out dev.txt train.txt.xz", "how it packs" },
        { "tokenizer --type t5 --byte-fallback -o vocab --lines train.en train.de", "" } },
      tokenizer_main },

    { "train",
      CMD_TRAIN,
      LEARN,
      "[DATA...]",
      0,
      -1,
      "train a model from nothing, or on, on your own text",
      "Makes a model of --arch and sizes, or of a config.json, or takes one with -m, and trains it on DATA (--data): encoders fill "
      "masks, decoders "
      "continue, "
      "encoder-decoders restore spans or turn a source into a target. Text is tokenised once, shuffled by the seed in each epoch "
      "and packed "
      "into batches without padding. AdamW, in f32 or --bf16.\n\n"
      "OUT becomes a directory in the Hugging Face layout, the best by --valid or --hold-out, else the last. Its folder training/ "
      "holds "
      "checkpoints, metrics and the last weights. Control-C saves and says how to go on; after a crash --resume goes on from the "
      "last "
      "checkpoint, bit for bit. docs/TRAINING.md has recipes.\n\n"
      "Started by mpirun or srun, processes train one model together, each on every N-th batch: N of them learn what one learns "
      "with "
      "N times --accumulate. docs/CLUSTER.md has the rest.",
      { { "train --arch gpt2 story.txt --hold-out 0.1 --steps 2000 -o gpt", "a small GPT" },
        { "train --arch bert --tokenizer tok books/ --whole-word -o bert", "a folder of text" },
        { "train --arch t5 --objective seq2seq pairs.tsv -o t5", "source TAB target" },
        { "train --config c.json --tokenizer tok --mix recipe.json -o t5", "a mixture by weight" },
        { "train --arch gpt2 story.txt --steps 2000 -o gpt --resume", "after an interruption" } },
      train_main },
    { "finetune",
      CMD_FINETUNE,
      LEARN,
      "TASK [DATA...]",
      1,
      -1,
      "train a model on for a task: classify, tag, seq2seq, lm, embed",
      "classify: a label for a text or a pair, from TSV, CSV or JSON lines (columns label, text; text2 or --pair-column for "
      "pairs). tag: CoNLL "
      "columns, any of IOB1, BIO and IOBES. seq2seq: source and target, with --prefix before each source. lm: JSON lines with "
      "\"messages\", which "
      "a chat template renders (--template), or \"prompt\" and \"completion\"; the answers alone are learnt. embed: pairs of texts "
      "that "
      "belong together, told from the others of their batch.\n\n"
      "The whole model is trained, or with --lora adapters. OUT is a directory that every command runs and transformers loads: the "
      "best on "
      "--valid by the task's own measure, accuracy, F1 or --metric, else by the loss.",
      { { "finetune classify -m MiniLM train.tsv --valid dev.tsv -o mood", "labels of the file" },
        { "finetune tag -m MiniLM train.conll --valid dev.conll -o entities", "named entities" },
        { "finetune seq2seq -m t5 pairs.tsv --prefix \"summarize: \" -o t5s", "" },
        { "finetune lm -m SmolLM2 chats.jsonl --lora 8 -o mine", "an adapter" },
        { "finetune classify -m MiniLM train.tsv -o mood --resume", "after an interruption" } },
      finetune_main },
    { "runs",
      CMD_RUNS,
      LEARN,
      "[RUN...]",
      0,
      -1,
      "list the runs of training and measuring, and draw their curves",
      "Without RUN a list, the newest first; with one number or several their configurations and the curves of their losses, one "
      "drawing for all, in the terminal or as SVG. RUN may also be the folder that a training writes to, or a file of metrics, "
      "as JSON lines. --json prints everything that is recorded, a document for each run.",
      { { "runs", "the list" },
        { "runs 12 13 --metric valid_loss", "two runs compared" },
        { "runs gpt/", "of a training that is under way" },
        { "runs 12 --svg loss.svg", "for a report" } },
      runs_main },
    { "corpus",
      CMD_CORPUS,
      COMPARE,
      "",
      0,
      0,
      "write texts of the built-in world, whose entropy is known exactly",
      "A seeded probabilistic grammar of a small world: stories; a second language with its own word order; reviews with an "
      "opinion; "
      "documents with facts in them; pairs and a question about one. A line each, source TAB target or label TAB text where there "
      "are "
      "two halves, in words with spaces between. The same kind, seed and number is the same text everywhere.\n\n"
      "--facts tells the entropy, which no model can go below; --grammar prints the rules; --save-tokenizer DIR writes the "
      "tokenizer "
      "of one token a word. docs/COMPARE.md describes the kinds.",
      { { "corpus --count 5", "five stories" },
        { "corpus --kind pairs --count 10000 --seed 1 > train.tsv", "for finetune seq2seq" },
        { "corpus --kind labelled --json --count 100", "JSON lines" },
        { "corpus --kind documents --filler 1000 --count 1", "a long document" },
        { "corpus --kind world --facts", "what is known exactly" } },
      corpus_main },

    { "compare",
      CMD_COMPARE,
      COMPARE,
      "[EXPERIMENT]",
      0,
      1,
      "compare architectures: paradigms, masks, scaling, long-document",
      "Trains encoder-only, decoder-only and encoder-decoder models from nothing on the built-in corpus, whose entropy is known "
      "exactly, and measures them under equal conditions.\n\n"
      "paradigms (or nothing): one model of each, equal by parameters or by training FLOPs: filling a blank, continuing, "
      "translating, "
      "reversing, summarising, classifying, recall, with the best that is possible, intervals, and what each costs. --data takes "
      "your "
      "own text.\n\n"
      "masks: one decoder under causal, bidirectional, prefix and window masks, and one that was trained without a mask, which "
      "copies "
      "the answer.\n\n"
      "scaling: a ladder of sizes and numbers of tokens for each paradigm, its law L(N, D) = E + A/N^alpha + B/D^beta with "
      "intervals, "
      "what the runs cannot tell, loss against compute, and how recall from the context appears with training.\n\n"
      "long-document: a decoder and an encoder-decoder of one size read documents of up to 100,000 tokens: time, memory by part, "
      "recall of planted facts, types of cache, tiled and plain attention, text that keeps arriving; the verdict is made of the "
      "numbers.\n\n"
      "Every finished model is kept in the record: after Control-C the same command goes on. docs/COMPARE.md has what the numbers "
      "mean.",
      { { "compare --quick", "the standard comparison, within a minute" },
        { "compare --equal compute --report page.html", "equal FLOPs, a page" },
        { "compare masks --quick", "what a mask does" },
        { "compare scaling --report scaling.html", "the standard ladder, a page" },
        { "compare long-document --quick", "who reads long texts at what cost" } },
      compare_main },
    { "fit",
      CMD_FIT,
      COMPARE,
      "FILE",
      1,
      1,
      "fit a scaling law to any runs",
      "Fits L(N, D) = E + A/N^alpha + B/D^beta to runs of training: FILE is a table (CSV, TSV, JSON lines) with columns parameters "
      "or "
      "N, tokens or D, loss or L, and where they are known flops or C, in any order. Gives each number with its interval, says "
      "which "
      "of them the runs cannot tell and why, and draws loss against compute with the best that compute can buy.\n\n"
      "alpha and beta alone are searched; E, A and B are solved for, none below 0. Intervals are 95% percentiles over resamplings "
      "of "
      "the runs. docs/COMPARE.md has the method.",
      { { "fit runs.csv", "the law, its intervals, the curve" }, { "fit runs.csv --json --bootstrap 2000 --report law.html", "" } },
      fit_main },

    { "serve",
      CMD_SERVE,
      SERVE,
      "[MODEL...]",
      0,
      -1,
      "answer requests over HTTP, in OpenAI's and Hugging Face's shapes",
      "Prints its address and serves until Control-C. Texts of all clients are written as one batch that they join as they come; "
      "texts that are only read share passes. Streams are server-sent events, and end when their reader leaves.\n\n"
      "Routes: /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/models; /tasks/TASK and /models/NAME for fill-mask, "
      "text-classification, token-classification, translation, summarization, text-generation and feature-extraction; /tokenize, "
      "/detokenize, /trace and /health. docs/SERVER.md has the requests.\n\n"
      "It listens on loopback unless --host says otherwise. No request can name a file.",
      { { "serve -m SmolLM2-135M-Instruct.gguf", "base_url http://127.0.0.1:8080/v1" },
        { "serve -m chat=smollm2 -m bert-ner --port 9000", "several models" },
        { "serve --port 0 -q all-MiniLM-L6-v2", "prints the address alone" } },
      serve_main },
    { "lab",
      CMD_LAB,
      SERVE,
      "[MODEL...]",
      0,
      -1,
      "open the lesson: BERT, GPT and T5 on the running engine",
      "Serves the models and a lesson on how language models came from BERT to GPT and T5, in English and Chinese, and opens it in "
      "the "
      "browser. What moves on its pages is computed by this engine, while you look; no request leaves the machine. A part whose "
      "model is missing says which.\n\n"
      "The page is built by npm: `make lab`. All routes of `trine serve` are there too.",
      { { "lab", "with the models that ship" },
        { "lab -m translator -m SmolLM2-135M-Instruct.gguf -m bert-base-uncased", "with others" },
        { "lab --no-open --port 9000", "the address alone" } },
      lab_main },

    { "help",
      CMD_HELP,
      HELP,
      "[all|COMMAND]",
      0,
      1,
      "show help",
      "Shows the commands, all of the commands with their options (all), or one command. The manual pages and the shell "
      "completions are printed from the same table.",
      { { "help all", "everything" },
        { "help --man generate | man -l -", "a manual page" },
        { "help --completion bash > trine.bash", "completion" } },
      help_main },
    { "version",
      CMD_VERSION,
      HELP,
      "",
      0,
      0,
      "show the version and how it was built",
      "The same as `trine --version`: the version, the compiler, the libraries, and the kernel levels this machine runs.",
      { { "version --json", "" } },
      version_main },
};

const int trine_n_commands = (int)(sizeof trine_commands / sizeof trine_commands[0]);

static const char *name_at(int i, const void *data)
{
    (void)data;
    return i < trine_n_commands ? trine_commands[i].name : NULL;
}

const char *command_near(const char *name) { return nearest_name(name, name_at, NULL); }

const command *command_find(const char *name)
{
    for (int i = 0; i < trine_n_commands; i++)
        if (strcmp(trine_commands[i].name, name) == 0) return &trine_commands[i];
    return NULL;
}

const char *command_words(const command *cmd)
{
    return cmd->id == CMD_FINETUNE ? FINETUNE_TASKS : cmd->id == CMD_COMPARE ? EXPERIMENTS : NULL;
}

/* What a script can rely on. */
const exit_meaning trine_exits[] = {
    { EXIT_DONE, "done" },
    { EXIT_FAILED, "failed while running: a text too long or empty, a file that cannot be written, a reader that closed the pipe" },
    { EXIT_USAGE, "wrong usage: an unknown option, a value out of range, nothing to work on" },
    { EXIT_DATA, "a model or data file that is missing, damaged, not supported, or not made for the command" },
    { EXIT_MEMORY, "it would not fit in memory" },
    { EXIT_INTERRUPTED, "interrupted by Control-C" },
};
const int trine_n_exits = (int)(sizeof trine_exits / sizeof trine_exits[0]);

int exit_of_status(trine_status status)
{
    switch (status) {
    case TRINE_OK: return EXIT_DONE;
    case TRINE_ERROR_ARGUMENT: return EXIT_USAGE;
    case TRINE_ERROR_MEMORY: return EXIT_MEMORY;
    case TRINE_ERROR_IO: return EXIT_FAILED;
    case TRINE_ERROR_NOT_FOUND:
    case TRINE_ERROR_FORMAT:
    case TRINE_ERROR_UNSUPPORTED: return EXIT_DATA;
    case TRINE_ERROR_TOO_LONG:
    case TRINE_ERROR_EMPTY:
    case TRINE_ERROR_NUMERIC:
    case TRINE_ERROR_INTERNAL: return EXIT_FAILED;
    case TRINE_ERROR_CANCELLED: return EXIT_INTERRUPTED;
    }
    return EXIT_FAILED;
}
