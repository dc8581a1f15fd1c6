// Downloads from a server on the loopback that is cut, stalls, lies or knows no ranges.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "glia/fetch.h"
#include "glia/io.h"
#include "tests/support/files.h"

namespace glia::data {
namespace {

namespace fs = std::filesystem;

// One answer after another, each on a connection of its own.
class Server {
 public:
  struct Page {
    std::string bytes;
    bool ranges = true;
    size_t cut_after = std::string::npos;  // the connection ends there
    bool stalls = false;                   // and stays open there instead
    std::string head = {};                 // instead of the whole head, for other answers
    bool says_length = true;
  };

  Server() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(socket_, 8) != 0 ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      std::abort();
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }

  std::string url(const std::string& name) const { return url_ + "/" + name; }
  void put(const std::string& name, Page page) {
    const std::lock_guard guard(mutex_);
    pages_["/" + name] = std::move(page);
  }
  // The requests so far: "/name" or "/name from 7".
  std::vector<std::string> requests() {
    const std::lock_guard guard(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stop_) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) continue;
      answer(client);
      ::close(client);
    }
  }
  void answer(int client) {
    std::string request;
    char block[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(client, block, sizeof block, 0);
      if (n <= 0) return;
      request.append(block, n);
    }
    const std::string path = request.substr(4, request.find(' ', 4) - 4);
    size_t from = 0;
    if (const size_t at = request.find("Range: bytes="); at != std::string::npos)
      from = std::stoul(request.substr(at + 13));
    Page page{.head = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
    {
      const std::lock_guard guard(mutex_);
      requests_.push_back(path + (from > 0 ? " from " + std::to_string(from) : ""));
      if (const auto found = pages_.find(path); found != pages_.end()) page = found->second;
    }
    if (!page.ranges) from = 0;
    const std::string size = std::to_string(page.bytes.size());
    std::string out = page.head;
    if (out.empty() && from > 0 && from >= page.bytes.size()) {
      out = "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n";
    } else if (out.empty()) {
      const std::string body = page.bytes.substr(from);
      out = from > 0
                ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(from) +
                      "-" + std::to_string(page.bytes.size() - 1) + "/" + size + "\r\n"
                : "HTTP/1.1 200 OK\r\n";
      if (page.says_length) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
      out += "Connection: close\r\n\r\n" + body.substr(0, page.cut_after);
    }
    ::send(client, out.data(), out.size(), MSG_NOSIGNAL);
    // Until the other side gives up.
    if (page.stalls) ::recv(client, block, sizeof block, 0);
  }

  int socket_;
  std::string url_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::map<std::string, Page> pages_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

// The sum is that of `printf '0123456789' | sha256sum`.
constexpr const char* kTen = "0123456789";
constexpr const char* kSum = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";

class Fetch : public test::Scratch {
 protected:
  void SetUp() override {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(name);
    if (!can_fetch(set())) GTEST_SKIP() << "built without libcurl";
    options_ = {.folder = file("set"), .stall_seconds = 20, .most_bytes = 1000};
  }
  Entry set() const {
    return {.name = "set",
            .title = "Set",
            .home = "home",
            .licence = "none",
            .task = "none",
            .files = {{"file", server_.url("file"), 10, kSum}}};
  }
  // What fetching the set fails with, without the address before it; empty if it does not.
  std::string fault(const Entry& set) const {
    try {
      fetch(set, options_);
    } catch (const IoError& e) {
      const std::string message = e.what(), url = set.files.back().url;
      EXPECT_TRUE(message.starts_with(url + ": ")) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_FALSE(fs::exists(path())) << "half a file under the final name";
      return message.substr(std::min(message.size(), url.size() + 2));
    }
    EXPECT_EQ(io::read_file(path()), kTen);
    EXPECT_FALSE(fs::exists(path() + ".part"));
    return "";
  }
  std::string fault() const { return fault(set()); }
  std::string path() const { return options_.folder + "/file"; }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(options_.folder);
    std::ofstream(name, std::ios::binary) << bytes;
  }
  using Requests = std::vector<std::string>;

  Server server_;
  FetchOptions options_;
};

TEST_F(Fetch, WholeAndOnce) {
  server_.put("file", {kTen});
  EXPECT_EQ(fault(), "");
  EXPECT_EQ(fault(), "");
  EXPECT_EQ(server_.requests(), Requests{"/file"});
  // What lies there and is another file is replaced.
  write(path(), "012345678X");
  EXPECT_EQ(fault(), "");
  EXPECT_EQ(server_.requests().size(), 2u);
}

TEST_F(Fetch, GoesOnAfterACut) {
  for (const bool says_length : {true, false}) {
    fs::remove_all(options_.folder);
    server_.put("file", {.bytes = kTen, .cut_after = 4, .says_length = says_length});
    EXPECT_NE(fault().find("kept to go on from"), std::string::npos);
    EXPECT_EQ(io::read_file(path() + ".part"), "0123");
    server_.put("file", {kTen});
    EXPECT_EQ(fault(), "");
    EXPECT_EQ(server_.requests().back(), "/file from 4");
  }
}

TEST_F(Fetch, AWholePartNeedsNoServer) {
  write(path() + ".part", kTen);
  EXPECT_EQ(fault(), "");
  EXPECT_EQ(server_.requests(), Requests{});
}

TEST_F(Fetch, WithoutRangesStartsAgain) {
  write(path() + ".part", "0123");
  server_.put("file", {.bytes = kTen, .ranges = false});
  EXPECT_EQ(fault(), "");
  EXPECT_EQ(server_.requests(), (Requests{"/file from 4", "/file"}));
}

TEST_F(Fetch, APartLongerThanTheFileStartsAgain) {
  write(path() + ".part", "0123456789abc");
  server_.put("file", {kTen});
  EXPECT_EQ(fault(), "");
  // A shorter file at the server than was expected: nothing from there on.
  fs::remove_all(options_.folder);
  write(path() + ".part", "01234567");
  server_.put("file", {"0123"});
  EXPECT_NE(fault().find("ends after 4 of 10 bytes"), std::string::npos);
}

TEST_F(Fetch, AWrongSumLeavesNothing) {
  server_.put("file", {"012345678X"});
  EXPECT_NE(fault().find("its SHA-256 is "), std::string::npos);
  EXPECT_FALSE(fs::exists(path() + ".part"));
  // The part of another file.
  write(path() + ".part", "abcd");
  server_.put("file", {kTen});
  EXPECT_NE(fault().find("its SHA-256 is "), std::string::npos);
  EXPECT_EQ(fault(), "");
}

TEST_F(Fetch, TooLongIsNotTaken) {
  for (const bool says_length : {true, false}) {
    server_.put("file", {.bytes = std::string(5000, 'x'), .says_length = says_length});
    EXPECT_EQ(fault(), "is longer than 10 bytes");
    EXPECT_FALSE(fs::exists(path() + ".part"));
  }
}

TEST_F(Fetch, AnswersThatAreNoFile) {
  EXPECT_EQ(fault(), "the server answers 404");
  server_.put("file", {.head = "HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nabc"});
  EXPECT_EQ(fault(), "the server answers 500");
  server_.put("file", {.head = "no HTTP at all"});
  EXPECT_NE(fault(), "");
  server_.put("file", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
  EXPECT_NE(fault(), "");
  server_.put("file", {.stalls = true, .head = "HTTP/1.1 200 OK\r\n"});
  options_.stall_seconds = 1;
  EXPECT_EQ(fault(), "no answer for 1 s");
}

TEST_F(Fetch, Redirects) {
  const auto redirect = [](const std::string& to) {
    return Server::Page{.head = "HTTP/1.1 302 Found\r\nLocation: " + to +
                                "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"};
  };
  server_.put("there", {kTen});
  server_.put("file", redirect(server_.url("there")));
  EXPECT_EQ(fault(), "");
  fs::remove_all(options_.folder);
  server_.put("file", redirect(server_.url("file")));
  EXPECT_NE(fault(), "");
  EXPECT_EQ(server_.requests().size(), 2u + 6u);
  write(folder_ + "/secret", kTen);
  server_.put("file", redirect("file://" + folder_ + "/secret"));
  EXPECT_NE(fault(), "");
}

TEST_F(Fetch, AStalledServerIsGivenUp) {
  server_.put("file", {.bytes = kTen, .cut_after = 6, .stalls = true});
  options_.stall_seconds = 1;
  EXPECT_EQ(fault(), "no answer for 1 s; 6 bytes are kept to go on from");
  server_.put("file", {kTen});
  EXPECT_EQ(fault(), "");
}

TEST_F(Fetch, StopsWhenAsked) {
  server_.put("file", {.bytes = kTen, .cut_after = 6, .stalls = true});
  int64_t most = 0;
  options_.progress = [&](const DataFile&, int64_t have, int64_t size) {
    most = std::max(most, have);
    EXPECT_EQ(size, 10);
  };
  options_.interrupted = [&] { return most == 6; };
  EXPECT_EQ(fault(), "interrupted; 6 bytes are kept to go on from");
}

TEST_F(Fetch, NobodyAnswers) {
  Entry nobody = set();
  nobody.files[0].url = "http://127.0.0.1:1/file";
  EXPECT_NE(fault(nobody), "");
  for (const char* url : {"file:///etc/hostname", "ftp://127.0.0.1/file", "nonsense"}) {
    nobody.files[0].url = url;
    EXPECT_NE(fault(nobody), "") << url;
  }
  nobody.files[0] = {"file", server_.url("file")};
  EXPECT_EQ(fault(nobody), "a file without SHA-256 is taken over https only");
  nobody.files[0] = {"file"};
  EXPECT_THROW(fetch(nobody, options_), IoError);
}

TEST_F(Fetch, AFullDiskIsOneLine) {
  server_.put("file", {kTen});
  const io::FileSizeLimit limit(4);
  EXPECT_THROW(fetch(set(), options_), IoError);
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(Fetch, TwoAtOnceDoNotMix) {
  server_.put("file", {kTen});
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      try {
        fetch(set(), options_);
        ++good;
      } catch (const IoError&) {  // another one has it
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(good, 1);
  EXPECT_EQ(io::read_file(path()), kTen);
  EXPECT_FALSE(fs::exists(path() + ".part"));
}

TEST_F(Fetch, GoesToTheUsersCache) {
  server_.put("file", {kTen});
  setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
  options_.folder = "";
  EXPECT_EQ(fetch(set(), options_), folder_ + "/glia/set");
  EXPECT_TRUE(available(set()));
  EXPECT_EQ(find(set()), folder_ + "/glia/set");
  unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace glia::data
