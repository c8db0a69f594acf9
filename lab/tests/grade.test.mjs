// grade.test.mjs - the challenge's arithmetic: marks, facts that were lost, and claims that the numbers support, contradict or leave open.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const g = await load("src/grade.ts");
const MIB = 2 ** 20;

const cost = (more = {}) => ({
    tokens: 1000,
    first_token_ms: 10,
    token_ms: 1,
    arriving_ms: 2,
    self_cache_bytes: 4 * MIB,
    cross_cache_bytes: 0,
    activation_bytes: MIB,
    recall: { beginning: 0.5, middle: 1, end: 1 },
    first_document: { beginning: { planted: "a b c", said: "a b d" }, middle: { planted: "d e f", said: "d e f" }, end: { planted: "g h i", said: "g h i" } },
    ...more,
});
const long = (pair) => ({
    lengths: [150, 1000],
    attention: [{ tokens: 1000, tiled_bytes: 10, plain_bytes: 100 }],
    decoder: { lengths: [cost({ tokens: 143 }), cost()], cache_types: { f32: cost(), q8_0: cost({ self_cache_bytes: MIB }) } },
    "encoder-decoder": { lengths: [cost({ tokens: 143 }), cost(pair)], cache_types: { f32: cost(pair), q8_0: cost(pair) } },
});
const setup = { paradigm: "decoder", context: 1000, cache: "q8_0", budget: 16 };

test("a number is right near what was measured, near within more, off beyond, and on either side", () => {
    assert.deepEqual([1, 1.4, 1 / 1.4, 2.9, 1 / 2.9, 3.1, 0, -1].map((x) => g.nearness(x, 1, 1.5, 3)), ["right", "right", "right", "near", "near", "wrong", "wrong", "wrong"]);
});

test("step 1 is graded by the measured numbers, at the length at which types of cache were measured", () => {
    const d = long({ first_token_ms: 20, arriving_ms: 40, token_ms: 0.5 });
    const marks = (p, fits) => Object.fromEntries(g.gradeLong(d, setup, p, fits).map((r) => [r.id, r.mark]));
    assert.deepEqual(marks({ first: "decoder", again: 20, cache: 0.78, lost: "beginning", fits: "yes" }, true), { first: "right", again: "right", cache: "right", lost: "right", fits: "right" });
    assert.deepEqual(marks({ first: "equal", again: 50, cache: 1.4, lost: "none", fits: "yes" }, false), { first: "near", again: "near", cache: "near", lost: "wrong", fits: "wrong" });
    assert.deepEqual(g.lostMost(cost({ recall: { beginning: 0.95, middle: 1, end: 0.9 } })), []);
    assert.deepEqual(g.lostMost(cost({ recall: { beginning: 0, middle: 0, end: 1 } })), ["beginning", "middle"]);
    assert.deepEqual(g.lostFacts(d, "q8_0").map((l) => [l.side, l.place, l.planted, l.said]), [["decoder", "beginning", "a b c", "a b d"], ["encoder-decoder", "beginning", "a b c", "a b d"]]);
    // A run with more lengths: what is compared is what has types of cache.
    const more = long({});
    more.lengths = [150, 1000, 4000];
    for (const m of ["decoder", "encoder-decoder"]) more[m].lengths.push(cost({ tokens: 3990, first_token_ms: 1e6 }));
    assert.equal(g.measuredAt(more), 1);
});

test("the document's cache is its own: not the room for what arrives, not whole pages", () => {
    // 4 layers, 2 key heads of 32: 512 numbers a token; 1,000 tokens and room for 256 and a summary in pages of 64: 1,280.
    for (const [type, size] of [["f32", 4], ["f16", 2], ["q8_0", 34 / 32], ["q4_0", 18 / 32]]) {
        assert.equal(g.documentCache("decoder", type, cost({ self_cache_bytes: 512 * size * 1280 + 700 })), 512 * size * 1000);
        assert.equal(g.documentCache("encoder-decoder", type, cost({ self_cache_bytes: 256 * size * 64, cross_cache_bytes: 256 * size * 1280 })), 256 * size * 1000);
    }
    // Who multiplies as the question asks is right, in q8_0 as in f16.
    const d = long({});
    d.decoder.cache_types.q8_0 = cost({ self_cache_bytes: 544 * 1280 });
    const mark = (cache) => g.gradeLong(d, setup, { first: "decoder", again: 1, cache, lost: "none", fits: "yes" }, true).find((r) => r.id === "cache").mark;
    assert.deepEqual([544000 / MIB, 544 * 1280 / MIB, 4 * 544000 / MIB].map(mark), ["right", "near", "wrong"]);
    // A model of another size: by what its session could hold.
    assert.equal(g.documentCache("decoder", "f16", cost({ self_cache_bytes: 6000 * 1280 })), 6000 * 1000);
});

test("the same claims fall with other numbers", () => {
    const weights = (pair) => Object.fromEntries(g.claimsLong(long(pair), setup).map((c) => [c.id, c.weight]));
    assert.deepEqual(weights({ first_token_ms: 20, arriving_ms: 40, token_ms: 2, activation_bytes: 9 * MIB }), { whole: "supports", again: "supports", cross: "supports", memory: "supports", tiles: "supports", type: "supports" });
    assert.deepEqual(weights({ first_token_ms: 5, arriving_ms: 2.1, token_ms: 0.5, self_cache_bytes: 0 }), { whole: "contradicts", again: "open", cross: "contradicts", memory: "contradicts", tiles: "supports", type: "supports" });
    assert.deepEqual(g.verdict(g.claimsLong(long({ first_token_ms: 5, arriving_ms: 2.1, token_ms: 0.5 }), setup)), { supports: 2, contradicts: 2, open: 2 });
});

test("step 2: the largest run is held back, intervals that overlap decide nothing", () => {
    const run = (parameters, tokens, loss) => ({ parameters, tokens, loss, flops: 6 * parameters * tokens });
    const e = (value, low, high, determined = "determined") => ({ value, low, high, determined });
    const fitted = (alpha, recall) => ({ alpha, beta: e(0.5, 0.4, 0.6), floor: 0.8, runs: [run(10, 10, 4), run(20, 20, 2), run(10, 20, 3)], recall: [{ tokens: 5, accuracy: 0.1 }, { tokens: 9, accuracy: recall }] });
    const d = { quick: true, paradigms: { encoder: fitted(e(1, 0, 2), 0), decoder: fitted(e(0.9, 0.8, 1), 0.9), "encoder-decoder": fitted(e(0.5, 0.4, 0.6), 0.2) } };
    assert.deepEqual(g.heldOut(d.paradigms.decoder).map((r) => r.loss), [4, 3]);
    const weights = (foretold) => Object.fromEntries(g.claimsScaling(d, foretold).map((c) => [c.id, c.weight]));
    assert.deepEqual(weights(2.01), { foretold: "supports", falls: "supports", alpha: "supports", beta: "open", ability: "supports", zero_shot: "open" });
    assert.equal(weights(2.5).foretold, "contradicts");
    d.paradigms.decoder.alpha = e(0.9, 0.05, 3, "undetermined");
    d.paradigms.decoder.recall = [{ tokens: 9, accuracy: 0.2 }];
    assert.equal(weights(2.1).alpha, "open");
    assert.equal(weights(2.1).foretold, "open");
    assert.equal(weights(2.1).ability, "contradicts");
    const marks = g.gradeScaling(d, setup, { size: "a", loss: 2.5, miss: "near", recall: 25, told: "undetermined" }, 2.1, "a").map((r) => r.mark);
    assert.deepEqual(marks, ["right", "near", "near", "right", "right"]);
});
