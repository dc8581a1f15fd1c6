// Downloads by libcurl; sums by OpenSSL's libcrypto, which that stands on.
#include "glia/fetch.h"

#include <filesystem>

#include "io/file.h"

#ifdef GLIA_FETCH
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>
#endif

namespace glia::data {

#ifdef GLIA_FETCH
namespace {

constexpr long kMostRedirects = 5;

struct Transfer {
  const DataFile& file;
  const FetchOptions& options;
  io::Descriptor& part;
  int64_t have, most;
  std::exception_ptr failure = nullptr;  // what writing threw
  bool too_long = false;
};

size_t receive(char* bytes, size_t, size_t count, void* data) {
  auto& to = *static_cast<Transfer*>(data);
  to.too_long = to.have + static_cast<int64_t>(count) > to.most;
  if (to.too_long) return 0;
  try {
    io::Bytes left = io::bytes_of({bytes, count});
    to.part.write(left);
  } catch (...) {
    to.failure = std::current_exception();
    return 0;
  }
  to.have += static_cast<int64_t>(count);
  return count;
}

int watch(void* data, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& at = *static_cast<const Transfer*>(data);
  if (at.options.progress) at.options.progress(at.file, at.have, at.file.bytes);
  return at.options.interrupted && at.options.interrupted();
}

// Asks for the file from byte `transfer.have` on. False where the server gives no part of it.
bool request(Transfer& transfer) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::string& url = transfer.file.url;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(
      started == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (!curl) io::fail(url, "libcurl cannot be used");
  const auto set = [&](CURLoption option, auto value) {
    if (curl_easy_setopt(curl.get(), option, value) != CURLE_OK)
      io::fail(url, "libcurl refuses an option");
  };
  const bool secure = url.starts_with("https:");
  const long stall = static_cast<long>(transfer.options.stall_seconds);
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kMostRedirects);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, stall);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, stall);
  set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.have));
  set(CURLOPT_WRITEFUNCTION, receive);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, watch);
  set(CURLOPT_XFERINFODATA, &transfer);

  const int64_t from = transfer.have;
  const CURLcode code = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (transfer.failure) std::rethrow_exception(transfer.failure);
  // 416: there is nothing from there on.
  if (code == CURLE_RANGE_ERROR || (from > 0 && status == 416)) return false;
  if (transfer.too_long || code == CURLE_OK) return true;
  const std::string kept = transfer.have > 0 && !transfer.file.sha256.empty()
                               ? "; " + io::grouped(transfer.have) + " bytes are kept to go on from"
                               : "";
  if (code == CURLE_HTTP_RETURNED_ERROR)
    io::fail(url, "the server answers " + std::to_string(status) + kept);
  if (code == CURLE_ABORTED_BY_CALLBACK) io::fail(url, "interrupted" + kept);
  if (code == CURLE_OPERATION_TIMEDOUT)
    io::fail(url, "no answer for " + std::to_string(stall) + " s" + kept);
  if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING)
    io::fail(url, "the connection was cut" + kept);
  std::string why = curl_easy_strerror(code);
  io::fail(url, why + kept);
}

std::string sha256(const std::string& path) {
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "rbe"),
                                                                std::fclose);
  if (!file) io::fail_errno(path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  unsigned char digest[EVP_MAX_MD_SIZE];
  std::string block(1 << 16, '\0');
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  for (size_t n; good && (n = std::fread(block.data(), 1, block.size(), file.get())) > 0;)
    good = EVP_DigestUpdate(context.get(), block.data(), n);
  if (std::ferror(file.get())) io::fail_errno(path);
  if (!good || !EVP_DigestFinal_ex(context.get(), digest, nullptr))
    io::fail(path, "its SHA-256 cannot be computed");
  std::string out;
  for (int i = 0; i < 32; ++i) {
    out += "0123456789abcdef"[digest[i] >> 4];
    out += "0123456789abcdef"[digest[i] & 15];
  }
  return out;
}

// Why the file at `path` is not the one meant; empty if it is, as far as is known.
std::string fault_of(const std::string& path, const DataFile& file) {
  std::error_code error;
  const int64_t size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) io::fail(path, error.message());
  if (file.bytes > 0 && size != file.bytes)
    return io::grouped(size) + " bytes came instead of " + io::grouped(file.bytes);
  if (size == 0) return "nothing came";
  if (file.sha256.empty()) return "";
  const std::string sum = sha256(path);
  return sum == file.sha256 ? "" : "its SHA-256 is " + sum + " instead of " + file.sha256;
}

// Locks the file for this process: two must not write it.
void lock(const std::string& path, const io::Descriptor& file) {
  struct stat open {
  }, named{};
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(file.get(), &open) != 0 ||
      ::stat(path.c_str(), &named) != 0 || open.st_ino != named.st_ino)
    io::fail(path, "another process is downloading it");
  if (!S_ISREG(open.st_mode)) io::fail(path, "is not a regular file");
}

void fetch_file(const DataFile& file, const std::string& path, const FetchOptions& options) {
  namespace fs = std::filesystem;
  if (file.sha256.empty() && !file.url.starts_with("https:"))
    io::fail(file.url, "a file without SHA-256 is taken over https only");
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored) && fault_of(path, file).empty()) return;

  const std::string beside = path + ".part";
  io::Descriptor part(
      beside, ::open(beside.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666));
  lock(beside, part);
  Transfer transfer{file, options, part, ::lseek(part.get(), 0, SEEK_END),
                    file.bytes > 0 ? file.bytes : options.most_bytes};
  const auto restart = [&] {
    if (::ftruncate(part.get(), 0) != 0) io::fail_errno(beside);
    transfer.have = 0;
  };
  // Only a sum tells whether two parts belong together.
  if (file.sha256.empty() || transfer.have > transfer.most) restart();
  const bool whole = file.bytes > 0 && transfer.have == file.bytes;
  if (!whole && !request(transfer)) {
    restart();
    if (!request(transfer)) io::fail(file.url, "the server gives no whole file");
  }
  // A server that ends early without saying so is gone on with, too.
  if (!transfer.too_long && transfer.have < file.bytes && !file.sha256.empty())
    io::fail(file.url, "ends after " + io::grouped(transfer.have) + " of " +
                           io::grouped(file.bytes) + " bytes, which are kept to go on from");
  const std::string fault = transfer.too_long
                                ? "is longer than " + io::grouped(transfer.most) + " bytes"
                                : fault_of(beside, file);
  if (!fault.empty()) {
    fs::remove(beside, ignored);
    io::fail(file.url, fault);
  }
  part.sync();
  if (::rename(beside.c_str(), path.c_str()) != 0) io::fail_errno(path);
}

}  // namespace
#endif

std::string fetch(const Entry& set, const FetchOptions& options) {
  if (!can_fetch(set))
    throw IoError(set.title +
                  (has_urls(set) ? ": this build has no libcurl to download it; "
                                 : ": cannot be downloaded; ") +
                  how_to_get(set));
  const std::string folder = options.folder.empty() ? cache_folder(set) : options.folder;
  if (folder.empty())
    throw IoError(set.title + ": there is no folder to put it; set XDG_CACHE_HOME or HOME");
#ifdef GLIA_FETCH
  if (options.stall_seconds < 1 || options.most_bytes < 1)
    throw Error("fetch: stall_seconds and most_bytes must be at least 1");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) io::fail(folder, error.message());
  for (const DataFile& file : set.files) fetch_file(file, folder + "/" + file.name, options);
#endif
  return folder;
}

}  // namespace glia::data
