// CSV files: types, quotes, faults and where they are.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/parallel.h"
#include "glia/runtime.h"
#include "glia/tables/read.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::tables {
namespace {

using glia::test::message_of;

class Csv : public glia::test::ScratchWorkingFolder {};

std::string fault(const std::string& text, const CsvOptions& options = {}) {
  return message_of<IoError>([&] { parse_csv(text, options, "t.csv"); });
}

std::vector<double> floats(const Column& c) { return {c.floats().begin(), c.floats().end()}; }
std::vector<int64_t> integers(const Column& c) {
  return {c.integers().begin(), c.integers().end()};
}

std::vector<std::string> texts(const Column& c) {
  std::vector<std::string> out;
  for (int64_t i = 0; i < c.size(); ++i) out.push_back(c.text(i));
  return out;
}

TEST_F(Csv, TypesAreThoseThatFitAllValues) {
  const Table t = parse_csv(
      "i,f,b,t,d,m,x\n"
      "1,1.5,true,a,2024-02-29,3,1\n"
      "-2,2,False,b,2024-03-01 12:30:05.25,,yes\n"
      "+3,-1e3,TRUE,a,1969-12-31T23:00Z,4,2\n");
  EXPECT_EQ(t.rows(), 3);
  EXPECT_EQ(integers(t.column("i")), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(floats(t.column("f")), (std::vector<double>{1.5, 2, -1000}));
  EXPECT_EQ(t.column("b").type(), ColumnType::kBool);
  EXPECT_EQ(t.column("b").bools()[1], 0);
  EXPECT_EQ(t.column("t").categories(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(t.column("d").dates()[2], -3600 * int64_t{1000000});
  EXPECT_EQ(texts(t.column("d")), (std::vector<std::string>{"2024-02-29", "2024-03-01 12:30:05.25",
                                                            "1969-12-31 23:00:00"}));
  EXPECT_EQ(t.column("m").type(), ColumnType::kFloat);  // integers do not lack values
  EXPECT_TRUE(t.column("m").is_missing(1));
  EXPECT_EQ(t.column("m").missing(), 1);
  EXPECT_EQ(texts(t.column("x")), (std::vector<std::string>{"1", "yes", "2"}));
}

TEST_F(Csv, QuotesHoldSeparatorsLinesAndQuotes) {
  const Table t = parse_csv("a,b\r\n\"x, \"\"y\"\"\nz\",\"7\"\r\n\r\n  \nplain \"quote\",8\r\n");
  EXPECT_EQ(texts(t.column("a")), (std::vector<std::string>{"x, \"y\"\nz", "plain \"quote\""}));
  EXPECT_EQ(integers(t.column("b")), (std::vector<int64_t>{7, 8}));
}

TEST_F(Csv, MarksEndsAndHeaders) {
  EXPECT_EQ(parse_csv("\xef\xbb\xbf"
                      "a,b\r1,2\r3,4")
                .column("b")
                .integers()[1],
            4);
  EXPECT_EQ(parse_csv("1,2\n3,4\n", {.header = Header::kNo}).names(),
            (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(parse_csv("1,2\n3,4\n", {.header = Header::kGuess}).rows(), 2);
  EXPECT_EQ(parse_csv("a,2\n3,4\n", {.header = Header::kGuess}).rows(), 1);
  EXPECT_EQ(parse_csv("a,a,,a\n1,2,3,4\n").names(),
            (std::vector<std::string>{"a", "a.1", "Unnamed: 2", "a.2"}));
  EXPECT_EQ(parse_csv("# by hand\nx,y\n1,2\n", {.names = {"p", "q"}, .skip_rows = 1}).names(),
            (std::vector<std::string>{"p", "q"}));
  const Table some = parse_csv("a,b,c\n1,2,3\n4,5,x\n", {.columns = {"a", "b"}, .max_rows = 1});
  EXPECT_EQ(some.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(some.rows(), 1);
  const Table none = parse_csv("a,b\n");
  EXPECT_EQ(none.rows(), 0);
  EXPECT_EQ(none.columns().size(), 2u);
}

TEST_F(Csv, WhatIsMissing) {
  const Table t = parse_csv("a,b,c\nNA,?,x\n#N/A,1,\n1,2,nan\n5\n", {.missing = {"?"}});
  EXPECT_EQ(t.column("a").missing(), 2);
  EXPECT_EQ(t.column("b").missing(), 2);
  EXPECT_EQ(t.column("c").missing(), 3);
  EXPECT_EQ(t.column("c").codes()[1], -1);
  EXPECT_EQ(parse_csv("a\nNA\n\"\"\n", {.default_missing = false}).column("a").missing(), 0);
  EXPECT_EQ(parse_csv("a,b\n,1\n").column("a").type(), ColumnType::kFloat);
  EXPECT_EQ(texts(parse_csv("a,b\n x, 1\n", {.skip_initial_space = true}).column("a"))[0], "x");
}

TEST_F(Csv, NumbersAreRoundedCorrectly) {
  const std::vector<std::string> hard = {"0.1",
                                         "9007199254740993",
                                         "123456789012345678901234567890",
                                         "2.2250738585072011e-308",
                                         "1e23",
                                         "0.000000000000000000000000012345678901234567890",
                                         "-0",
                                         "17.",
                                         ".5",
                                         "1e400",
                                         "-1e-400",
                                         "8.41e21",
                                         "1.7976931348623157e308"};
  std::string text = "x\n1.5\n";
  for (const std::string& one : hard) text += one + "\n";
  const auto got = floats(parse_csv(text).column("x"));
  for (size_t i = 0; i < hard.size(); ++i)
    EXPECT_EQ(got[i + 1], std::strtod(hard[i].c_str(), nullptr)) << hard[i];
  EXPECT_TRUE(std::signbit(got[7]));
  EXPECT_EQ(parse_csv("x\n9223372036854775807\n").column("x").integers()[0], INT64_MAX);
  EXPECT_EQ(parse_csv("x\n9223372036854775808\n").column("x").type(), ColumnType::kFloat);
}

TEST_F(Csv, FaultsSayWhere) {
  EXPECT_EQ(fault(""), "t.csv: holds no rows");
  EXPECT_EQ(fault("\n\n"), "t.csv: holds no rows");
  EXPECT_EQ(fault("a,b\n1,2\n3,4,5\n"), "t.csv: line 3, column 5: has more than 2 values");
  EXPECT_EQ(fault("a,b\n1,2\n3\n", {.row_length = RowLength::kExact}),
            "t.csv: line 3, column 2: has 1 values and not 2");
  EXPECT_EQ(fault("a,b\n1,\"2\n3\n"), "t.csv: line 2, column 3: a quote is not closed");
  EXPECT_EQ(fault("a,b\n\"x\ny\",1\n2,\"3\"4\n"), "t.csv: line 4, column 6: text behind a quote");
  EXPECT_EQ(fault("a,b\n1,x\n", {.types = {{"b", ColumnType::kFloat}}}),
            "t.csv: line 2, column 3: 'x' of column 'b' is no number");
  EXPECT_EQ(fault("a,b\n1,\n", {.types = {{"b", ColumnType::kInteger}}}),
            "t.csv: line 2, column 3: '' of column 'b' is no integer");
  EXPECT_EQ(fault("a,b\n1,2\n", {.columns = {"c"}}), "t.csv: has no column 'c', but a, b");
  EXPECT_EQ(fault("a,b\n1,2\n", {.names = {"c"}}), "t.csv: has 2 columns, but 1 names are given");
  EXPECT_NE(message_of<IoError>([] { read_csv("nowhere.csv"); }).find("nowhere.csv: "),
            std::string::npos);
}

// Several parts: bounds lie within quotes, numbers turn into texts late, and faults stand where
// they are.
TEST_F(Csv, PartsAreOneFile) {
  std::string text = "id,value,note\n";
  const int64_t rows = 100000;
  for (int64_t i = 0; i < rows; ++i)
    text += std::to_string(i) + "," + (i % 7 == 0 ? "" : std::to_string(i) + ".25") + ",\"line " +
            std::to_string(i % 11) + "\nsecond, \"\"third\"\"\"\n";
  ASSERT_GT(text.size(), size_t{3} << 20);
  const auto check = [&](const Table& t) {
    ASSERT_EQ(t.rows(), rows);
    EXPECT_EQ(t.column("note").categories().size(), 11u);
    for (int64_t i = 0; i < rows; i += 997) {
      EXPECT_EQ(t.column("id").integers()[i], i);
      EXPECT_EQ(t.column("note").text(i), "line " + std::to_string(i % 11) + "\nsecond, \"third\"");
      if (i % 7 != 0) {
        EXPECT_EQ(t.column("value").floats()[i], static_cast<double>(i) + 0.25);
      }
    }
  };
  const Table many = parse_csv(text);
  check(many);
  {
    const ThreadLimit one(1);
    check(parse_csv(text));
  }
  io::write_file_atomic("t.csv", text);
  check(read_csv("t.csv"));
  const std::string written = to_csv(many);
  EXPECT_EQ(written.size(), text.size());
  EXPECT_EQ(to_csv(parse_csv(written)), written);

  const Table late = parse_csv(text + "x,y,z\n");
  EXPECT_EQ(late.column("id").type(), ColumnType::kText);
  EXPECT_EQ(late.column("id").text(76543), "76543");
  EXPECT_EQ(late.column("value").text(1), "1.25");
  EXPECT_EQ(late.column("value").text(rows), "y");
  EXPECT_EQ(fault(text + "1,2,3,4\n"), "t.csv: line 200002, column 7: has more than 3 values");
  // A quote within a value is an ordinary character, so that the count of quotes misleads.
  std::string odd = "a,b\n1,6\" pipe\n" + std::string();
  for (int64_t i = 0; i < rows; ++i) odd += std::to_string(i) + ",some more of the text\n";
  const Table misled = parse_csv(odd);
  EXPECT_EQ(misled.rows(), rows + 1);
  EXPECT_EQ(misled.column("b").categories().size(), 2u);
}

TEST_F(Csv, WritingAndReadingAgree) {
  const Table t({Column::from_floats("f", {1, std::nan(""), 1e300, -0.1}),
                 Column::from_integers("i", {1, 2, 3, INT64_MIN}),
                 Column::from_bools("b", {0, 1, -1, 1}),
                 Column::from_texts("t", {std::nullopt, "a,b", "say \"x\"", "two\nlines"}),
                 Column::from_dates("d", {0, kNoDate, 86400000000, 1})});
  EXPECT_EQ(to_csv(t),
            "f,i,b,t,d\n1.0,1,False,,1970-01-01\n,2,True,\"a,b\",\n1e+300,3,,\"say "
            "\"\"x\"\"\",1970-01-02\n-0.1,-9223372036854775808,True,\"two\nlines\",1970-01-01 "
            "00:00:00.000001\n");
  write_csv("t.csv", t);
  EXPECT_EQ(to_csv(read_csv("t.csv")), to_csv(t));
  write_tsv("t.tsv", t);
  EXPECT_EQ(to_csv(read_tsv("t.tsv")), to_csv(t));
  EXPECT_EQ(to_csv(read_table("t.tsv")), to_csv(t));
  write_csv("m.csv", t, {.separator = ';', .header = false, .missing = "?"});
  const Table m = read_csv("m.csv", {.separator = ';', .header = Header::kNo, .missing = {"?"}});
  EXPECT_EQ(m.column("4").missing(), 1);
  EXPECT_EQ(to_csv(Table({Column::from_floats("a", {std::nan("")})})), "a\n\"\"\n");
  EXPECT_NE(message_of<IoError>([] { read_table("t.xls"); }).find("t.xls: is no .csv"),
            std::string::npos);
}

TEST_F(Csv, Gzipped) {
  io::write_file_atomic("t.csv", "a,b\n1,2\n");
  ASSERT_EQ(std::system("gzip -k t.csv"), 0);
  EXPECT_EQ(read_table("t.csv.gz").column("b").integers()[0], 2);
  const std::string whole = io::read_file("t.csv.gz");
  io::write_file_atomic("cut.csv.gz", whole.substr(0, whole.size() - 9));
  EXPECT_NE(message_of<IoError>([] { read_csv("cut.csv.gz"); }).find("gzip"), std::string::npos);
}

}  // namespace
}  // namespace glia::tables
