#include "glia/llm/chat.h"

#include <gtest/gtest.h>

#include "glia/error.h"
#include "glia/random.h"
#include "jinja.h"

namespace glia::llm {
namespace {

std::string shown(const std::string& source, const jinja::Map& variables = {}) {
  return jinja::render(source, variables);
}
void expect_refused(const std::string& source) {
  try {
    shown(source);
    FAIL() << source;
  } catch (const ValueError& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("chat template: ")) << e.what();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
  }
}

TEST(Jinja, Expressions) {
  const std::pair<const char*, const char*> cases[] = {
      {"{{ 1 + 2 * 3 }}", "7"},
      {"{{ (1 + 2) * 3 }}", "9"},
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }}", "3 -4 2 -2"},
      {"{{ 'a' + \"b\" ~ 1 }}", "ab1"},
      {"{{ 'it\\'s\\n' }}.", "it's\n."},
      {"{{ 1 < 2 and not 2 < 1 }}", "True"},
      {"{{ false or 'x' }}", "x"},
      {"{{ '' and undefined_name.member }}", ""},
      {"{{ 'b' in 'abc' }} {{ 3 not in [1, 2] }}", "True True"},
      {"{{ 'yes' if 1 == 1 else 'no' }}{{ 'yes' if none else 'no' }}", "yesno"},
      {"{{ ('a' if false else ('b' if true else 'c')) }}", "b"},
      {"{{ [1, 2, 3][-1] }}{{ [1, 2, 3][1:] | length }}{{ [1, 2, 3][:-1] | length }}", "322"},
      {"{{ x is defined }} {{ x is not defined }} {{ none is none }} {{ 'a' is string }}",
       "False True True True"},
      {"{{ ' a '.strip() }}|{{ 'abc'.startswith('ab') }}|{{ 'a,b'.split(',')[1] }}", "a|True|b"},
      {"{{ ' a ' | trim | upper }}{{ x | default('d') }}{{ [4, 5] | first }}", "Ad4"},
      {"{{ range(3) | length }}{{ 1 == true }}", "3False"},
  };
  for (const auto& [source, want] : cases) EXPECT_EQ(shown(source), want) << source;
}

TEST(Jinja, Statements) {
  EXPECT_EQ(shown("{% for i in range(3) %}{{ loop.index0 }}{% if not loop.last %},{% endif %}"
                  "{% endfor %}"),
            "0,1,2");
  EXPECT_EQ(shown("{% for i in [] %}x{% else %}none{% endfor %}"), "none");
  EXPECT_EQ(shown("{% for i in range(6) if i % 2 == 0 %}{{ i }}{% endfor %}"), "024");
  EXPECT_EQ(shown("{% set a = 1 %}{% if a == 2 %}x{% elif a == 1 %}y{% else %}z{% endif %}"), "y");
  EXPECT_EQ(shown("{% set n = namespace(a=0) %}{% for i in range(4) %}{% set n.a = n.a + i %}"
                  "{% endfor %}{{ n.a }}"),
            "6");
  EXPECT_EQ(shown("{% set a = 1 %}{% for i in range(2) %}{% set a = 5 %}{% endfor %}{{ a }}"), "1");
  // Line breaks behind a block and blanks before one go, as Transformers has it.
  EXPECT_EQ(shown("a\n  {% if true %}\nb\n  {% endif %}\nc"), "a\nb\nc");
  EXPECT_EQ(shown("a \n {%- if true -%} \n b {%- endif %}"), "ab");
  EXPECT_EQ(shown("a {# {{ 1 }} #}{{- 2 -}} b"), "a 2b");
  EXPECT_EQ(shown("{{ '}}' }}{ }"), "}}{ }");
}

TEST(Jinja, WhatItCannotDoIsSaid) {
  for (const char* source : {"{{ 1",
                             "{% if true %}",
                             "{% for a in b %}",
                             "{% endif %}",
                             "{{ }}",
                             "{{ 1 + }}",
                             "{{ 'a }}",
                             "{{ 1 + 'a' }}",
                             "{{ [1 }}",
                             "{{ f(1) }}",
                             "{{ 'a'.title() }}",
                             "{{ 'a' | tojson }}",
                             "{% macro a() %}{% endmacro %}",
                             "{% for a in 5 %}{% endfor %}",
                             "{{ x.y }}",
                             "{{ [1] }}",
                             "{{ 1 // 0 }}",
                             "{{ 9223372036854775807 + 1 }}",
                             "{{ 99999999999999999999 }}",
                             "{{ raise_exception('no') }}",
                             "{{ 1 2 }}",
                             "{{ a is odd }}",
                             "{% set 1 = 2 %}",
                             "{% for a in range(2000000) %}{% endfor %}",
                             "{{ ? }}",
                             "{% if true %}{% endfor %}"})
    expect_refused(source);
  const std::string deep(5000, '('), many(300, ' ');
  expect_refused("{{ " + deep + "1 }}");
  std::string nested, ifs;
  for (int i = 0; i < 7; ++i) nested += "{% for a in range(100) %}";
  for (int i = 0; i < 7; ++i) nested += "{% endfor %}";
  expect_refused(nested);
  for (int i = 0; i < 5000; ++i) ifs += "{% if true %}";
  expect_refused(ifs);
  std::string doubled = "{% set a = 'aaaaaaaa' %}";
  for (int i = 0; i < 60; ++i) doubled += "{% set a = a + a %}";
  expect_refused(doubled);
}

TEST(ChatTemplates, Forms) {
  const std::string chatml =
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
      "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
      "'<|im_start|>assistant\n' }}{% endif %}";
  const std::vector<Message> talk{{"user", "Hi"}, {"assistant", "Hello"}, {"user", "Bye {{ 1 }}"}};
  EXPECT_EQ(apply_chat_template(chatml, talk),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
            "<|im_start|>user\nBye {{ 1 }}<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(apply_chat_template(chatml, {}, false), "");
  // Llama 2's, which takes the system's message into the first of the user.
  const std::string llama2 =
      "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
      "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages "
      "%}"
      "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
      "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
      "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
      "{% if loop.index0 == 0 and system_message != false %}"
      "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
      "{% else %}{% set content = message['content'] %}{% endif %}"
      "{% if message['role'] == 'user' %}"
      "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
      "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}"
      "{% endif %}{% endfor %}";
  EXPECT_EQ(apply_chat_template(llama2, {{"system", "Be brief."}, {"user", "Hi "}}, true,
                                {{"bos_token", "<s>"}, {"eos_token", "</s>"}}),
            "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]");
  EXPECT_THROW(apply_chat_template(llama2, {{"assistant", "Hi"}}), ValueError);
}

// A model whose tokens are letters, and ends.
Gguf letters() {
  manual_seed(5);
  Gguf file = to_gguf(Llama({.vocab_size = 32,
                             .hidden_size = 32,
                             .intermediate_size = 32,
                             .num_hidden_layers = 1,
                             .num_attention_heads = 2,
                             .num_key_value_heads = 1,
                             .max_position_embeddings = 128}));
  std::vector<std::string> tokens{"<|end|>"};
  std::vector<int64_t> types{3};
  for (int i = 1; i < 32; ++i) {
    tokens.push_back(std::string(1, static_cast<char>('A' + i - 1)));
    types.push_back(1);
  }
  file.set_text("tokenizer.ggml.model", "gpt2");
  file.set("tokenizer.ggml.tokens", {GgufType::kString, true, {}, {}, tokens});
  file.set("tokenizer.ggml.token_type", {GgufType::kInt32, true, types});
  file.set("tokenizer.ggml.merges", {GgufType::kString, true});
  file.set_integer("tokenizer.ggml.eos_token_id", 0);
  file.set_text("tokenizer.chat_template",
                "{% for m in messages %}{{ m.content }}{% endfor %}{{ 'Z' }}");
  return file;
}

TEST(Assistant, StopsWhereItIsTold) {
  Assistant assistant(letters());
  const GenerationOptions plain{.max_new_tokens = 60, .sampling = {.temperature = 0.9}, .seed = 3};
  std::vector<std::string> parts;
  const std::string all =
      assistant.generate("ABC", plain, [&](const std::string& part) { parts.push_back(part); });
  ASSERT_GE(all.size(), 4u);
  std::string joined;
  for (const auto& part : parts) joined += part;
  EXPECT_EQ(joined, all);
  // A text across tokens ends it, and nothing of it is shown.
  GenerationOptions stopping = plain;
  stopping.stop = {all.substr(1, 3), "never"};
  joined.clear();
  EXPECT_EQ(assistant.generate("ABC", stopping, [&](const std::string& part) { joined += part; }),
            all.substr(0, 1));
  EXPECT_EQ(joined, all.substr(0, 1));
  // What was begun and did not come is shown in the end.
  stopping.stop = {all + "and more"};
  joined.clear();
  EXPECT_EQ(assistant.generate("ABC", stopping, [&](const std::string& part) { joined += part; }),
            all);
  EXPECT_EQ(joined, all);
  EXPECT_EQ(assistant.reply({{"user", "ABC"}}, plain), assistant.generate("ABCZ", plain));
  EXPECT_EQ(assistant.generate("AB", {.max_new_tokens = 0}), "");
  EXPECT_THROW(assistant.generate("AB", {.max_new_tokens = -1}), ValueError);
  EXPECT_THROW(assistant.generate(std::string(200, 'A')), ValueError);
  EXPECT_EQ(assistant.generate("ABC", plain), all) << "after an error";
  EXPECT_NO_THROW(assistant.generate("", plain));
}

TEST(Assistant, FilesWithoutTokensAreRefused) {
  for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.tokens"}) {
    Gguf file = letters();
    std::erase_if(file.metadata, [&](const auto& one) { return one.first == key; });
    EXPECT_THROW(Assistant{file}, Error);
  }
  Gguf file = letters();
  file.set_text("tokenizer.ggml.model", "rwkv");
  EXPECT_THROW(Assistant{file}, Error);
  file = letters();
  file.set("tokenizer.ggml.token_type", {GgufType::kInt32, true, {1}});
  EXPECT_THROW(Assistant{file}, Error);
  file = letters();
  std::erase_if(file.metadata,
                [&](const auto& one) { return one.first == "tokenizer.chat_template"; });
  Assistant assistant(file);
  EXPECT_THROW(assistant.reply({{"user", "A"}}), Error);
}

}  // namespace
}  // namespace glia::llm
