"""order.py - which examples trine's batches hold: src/train/draw.h, feed.c, windows.c and the masks of objective.c in Python, so that
PyTorch learns from the same ones in the same order."""
M = (1 << 64) - 1
ORDER, SHIFT, NOISE, MIXTURE = 1, 2, 3, 4


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


class Draws:
    def __init__(self, seed, what, epoch, place=0):
        self.state = mix(mix(mix(mix(seed) ^ what) ^ epoch) ^ place)

    def draw(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & M
        return mix(self.state)

    def below(self, n):
        return (self.draw() * n) >> 64

    def unit(self):
        return (self.draw() >> 11) * 2.0**-53


def shuffled(n, seed, epoch, part=0):
    order, d = list(range(n)), Draws(seed, ORDER, epoch, part)
    for i in range(n - 1, 0, -1):
        j = d.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def windows(ids, length, overlap, seed, epoch):
    """Sequences of length + overlap tokens; after the first epoch they are cut elsewhere."""
    n, shift = len(ids) - overlap, Draws(seed, SHIFT, epoch).below(length) if epoch else 0
    starts = ([0] if shift else []) + list(range(shift, n, length))
    return [ids[s : min(shift if shift and not i else s + length, n) + overlap] for i, s in enumerate(starts)]


def masked(ids, mask, special, vocab, share, seed, epoch, place):
    """The tokens with some hidden, and [place, token] of those."""
    ids, asked = list(ids), []
    words = [k for k, token in enumerate(ids) if token not in special]
    most, d = min(max(int(share * len(ids) + 0.5), 1), len(ids)), Draws(seed, NOISE, epoch, place)
    for w in range(min(len(words), most)):
        other = w + d.below(len(words) - w)
        k, words[other] = words[other], words[w]
        asked.append((k, ids[k]))
        u = d.unit()
        if u < 0.8:
            ids[k] = mask
        elif u < 0.9:
            ids[k] = d.below(vocab)
    return ids, asked


def packed(parts, batch_tokens, seed, shuffle=True):
    """Batches without end (without shuffle: one epoch, as they are). Of each part a weight, the examples of an epoch, the tokens of
    one, and what a batch has of it: weight, examples(epoch), size(example), make(example, epoch, place)."""
    at, weights, drawn = [None] * len(parts), sum(p[0] for p in parts), 0
    batch, tokens = [], 0
    while True:
        which = 0
        if len(parts) > 1:
            u = Draws(seed, MIXTURE, 0, drawn).unit() * weights
            while which < len(parts) - 1 and u >= parts[which][0]:
                u -= parts[which][0]
                which += 1
        _, examples, size, make = parts[which]
        if at[which] is None or at[which][1] == len(at[which][2]):
            if at[which] and len(parts) == 1:
                if batch:
                    yield batch
                batch, tokens = [], 0
                if not shuffle:
                    return
            epoch = at[which][0] + 1 if at[which] else 0
            these = examples(epoch)
            at[which] = [epoch, 0, shuffled(len(these), seed, epoch, which) if shuffle else range(len(these)), these]
        epoch, k, order, these = at[which]
        example = these[order[k]]
        if batch and tokens + size(example) > batch_tokens:
            yield batch
            batch, tokens = [], 0
            continue
        batch.append(make(example, epoch, order[k]))
        tokens += size(example)
        at[which][1] += 1
        drawn += 1
