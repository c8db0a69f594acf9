#!/usr/bin/env python3
"""Writes tests/fixtures/tasks/metrics.json: texts and tags with the scores that the Python packages give them.

Usage: make_metric_fixtures.py OUT.json        (needs sacrebleu, rouge_score, scikit-learn, seqeval)

BLEU and chrF: sacrebleu's corpus_bleu and corpus_chrf with their defaults. ROUGE: rouge_score, use_stemmer=False. Entities:
seqeval's default mode, which is conlleval's. Labels: scikit-learn's accuracy and macro F1."""
import json, random, sys
import sacrebleu
from rouge_score import rouge_scorer
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score as label_f1

R = random.Random(11)
WORDS = ("the a cat dog sat on mat, house. 3.14 1,000 10-20 it's U.S. e-mail (yes) \"quoted\" 50% $5 & < > / \\ - -- ... ? ! "
         "don't über Straße 日本語 東京は。 naïve Ünïcödé café, é. x.y .5 5. ,, a,b 2-x -3 &amp; &quot;hi&quot; <skipped> semi;colon "
         "at@sign #tag under_score [b] {c} ~t `q` K\u2003wide \u212aelvin \u0130stanbul").split(" ")


def text(low=0, high=20):
    return " ".join(R.choice(WORDS) for _ in range(R.randint(low, high)))


def near(t):
    """Another version of a text: words lost, changed, moved."""
    words = [w for w in t.split(" ") if R.random() > .15]
    words = [R.choice(WORDS) if R.random() < .15 else w for w in words]
    if len(words) > 3 and R.random() < .5:
        i = R.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]
    return " ".join(words)


def corpora():
    out = []
    for i in range(60):
        n = R.randint(1, 6)
        refs = [text(0 if i % 7 == 0 else 1, 25) for _ in range(n)]
        hyps = [near(r) if R.random() < .9 else text() for r in refs]
        if i % 10 == 0:
            hyps = [h + R.choice(["\n", " \n tail", "-\nx", "  "]) for h in hyps]
        out.append((hyps, refs))
    out += [(["a b c"], ["a b c"]), ([""], ["a"]), (["a"], [""]), ([""], [""]), (["the"], ["the cat"]), (["x y"], ["z w"]),
            (["a b c d e"], ["a x c y e"]), (["日本"], ["日本語"])]
    return [{"hypotheses": h, "references": r, "bleu": sacrebleu.corpus_bleu(h, [r]).score, "chrf": sacrebleu.corpus_chrf(h, [r]).score}
            for h, r in out]


def summaries():
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    out = []
    for i in range(60):
        refs = [text(0 if i % 9 == 0 else 1, 30) for _ in range(R.randint(1, 3))]
        prediction = near(R.choice(refs)) if i % 8 else text()
        s = scorer.score_multi(refs, prediction)
        out.append({"prediction": prediction, "references": refs, "scores": [s[k].fmeasure for k in ("rouge1", "rouge2", "rougeL")]})
    return out


def tags():
    out = []
    for i in range(40):
        prefixes = ["BI", "I", "BIES", "BI"][i % 4]
        def sentence(n):
            return [R.choice(["O", R.choice(prefixes) + "-" + R.choice(["PER", "LOC"])]) for _ in range(n)]
        gold = [sentence(R.randint(1, 12)) for _ in range(R.randint(1, 4))]
        guessed = [[t if R.random() < .7 else sentence(1)[0] for t in s] for s in gold]
        out.append({"gold": gold, "guessed": guessed, "scores": [float(f(gold, guessed, zero_division=0)) for f in (precision_score, recall_score, f1_score)]})
    return out


def labels():
    out = []
    for n in (1, 2, 2, 3, 5, 8):
        gold = [R.randrange(n) for _ in range(R.randint(1, 40))]
        guessed = [g if R.random() < .6 else R.randrange(n) for g in gold]
        out.append({"n": n, "gold": gold, "guessed": guessed, "accuracy": accuracy_score(gold, guessed),
                    "f1": label_f1(gold, guessed, average="macro", zero_division=0)})
    return out


def main():
    with open(sys.argv[1], "w") as f:
        json.dump({"translation": corpora(), "summaries": summaries(), "tags": tags(), "labels": labels()}, f, ensure_ascii=False,
                  separators=(",", ":"))
        f.write("\n")


main()
