"""train_peer.py - PyTorch's side of bench/train.py: each line of standard input is answered with the seconds of one training step
(forward, loss, backward, clipping, AdamW) over the same shape of batch.

    python bench/train_peer.py CONFIG.json TEXTS TOKENS [bf16] [compile] [threads=N] [lora=RANK]

bf16 is autocast: parameters and the optimiser stay f32. The fused AdamW is the fastest that PyTorch has on a CPU. With lora
CONFIG.json is a model's directory and PEFT trains adapters of all linear layers; a model in bf16 then stays as it is stored."""
import json
import resource
import sys
import time

import torch
import transformers as tf

path, texts, tokens, flags = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
torch.set_num_threads(next((int(f[8:]) for f in flags if f.startswith("threads=")), 2))
torch.manual_seed(1)
lora = next((int(f[5:]) for f in flags if f.startswith("lora=")), 0)
if lora:
    import peft

    adapter = peft.LoraConfig(r=lora, lora_alpha=2 * lora, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(tf.AutoModelForCausalLM.from_pretrained(path, dtype="auto"), adapter).train()
    config = model.config
else:
    config = tf.AutoConfig.for_model(**json.load(open(path)))
    model = getattr(tf, config.architectures[0])(config).train()
for module in model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.0
run = torch.compile(model) if "compile" in flags else model
optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.01, fused=True)
ids = torch.tensor([3 + i * 2654435761 % 2**32 % (config.vocab_size - 3) for i in range(texts * tokens)]).view(texts, tokens)


def step():
    begin = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in flags):
        loss = run(input_ids=ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
    optimiser.step()
    optimiser.zero_grad()
    return time.perf_counter() - begin, loss.item()


step()
print(json.dumps({"parameters": sum(p.numel() for p in model.parameters() if p.requires_grad)}), flush=True)
for _ in sys.stdin:
    seconds, loss = step()
    print(json.dumps({"seconds": seconds, "loss": loss,
                      "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
