"""train.py - training steps beside PyTorch's, in turn on the same machine: seconds (the least of several), tokens a second, share of
the arithmetic peak by 6ND, and resident memory.

    python bench/train.py [NAME...] [--steps N] [--precision f32|bf16] [--compile] [--ours]

Shapes are those of ../shared/PEERS.md."""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
STEP = os.environ.get("BENCH_TRAIN_STEP") or os.path.join(os.path.dirname(HERE), "build", "train_step")
GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257,
        "n_positions": 1024, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "num_hidden_layers": 6,
         "num_attention_heads": 8, "num_key_value_heads": 8, "intermediate_size": 768, "vocab_size": 4096,
         "max_position_embeddings": 512, "tie_word_embeddings": False}
BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 256, "num_hidden_layers": 4,
        "num_attention_heads": 8, "intermediate_size": 1024, "vocab_size": 4096, "max_position_embeddings": 512,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
T5 = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 256, "num_layers": 4, "num_decoder_layers": 4,
      "num_heads": 8, "d_kv": 32, "d_ff": 1024, "vocab_size": 4096, "dropout_rate": 0.0, "decoder_start_token_id": 0, "pad_token_id": 0,
      "eos_token_id": 1, "feed_forward_proj": "relu"}
SMOLLM2 = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 576, "num_hidden_layers": 30,
           "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152,
           "max_position_embeddings": 2048, "tie_word_embeddings": True}
CASES = {"gpt2-64": (GPT2, 4, 64), "gpt2-256": (GPT2, 4, 256), "llama": (LLAMA, 16, 256), "bert": (BERT, 16, 128), "t5": (T5, 16, 128),
         "smollm2-lora": (SMOLLM2, 2, 512)}
RANK = 8


class Side:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.best, self.resident, self.loss = 1e9, 0, 0
        first = self.process.stdout.readline()
        if not first:
            sys.exit(f"train.py: {' '.join(command)} does not answer")
        self.about = json.loads(first)
        self.process.send_signal(signal.SIGSTOP)  # threads that spin while they wait would take the other's cores

    def step(self, warm=False):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.process.send_signal(signal.SIGSTOP)
        if answer["seconds"] < self.best and not warm:
            self.best, self.last = answer["seconds"], answer
        self.resident, self.loss = answer["resident"], answer["loss"]


def store(config, precision, folder):
    """A model of random weights to adapt: its directory."""
    import torch
    import transformers

    path = os.path.join(folder, "base-" + precision)
    torch.manual_seed(1)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config))
    model.to(torch.bfloat16 if precision == "bf16" else torch.float32).save_pretrained(path)
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--precision", choices=["f32", "bf16"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--ours", action="store_true", help="without PyTorch")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    o = parser.parse_args()
    print(f"{'':14}{'ms ours':>9}{'PyTorch':>9}{'ratio':>7}{'tokens/s':>10}{'GFLOP/s':>9}{'MB ours':>9}{'PyTorch':>9}  optimiser ms")
    with tempfile.TemporaryDirectory() as folder:
        for name in o.names or CASES:
            config, texts, tokens = CASES[name]
            path = os.path.join(folder, name + ".json")
            json.dump(config, open(path, "w"))
            for precision in [o.precision] if o.precision else ["f32", "bf16"]:
                flags = [f"threads={o.threads}"] + (["bf16"] if precision == "bf16" else [])
                if name.endswith("-lora"):
                    path, flags = store(config, precision, folder), flags + [f"lora={RANK}"]
                shape = [path, str(texts), str(tokens)] + flags
                ours = Side([STEP] + shape)
                peer = None if o.ours else Side([sys.executable, os.path.join(HERE, "train_peer.py")] + shape + ["compile"] * o.compile)
                for n in range(o.steps + 1):
                    ours.step(warm=n == 0)
                    if peer:
                        peer.step(warm=n == 0)
                n = texts * tokens
                flops = 6 * ours.about["parameters"] * n / ours.best / 1e9
                print(f"{name + ' ' + precision:14}{ours.best * 1e3:9.1f}{peer.best * 1e3 if peer else 0:9.1f}"
                      f"{peer.best / ours.best if peer else 0:7.2f}{n / ours.best:10.0f}{flops:9.0f}{ours.resident / 1e6:9.0f}"
                      f"{peer.resident / 1e6 if peer else 0:9.0f}  {ours.last['optimiser'] * 1e3:.1f}", flush=True)
                for side in (ours, peer):
                    if side:
                        side.process.send_signal(signal.SIGCONT)
                        side.process.stdin.close()
                        side.process.wait()


main()
