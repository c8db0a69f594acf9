// vite.config.mjs - the page as a few files in dist/, which the CMake build embeds into the binary. Fails when it grows past its limit.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const LIMIT = 1.5 * 1024 * 1024; // bytes, compressed, all files together
// `npm run dev` serves the sources as they change, and asks a running `trine lab` for all else.
const engine = process.env.ENGINE ?? "http://127.0.0.1:8080", routes = ["/health", "/v1", "/models", "/tasks", "/tokenize", "/trace", "/plan", "/fit", "/runs"];

// woff2 alone: every browser of the last ten years reads it.
const oneFormat = {
    name: "one-format",
    enforce: "pre",
    transform: (code, id) => (id.endsWith("katex.min.css") ? code.replace(/,url\([^)]*\) format\("(woff|truetype)"\)/g, "") : null),
};

// The licences of what is inside travel with it.
const licences = {
    name: "licences",
    generateBundle(_, bundle) {
        const inside = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
        const folders = new Set(inside.flatMap((id) => /^\0?(.*\/node_modules\/(@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? []));
        const texts = [...folders].sort().map((folder) => {
            const name = folder.split("/node_modules/").pop(), file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
            return `${name}\n\n${readFileSync(join(folder, file), "utf8")}`;
        });
        this.emitFile({ type: "asset", fileName: "assets/licences.txt", source: texts.join("\n\n----\n\n") });
    },
};

const weighed = {
    name: "weighed",
    writeBundle(_, bundle) {
        const files = Object.values(bundle), packed = files.reduce((sum, file) => sum + gzipSync(file.code ?? file.source).length, 0);
        console.log(`lab: ${files.length} files, ${(packed / 1024).toFixed(0)} KiB compressed`);
        if (packed > LIMIT) this.error(`more than the ${LIMIT / 1024} KiB that a page may take`);
    },
};

export default defineConfig({
    plugins: [oneFormat, licences, weighed],
    build: {
        target: "es2020",
        assetsInlineLimit: 0, // the page's policy takes fonts from its server alone
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: LIMIT / 1024,
        rollupOptions: { output: { entryFileNames: "assets/lab.js", chunkFileNames: "assets/[name]-[hash].js", assetFileNames: "assets/[name][extname]" } },
    },
    // As if the engine's own page asked: it refuses others.
    server: { proxy: Object.fromEntries(routes.map((route) => [route, { target: engine, changeOrigin: true, headers: { origin: engine } }])) },
});
