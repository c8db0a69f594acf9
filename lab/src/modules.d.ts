declare module "katex" {
    interface Options {
        displayMode?: boolean;
        output?: "html" | "mathml" | "htmlAndMathml";
        throwOnError?: boolean;
        strict?: boolean;
        trust?: (context: { command: string }) => boolean;
    }
    const katex: { render(tex: string, into: HTMLElement, options?: Options): void };
    export default katex;
}
