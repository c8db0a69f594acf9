// shots.mjs ADDRESS OUT [NAME...] - pictures of the parts of a running lab, in both languages, for the documents (docs/lab). The challenge is shown
// graded, by the newest run on long documents of 150 and 1,000 tokens in the record, when there is one.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [address, out, ...only] = process.argv.slice(2);
const shots = [
    ["one_model", "#one_model", 1500],
    ["attention", "#attention", 1500],
    ["masks", "#attention/masks?mask=prefix&size=4", 1250],
    ["tiles", "#attention/tiles", 1250],
    ["paradigms", "#paradigms", 1250],
    ["gpt", "#paradigms/gpt", 1250],
    ["t5", "#paradigms/t5", 1500],
    ["dominance", "#dominance", 1500],
    ["memory", "#memory/fits?fx=24", 1250],
    ["arch_comparison", "#arch_comparison", 1250],
    ["quiz", "#quiz", 1250],
    ["playground", "#playground/attention", 1250],
];
const { record } = await (await fetch(`${address}/runs`)).json();
const graded = record.find((r) => r.experiment === "long-document");
if (graded) shots.push(["challenge", `#challenge?ac=1000&at=q8_0&am=16&a1=encoder-decoder&a2=5&a3=0.7&a4=beginning&a5=yes&ar=${graded.id}`, 1500, "[data-demo=bottleneck] > h3:last-of-type"]);
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.BROWSER ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"] });
// As WebP, by the browser itself: a fifth of a PNG's bytes.
const encoder = await browser.newPage();
const webp = async (png) => {
    const url = await encoder.evaluate(async (data) => {
        const image = new Image();
        image.src = `data:image/png;base64,${data}`;
        await image.decode();
        const canvas = document.createElement("canvas");
        canvas.width = image.width;
        canvas.height = image.height;
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL("image/webp", 0.85);
    }, png.toString("base64"));
    return Buffer.from(url.split(",")[1], "base64");
};
for (const [lang, colorScheme] of [
    ["en", "light"],
    ["zh", "light"],
    ["zh", "dark"],
])
    for (const [name, place, height, at] of shots) {
        if (only.length && !only.includes(name)) continue;
        if (colorScheme === "dark" && name !== "masks") continue;
        const page = await browser.newPage({ viewport: { width: 1200, height }, colorScheme, reducedMotion: "reduce" });
        await page.goto(`${address}/${place}${place.includes("?") ? "&" : "?"}lang=${lang}`);
        await page.waitForSelector("article.lesson");
        for (let i = 0; i < 400 && (await page.$$eval(".demo", (d) => d.some((x) => x.dataset.state === "busy"))); i++) await page.waitForTimeout(50);
        if (name === "quiz") await page.locator("[data-question=why-decoders] input").nth(2).check();
        const anchor = place.split("?")[0].split("/")[1];
        if (anchor) await page.evaluate((id) => document.getElementById(id).scrollIntoView(), anchor);
        if (at) {
            await page.waitForSelector(".solution");
            await page.evaluate((selector) => document.querySelector(selector).scrollIntoView(), at);
        }
        await page.waitForTimeout(150);
        writeFileSync(join(out, `${name}.${lang}${colorScheme === "dark" ? ".dark" : ""}.webp`), await webp(await page.screenshot()));
        if (process.env.PNG) writeFileSync(join(process.env.PNG, `${name}.${lang}.png`), await page.screenshot());
        await page.close();
    }
await browser.close();
