// Pictures and texts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/io.h"
#include "report/html.h"
#include "report/section.h"

namespace glia::report {
namespace {

constexpr size_t kMostPictures = 400, kMostTexts = 200;  // in a section

std::string figure(const Images::Picture& picture, int64_t width) {
  if (!picture.image.defined()) throw IoError("picture \"" + picture.caption + "\" is undefined");
  const std::string png = io::base64(io::encode_png(picture.image));
  std::string caption;
  if (!picture.caption.empty()) caption += "<b>" + escaped(picture.caption) + "</b>";
  if (!picture.detail.empty()) caption += "<span>" + escaped(picture.detail) + "</span>";
  return fmt::format("<figure><img{} alt='{}' src='data:image/png;base64,{}'>{}</figure>\n",
                     picture.image.size(1) <= width ? " class='pixels'" : "",
                     escaped(picture.caption.empty() ? "picture" : picture.caption), png,
                     caption.empty() ? "" : "<figcaption>" + caption + "</figcaption>");
}

}  // namespace

std::string html_of(const Images& images, const std::string&) {
  const int64_t width = std::clamp<int64_t>(images.width, 16, 2000);
  size_t given = 0, left = kMostPictures;
  std::string out;
  for (const auto& [title, pictures] : images.groups) {
    given += pictures.size();
    const size_t count = std::min(left, pictures.size());
    if (count == 0) continue;
    left -= count;
    if (!title.empty()) out += "<h3>" + escaped(title) + "</h3>\n";
    out += fmt::format("<div class='pictures' style='--width:{}px'>\n", width);
    for (size_t i = 0; i < count; ++i) out += figure(pictures[i], width);
    out += "</div>\n";
  }
  if (given == 0) return nothing();
  if (given > kMostPictures)
    out += remark(fmt::format("The first {} of {} are shown.", kMostPictures,
                              counted(static_cast<int64_t>(given), "picture")));
  return out;
}

std::string html_of(const Texts& texts, const std::string&) {
  const size_t count = std::min(texts.texts.size(), kMostTexts);
  if (count == 0) return nothing();
  double largest = 0;
  bool positive = false, negative = false;
  for (const auto& text : texts.texts) {
    for (const auto& span : text.spans) {
      if (std::isfinite(span.weight)) largest = std::max(largest, std::abs(span.weight));
      positive = positive || span.weight > 0;
      negative = negative || span.weight < 0;
    }
  }
  const auto marked = [&](const Texts::Span& span) {
    const std::string text = escaped(span.text);
    if (span.weight == 0) return text;
    const double part = std::isnan(span.weight)                   ? 0
                        : std::isinf(span.weight) || largest == 0 ? 1
                                                                  : std::abs(span.weight) / largest;
    return fmt::format("<mark class='{}' style='--part:{:.0f}%' title='{}'>{}</mark>",
                       span.weight < 0 ? "low" : "high", 60 * part, shown(span.weight), text);
  };
  std::string keys;
  if (positive) keys += key(0, "block", "positive", negative ? "" : "up to " + shown(largest));
  if (negative) keys += key(1, "block", "negative", "up to " + shown(largest));
  std::string out = legend(keys);
  for (size_t i = 0; i < count; ++i) {
    const auto& [title, spans] = texts.texts[i];
    if (!title.empty()) out += "<h3>" + escaped(title) + "</h3>\n";
    out += "<div class='text' dir='auto'>";
    for (const auto& span : spans) out += marked(span);
    out += "</div>\n";
  }
  if (count < texts.texts.size())
    out += remark(fmt::format("The first {} of {} are shown.", count,
                              counted(static_cast<int64_t>(texts.texts.size()), "text")));
  return out;
}

}  // namespace glia::report
