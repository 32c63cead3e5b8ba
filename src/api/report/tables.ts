/** Tables of a report: with a caption, headings of columns and rows, and a region of their own to scroll in where they are wide. */
import { html, type Markup } from "./markup.ts";

export type Cell = Markup | string;
export interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
}

/** The first cell of a row is its heading. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): Markup {
  const head = columns.map(({ name, isNumber }) => html`<th scope="col" ${isNumber ? NUMBER : null}>${name}</th>`);
  const body = rows.map(
    (row) =>
      html`<tr>
        ${row.map((cell, i) =>
          i === 0 ? html`<th scope="row">${cell}</th>` : html`<td${columns[i]?.isNumber ? NUMBER : null}>${cell}</td>`,
        )}
      </tr>`,
  );
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}
const NUMBER = html` class="n"`;

export const number = (name: string): Column => ({ name, isNumber: true });
export const column = (name: string): Column => ({ name });

/** A word that is also coloured; never a colour alone. */
export const tag = (word: string, kind: "ok" | "watch" | "bad" | "idle"): Markup => html`<span class="tag ${kind}">${word}</span>`;
export const code = (text: string): Markup => html`<code>${text}</code>`;
