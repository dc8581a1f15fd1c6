// BERT (Devlin et al. 2019): an encoder of texts, what is fine-tuned from it, and embeddings of
// sentences (Reimers & Gurevych, "Sentence-BERT", 2019).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/nn/dropout.h"
#include "glia/nn/layers.h"
#include "glia/text/tokenizer.h"

namespace glia::llm {

// Names as Transformers has them; the defaults are those of BERT-base.
struct BertConfig {
  int64_t vocab_size = 30522, hidden_size = 768, intermediate_size = 3072;
  int64_t num_hidden_layers = 12, num_attention_heads = 12;
  int64_t max_position_embeddings = 512, type_vocab_size = 2, pad_token_id = 0;
  double hidden_dropout_prob = 0.1, attention_probs_dropout_prob = 0.1, layer_norm_eps = 1e-12;
};
// Of a model's config.json. Throws IoError for what is missing, out of range or not known here,
// such as another kind of model.
BertConfig read_bert_config(const std::string& path);

// The encoder, with the weights of Transformers' BertModel under their names.
class Bert : public nn::Module {
 public:
  struct Embeddings : nn::Module {
    explicit Embeddings(const BertConfig& config);
    nn::Embedding word_embeddings, position_embeddings, token_type_embeddings;
    nn::LayerNorm LayerNorm;
    GLIA_FIELDS(word_embeddings, position_embeddings, token_type_embeddings, LayerNorm)
  };
  struct Projections : nn::Module {
    explicit Projections(const BertConfig& config);
    nn::Linear query, key, value;
    GLIA_FIELDS(query, key, value)
  };
  // A layer whose output is added to what went in, and normed.
  struct Added : nn::Module {
    Added(int64_t in, const BertConfig& config);
    nn::Linear dense;
    nn::LayerNorm LayerNorm;
    GLIA_FIELDS(dense, LayerNorm)
  };
  struct Attention : nn::Module {
    explicit Attention(const BertConfig& config);
    Projections self;
    Added output;
    GLIA_FIELDS(self, output)
  };
  struct Intermediate : nn::Module {
    explicit Intermediate(const BertConfig& config);
    nn::Linear dense;
    GLIA_FIELDS(dense)
  };
  struct Layer : nn::Module {
    explicit Layer(const BertConfig& config);
    Attention attention;
    Intermediate intermediate;
    Added output;
    GLIA_FIELDS(attention, intermediate, output)
  };
  struct Encoder : nn::Module {
    explicit Encoder(const BertConfig& config);
    std::vector<Layer> layer;
    GLIA_FIELDS(layer)
  };
  struct Pooler : nn::Module {
    explicit Pooler(const BertConfig& config);
    nn::Linear dense;
    GLIA_FIELDS(dense)
  };

  explicit Bert(const BertConfig& config = {});
  // Hidden states (N, T, C) of the last layer, of tokens (N, T). mask (N, T) bool: where there is a
  // token; all, if it is not given. type_ids (N, T): which text of a pair it is of; the first.
  Tensor operator()(const Tensor& tokens, const Tensor& mask = {},
                    const Tensor& type_ids = {}) const;
  // tanh of a layer over the first token's state: (N, T, C) -> (N, C), what is fine-tuned from.
  Tensor pooled(const Tensor& hidden) const;

  BertConfig config;
  Embeddings embeddings;
  Encoder encoder;
  Pooler pooler;
  GLIA_FIELDS(embeddings, encoder, pooler)

 private:
  Tensor attend(const Layer& layer, const Tensor& x, const Tensor& mask) const;
};
// A folder's config.json and model.safetensors; names may begin with "bert.". Throws IoError.
Bert load_bert(const std::string& folder);

// Texts into classes: dropout and a layer over the pooled state.
class BertClassifier : public nn::Module {
 public:
  BertClassifier(Bert encoder, int64_t classes);
  Tensor operator()(const Tensor& tokens, const Tensor& mask = {},
                    const Tensor& type_ids = {}) const;  // logits (N, classes)
  Bert bert;
  nn::Linear classifier;
  GLIA_FIELDS(bert, classifier)
};

// ---- Sentences ----------------------------------------------------------------------------------

// How a text's vector comes from those of its tokens: their mean, the first, the largest of each
// feature, or their sum by the root of their number.
enum class Pooling { kMean, kCls, kMax, kMeanSqrtLen };
// (N, T, C) and mask (N, T) bool -> (N, C).
Tensor pool(const Tensor& hidden, const Tensor& mask, Pooling how = Pooling::kMean);
// The cross-entropy of finding each b among all of a batch by scale times the cosine with its a:
// (N, C) twice -> () (van den Oord et al. 2018; sentence-transformers'
// MultipleNegativesRankingLoss).
Tensor multiple_negatives_ranking_loss(const Tensor& a, const Tensor& b, double scale = 20);

// A model of sentence-transformers: texts into vectors that lie near each other where they mean the
// same.
class SentenceEncoder {
 public:
  // A folder with the encoder's config.json and model.safetensors, vocab.txt or tokenizer.json, and
  // what sentence-transformers says of pooling, length and norm, if it does. Throws IoError.
  explicit SentenceEncoder(const std::string& folder);
  // (N, C) f32 of each text, of which the first max_seq_length tokens count. Without gradients.
  Tensor encode(const std::vector<std::string>& texts, int64_t batch_size = 32) const;
  // Of tokens with gradients, for training: (N, T) -> (N, C).
  Tensor operator()(const text::PaddedEncodings& batch) const;
  text::PaddedEncodings tokens(const std::vector<std::string>& texts) const;

  Bert model;
  text::Tokenizer tokenizer;
  Pooling pooling = Pooling::kMean;
  int64_t max_seq_length = 256;
  bool normalize = true;  // vectors have length 1
};

// A passage of a file, and how near it is to what is looked for: the cosine.
struct Found {
  std::string file;
  int64_t line = 0;  // the first, from 1
  std::string text;
  double score = 0;
};
// Passages of texts: paragraphs, and parts of long ones of whole lines, or words, of about
// `characters` characters at most.
std::vector<Found> passages(const std::string& file, const std::string& text,
                            int64_t characters = 600);
// The passages of a file, or of the text files of a folder and those below it, by their nearness to
// the query, nearest first. Files that are not UTF-8 or larger than 64 MB are passed over.
std::vector<Found> find_passages(const SentenceEncoder& encoder, const std::string& path,
                                 const std::string& query, int64_t count = 10);

}  // namespace glia::llm
