"""shakespeare_peer.py - nanoGPT's recipe for tinyshakespeare on a CPU, in PyTorch: 4 layers of 128, 4 heads, context 64, batch 12,
2,000 steps, AdamW (0.9, 0.99), decay 0.1 of matrices, clipping at 1, 100 steps of warm-up, cosine from 1e-3 to 1e-4.

    python bench/quality/shakespeare_peer.py INPUT.txt [SEED] [biases] [bytes] [epochs] [device=cuda]

biases: layers and norms have them, as GPT-2's do; nanoGPT's recipe leaves them out. bytes: an alphabet of 257, as byte-level BPE has,
in place of the 65 characters. epochs: each window once an epoch, in place of windows drawn anywhere. Prints two losses of the last
step: over all of the validation text in windows of 64, and over 20 batches drawn from it, which is nanoGPT's estimate."""
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

LAYERS, WIDTH, HEADS, CONTEXT, BATCH, STEPS, WARMUP = 4, 128, 4, 64, 12, 2000, 100
flags = sys.argv[2:]
seed = int(flags[0]) if flags and flags[0].isdigit() else 1
biases, device = "biases" in flags, next((f[7:] for f in flags if f.startswith("device=")), "cpu")
torch.manual_seed(seed)
torch.set_num_threads(2)
text = open(sys.argv[1], "rb").read()
if "bytes" in flags:
    vocab, ids = 257, list(text)
else:
    letters = {c: i for i, c in enumerate(sorted(set(text)))}
    vocab, ids = len(letters), [letters[c] for c in text]
cut = len(ids) * 9 // 10
train, valid = torch.tensor(ids[:cut], device=device), torch.tensor(ids[cut:], device=device)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))
        self.bias = nn.Parameter(torch.zeros(WIDTH)) if biases else None

    def forward(self, x):
        return F.layer_norm(x, (WIDTH,), self.weight, self.bias, 1e-5)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = Norm(), Norm()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, biases), nn.Linear(WIDTH, WIDTH, biases)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, biases), nn.Linear(4 * WIDTH, WIDTH, biases)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = (t.view(b, n, HEADS, WIDTH // HEADS).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(WIDTH, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, WIDTH)
        x = x + self.out(y)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocab, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), Norm()
        for name, p in self.named_parameters():
            if p.dim() > 1:
                scaled = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, 0, 0.02 / math.sqrt(2 * LAYERS) if scaled else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, x, y):
        h = self.tokens(x) + self.places.weight[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy((self.norm(h) @ self.tokens.weight.T).flatten(0, 1), y.flatten())


def windows(data, starts):
    x = torch.stack([data[s : s + CONTEXT + 1] for s in starts])
    return x[:, :-1], x[:, 1:]


order = []


def batch():
    if "epochs" not in flags:
        return windows(train, torch.randint(len(train) - CONTEXT, (BATCH,)).tolist())
    while len(order) < BATCH:
        order.extend((torch.randperm((len(train) - 1) // CONTEXT) * CONTEXT).tolist())
    taken = order[:BATCH]
    del order[:BATCH]
    return windows(train, taken)


@torch.no_grad()
def losses():
    starts = list(range(0, len(valid) - CONTEXT, CONTEXT))
    parts = [starts[i : i + 256] for i in range(0, len(starts), 256)]
    whole = sum(model(*windows(valid, p)).item() * len(p) for p in parts) / len(starts)
    drawn = [model(*windows(valid, torch.randint(len(valid) - CONTEXT, (BATCH,)).tolist())).item() for _ in range(20)]
    return whole, sum(drawn) / 20


model = Model().to(device)
matrices = [p for p in model.parameters() if p.dim() > 1]
others = [p for p in model.parameters() if p.dim() == 1]
optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=1e-3,
                              betas=(0.9, 0.99), fused=True)
for step in range(STEPS):
    share = (step - WARMUP) / (STEPS - WARMUP)
    rate = 1e-3 * (step + 1) / (WARMUP + 1) if step < WARMUP else 1e-4 + 0.5 * (1 + math.cos(math.pi * share)) * 9e-4
    for group in optimiser.param_groups:
        group["lr"] = rate
    model(*batch()).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
whole, drawn = losses()
print(f"seed {seed} {' '.join(flags[1:])}: validation loss {whole:.4f}, nanoGPT's estimate {drawn:.4f}", flush=True)
