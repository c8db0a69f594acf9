// engine.test.mjs - the door to the engine by itself: who shares an answer, and what a question that is given up leaves behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const e = await load("src/engine.ts");

// A server that answers when it is told to.
function server() {
    const asked = [];
    globalThis.fetch = (path, { signal, body }) =>
        new Promise((done, fail) => {
            signal?.addEventListener("abort", () => fail(signal.reason));
            asked.push({ path, signal, answer: () => done({ ok: true, json: async () => ({ model: "m", said: body }) }) });
        });
    return asked;
}

test("who gives a question up leaves nothing doomed to the next who asks it", async () => {
    const asked = server(), first = new AbortController(), second = new AbortController();
    const gone = e.trace({ text: "a" }, first.signal);
    first.abort();
    await assert.rejects(gone, { name: "AbortError" });
    assert.ok(asked[0].signal.aborted, "nobody waits: the engine need not answer");
    const got = e.trace({ text: "a" }, second.signal);
    assert.equal(asked.length, 2);
    asked[1].answer();
    assert.equal((await got).model, "m");
});

test("who leaves takes only himself away", async () => {
    const asked = server(), first = new AbortController(), second = new AbortController();
    const gone = e.trace({ text: "b" }, first.signal), got = e.trace({ text: "b" }, second.signal);
    assert.equal(asked.length, 1);
    first.abort();
    await assert.rejects(gone, { name: "AbortError" });
    assert.ok(!asked[0].signal.aborted);
    asked[0].answer();
    assert.equal((await got).model, "m");
    // What is there is kept, for those also who come when others have left.
    second.abort();
    assert.equal((await e.trace({ text: "b" })).model, "m");
    assert.equal(asked.length, 1);
    await assert.rejects(e.trace({ text: "c" }, first.signal), { name: "AbortError" });
    assert.equal(asked.length, 1, "a question given up before it was asked");
});

test("minus infinity, which JSON has not, is a logit too", async () => {
    globalThis.fetch = async () => ({ ok: true, json: async () => ({ spread: [2, 1, null] }) });
    assert.deepEqual((await e.trace({ text: "d" })).spread, [2, 1, -Infinity]);
});
