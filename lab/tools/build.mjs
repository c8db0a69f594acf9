// build.mjs - the page as a few files in dist/, which the CMake build embeds into the binary. Fails when it grows past its limit.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LIMIT = 1.5 * 1024 * 1024; // bytes, compressed, all files together
const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(top, "dist");

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, "assets"), { recursive: true });
await build({
    absWorkingDir: top,
    entryPoints: { lab: "src/main.ts" },
    outdir: join(dist, "assets"),
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2020",
    minify: true,
    // woff2 alone: every browser of the last ten years reads it.
    loader: { ".woff2": "file", ".woff": "empty", ".ttf": "empty", ".md": "text" },
    assetNames: "[name]",
    chunkNames: "[name]-[hash]",
    legalComments: "none",
    logLevel: "warning",
});
copyFileSync(join(top, "index.html"), join(dist, "index.html"));
// The licences of what is inside travel with it.
const licences = ["katex", "@xterm/xterm"].map((name) => {
    const folder = join(top, "node_modules", name);
    const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
    return `${name}\n\n${readFileSync(join(folder, file), "utf8")}`;
});
writeFileSync(join(dist, "assets", "licences.txt"), licences.join("\n\n----\n\n"));

const walk = (folder) =>
    readdirSync(folder).flatMap((f) => (statSync(join(folder, f)).isDirectory() ? walk(join(folder, f)) : [join(folder, f)]));
const files = walk(dist);
const packed = files.reduce((sum, f) => sum + gzipSync(readFileSync(f)).length, 0);
console.log(`lab: ${files.length} files, ${(packed / 1024).toFixed(0)} KiB compressed`);
if (packed > LIMIT) {
    console.error(`lab: more than the ${LIMIT / 1024} KiB that a page may take`);
    process.exit(1);
}
