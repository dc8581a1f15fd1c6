#include "report/page.h"

namespace glia::report {

// Colours: eight that stay apart for colour-blind readers (after Okabe and Ito), s0 to s7.
const char* const kStyle = R"(
:root {
  --page: #f6f7f9; --card: #ffffff; --ink: #1c2430; --soft: #5d687a; --line: #e1e5eb;
  --s0: #1f66d6; --s1: #dd7a00; --s2: #00906a; --s3: #bf3f93; --s4: #31a3d9; --s5: #8c4a1d;
  --s6: #6d7686; --s7: #a89400;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --card: #1a2029; --ink: #e8ecf2; --soft: #9aa5b6; --line: #2e3744;
    --s0: #6ea8ff; --s1: #ffae4a; --s2: #3fcb9c; --s3: #ef8bc9; --s4: #86d8fb; --s5: #c98f63;
    --s6: #a3aebd; --s7: #e3d54c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: clamp(12px, 3vw, 36px); max-width: 1240px;
  background: var(--page); color: var(--ink); overflow-wrap: anywhere;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { font-size: clamp(24px, 4vw, 34px); line-height: 1.2; margin: 0; }
h2 { font-size: 17px; line-height: 1.3; margin: 0 0 10px; }
h3 { font-size: 13px; line-height: 1.3; margin: 0 0 6px; }
p { margin: 4px 0 20px; color: var(--soft); }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: clamp(12px, 2vw, 22px); min-width: 0; display: flex; flex-direction: column;
}
section > p { margin: -6px 0 12px; font-size: 13px; }
section > p.small { margin: 10px 0 0; font-size: 12px; }
.page { display: grid; gap: 16px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.wide { grid-column: 1 / -1; }
section.tiles { display: grid; gap: 12px 20px; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); }
.tile b { display: block; font-size: 24px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.settings { display: grid; gap: 2px 28px; font-size: 13px; }
.settings { grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)); }
.settings div { display: flex; justify-content: space-between; gap: 12px; padding: 3px 0; }
.settings div { border-bottom: 1px solid var(--line); }
.settings span { color: var(--soft); }
.settings b { font-weight: normal; text-align: right; }

.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .s7 { --c: var(--s7); }
.keys { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-bottom: 10px; font-size: 13px; }
.key { display: inline-flex; align-items: baseline; gap: 6px; }
.key small { color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.key::before {
  content: ""; flex: none; width: 18px; align-self: center; border-top: 3px solid var(--c);
}
.key.r1::before { border-top-style: dashed; } .key.r2::before { border-top-style: dotted; }
.key.dashed::before { border-top: 2px dashed var(--soft); }
.key.point::before { width: 10px; height: 10px; border: 0; border-radius: 5px; background: var(--c); }
.key.point.r1::before { border-radius: 0; }
.key.point.r2::before { border-radius: 5px; background: none; border: 3px solid var(--c); }
.key.block::before { width: 12px; height: 12px; border: 2px solid var(--c); border-radius: 3px; }
.key.block::before { background: color-mix(in srgb, var(--c) 35%, transparent); }

.plot { display: flex; flex-direction: column; flex: 1; font-size: 12px; color: var(--soft); }
.plot { font-variant-numeric: tabular-nums; line-height: 16px; }
.area { position: relative; touch-action: pan-y; }
.plot .area { flex: 1; min-height: 230px; margin: 8px 16px 24px calc(var(--w) + 8px); }
.wide > .plot .area { min-height: 290px; }
.plot.equal { flex: none; width: 100%; margin: 0 auto; }
.plot.equal { max-width: calc(var(--most) * var(--ratio) + var(--w) + 24px); }
.plot.equal .area { flex: none; min-height: 0; aspect-ratio: var(--ratio); }
.area svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.ty, .tx { position: absolute; white-space: nowrap; }
.ty { right: 100%; margin-right: 7px; transform: translateY(50%); }
.tx { top: 100%; margin-top: 7px; transform: translateX(-50%); }
.xname { text-align: center; padding-left: var(--w); } .yname { margin-bottom: 2px; }
svg path, svg rect, svg ellipse { fill: none; vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); }
.line { stroke: var(--c); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.r1 .line { stroke-dasharray: 8 5; } .r2 .line { stroke-dasharray: 1 5; }
.line.dashed { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .band { fill: var(--c); opacity: 0.18; }
svg .fill { fill: color-mix(in srgb, var(--c) 25%, transparent); stroke-width: 1.5; }
.dots { stroke: var(--c); stroke-width: 6; stroke-linecap: round; }
.dots.many { stroke-opacity: 0.75; } .dots.small { stroke-width: 4.5; }
.dots.tiny { stroke-width: 3; }
.r1 .dots { stroke-linecap: square; stroke-width: 5; }
.dots.end { stroke-width: 10; } .dots.ring { stroke-width: 11; } .dots.hole { stroke: var(--card); stroke-width: 6; }
svg .box { fill: color-mix(in srgb, var(--soft) 22%, transparent); stroke: var(--soft); }
.panels { display: grid; gap: 12px; }
.panels { grid-template-columns: repeat(auto-fit, minmax(min(100%, 168px), 1fr)); }
.panels h3 { text-align: center; margin: 0; }
.panels .plot .area { margin-right: 12px; }

.matrix {
  display: grid; gap: 4px 6px; font-size: 12px; width: 100%; color: var(--soft);
  grid-template-columns: min(30%, var(--names)) minmax(0, var(--width)); justify-content: center;
}
.corner { align-self: end; text-align: right; font-size: 11px; line-height: 1.25; }
.corner span { display: block; }
.top, .side { display: flex; min-width: 0; min-height: 0; line-height: 1.15; }
.top { container-type: inline-size; height: min(110px, var(--heads) * 0.9 + 4px); }
.side { container-type: size; flex-direction: column; }
.top span, .side span {
  flex: 1 1 0; min-width: 0; min-height: 0; display: flex; align-items: center; overflow: hidden;
}
.top span { writing-mode: vertical-rl; transform: rotate(180deg); }
.side span { justify-content: flex-end; }
.top i, .side i {
  font-style: normal; min-width: 0; max-width: 100%; max-height: 100%; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap;
}
.top i { font-size: min(12px, 85cqw / var(--n)); } .side i { font-size: min(12px, 85cqh / var(--n)); }
.matrix .area { container-type: inline-size; aspect-ratio: var(--ratio); width: 100%; }
.matrix .area { min-height: min(var(--rows) * 12px, 240px); }
.matrix svg { shape-rendering: crispEdges; background: color-mix(in srgb, var(--line) 40%, transparent); }
svg .heat { fill: var(--s0); } svg .low { fill: var(--s1); }
.legible svg { opacity: 0.62; }
svg .hit { stroke: var(--s0); stroke-width: 1.5; }
.values { position: absolute; inset: 0; display: grid; color: var(--ink); line-height: 1; }
.values { grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); place-items: center; }
.values { font-size: min(13px, 150cqw / (var(--columns) * var(--longest))); }
.values { grid-auto-rows: minmax(0, 1fr); font-variant-numeric: tabular-nums; }
.values span { white-space: nowrap; }

.bars { display: grid; gap: 8px 10px; align-items: center; font-size: 13px; line-height: 1.25; }
.bars { grid-template-columns: fit-content(40%) minmax(60px, 1fr) auto; }
.bars div { position: relative; height: 14px; background: var(--line); border-radius: 3px; }
.bars i, .bars u, .bars b { position: absolute; top: 0; bottom: 0; }
.bars i { border-radius: 3px; background: var(--s0); } .bars i.low { background: var(--s1); }
.bars u { top: -4px; bottom: -4px; border-left: 2px dashed var(--ink); margin-left: -1px; }
.bars b { border-left: 1px solid var(--soft); top: -4px; bottom: -4px; }
.bars span:nth-child(3n) { text-align: right; font-variant-numeric: tabular-nums; }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: left; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; cursor: pointer; vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
td { overflow-wrap: normal; word-break: normal; } .number { text-align: right; white-space: nowrap; }
th[aria-sort=ascending]::after { content: " ↑"; } th[aria-sort=descending]::after { content: " ↓"; }

.pictures { display: grid; gap: 14px; margin-bottom: 12px; }
.pictures { grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--width)), 1fr)); }
.pictures:last-child, .text:last-child { margin-bottom: 0; }
figure { margin: 0; font-size: 12px; line-height: 1.35; break-inside: avoid; }
figure img { width: 100%; display: block; border-radius: 6px; } .pixels { image-rendering: pixelated; }
figcaption { margin-top: 5px; } figcaption b, figcaption span { display: block; }
figcaption span { color: var(--soft); }
.text { white-space: pre-wrap; margin-bottom: 14px; line-height: 1.7; }
mark { color: inherit; border-radius: 3px; padding: 2px 0; --c: var(--s0); }
mark { background: color-mix(in srgb, var(--c) var(--part), transparent); } mark.low { --c: var(--s1); }

.tip {
  position: fixed; z-index: 9; pointer-events: none; padding: 6px 10px; border-radius: 6px;
  background: var(--ink); color: var(--card); font-size: 12px; line-height: 1.45; max-width: 320px;
}
.tip div { display: flex; gap: 7px; align-items: center; font-variant-numeric: tabular-nums; }
.tip i { flex: none; width: 9px; height: 9px; border-radius: 5px; background: var(--c); }
.cross { position: absolute; pointer-events: none; }
.cross.lines { top: 0; bottom: 0; border-left: 1px solid var(--soft); }
.cross.points { width: 13px; height: 13px; margin: -6.5px; border: 2px solid var(--ink); border-radius: 7px; }
.cross.cells { outline: 2px solid var(--ink); }
[hidden] { display: none !important; }
@media screen and (max-width: 760px) { .page { grid-template-columns: minmax(0, 1fr); } }
@media print, screen and (max-width: 760px) {
  .many span { overflow: visible; } .many span:nth-child(even) i { visibility: hidden; }
  .many i { max-height: none; overflow: visible; }
  .top.many i { font-size: min(12px, 170cqw / var(--n)); max-height: 100%; }
  .side.many i { font-size: min(12px, 170cqh / var(--n)); max-width: 100%; }
}
@media print {
  @page { margin: 12mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { padding: 0; max-width: none; --page: #ffffff; font-size: 13px; }
  section, figure, tr, .tile { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
}
)";

}  // namespace glia::report
