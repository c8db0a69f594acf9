// lab.mjs - what the tests in a browser share: a running engine with small models, a browser, and pages that fail a test for anything they
// should not do.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { top } from "./load.mjs";

const tree = join(top, ".."), fixtures = join(tree, "tests/fixtures/command");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const models = ["translator=" + join(tree, "models/translator/translator.gguf"), "tiny-bert=" + join(fixtures, "bert-mlm"), "tiny-labels=" + join(fixtures, "bert-labels"), "tiny-tags=" + join(fixtures, "bert-tags"), "tiny-llama=" + join(fixtures, "llama-chat")];
export const sections = [...readFileSync(join(top, "src/main.ts"), "utf8").match(/const sections: Section\[\] = \[(.*?)\]/s)[1].matchAll(/\w+/g)].map((m) => m[0].replace(/[A-Z]/g, (c) => "_" + c.toLowerCase()));
let engine, browser;
const PATIENCE = 300000; // ms: only what hangs takes so long, also on a machine that trains meanwhile
export let address; // of the page
export const home = mkdtempSync(join(tmpdir(), "lab-")); // the record of experiments goes there

// However the tests end, the engine ends with them.
process.on("exit", () => engine?.child.kill("SIGKILL"));

// Starts the lab; port 0 takes any that is free.
function start(port) {
    return new Promise((done, fail) => {
        const child = spawn(process.env.TRINE, ["lab", "--no-open", "-q", "--port", String(port), "-t", "1", ...models.flatMap((m) => ["-m", m])], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, HOME: home, XDG_DATA_HOME: "" } });
        let said = "", complaint = "";
        child.stderr.on("data", (d) => (complaint += d));
        child.stdout.on("data", (d) => {
            said += d;
            const m = /http:\/\/\S+/.exec(said);
            if (m) done({ child, address: m[0].replace(/\/$/, "") });
        });
        child.on("exit", (code) => fail(new Error(`trine lab ended with ${code}: ${complaint}`)));
    });
}

function stop(child) {
    return new Promise((done) => {
        child.removeAllListeners("exit");
        child.on("exit", done);
        child.kill("SIGTERM");
    });
}

export async function setUp() {
    engine = await start(0);
    address = engine.address;
    browser = await chromium.launch({
        executablePath: process.env.BROWSER ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
}

export async function close() {
    await browser?.close();
    if (engine) await stop(engine.child);
    rmSync(home, { recursive: true, force: true });
}

// The engine goes away, and comes back where it was.
export const stopEngine = () => stop(engine.child);
export const startAgain = async () => (engine = await start(Number(new URL(address).port)));

// A page that fails the test for anything it should not do.
export async function open(place, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-US", reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage(), faults = [];
    page.on("response", async (r) => r.status() >= 400 && faults.push(`${r.status()} ${r.url()} ${r.request().postData()}: ${await r.text().catch(() => "")}`));
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && !m.text().startsWith("Failed to load resource") && faults.push(m.text())); // that is told above, by what was asked
    page.on("pageerror", (e) => faults.push(e.message));
    page.on("request", (r) => r.url().startsWith(address) || r.url().startsWith("data:") || faults.push(`a request to ${r.url()}`));
    await page.goto(`${address}/${place}`);
    await settled(page);
    return { page, faults, close: () => context.close() };
}

// Waits for what `is` finds in the page. The page's own policy lets no one evaluate text in it, so the waiting is done from here.
export async function until(page, is, argument, what = "what was waited for") {
    for (let end = Date.now() + PATIENCE; Date.now() < end; await new Promise((done) => setTimeout(done, 40))) if (await page.evaluate(is, argument)) return;
    assert.fail(`${what} did not come`);
}

export async function settled(page) {
    await page.waitForSelector("article.lesson");
    await until(page, () => [...document.querySelectorAll(".demo")].every((d) => d.dataset.state !== "busy"), null, "the engine's answers");
}

export const ask = async (path, body) => {
    const r = await fetch(address + path, body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {});
    assert.ok(r.ok, `${path}: ${r.status}`);
    return r.json();
};

export async function violations(page) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    return found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(" | ")}`);
}

export const read = (text) => Number(text.replace("−", "-"));
