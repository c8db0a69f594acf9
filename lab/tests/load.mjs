// load.mjs - a source of the page as a module of node, by the bundler that builds the page.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

export const top = join(dirname(fileURLToPath(import.meta.url)), "..");

export async function load(path) {
    const { output } = await build({ root: top, configFile: false, logLevel: "silent", ssr: { noExternal: true }, build: { ssr: path, write: false } });
    return import("data:text/javascript;base64," + Buffer.from(output[0].code).toString("base64"));
}
