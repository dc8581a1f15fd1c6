// Checks that HTML as reports have it is well-formed.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace glia::testing {

// Every tag closed in its order, every attribute quoted and given once, no stray < or &. Returns
// what is wrong first, with what stands there; "" if nothing is.
inline std::string fault_in_html(std::string_view page) {
  const std::set<std::string> never_closed = {"meta", "img", "br", "!doctype"};
  const auto near = [&](const std::string& what, size_t at) {
    return what + ": " + std::string(page.substr(at, 100));
  };
  const auto entity = [&](size_t at) {
    const size_t end = page.find(';', at);
    return end != page.npos && end - at < 8;
  };
  std::vector<std::string> open;
  for (size_t at = 0; at < page.size();) {
    if (page[at] != '<') {
      if (page[at] == '&' && !entity(at)) return near("stray &", at);
      ++at;
      continue;
    }
    const size_t begin = at++;
    const bool closing = page[at] == '/';
    if (closing) ++at;
    std::string name;
    while (at < page.size() &&
           (std::isalnum(static_cast<unsigned char>(page[at])) || page[at] == '!'))
      name += page[at++];
    if (name.empty()) return near("stray <", begin);
    if (closing) {
      if (open.empty() || open.back() != name) return near("closes what is not open", begin);
      if (page[at] != '>') return near("no > after", begin);
      open.pop_back();
      ++at;
      continue;
    }
    bool closed = false;
    std::set<std::string> attributes;
    while (at < page.size() && page[at] != '>') {
      if (page[at] == ' ' || page[at] == '\n') {
        ++at;
      } else if (page[at] == '/') {
        closed = true;
        ++at;
      } else {
        std::string attribute;
        while (at < page.size() &&
               (std::isalnum(static_cast<unsigned char>(page[at])) || page[at] == '-'))
          attribute += page[at++];
        if (attribute.empty()) return near("odd character in a tag", begin);
        if (!attributes.insert(attribute).second) return near("attribute given twice", begin);
        if (page[at] != '=') continue;
        const char quote = page[++at];
        if (quote != '\'' && quote != '"') return near("attribute without quotes", begin);
        const size_t end = page.find(quote, at + 1);
        if (end == page.npos) return near("attribute without an end", begin);
        for (size_t i = at + 1; i < end; ++i) {
          if (page[i] == '<') return near("< in an attribute", begin);
          if (page[i] == '&' && !entity(i)) return near("stray & in an attribute", begin);
        }
        at = end + 1;
        if (page[at] != ' ' && page[at] != '\n' && page[at] != '>' && page[at] != '/')
          return near("attributes run together", begin);
      }
    }
    if (at >= page.size()) return near("tag without an end", begin);
    ++at;
    if (name == "script" || name == "style") {  // whatever stands within is no markup
      at = page.find("</" + name + ">", at);
      if (at == page.npos) return near("no end", begin);
      at += name.size() + 3;
    } else if (!closed && !never_closed.count(name)) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "left open: " + open.back();
}

}  // namespace glia::testing
