// Columns and tables, ARFF and JSON lines.
#include "glia/tables/table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/tables/read.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::tables {
namespace {

using glia::test::message_of;

class TableFiles : public glia::test::ScratchWorkingFolder {};

Table sample() {
  return Table(
      {Column::from_integers("n", {3, 1, 2}), Column::from_floats("x", {0.5, std::nan(""), 2}),
       Column::from_texts("name", {"b", "a", std::nullopt}), Column::from_bools("ok", {1, 0, -1}),
       Column::from_dates("day", {86400000000, kNoDate, 0})});
}

TEST(Table, ColumnsByName) {
  Table t = sample();
  EXPECT_EQ(t.rows(), 3);
  EXPECT_TRUE(t.has("x"));
  EXPECT_FALSE(t.has("y"));
  EXPECT_EQ(t.select({"ok", "n"}).names(), (std::vector<std::string>{"ok", "n"}));
  EXPECT_EQ(t.without({"x", "day"}).names(), (std::vector<std::string>{"n", "name", "ok"}));
  const std::vector<int64_t> rows = {2, 0};
  EXPECT_EQ(t.take(rows).column("n").integers()[0], 2);
  EXPECT_EQ(t.head(2).rows(), 2);
  EXPECT_EQ(t.head(9).rows(), 3);
  t.set(Column::from_floats("n", {1, 2, 3}));
  EXPECT_EQ(t.column("n").type(), ColumnType::kFloat);
  EXPECT_EQ(t.columns().size(), 5u);
  EXPECT_EQ(t.column("n").renamed("m").name(), "m");
  EXPECT_EQ(type_name(t.column("day").type()), "date");
}

TEST(Table, Faults) {
  Table t = sample();
  EXPECT_EQ(message_of<ValueError>([&] { t.column("z"); }).substr(0, 40),
            "there is no column 'z', but n, x, name, ");
  EXPECT_NE(
      message_of<ShapeError>([&] { t.set(Column::from_floats("z", {1})); }).find("1 rows, not 3"),
      std::string::npos);
  EXPECT_NE(message_of<Error>([&] { t.column("x").codes(); }).find("'x' is float, not text"),
            std::string::npos);
  EXPECT_THROW(Table({Column::from_floats("a", {}), Column::from_floats("a", {})}), ValueError);
  EXPECT_THROW(Column::from_texts("a", {0, 2}, {"x", "y"}), ValueError);
  EXPECT_THROW(Column::from_texts("a", {0}, {"x", "x"}), ValueError);
  const std::vector<int64_t> far = {3};
  EXPECT_THROW(t.take(far), ValueError);
  EXPECT_THROW(t.to_tensor(), ValueError);
  EXPECT_EQ(t.rows(), 3);
}

TEST(Table, AsTensor) {
  const Tensor x = sample().without({"name"}).to_tensor();
  EXPECT_EQ(x.shape(), (Shape{3, 4}));
  const auto v = x.to_vector<double>();
  EXPECT_EQ(v[0], 3);
  EXPECT_EQ(v[3], 1);  // a day
  EXPECT_TRUE(std::isnan(v[5]) && std::isnan(v[7]) && std::isnan(v[10]));
  EXPECT_EQ(sample().column("name").to_tensor().to_vector<double>()[1], 1);
}

TEST(Table, ForPeople) {
  EXPECT_EQ(to_text(sample().select({"n", "name"}), 2), "n  name\n3     b\n1     a\n... 3 rows\n");
  const Table d = describe(sample());
  EXPECT_EQ(d.rows(), 5);
  EXPECT_EQ(d.column("missing").integers()[1], 1);
  EXPECT_EQ(d.column("different").integers()[2], 2);
  EXPECT_EQ(d.column("mean").floats()[0], 2);
  EXPECT_EQ(d.column("std").floats()[0], 1);
  EXPECT_EQ(d.column("25%").floats()[0], 1.5);
  EXPECT_TRUE(d.column("max").is_missing(2));
}

TEST(Dates, IsoAndNothingElse) {
  EXPECT_EQ(parse_date("1970-01-01"), 0);
  EXPECT_EQ(parse_date("2000-02-29T01:02:03.123456789+01:00"),
            (int64_t{951782400} + 2 * 60 + 3) * 1000000 + 123456);
  EXPECT_EQ(parse_date("2024-01-01 00:00-0130"), (int64_t{1704067200} + 5400) * 1000000);
  EXPECT_EQ(date_text(*parse_date("0001-01-01")), "0001-01-01");
  EXPECT_EQ(date_text(*parse_date("9999-12-31 23:59:59")), "9999-12-31 23:59:59");
  for (const char* text : {"", "2023-02-29", "2024-13-01", "2024-00-10", "2024-1-1", "2024-01-01T",
                           "2024-01-01 24:00", "2024-01-01 12", "2024-01-01 12:00x",
                           "2024-01-01 12:00:00.", "20240101", "2024-01-01 12:00+1", "24-01-01"})
    EXPECT_FALSE(parse_date(text)) << text;
}

TEST_F(TableFiles, Arff) {
  io::write_file_atomic("w.arff",
                        "% weather\n@RELATION 'the weather'\n@attribute outlook {sunny, 'over "
                        "cast', rainy}\n@attribute temperature REAL\n@attribute note string\r\n"
                        "@attribute day date 'yyyy-MM-dd'\n\n@DATA\nsunny, 85, 'it''s', "
                        "2024-01-01\n?,?,?,?\n'over cast',-1.5e1,\"x, y\",'2024-01-02 10:00'\n"
                        "{1 3, 2 z}\n");
  EXPECT_NE(message_of<IoError>([] { read_arff("w.arff"); }).find("line 9, column 16"),
            std::string::npos);  // a quote within quotes is \'
  std::string text = io::read_file("w.arff");
  text.replace(text.find("it''s"), 5, "it\\'s");
  io::write_file_atomic("w.arff", text);
  const Table t = read_arff("w.arff");
  ASSERT_EQ(t.rows(), 4);
  EXPECT_EQ(t.column("outlook").categories(),
            (std::vector<std::string>{"sunny", "over cast", "rainy"}));
  EXPECT_EQ(t.column("outlook").codes()[1], -1);
  EXPECT_EQ(t.column("outlook").codes()[3], 0);
  EXPECT_EQ(t.column("temperature").floats()[2], -15);
  EXPECT_EQ(t.column("temperature").floats()[3], 3);
  EXPECT_EQ(t.column("note").text(0), "it's");
  EXPECT_EQ(t.column("note").text(3), "z");
  EXPECT_TRUE(t.column("day").is_missing(3));
  write_arff("v.arff", t, "the weather");
  EXPECT_EQ(to_csv(read_table("v.arff")), to_csv(t));

  const auto says = [](const std::string& text, const std::string& fault) {
    io::write_file_atomic("bad.arff", text);
    EXPECT_EQ(message_of<IoError>([] { read_arff("bad.arff"); }), "bad.arff: " + fault);
  };
  const std::string head = "@relation r\n@attribute a {x,y}\n@attribute b numeric\n@data\n";
  says("", "has no @attribute and @data");
  says(head + "x,1\nz,2\n", "line 6, column 2: 'z' of attribute 'a' is none of its categories");
  says(head + "x,1x\n", "line 5, column 5: '1x' of attribute 'b' is no number");
  says(head + "x\n", "line 5, column 2: has 1 values and not 2");
  says(head + "x,1,2\n", "line 5, column 4: has more than 2 values");
  says(head + "{2 1}\n", "line 5, column 3: is no index of an attribute");
  says("@attribute a what\n", "line 1, column 18: attribute 'a' is of the unknown type 'what'");
  says("@attribute a {x,y\n@data\n", "line 1, column 18: a brace is not closed");
}

TEST_F(TableFiles, JsonLines) {
  io::write_file_atomic("t.jsonl",
                        "{\"a\": 1, \"b\": \"x\", \"c\": true}\n\n{\"a\": 2, \"b\": null, \"d\": "
                        "1.5, \"e\": \"2024-01-01\"}\r\n{\"b\": \"7\", \"c\": null}\n");
  const Table t = read_json_lines("t.jsonl");
  ASSERT_EQ(t.rows(), 3);
  EXPECT_EQ(t.names(), (std::vector<std::string>{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(t.column("a").type(), ColumnType::kFloat);
  EXPECT_EQ(t.column("b").type(), ColumnType::kText);
  EXPECT_EQ(t.column("c").type(), ColumnType::kBool);
  EXPECT_EQ(t.column("e").type(), ColumnType::kDate);
  EXPECT_TRUE(t.column("d").is_missing(2));
  write_json_lines("u.jsonl", t);
  EXPECT_EQ(to_csv(read_table("u.jsonl")), to_csv(t));
  const auto says = [](const std::string& text, const std::string& fault) {
    io::write_file_atomic("bad.jsonl", text);
    EXPECT_NE(message_of<IoError>([] { read_json_lines("bad.jsonl"); }).find(fault),
              std::string::npos)
        << fault;
  };
  says("\n", "bad.jsonl: holds no rows");
  says("{\"a\": 1}\n{\"a\": }\n", "bad.jsonl: line 2, column 7: is no JSON");
  says("{\"a\": 1}\n[1]\n", "bad.jsonl: line 2, column 1: is no object");
  says("{\"a\": [1]}\n", "line 1, column 1: 'a' is a list or an object");
  EXPECT_THROW(write_json_lines("v.jsonl", Table({Column::from_floats("a", {INFINITY})})),
               ValueError);
}

}  // namespace
}  // namespace glia::tables
