/** The one style sheet of the pages that the api makes itself; nothing is loaded from elsewhere. */
export const pageStyle = `
:root{color-scheme:light dark;--ink:#1c2024;--soft:#60646c;--paper:#fcfcfd;--card:#fff;--line:#e0e1e6;--code:#f4f4f7;--get:#0a6b4f;--post:#0b57a4;--delete:#a32a1c;--accent:#0b57a4}
@media (prefers-color-scheme:dark){:root{--ink:#edeef0;--soft:#a5abb5;--paper:#111214;--card:#18191b;--line:#2e3035;--code:#212327;--get:#5fd0a8;--post:#7cb8ff;--delete:#ff9a8b;--accent:#7cb8ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 5rem;max-width:62rem;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
body.narrow{max-width:26rem;padding-top:18vh}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}h2{font-size:1.3rem;margin:2.75rem 0 .75rem}h3{font-size:1rem;margin:1.25rem 0 .4rem}
p{margin:.4rem 0}a{color:var(--accent)}.soft{color:var(--soft)}
code,pre,.path{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:.875em}
code{background:var(--code);padding:.1em .35em;border-radius:4px;overflow-wrap:anywhere}
pre{background:var(--code);border-radius:6px;padding:.75rem .9rem;margin:.35rem 0;overflow-x:auto;font-size:.8125rem;line-height:1.5;tab-size:2}pre code{background:none;padding:0;overflow-wrap:normal}
nav ul{columns:2 18rem;padding:0;margin:.5rem 0;list-style:none}nav li{break-inside:avoid;padding:.1rem 0}
details.route{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:.6rem 0}
details.route>summary{cursor:pointer;padding:.7rem .9rem;display:flex;flex-wrap:wrap;gap:.2rem .75rem;align-items:baseline}
details.route[open]>summary{border-bottom:1px solid var(--line)}
.inside{padding:.25rem .9rem 1rem}
.method{font:600 .8125rem/1 ui-monospace,monospace;min-width:4rem}.GET{color:var(--get)}.POST{color:var(--post)}.DELETE{color:var(--delete)}
.path{font-weight:600;overflow-wrap:anywhere}.summary{color:var(--soft);flex-basis:100%}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line)}th{color:var(--soft);font-weight:500}
.scroll{overflow-x:auto}
details.schema>summary{cursor:pointer;color:var(--accent);font-size:.9rem;margin:.35rem 0}
form{display:grid;gap:.6rem;margin:1rem 0}input,button{font:inherit;padding:.55rem .7rem;border-radius:6px;border:1px solid var(--line);background:var(--card);color:inherit}
button{background:var(--accent);border-color:var(--accent);color:var(--paper);font-weight:600;cursor:pointer}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.problem{color:var(--delete)}
@media (max-width:32rem){nav ul{columns:1}}
`;
