// Reports: every kind of section, hostile text and numbers, thinning, size; and that pages are
// well-formed and need nothing from outside.
#include "glia/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "report/plot.h"
#include "tests/support/html.h"

namespace glia::report {
namespace {

using testing::fault_in_html;
using Json = nlohmann::json;
using Numbers = std::vector<double>;

Tensor tensor(const Numbers& values, const Shape& shape) { return from_vector(values, shape); }
Tensor points(const Numbers& values) {
  return tensor(values, {static_cast<int64_t>(values.size()) / 2, 2});
}

// A picture that PNG cannot make small.
Tensor noise(int64_t side, int64_t channels) {
  std::vector<uint8_t> pixels(side * side * channels);
  uint32_t state = 1;
  for (uint8_t& p : pixels) p = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return from_vector(pixels, {side, side, channels});
}

// One section of each kind; `text` stands wherever text may.
std::vector<Section> every_kind(const std::string& text) {
  return {{text,
           Curves{.series = {{text, {1, 2, 4}, {}, {0.5, 0.5, 1}}, {text, {0.1, NAN, 3}}},
                  .x = {text},
                  .y = {text},
                  .references = {{text, 2.5}}},
           text},
          {text, Bars{.bars = {{text, 1.5}, {text, -2}}, .reference = Reference{text, 1}}},
          {text, Table{.columns = {{text}, {text, true}}, .rows = {{text, 0.5}, {text, 0.25}}}},
          {text, Matrix{.rows = {text, "b"},
                        .columns = {"c", text},
                        .values = tensor({1, 2, 3, -4}, {2, 2}),
                        .row_name = text,
                        .column_name = text}},
          {text, Images{{{text, {{noise(4, 3), text, text}}}}}},
          {text, Texts{{{text, {{text, 0.5}, {text, -1}, {text}}}}}},
          {text, Scatter{.frames = {{points({0, 1, 2, 3}), {0, 1}, {text, text}, text}},
                         .classes = {text, text},
                         .x = {text}}},
          {text, Histogram{.samples = {{text, tensor({1, 2.5, 2.5}, {3})}}, .x = {text}}},
          {text, Trajectories{.paths = {{text, points({0, 0, 1, 1})}},
                              .obstacles = {{0, 0, 1, 2, true, text}, {0, 0, 1, 2, false, text}}}}};
}

Report report_of(std::vector<Section> sections) {
  return {.title = "Title", .sections = std::move(sections)};
}

std::string page_of(Section section) { return to_html(report_of({std::move(section)})); }

// The numbers that the page's script has of each chart.
std::vector<Json> data_of(const std::string& page) {
  const std::string begin = "<script type='application/json'>";
  std::vector<Json> all;
  for (size_t at = 0; (at = page.find(begin, at)) != std::string::npos;) {
    at += begin.size();
    all.push_back(Json::parse(page.substr(at, page.find("</script>", at) - at)));
  }
  return all;
}

size_t count_of(const std::string& page, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = page.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

// That all a page draws are numbers, and lie within the plots but for `slack` units of 1000.
void expect_sound(const std::string& page, double slack = 0.1) {
  EXPECT_EQ(fault_in_html(page), "");
  const std::regex path(" d='([^']*)'"), number("-?[0-9]+(\\.[0-9]+)?");
  for (std::sregex_iterator it(page.begin(), page.end(), path), end; it != end; ++it) {
    const std::string d = (*it)[1];
    EXPECT_EQ(d.find_first_not_of("MLHVhvzZ 0123456789.-"), std::string::npos) << d.substr(0, 200);
    for (std::sregex_iterator n(d.begin(), d.end(), number); n != end; ++n) {
      EXPECT_GE(std::stod(n->str()), -slack) << d.substr(0, 200);
      EXPECT_LE(std::stod(n->str()), 1000 + slack) << d.substr(0, 200);
    }
  }
  const std::regex style(" style='([^']*)'");
  for (std::sregex_iterator it(page.begin(), page.end(), style), end; it != end; ++it)
    EXPECT_FALSE(std::regex_search((*it)[1].str(), std::regex("nan|inf"))) << (*it)[1];
}

TEST(Report, EverySectionIsOnOnePageThatNeedsNothingElse) {
  Report report{.title = "A title", .subtitle = "Below it"};
  report.highlights = {{"accuracy", "92.4 %"}};
  report.settings = {{"epochs", "12"}};
  report.sections = every_kind("text");
  const char* titles[] = {"Curves", "Bars",    "Table",     "Matrix",      "Images",
                          "Texts",  "Scatter", "Histogram", "Trajectories"};
  for (size_t i = 0; i < std::size(titles); ++i) report.sections[i].title = titles[i];
  const std::string page = to_html(report);
  for (const char* title : titles)
    EXPECT_EQ(count_of(page, "<h2>" + std::string(title) + "</h2>"), 1) << title;
  for (const char* part : {"<h1>A title</h1>", "Below it", "92.4 %", "accuracy", "Settings",
                           "epochs", "data:image/png;base64,", "aria-label='Curves; text: 2.5"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("nothing to show"), std::string::npos);
  for (const char* outside : {"http", "<link", "@import", "url(", "fetch(", "src='/"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  EXPECT_EQ(count_of(page, "src="), count_of(page, "src='data:image/png;base64,"));
  EXPECT_EQ(data_of(page).size(), 5) << "curves, matrix, scatter, histogram, trajectories";
  expect_sound(page, 1e3);
}

TEST(Report, SameReportSameBytes) {
  EXPECT_EQ(to_html(report_of(every_kind("x"))), to_html(report_of(every_kind("x"))));
}

TEST(Report, TextIsNeverMarkup) {
  const std::string hostile = "</script><script>alert('1')</script><b x='\"&amp;<!-- {} %s\\";
  Report report = report_of(every_kind(hostile));
  report.title = report.subtitle = hostile;
  report.highlights = report.settings = {{hostile, hostile}};
  const std::string page = to_html(report);
  EXPECT_EQ(fault_in_html(page), "");
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<b x"), std::string::npos);
  EXPECT_EQ(page.find("<!--"), std::string::npos);
  const std::string harmless = to_html(report_of(every_kind("x")));
  EXPECT_EQ(count_of(page, "<script"), count_of(harmless, "<script"));
  EXPECT_EQ(count_of(page, "</script"), count_of(harmless, "</script"));
  const auto data = data_of(page);
  ASSERT_EQ(data.size(), 5);
  EXPECT_EQ(data[0].at("name"), hostile);
  EXPECT_EQ(data[1].at("rows")[0], hostile);
  EXPECT_EQ(data[2].at("names")[1], hostile);
}

TEST(Report, TextOfAnyScriptAndBrokenText) {
  const std::string whole = "汉字 é 😀 مرحبا";
  EXPECT_NE(page_of({whole, Curves{}}).find("<h2>" + whole + "</h2>"), std::string::npos);
  // A lone continuation, a sequence cut short, an overlong one, a surrogate, and controls.
  const std::string broken = std::string("a\x80z\xe6\xb1z\xc0\x80z\xed\xa0\x80z") + '\0' + "\x1b";
  const std::string page = to_html(report_of(every_kind(broken)));
  EXPECT_EQ(fault_in_html(page), "");
  EXPECT_NO_THROW(Json(page).dump()) << "the page is no UTF-8";
  EXPECT_NE(page.find("<h2>a\uFFFDz"), std::string::npos);
  EXPECT_EQ(page.find('\0'), std::string::npos);
}

TEST(Report, SectionsWithoutData) {
  const Tensor none = zeros({0, 2});
  const std::vector<Section> empty = {{"t", Curves{}},
                                      {"t", Curves{.series = {{"a", {}}}}},
                                      {"t", Bars{}},
                                      {"t", Table{.columns = {{"c"}}}},
                                      {"t", Matrix{.values = zeros({0, 0})}},
                                      {"t", Matrix{.columns = {"a", "b"}, .values = none}},
                                      {"t", Images{}},
                                      {"t", Images{{{"group", {}}}}},
                                      {"t", Texts{}},
                                      {"t", Scatter{}},
                                      {"t", Scatter{.frames = {{none}, {none}}}},
                                      {"t", Histogram{}},
                                      {"t", Histogram{.samples = {{"s", zeros({0})}}}},
                                      {"t", Trajectories{}},
                                      {"t", Trajectories{.paths = {{"p", none}}}}};
  const std::string page = to_html(report_of(empty));
  expect_sound(page);
  EXPECT_EQ(count_of(page, "There is nothing to show."), empty.size());
  expect_sound(to_html({}));
}

TEST(Report, NumbersThatCannotBeDrawnAreGapsAndAreCounted) {
  std::string page = page_of({"t", Curves{.series = {{"a", {1, NAN, 2, INFINITY, 3, 1e308}}}}});
  expect_sound(page);
  EXPECT_NE(page.find("3 values are left out: NaN, infinite or too large."), std::string::npos);
  EXPECT_EQ(data_of(page)[0]["series"][0]["y"][1], nullptr);
  std::smatch line;
  ASSERT_TRUE(std::regex_search(page, line, std::regex("class='line' d='([^']*)'")));
  EXPECT_EQ(count_of(line[1], "M"), 3) << "three single points";
  EXPECT_EQ(count_of(line[1], "L"), 0);

  page = page_of({"t", Curves{.series = {{"a", {0, -1, 10, 100}}}, .y = {.log = true}}});
  expect_sound(page);
  EXPECT_NE(page.find("2 values are left out: NaN, infinite or not positive"), std::string::npos);

  page = page_of({"t", Histogram{.samples = {{"a", tensor({NAN, 1, 2, -INFINITY}, {4})}}}});
  expect_sound(page);
  EXPECT_NE(page.find("2 values, mean 1.5"), std::string::npos);
  EXPECT_NE(page.find("2 values are left out"), std::string::npos);

  for (const Tensor& p : {points({NAN, 1, 2, 3, 4, INFINITY}), points({NAN, NAN})}) {
    expect_sound(page_of({"t", Scatter{.frames = {{p}}}}));
    expect_sound(page_of({"t", Trajectories{.paths = {{"p", p}}}}));
  }
  const std::string matrix = page_of({"t", Matrix{.rows = {"r"},
                                                  .columns = {"a", "b", "c"},
                                                  .values = tensor({NAN, INFINITY, 1}, {1, 3})}});
  expect_sound(matrix);
  EXPECT_NE(matrix.find("2 values are left out"), std::string::npos);
  expect_sound(page_of({"t", Bars{.bars = {{"a", NAN}, {"b", INFINITY}, {"c", -1e300}}}}));
  expect_sound(page_of({"t", Table{.columns = {{"a"}}, .rows = {{NAN}, {INFINITY}, {1e300}}}}));
  expect_sound(page_of({"t", Texts{{{"", {{"a", NAN}, {"b", INFINITY}, {"c", 1e-320}}}}}}));
}

// Any range of numbers has an axis: rising marks, different labels, and room for them.
TEST(Report, AxesOfAnyRange) {
  const double sizes[] = {0,  1e-300, 1e-9,  0.001, 0.37, 1,    7,
                          12, 999,    12345, 1e6,   3e8,  1e15, 1e300};
  int checked = 0;
  for (const double low : sizes) {
    for (const double size : sizes) {
      for (const double sign : {1.0, -1.0}) {
        for (const int flags : {0, 1, 2, 3, 4, 5, 6, 7}) {
          const Axis axis{"", (flags & 1) != 0, (flags & 2) != 0};
          const Numbers values = {sign * low, sign * low + size};
          Range range(axis);
          for (const double v : values) range.add(v);
          for (const double room : {0.0, kPanelWidth, kPlotWidth}) {
            const Scale scale =
                scale_of(range, {.labels = room, .marks = 5, .to_marks = (flags & 4) != 0});
            ASSERT_LT(scale.low, scale.high) << low << " " << size;
            double used = 0, before = -1;
            std::string last;
            for (const auto& [at, label] : scale.marks) {
              ASSERT_GE(at, -1e-3);
              ASSERT_LE(at, 1 + 1e-3);
              ASSERT_GT(at, before);
              ASSERT_NE(label, last) << low << " " << size << " " << flags;
              before = at;
              last = label;
              used += 6.5 * static_cast<double>(label.size()) + 6;
            }
            if (room > 0 && scale.marks.size() > 1) {
              ASSERT_LE(used, room) << last;
            }
            for (const double v : values) {
              if (!drawable(v, axis)) continue;
              ASSERT_GE(scale.at(v), -1e-6) << low << " " << size;
              ASSERT_LE(scale.at(v), 1 + 1e-6) << low << " " << size;
            }
            ++checked;
          }
        }
      }
    }
  }
  EXPECT_EQ(checked, 14 * 14 * 2 * 8 * 3);
}

TEST(Report, SinglePointsAndEqualValues) {
  for (const double v : {0.0, 1.0, -3.5, 1e-12, 1e12, 1e300, -1e-300}) {
    expect_sound(page_of({"t", Curves{.series = {{"a", {v}}}}}));
    expect_sound(page_of({"t", Curves{.series = {{"a", {v, v, v}, {v, v, v}}}}}));
    expect_sound(page_of({"t", Bars{.bars = {{"a", v}}}}));
    for (const bool equal : {false, true})
      expect_sound(page_of({"t", Scatter{.frames = {{points({v, v, v, v})}}, .equal = equal}}));
    expect_sound(page_of({"t", Trajectories{.paths = {{"", points({v, v})}}}}));
    expect_sound(page_of({"t", Histogram{.samples = {{"", full({3}, v, kF64)}}}}));
    expect_sound(
        page_of({"t", Matrix{.rows = {"r"}, .columns = {"c"}, .values = full({1, 1}, v, kF64)}}));
  }
}

TEST(Report, ChartsTellTheExactValues) {
  std::string page =
      page_of({"t", Curves{.series = {{"a", {0.912345, 0.5}, {10, 20}, {0.01, 0.02}}},
                           .x = {"step"},
                           .y = {.percent = true}}});
  const Json series = data_of(page)[0]["series"][0];
  EXPECT_EQ(series["x"], Json({10, 20}));
  EXPECT_EQ(series["y"], Json({91.2345, 50}));
  EXPECT_EQ(series["d"], Json({1, 2}));
  EXPECT_EQ(data_of(page)[0]["units"], Json({"", " %"}));
  EXPECT_NE(page.find("aria-label='t; a ends at 50 %'"), std::string::npos);
  // Ten million and one is told in full.
  page = page_of({"t", Scatter{.frames = {{points({10000001, -0.25})}}}});
  EXPECT_EQ(data_of(page)[0]["points"], Json({{10000001}, {-0.25}, {0}}));
}

TEST(Report, LongLinesKeepTheirPeaks) {
  Numbers values(1000000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i) * 1e-5);
  values[567891] = 50;
  values[567892] = -40;
  const std::string page = page_of({"t", Curves{.series = {{"a", values}}}});
  expect_sound(page);
  EXPECT_LT(page.size(), 100000);
  const Json drawn = data_of(page)[0]["series"][0];
  EXPECT_NE(page.find("a: " + shown(static_cast<double>(drawn["y"].size())) +
                      " of 1,000,000 points are drawn"),
            std::string::npos);
  const auto peak = std::find(drawn["y"].begin(), drawn["y"].end(), 50) - drawn["y"].begin();
  ASSERT_LT(peak, drawn["y"].size());
  EXPECT_EQ(drawn["x"][peak], 567892) << "counted from 1";
  EXPECT_EQ(drawn["y"][peak + 1], -40);
  EXPECT_EQ(drawn["x"].front(), 1);
  EXPECT_EQ(drawn["x"].back(), 1000000);
}

TEST(Report, ManyPointsAreThinnedOverAllFramesAlike) {
  Numbers values;
  std::vector<int64_t> labels;
  for (int i = 0; i < 100000; ++i) {
    values.insert(values.end(), {static_cast<double>(i % 1000), static_cast<double>(i / 1000)});
    labels.push_back(i % 10);
  }
  std::vector<std::string> classes;
  for (int k = 0; k < 10; ++k) classes.push_back("class " + std::to_string(k));
  const std::string page =
      page_of({"t", Scatter{.frames = {{points(values), labels}, {points(values), labels}},
                            .classes = classes}});
  const auto data = data_of(page);
  ASSERT_EQ(data.size(), 2);
  size_t drawn = 0;
  for (const Json& frame : data) {
    drawn += frame["points"][0].size();
    std::vector<int> of_class(10);
    for (const int k : frame["points"][2]) ++of_class[k];
    for (const int count : of_class) EXPECT_NEAR(count, 500, 150);
  }
  EXPECT_NEAR(static_cast<double>(drawn), 10000, 500);
  EXPECT_NE(page.find(shown(static_cast<double>(drawn)) + " of 200,000 points are drawn"),
            std::string::npos);
}

TEST(Report, FramesAreSpreadOverTime) {
  Scatter scatter;
  for (int i = 0; i < 100; ++i)
    scatter.frames.push_back({points({1, 2}), {}, {}, "frame " + std::to_string(i)});
  const std::string page = page_of({"t", scatter});
  EXPECT_NE(page.find("12 of 100 frames are shown."), std::string::npos);
  EXPECT_NE(page.find("frame 0<"), std::string::npos);
  EXPECT_NE(page.find("frame 99<"), std::string::npos);
  EXPECT_EQ(count_of(page, "<h3>frame"), 12);
}

TEST(Report, HistogramCountsEveryValueOnce) {
  Numbers values;
  for (int i = 0; i < 5000; ++i) values.push_back(std::sin(i * 12.9898) * 43758.5453);
  for (const int64_t bins : {0, 1, 7, 100, 100000}) {
    const Json data = data_of(
        page_of({"t", Histogram{.samples = {{"a", tensor(values, {50, 100})}}, .bins = bins}}))[0];
    double total = 0;
    for (const double count : data["series"][0]["y"]) total += count;
    EXPECT_EQ(total, 5000);
  }
  // Whole numbers have a bin each.
  const Json whole = data_of(page_of(
      {"t", Histogram{.samples = {{"a", from_vector(std::vector<int64_t>{1, 2, 2, 4}, {4})}}}}))[0];
  EXPECT_EQ(whole["series"][0]["x"], Json({1, 2, 3, 4}));
  EXPECT_EQ(whole["series"][0]["y"], Json({1, 2, 0, 1}));
  const Json shares = data_of(page_of(
      {"t", Histogram{.samples = {{"a", ones({4})}, {"b", ones({8})}}, .shares = true}}))[0];
  EXPECT_EQ(shares["series"][0]["y"], Json({100}));
  EXPECT_EQ(shares["series"][1]["y"], Json({100}));
}

TEST(Report, MatrixShadesAndNames) {
  std::string page = page_of({"t", Matrix{.rows = {"cat", "dog"},
                                          .columns = {"cat", "dog"},
                                          .values = tensor({90, 10, 0, 100}, {2, 2}),
                                          .confusion = true}});
  EXPECT_NE(page.find("aria-label='t: 95 % on the diagonal'"), std::string::npos);
  EXPECT_NE(page.find("class='hit' d='M0 0h1v1H0zM1 1h1v1H1z'"), std::string::npos);
  EXPECT_NE(page.find("<span>90</span><span>10</span><span></span><span>100</span>"),
            std::string::npos);
  const auto [low, high] =
      std::pair(page.find("<path class='low'"), page.find("<path class='heat'"));
  EXPECT_EQ(low, std::string::npos);
  EXPECT_NE(high, std::string::npos);

  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back(std::string(60, 'n') + std::to_string(i));
  page = page_of({"t", Matrix{.rows = names, .columns = names, .values = randn({100, 100})}});
  expect_sound(page);
  EXPECT_EQ(data_of(page)[0]["values"].size(), 10000);
  EXPECT_EQ(page.find("class='values'"), std::string::npos) << "too small to be read";
  EXPECT_LT(page.size(), 450000);

  names.resize(300, "more");
  page = page_of({"t", Matrix{.rows = names, .columns = {"a"}, .values = ones({300, 1})}});
  EXPECT_NE(page.find("The first 128 of 300 rows are shown."), std::string::npos);
}

TEST(Report, TablesAlignNumbers) {
  Table table{.columns = {{"name"}, {"count"}, {"loss"}, {"accuracy", true}, {"mixed"}}};
  table.rows = {{"a", 1234567, 0.25, 0.9, "none"}, {"b", 3, 10.125, 0.95333, 2}};
  std::string page = page_of({"t", table});
  for (const char* part :
       {"<td class='number' data-v='1234567'>1,234,567</td>", ">0.25</td>", ">10.12</td>",
        ">90.00 %</td>", ">95.33 %</td>", "<td>none</td>", "<td data-v='2'>2</td>",
        "<th scope='col'>name</th>", "<th scope='col' class='number'>count</th>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  table.rows.assign(1500, {"a", 1, 2.5, 0.5, "x"});
  page = page_of({"t", table});
  EXPECT_EQ(count_of(page, "<tr>"), 1001);
  EXPECT_NE(page.find("The first 1,000 of 1,500 rows are shown."), std::string::npos);
}

TEST(Report, NumbersHaveSensibleDigits) {
  EXPECT_EQ(shown(0.0), "0");
  EXPECT_EQ(shown(-0.0), "0");
  EXPECT_EQ(shown(421642), "421,642");
  EXPECT_EQ(shown(-1234567), "-1,234,567");
  EXPECT_EQ(shown(0.243117), "0.2431");
  EXPECT_EQ(shown(0.5), "0.5");
  EXPECT_EQ(shown(12345.678), "12,346");
  EXPECT_EQ(shown(0.00025), "0.00025");
  EXPECT_EQ(shown(3.5e-9), "3.5e-9");
  EXPECT_EQ(shown(-2e20), "-2e20");
  EXPECT_EQ(shown(0.92312, true), "92.31 %");
  EXPECT_EQ(shown(1, true), "100 %");
  EXPECT_EQ(shown(NAN), "NaN");
  EXPECT_EQ(shown(-INFINITY, true), "−∞");
}

TEST(Report, AThirdNarrowSectionHasTheWholeRow) {
  const auto widths = [](std::vector<bool> wide) {
    std::vector<Section> sections;
    for (const bool w : wide) sections.push_back({"t", Texts{}, "", w});
    const std::string page = to_html(report_of(sections));
    std::string out;
    const std::regex opening("<section( class='wide')?>");
    for (std::sregex_iterator it(page.begin(), page.end(), opening), end; it != end; ++it)
      out += (*it)[1].matched ? 'w' : 'n';
    return out;
  };
  EXPECT_EQ(widths({false, false, false}), "nnw");
  EXPECT_EQ(widths({false, true, false, false}), "wwnn");
  EXPECT_EQ(widths({false}), "w");
}

TEST(Report, ThirtyPicturesAndTenChartsTakeLessThanAMegabyte) {
  std::vector<Section> sections;
  Numbers line(5000), plane(2000);
  for (size_t i = 0; i < line.size(); ++i) line[i] = std::sin(static_cast<double>(i) * 0.37);
  for (size_t i = 0; i < plane.size(); ++i) plane[i] = std::cos(static_cast<double>(i) * 0.91);
  for (int i = 0; i < 5; ++i) {
    sections.push_back({"curves", Curves{.series = {{"a", line}, {"b", line}}}});
    sections.push_back({"scatter", Scatter{.frames = {{points(plane)}}}});
  }
  Images::Group group;
  for (int i = 0; i < 30; ++i) group.pictures.push_back({noise(64, 3), "caption"});
  sections.push_back({"pictures", Images{{group}}});
  EXPECT_LT(to_html(report_of(sections)).size(), 1000000);
}

template <class E>
void expect_error(Section section, const std::string& part) {
  try {
    page_of(section);
    ADD_FAILURE() << "no error: " << part;
  } catch (const E& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    EXPECT_EQ(std::string(e.what()).find("report: section \"Name\": "), 0) << e.what();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
  }
}

TEST(Report, WhatDoesNotFitIsAnErrorThatNamesTheSection) {
  expect_error<ShapeError>({"Name", Curves{.series = {{"a", {1, 2}, {1}}}}},
                           "series \"a\": 1 values of x for 2 of y");
  expect_error<ShapeError>({"Name", Curves{.series = {{"a", {1, 2}, {}, {1}}}}}, "1 deviations");
  expect_error<ShapeError>({"Name", Table{.columns = {{"a"}}, .rows = {{1}, {1, 2}}}},
                           "row 1: 2 cells for 1 columns");
  expect_error<ShapeError>(
      {"Name", Matrix{.rows = {"a"}, .columns = {"b"}, .values = ones({2, 1})}},
      "values are (2, 1), not (1, 1)");
  expect_error<ShapeError>({"Name", Matrix{.rows = {"a"}, .columns = {"b"}}}, "undefined");
  expect_error<IoError>({"Name", Images{{{"", {{zeros({2, 2})}}}}}}, "f32 (2, 2)");
  expect_error<IoError>({"Name", Images{{{"", {{Tensor(), "c"}}}}}}, "picture \"c\" is undefined");
  expect_error<ShapeError>({"Name", Scatter{.frames = {{ones({3})}}}},
                           "points are (N, 2), not (3,)");
  expect_error<ShapeError>({"Name", Scatter{.frames = {{ones({3, 2}), {0}}}, .classes = {"a"}}},
                           "1 labels for 3 points");
  expect_error<ValueError>({"Name", Scatter{.frames = {{ones({1, 2}), {1}}}, .classes = {"a"}}},
                           "label 1 of point 0");
  expect_error<ValueError>({"Name", Scatter{.frames = {{ones({1, 2}), {-1}}}, .classes = {"a"}}},
                           "label -1 of point 0");
  expect_error<ShapeError>({"Name", Histogram{.samples = {{"s", {}}}}}, "sample \"s\"");
  expect_error<ValueError>({"Name", Histogram{.bins = -1}}, "bins is -1");
  expect_error<ShapeError>({"Name", Trajectories{.paths = {{"p", ones({2, 3})}}}}, "path 0");
}

}  // namespace
}  // namespace glia::report
