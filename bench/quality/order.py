"""order.py - which examples trine's batches hold: src/train/draw.h, feed.c and windows.c in Python, so that PyTorch learns from the same
ones in the same order."""
M = (1 << 64) - 1
ORDER, SHIFT = 1, 2


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


class Draws:
    def __init__(self, seed, what, epoch, place=0):
        self.state = mix(mix(mix(mix(seed) ^ what) ^ epoch) ^ place)

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & M
        return (mix(self.state) * n) >> 64


def shuffled(n, seed, epoch):
    order, d = list(range(n)), Draws(seed, ORDER, epoch)
    for i in range(n - 1, 0, -1):
        j = d.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def windows(ids, length, seed, epoch):
    """Sequences of length + 1 tokens that overlap by one; after the first epoch they are cut elsewhere."""
    n, shift = len(ids) - 1, Draws(seed, SHIFT, epoch).below(length) if epoch else 0
    starts = ([0] if shift else []) + list(range(shift, n, length))
    return [ids[s : min(shift if shift and not i else s + length, n) + 1] for i, s in enumerate(starts)]


def packed(examples_of, size, batch_tokens, seed=None):
    """Batches without end: examples_of(epoch) gives the examples, size(example) its tokens; seed None: one epoch, as they are."""
    epoch = 0
    while True:
        examples = examples_of(epoch)
        batch, tokens = [], 0
        for i in range(len(examples)) if seed is None else shuffled(len(examples), seed, epoch):
            if batch and tokens + size(examples[i]) > batch_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append(examples[i])
            tokens += size(examples[i])
        yield batch
        if seed is None:
            return
        epoch += 1
