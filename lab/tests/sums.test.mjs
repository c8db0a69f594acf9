// sums.test.mjs - the page's arithmetic by itself: no engine, no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const s = await load("src/sums.ts");
const near = (a, b, by = 1e-12) => assert.ok(Math.abs(a - b) <= by, `${a} is not ${b}`);

test("softmax adds up to 1, and what is hidden weighs nothing", () => {
    const w = s.softmax([1, 2, 3, 1000], (i) => i < 3);
    near(w.reduce((a, b) => a + b), 1);
    assert.equal(w[3], 0);
    near(w[1] / w[0], Math.E);
});

test("masks let through what their names say", () => {
    const count = (mask, n) => Array.from({ length: 25 }, (_, i) => s.sees(mask, n, Math.floor(i / 5), i % 5)).filter(Boolean).length;
    assert.equal(count("bidirectional", 0), 25);
    assert.equal(count("causal", 0), 15);
    assert.equal(count("prefix", 3), 18);
    assert.equal(count("window", 2), 9);
    assert.equal(count("cross", 0), 25);
});

test("tiles of any size give the same as one", () => {
    const scores = [0.3, -2, 5, 1.5, 4.9, -7, 0], values = scores.map((_, i) => [i, i * i, 1]);
    const w = s.softmax(scores), whole = [0, 1, 2].map((c) => w.reduce((sum, p, j) => sum + p * values[j][c], 0));
    for (let size = 1; size <= 8; size++) {
        const steps = s.tiled(scores, values, size), last = steps[steps.length - 1];
        assert.equal(steps.length, Math.ceil(7 / size));
        last.mixed.forEach((x, c) => near(x / last.sum, whole[c]));
        near(last.mixed[2] / last.sum, 1);
    }
});

test("bytes moved are the sums the text gives", () => {
    assert.equal(s.movedPlain(100, 64), 4 * 100 * 100 + 4 * 100 * 64);
    assert.equal(s.movedTiled(100, 64, 64), 2 * 100 * 64 + 2 * 100 * 64 * 2);
});

test("top-k, top-p and then the temperature, as the sampler has it", () => {
    const logits = [2, 1, 0, -1], kept = (...a) => s.drawn(logits, ...a).kept;
    assert.equal(kept(1, 0, 1), 4);
    assert.equal(kept(1, 2, 1), 2);
    assert.equal(kept(1, 0, 0.6), 1);
    assert.equal(kept(1, 0, 0.7), 2);
    assert.equal(kept(0, 0, 1), 1);
    // Filters look at probabilities before the temperature: no temperature lets more or fewer through.
    for (const t of [0.1, 1, 2]) assert.equal(kept(t, 0, 0.7), 2);
    // p is of those that k has left.
    assert.equal(kept(1, 2, 0.9), 2);
    assert.equal(kept(1, 0, 0.9), 3);
    for (const a of [[1, 0, 1], [0.5, 3, 0.9], [1.7, 2, 0.5], [0, 0, 1]]) {
        const d = s.drawn(logits, ...a);
        near(logits.reduce((sum, _, i) => sum + d.share(i), 0), 1);
        assert.equal(d.share(d.kept), 0);
    }
    const half = s.drawn(logits, 0.5, 0, 1);
    near(half.share(0) / half.share(1), Math.exp(2));
    // A vocabulary of thousands: a hot temperature leaves the tail its weight.
    const many = [5, ...new Array(7999).fill(0)];
    near(s.drawn(many, 2, 0, 1).share(0), Math.exp(2.5) / (Math.exp(2.5) + 7999));
    near(s.drawn([3, -Infinity], 1, 0, 1).share(0), 1);
});

test("entropy in bits", () => {
    near(s.entropy([0.25, 0.25, 0.25, 0.25]), 2);
    near(s.entropy([1, 0]), 0);
});

test("published laws give what their papers say of them", async () => {
    const l = await load("src/laws.ts");
    // At Gopher's budget: Hoffmann's printed constants ask for some 93 tokens a parameter, the refit for about 20.
    const a = l.best(l.hoffmann, 5.76e23), b = l.best(l.besiroglu, 5.76e23);
    near(a.n / 32.2e9, 1, 0.01);
    near(a.d / 2.98e12, 1, 0.01);
    near(b.n / 72e9, 1, 0.02);
    near(b.d / 1.33e12, 1, 0.02);
    near(l.loss(l.hoffmann, 70e9, 1.4e12), 1.937, 0.001); // Chinchilla
    near(l.loss(l.hoffmann, 280e9, 300e9), 1.993, 0.001); // Gopher
    // The best of a budget is the best: neither a smaller nor a larger model does better.
    for (const k of [0.8, 1.25]) assert.ok(l.loss(l.hoffmann, a.n * k, a.d / k) > a.loss);
    assert.ok(l.kaplan(5.76e23).n > 5 * b.n);
    // Kaplan's printed constants at one PF-day, and its exponents ten times further on. 6 N D is not C: the critical batch costs about twice.
    const day = l.kaplan(8.64e19), ten = l.kaplan(8.64e20);
    near(day.n / 1.3e9, 1, 1e-9);
    near(day.d / 2e10, 1, 1e-9);
    near(ten.n / day.n, 10 ** 0.73, 1e-9);
    near(ten.d / day.d, 10 ** 0.27, 1e-9);
    near((6 * day.n * day.d) / 8.64e19, 1.8, 0.01);
});
