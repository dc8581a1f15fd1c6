#include "report/page.h"

#include <fmt/format.h>

#include "glia/error.h"
#include "report/html.h"
#include "report/section.h"

namespace glia::report {
namespace {

std::string body_of(const Section& section) {
  const auto in_section = [&](const Error& e) {
    return "report: section \"" + section.title + "\": " + e.what();
  };
  try {
    return std::visit([&](const auto& body) { return html_of(body, section.title); }, section.body);
  } catch (const ShapeError& e) {
    throw ShapeError(in_section(e));
  } catch (const ValueError& e) {
    throw ValueError(in_section(e));
  } catch (const IoError& e) {
    throw IoError(in_section(e));
  }
}

std::string html_of(const Section& section, bool wide) {
  const std::string note = section.note.empty() ? "" : "<p>" + escaped(section.note) + "</p>\n";
  return fmt::format("<section{}>\n<h2>{}</h2>\n{}{}</section>\n", wide ? " class='wide'" : "",
                     escaped(section.title), note, body_of(section));
}

std::string facts_of(const Facts& facts, const char* row) {
  std::string out;
  for (const auto& [name, value] : facts)
    out += fmt::format(fmt::runtime(row), escaped(name), escaped(value));
  return out;
}

}  // namespace

std::string to_html(const Report& report) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
      "<meta name='color-scheme' content='light dark'>\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<h1>{0}</h1>\n<p>{2}</p>\n<div class='page'>\n",
      escaped(report.title), kStyle, escaped(report.subtitle));
  if (!report.highlights.empty())
    out += "<section class='wide tiles'>\n" +
           facts_of(report.highlights, "<div class='tile'><b>{1}</b><span>{0}</span></div>\n") +
           "</section>\n";
  const auto& sections = report.sections;
  for (size_t i = 0; i < sections.size(); ++i) {
    const bool paired = !sections[i].wide && i + 1 < sections.size() && !sections[i + 1].wide;
    out += html_of(sections[i], !paired);
    if (paired) out += html_of(sections[++i], false);
  }
  if (!report.settings.empty())
    out += "<section class='wide'>\n<h2>Settings</h2>\n<div class='settings'>\n" +
           facts_of(report.settings, "<div><span>{}</span><b>{}</b></div>\n") +
           "</div>\n</section>\n";
  return out + fmt::format("</div>\n<script>{}</script>\n</body>\n</html>\n", kScript);
}

}  // namespace glia::report
