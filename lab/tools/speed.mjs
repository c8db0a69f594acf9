// speed.mjs ADDRESS - how fast a running lab's page is: until its first view stands, and from a slider's move until the page shows it.
// Prints milliseconds: the median and the worst of several.
import { chromium } from "playwright-core";

const address = process.argv[2].replace(/\/$/, ""), TRIES = Number(process.env.TRIES ?? 7);
const browser = await chromium.launch({ executablePath: process.env.BROWSER ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"] });
const told = (name, times) => {
    const sorted = [...times].sort((a, b) => a - b);
    console.log(`${name.padEnd(58)} ${sorted[sorted.length >> 1].toFixed(0).padStart(5)} ${sorted[sorted.length - 1].toFixed(0).padStart(6)}`);
};
const idle = async (page) => {
    await page.waitForSelector("article.lesson");
    for (let i = 0; i < 1500 && (await page.$$eval(".demo", (d) => d.some((x) => x.dataset.state === "busy"))); i++) await page.waitForTimeout(20);
};
console.log(`${"ms".padEnd(58)} median  worst`);

const view = [], contentful = [];
for (let i = 0; i < TRIES; i++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } }), page = await context.newPage(); // an empty cache
    await page.goto(`${address}/#one_model`, { waitUntil: "commit" });
    await page.waitForSelector("article.lesson h1");
    view.push(await page.evaluate(() => performance.now()));
    await idle(page);
    contentful.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0));
    await context.close();
}
told("first view: first contentful paint", contentful);
told("first view: the lesson's text and controls stand", view);

// From the key that moves a slider until the page has changed and painted, by the browser's own clock; and until the engine's answer is
// drawn, where it is asked.
for (const section of ["attention", "paradigms", "dominance", "memory", "playground"]) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(`${address}/#${section}`);
    await idle(page);
    const names = await page.$$eval("main input[type=range]", (all) => all.map((x) => `${x.closest(".demo").dataset.demo}: ${x.labels[0].textContent}`));
    for (let k = 0; k < names.length; k++) {
        const shown = [], answered = [];
        for (let i = 0; i < TRIES; i++) {
            const input = page.locator("main input[type=range]").nth(k);
            if (!(await input.count())) continue;
            const up = i % 2 === 0;
            const times = await input.evaluate(
                (x, up) =>
                    new Promise((done) => {
                        const before = x.value, began = performance.now(), demo = x.closest(".demo");
                        up ? x.stepUp() : x.stepDown();
                        if (x.value === before) up ? x.stepDown() : x.stepUp();
                        x.dispatchEvent(new Event("input", { bubbles: true }));
                        let painted = 0;
                        const look = () => {
                            const now = performance.now() - began;
                            painted ||= now; // the frame after the one in which the change was made
                            if (demo.dataset.state === "busy") requestAnimationFrame(look);
                            else done([painted, now]);
                        };
                        requestAnimationFrame(() => requestAnimationFrame(look));
                    }),
                up,
            );
            shown.push(times[0]);
            answered.push(times[1]);
        }
        if (shown.length) told(`${section}, ${names[k]}: painted`, shown);
        if (answered.length && Math.max(...answered) > Math.max(...shown) + 1) told(`${section}, ${names[k]}: the engine's answer drawn`, answered);
    }
    await page.close();
}
await browser.close();
