#include "recipes/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/io.h"

namespace glia::recipes {
namespace {

constexpr const char* kStyle = R"(
:root {
  --page: #f6f7f9; --card: #ffffff; --ink: #1c2430; --soft: #657083; --line: #dfe3ea;
  --main: #2563eb; --other: #e07b00; --heat: 37, 99, 235;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --card: #1a2029; --ink: #e8ecf2; --soft: #98a3b5; --line: #303947;
    --main: #74a7ff; --other: #ffb054; --heat: 116, 167, 255;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: clamp(12px, 3vw, 36px); max-width: 1240px;
  background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { font-size: clamp(24px, 4vw, 34px); line-height: 1.2; margin: 0; }
h2 { font-size: 18px; margin: 0 0 12px; }
p { margin: 4px 0 20px; color: var(--soft); }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: clamp(12px, 2vw, 22px); min-width: 0;
}
section p { margin: -8px 0 12px; font-size: 13px; }
.page { display: grid; gap: 16px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.wide { grid-column: 1 / -1; }
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); }
.tile b { display: block; font-size: 24px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 12px; fill: var(--soft); }
.grid { stroke: var(--line); }
.s0 { --c: var(--other); } .s1 { --c: var(--main); }
path { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
circle { fill: var(--c); }
.key { display: inline-flex; align-items: center; margin-right: 16px; font-size: 13px; }
.key::before {
  content: ""; width: 16px; height: 3px; border-radius: 2px; margin-right: 6px; background: var(--c);
}
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
.confusion { width: 100%; table-layout: fixed; font-size: clamp(10px, 1.1vw, 13px); }
.confusion th { font-weight: normal; color: var(--soft); white-space: nowrap; }
.confusion th:first-child { width: 78px; text-align: right; padding-right: 6px; }
.confusion thead th { height: 80px; vertical-align: bottom; padding-bottom: 4px; }
.confusion thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.confusion td { text-align: center; height: 30px; padding: 0; border: 1px solid var(--card); }
.confusion td.hit { outline: 1px solid var(--main); outline-offset: -2px; font-weight: 600; }
.bars { display: grid; grid-template-columns: auto 1fr auto; gap: 9px 10px; align-items: center; }
.bars i { display: block; height: 12px; border-radius: 3px; background: var(--main); }
.bars div { background: var(--line); border-radius: 3px; }
.bars span { font-size: 13px; font-variant-numeric: tabular-nums; }
.mistakes { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); }
figure { margin: 0; font-size: 12px; line-height: 1.35; }
figure img { width: 100%; display: block; image-rendering: pixelated; border-radius: 6px; }
figcaption { margin-top: 5px; } figcaption span { color: var(--soft); }
.settings { display: grid; gap: 2px 24px; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); }
.settings div { display: flex; justify-content: space-between; border-bottom: 1px solid var(--line); }
.settings span { color: var(--soft); }
@media (max-width: 760px) { .page { grid-template-columns: minmax(0, 1fr); } }
)";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string shown(double value, bool percent) {
  return percent ? fmt::format("{:.2f} %", 100 * value) : fmt::format("{:.4f}", value);
}

// A step of 1, 2 or 5 times a power of ten that divides `range` into about `parts`.
double round_step(double range, int parts) {
  const double rough = range / parts, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double digit : {1, 2, 5})
    if (digit * power >= rough * 0.999) return digit * power;
  return 10 * power;
}

std::string chart(const Curve& curve) {
  constexpr double kWidth = 460, kHeight = 270, kLeft = 46, kRight = 10, kTop = 8, kBottom = 34;
  double low = INFINITY, high = -INFINITY;
  size_t epochs = 0;
  for (const auto& [name, values] : curve.series) {
    epochs = std::max(epochs, values.size());
    for (const double v : values) {
      if (!std::isfinite(v)) continue;
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  if (low > high) low = 0, high = 1;
  const double step = round_step(std::max(high - low, 1e-3), 4);
  low = std::floor(low / step) * step;
  high = std::ceil(high / step + 1e-9) * step;
  const auto x = [&](size_t epoch) {  // from 1
    const double part = epochs > 1 ? (epoch - 1.0) / (epochs - 1.0) : 0.5;
    return kLeft + part * (kWidth - kLeft - kRight);
  };
  const auto y = [&](double v) {
    return kHeight - kBottom - (v - low) / (high - low) * (kHeight - kTop - kBottom);
  };

  std::string svg = fmt::format("<svg viewBox='0 0 {} {}' role='img' aria-label='{} by epoch'>\n",
                                kWidth, kHeight, escaped(curve.title));
  const int digits =
      std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)) - (curve.percent ? 2 : 0));
  for (int i = 0; low + i * step <= high + step / 2; ++i) {
    const double v = low + i * step;
    svg += fmt::format(
        "<line class='grid' x1='{0}' x2='{1}' y1='{2:.1f}' y2='{2:.1f}'/>"
        "<text x='{3}' y='{4:.1f}' text-anchor='end'>{5:.{6}f}{7}</text>\n",
        kLeft, kWidth - kRight, y(v), kLeft - 6, y(v) + 4, curve.percent ? 100 * v : v, digits,
        curve.percent ? " %" : "");
  }
  const size_t every = std::max<size_t>(
      1, static_cast<size_t>(round_step(std::max<double>(static_cast<double>(epochs), 2), 10)));
  for (size_t e = every; e <= epochs; e += every)
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>\n", x(e),
                       kHeight - kBottom + 17, e);
  svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>epoch</text>\n",
                     (kLeft + kWidth - kRight) / 2, kHeight - 2);

  std::string key;
  for (size_t s = 0; s < curve.series.size(); ++s) {
    const auto& [name, values] = curve.series[s];
    std::string path, points;
    for (size_t e = 1; e <= values.size(); ++e) {
      const double v = values[e - 1];
      if (!std::isfinite(v)) continue;
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', x(e), y(v));
      points += fmt::format(
          "<circle cx='{:.1f}' cy='{:.1f}' r='3'><title>{}, epoch {}: {}</title>"
          "</circle>",
          x(e), y(v), escaped(name), e, shown(v, curve.percent));
    }
    svg += fmt::format("<g class='s{}'><path d='{}'/>{}</g>\n", s % 2, path, points);
    key += fmt::format("<span class='key s{}'>{}</span>", s % 2, escaped(name));
  }
  return fmt::format("<section><h2>{}</h2>{}{}</svg></section>\n", escaped(curve.title), key, svg);
}

std::string confusion_table(const Report& report) {
  std::string out =
      "<section><h2>Confusion matrix</h2><p>Rows are true classes, columns what the model said; "
      "test images.</p>\n<table class='confusion'><thead><tr><th></th>";
  for (const std::string& name : report.classes)
    out += fmt::format("<th><span>{}</span></th>", escaped(name));
  out += "</tr></thead><tbody>\n";
  for (size_t truth = 0; truth < report.classes.size(); ++truth) {
    out += fmt::format("<tr><th>{}</th>", escaped(report.classes[truth]));
    int64_t total = 0;
    for (const int64_t count : report.confusion[truth]) total += count;
    for (size_t guess = 0; guess < report.classes.size(); ++guess) {
      const int64_t count = report.confusion[truth][guess];
      const double share = total ? static_cast<double>(count) / static_cast<double>(total) : 0;
      // The square root lets the few mistakes be seen beside the many hits.
      out += fmt::format(
          "<td{} style='background:rgba(var(--heat),{:.2f})' title='{} taken for {}: "
          "{}'>{}</td>",
          truth == guess ? " class='hit'" : "", 0.55 * std::sqrt(share),
          escaped(report.classes[truth]), escaped(report.classes[guess]), count,
          count ? std::to_string(count) : "");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></section>\n";
}

std::string class_bars(const Report& report) {
  std::string out = "<section><h2>Accuracy of each class</h2><div class='bars'>\n";
  for (size_t k = 0; k < report.classes.size(); ++k) {
    int64_t total = 0;
    for (const int64_t count : report.confusion[k]) total += count;
    const double share =
        total ? static_cast<double>(report.confusion[k][k]) / static_cast<double>(total) : 0;
    out += fmt::format(
        "<span>{}</span><div><i style='width:{:.1f}%'></i></div><span>{:.1f} %"
        "</span>\n",
        escaped(report.classes[k]), 100 * share, 100 * share);
  }
  return out + "</div></section>\n";
}

std::string mistake_pictures(const Report& report) {
  std::string out =
      "<section class='wide'><h2>Worst mistakes</h2><p>Test images on which the model was most "
      "certain of a wrong class.</p>\n<div class='mistakes'>\n";
  for (const Mistake& m : report.mistakes) {
    const std::string truth = escaped(report.classes[m.truth]);
    const std::string guess = escaped(report.classes[m.guess]);
    out += fmt::format(
        "<figure><img alt='{0}' src='data:image/png;base64,{1}'><figcaption><b>{2}</b><br>"
        "{3:.1f}&nbsp;% sure<br><span>is {0}</span></figcaption></figure>\n",
        truth, io::base64(io::encode_png(m.image)), guess, 100 * m.probability);
  }
  return out + "</div></section>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
      "<meta name='color-scheme' content='light dark'>\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<h1>{0}</h1>\n<p>{2}</p>\n<div class='page'>\n",
      escaped(report.title), kStyle, escaped(report.subtitle));
  out += "<section class='wide tiles'>\n";
  for (const auto& [name, value] : report.highlights)
    out += fmt::format("<div class='tile'><b>{}</b><span>{}</span></div>\n", escaped(value),
                       escaped(name));
  out += "</section>\n";
  for (const Curve& curve : report.curves) out += chart(curve);
  out += confusion_table(report) + class_bars(report);
  if (!report.mistakes.empty()) out += mistake_pictures(report);
  out += "<section class='wide'><h2>Settings</h2><div class='settings'>\n";
  for (const auto& [name, value] : report.settings)
    out += fmt::format("<div><span>{}</span>{}</div>\n", escaped(name), escaped(value));
  return out + "</div></section>\n</div>\n</body>\n</html>\n";
}

}  // namespace glia::recipes
