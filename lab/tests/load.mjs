// load.mjs - a source of the page as a module of node, by the bundler that builds the page.
import { build } from "esbuild";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const top = join(dirname(fileURLToPath(import.meta.url)), "..");

export async function load(path) {
    const out = await build({ absWorkingDir: top, entryPoints: [path], bundle: true, write: false, format: "esm", platform: "neutral", external: ["katex"] });
    return import("data:text/javascript;base64," + Buffer.from(out.outputFiles[0].contents).toString("base64"));
}
