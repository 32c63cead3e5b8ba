/** How a report looks: on a phone, on a screen in light and dark, and on paper (A4). The tokens are those of the application. */
import { createHash } from "node:crypto";

export const STYLE = `:root{color-scheme:light dark;--bg:#fff;--sunk:#f4f4f1;--line:#e6e6e1;--strong:#cfcfc8;--text:#1b1e21;--text2:#53585e;--accent:#1458a3;--ok:#0b7457;--oks:#e2f2ec;--watch:#8a5a00;--watchs:#fbf0d9;--bad:#b8380c;--bads:#fbe7df;--idle:#5f656b;--idles:#eeeeea;--s0:#0f5ea8;--s1:#8a4f9e;--s2:#b57d12;--s3:#0b7457;--s4:#b83f08;--s5:#85858d}
@media (prefers-color-scheme:dark){:root{--bg:#14181b;--sunk:#0b0e10;--line:#252b30;--strong:#39414a;--text:#e9ebec;--text2:#adb4ba;--accent:#74b3f2;--ok:#52c59d;--oks:#10291f;--watch:#e0ab4f;--watchs:#2c210b;--bad:#ff8a5c;--bads:#331a10;--idle:#8f979e;--idles:#1d2226;--s0:#6cb2f2;--s1:#c795d8;--s2:#d9a94d;--s3:#52c59d;--s4:#ff8a4a;--s5:#82868d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 "Inter Variable",Inter,ui-sans-serif,system-ui,"Segoe UI",sans-serif;overflow-wrap:break-word}
main{max-width:68rem;margin:0 auto;padding:1.5rem 1.25rem 3rem}
header p,.quiet{color:var(--text2)}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.2rem;line-height:1.25;margin:2.5rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--strong)}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
p,ul,ol,dl{margin:.4rem 0;max-width:48rem}
ul,ol{padding-left:1.25rem}
li{margin:.2rem 0}
a{color:var(--accent)}
nav ul{columns:2;list-style:none;padding:0}nav li{margin:0;padding:.2rem 0}
.short{background:var(--sunk);border-radius:8px;padding:.75rem 1rem;margin:1rem 0}
.short ul{margin:.25rem 0}
.short h2{border:0;margin:0;padding:0;font-size:1rem}
.scroll{overflow-x:auto;margin:.5rem 0 1rem}
.scroll:focus-visible{outline:2px solid var(--accent)}
table{border-collapse:collapse;width:100%;font-size:.8125rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--text2);padding:.25rem 0;font-size:.8125rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--text2);font-weight:500;vertical-align:bottom}
tbody th{font-weight:500}
.n{text-align:right;white-space:nowrap}
thead .n{white-space:normal}.n+:not(.n){padding-left:.6rem}
figure{margin:.5rem 0 1rem}
small{display:block;color:var(--text2);white-space:nowrap}
code{font-family:"JetBrains Mono",ui-monospace,Menlo,monospace;font-size:.8em;overflow-wrap:anywhere}
.tag{display:inline-block;border-radius:3px;padding:0 .4rem;white-space:nowrap;background:var(--idles);color:var(--idle)}
.tag.ok{background:var(--oks);color:var(--ok)}.tag.watch{background:var(--watchs);color:var(--watch)}.tag.bad{background:var(--bads);color:var(--bad)}
svg{display:block}
.bars{width:100%;height:8rem}
.bars .base{stroke:var(--strong)}
.ends{display:flex;justify-content:space-between;color:var(--text2);font-size:.75rem}
.strip{width:100%;min-width:8rem;height:1.25rem}
.strip .axis{stroke:var(--line)}.strip .limit{stroke:var(--bad);stroke-dasharray:3 3}.strip .even{stroke:var(--strong)}.strip .range{fill:var(--s0);opacity:.3}.strip .value{stroke:var(--s0);stroke-width:3}
.spread{width:9rem;height:2rem}.spread .before{fill:var(--strong)}.spread .now{fill:none;stroke:var(--s0);stroke-width:2;vector-effect:non-scaling-stroke}
svg line{vector-effect:non-scaling-stroke}
.s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}.s4{fill:var(--s4)}.s5{fill:var(--s5)}
.key{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0;font-size:.8125rem}
.key svg{display:inline-block;width:.75rem;height:.75rem;vertical-align:-1px}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem 1rem}
dt{color:var(--text2)}dd{margin:0;overflow-wrap:anywhere}dd small,td:last-child small{white-space:normal}
details summary{cursor:pointer;color:var(--accent)}
@media (max-width:40rem){main{padding:1rem}nav ul{columns:1}dl{grid-template-columns:minmax(0,1fr)}dt{margin-top:.4rem}}
@media print{@page{size:A4;margin:16mm 14mm}:root{color-scheme:light;--bg:#fff;--sunk:#f4f4f1;--line:#d8d8d2;--strong:#aaa;--text:#000;--text2:#444;--accent:#000;--ok:#0b7457;--oks:#fff;--watch:#8a5a00;--watchs:#fff;--bad:#b8380c;--bads:#fff;--idle:#444;--idles:#fff;--s0:#0f5ea8;--s1:#8a4f9e;--s2:#b57d12;--s3:#0b7457;--s4:#b83f08;--s5:#85858d}
body{font-size:9.5pt}main{max-width:none;padding:0}nav{display:none}.scroll{overflow:visible}table,caption,.key,small{font-size:8pt}th,td{padding:.2rem .4rem .2rem 0}h2{break-after:avoid;margin-top:1.5rem}h3,caption,thead{break-after:avoid}tr,.short,figure,.bars{break-inside:avoid}thead{display:table-header-group}.strip{min-width:3.5rem}small,.n,.tag{white-space:normal}.tag{border:1px solid currentColor}*{print-color-adjust:exact}}`;

/** What a browser may do with the page: show it, in its own style. It asks the network for nothing. */
export const REPORT_POLICY = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; base-uri 'none'; form-action 'none'`;
