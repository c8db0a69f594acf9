// dom.ts - elements made in one call. Nothing on the page is made from a string of HTML, so no text can become markup.

export type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, unknown>;

function fill(node: Element, attributes: Attributes, children: Child[]): void {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === undefined || value === null || value === false) continue;
        if (name.startsWith("on") && typeof value === "function") node.addEventListener(name.slice(2), value as EventListener);
        else if (name === "style" && typeof value === "object") {
            for (const [k, v] of Object.entries(value as Record<string, string>)) (node as HTMLElement).style.setProperty(k, v);
        } else node.setAttribute(name, value === true ? "" : String(value));
    }
    append(node, children);
}

export function append(node: Node, children: Child[]): void {
    for (const c of children) {
        if (c === null || c === undefined || c === false) continue;
        node.appendChild(c instanceof Node ? c : document.createTextNode(String(c)));
    }
}

export function el<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
    const node = document.createElement(tag);
    fill(node, attributes, children);
    return node;
}

export function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[K] {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    fill(node, attributes, children);
    return node;
}

export function replace(node: Element, ...children: Child[]): void {
    node.textContent = "";
    append(node, children);
}

let last = 0;
// A name for what a label or a description points to.
export const unique = (what: string): string => `${what}-${++last}`;
