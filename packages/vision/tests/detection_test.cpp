#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/vision/autoencoder.h"
#include "glia/vision/boxes.h"
#include "glia/vision/detector.h"
#include "tests/support/scratch.h"

namespace glia::vision {
namespace {

class Detection : public test::ScratchWorkingFolder {};

Tensor boxes_of(std::vector<float> values) {
  const auto count = static_cast<int64_t>(values.size() / 4);
  return from_vector(values, {count, 4});
}

TEST_F(Detection, Overlaps) {
  const Tensor a = boxes_of({0, 0, 2, 2, 1, 1, 3, 3, 5, 5, 5, 5}), b = boxes_of({0, 0, 4, 2});
  EXPECT_EQ(box_iou(a, b).to_vector<float>(), std::vector<float>({0.5f, 0.2f, 0}));
  EXPECT_EQ(box_area(a).to_vector<float>(), std::vector<float>({4, 4, 0}));
  EXPECT_EQ(box_iou(a, boxes_of({})).shape(), Shape({3, 0}));
  EXPECT_THROW(box_iou(a, zeros({3})), ShapeError);
}

TEST_F(Detection, TheBestOfEachHeap) {
  const Tensor boxes = boxes_of({0, 0, 10, 10, 0, 0, 10, 9, 20, 0, 30, 10, 0, 0, 10, 10});
  const Tensor scores = tensor({0.5f, 0.9f, 0.1f, 0.5f});
  EXPECT_EQ(nms(boxes, scores, 0.5).to_vector<int64_t>(), std::vector<int64_t>({1, 2}));
  EXPECT_EQ(nms(boxes, scores, 0.95).to_vector<int64_t>(), std::vector<int64_t>({1, 0, 2}));
  EXPECT_EQ(nms(boxes, scores, 0.5, tensor<int64_t>({0, 1, 0, 0})).to_vector<int64_t>(),
            std::vector<int64_t>({1, 0, 2}));
  EXPECT_EQ(nms(boxes_of({}), zeros({0}), 0.5).numel(), 0);
  EXPECT_THROW(nms(boxes, tensor({1.0f}), 0.5), ShapeError);
}

BoxedPictures one_picture(std::vector<float> boxes, std::vector<int64_t> labels) {
  BoxedPicture p{"", 100, 100, boxes, labels};
  p.crowd.resize(labels.size());
  for (size_t i = 0; i < boxes.size(); i += 4)
    p.areas.push_back((boxes[i + 2] - boxes[i]) * (boxes[i + 3] - boxes[i + 1]));
  return {{p}, {"a", "b"}};
}

TEST_F(Detection, MeanAveragePrecision) {
  const BoxedPictures truth = one_picture({0, 0, 40, 40, 50, 50, 90, 90}, {0, 0});
  // Found whole; and the better score on nothing: precision 1/2 up to recall 1/2, then 0.
  const Detections whole{boxes_of({0, 0, 40, 40, 50, 50, 90, 90}), tensor({0.9f, 0.8f}),
                         tensor<int64_t>({0, 0})};
  EXPECT_DOUBLE_EQ(evaluate_coco(truth, {whole}).ap, 1);
  EXPECT_DOUBLE_EQ(evaluate_coco(truth, {whole}).ar1, 0.5);
  EXPECT_EQ(evaluate_coco(truth, {whole}).ap_small, -1);
  EXPECT_EQ(evaluate_coco(truth, {whole}).class_ap[1], -1);
  const Detections half{boxes_of({60, 0, 99, 40, 0, 0, 40, 40}), tensor({0.9f, 0.8f}),
                        tensor<int64_t>({0, 0})};
  EXPECT_NEAR(evaluate_coco(truth, {half}).ap, 0.5 * 51 / 101, 1e-12);
  // An overlap of 0.6: right at 0.5, 0.55 and 0.6.
  const Detections near{boxes_of({0, 0, 40, 24}), tensor({0.9f}), tensor<int64_t>({0})};
  EXPECT_NEAR(evaluate_coco(one_picture({0, 0, 40, 40}, {0}), {near}).ap, 0.3, 1e-12);
  const Detections none{boxes_of({}), zeros({0}), zeros({0}, kI64)};
  EXPECT_EQ(evaluate_coco(truth, {none}).ap, 0);
  EXPECT_EQ(evaluate_coco(one_picture({}, {}), {none}).ap, -1);
  // What lies in a crowd is neither right nor wrong.
  BoxedPictures crowded = truth;
  crowded.pictures[0].crowd[0] = true;
  const Detections in_crowd{boxes_of({5, 5, 9, 9, 50, 50, 90, 90}), tensor({0.9f, 0.8f}),
                            tensor<int64_t>({0, 0})};
  EXPECT_DOUBLE_EQ(evaluate_coco(crowded, {in_crowd}).ap, 1);
  EXPECT_THROW(evaluate_coco(truth, {}), ShapeError);
  EXPECT_THROW(evaluate_coco(truth, {{boxes_of({0, 0, 1, 1}), zeros({1}), tensor<int64_t>({2})}}),
               ValueError);
}

TEST_F(Detection, FilesOfBoxes) {
  std::filesystem::create_directories("yolo/images/day");
  std::filesystem::create_directories("yolo/labels/day");
  io::write_png("yolo/images/day/a.png", zeros({20, 40, 3}, kU8));
  io::write_png("yolo/images/b.png", zeros({8, 8, 3}, kU8));
  io::write_file_atomic("yolo/labels/day/a.txt", "1 0.5 0.5 0.5 1.0\n\n0 0.95 0.5 0.2 0.1\n");
  const BoxedPictures yolo = read_yolo("yolo");
  ASSERT_EQ(yolo.pictures.size(), 2u);
  EXPECT_EQ(yolo.classes, std::vector<std::string>({"0", "1"}));
  EXPECT_TRUE(yolo.pictures[0].labels.empty());
  EXPECT_EQ(yolo.pictures[1].boxes, std::vector<float>({10, 0, 30, 20, 34, 9, 40, 11}))
      << "cut off at the edge";
  for (const char* bad : {"0 0.5 0.5 0.5\n", "x 0 0 1 1\n", "0.5 0 0 1 1\n", "0 0 0 -1 1\n",
                          "0 nan 0 1 1\n", "0 0 0 1 1 9\n", "-1 0 0 1 1\n"}) {
    io::write_file_atomic("yolo/labels/day/a.txt", bad);
    EXPECT_THROW(read_yolo("yolo"), IoError) << bad;
  }
  const std::string good =
      R"({"categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
          "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 20}],
          "annotations": [{"image_id": 1, "category_id": 7, "bbox": [1, 2, 10, 5], "iscrowd": 1,
                           "area": 12.5}]})";
  io::write_file_atomic("a.json", good);
  const BoxedPictures coco = read_coco("a.json", "there");
  EXPECT_EQ(coco.classes, std::vector<std::string>({"dog", "cat"}));
  EXPECT_EQ(coco.pictures[0].file, "there/a.png");
  EXPECT_EQ(coco.pictures[0].labels, std::vector<int64_t>({1}));
  EXPECT_EQ(coco.pictures[0].boxes, std::vector<float>({1, 2, 11, 7}));
  EXPECT_TRUE(coco.pictures[0].crowd[0]);
  EXPECT_EQ(coco.pictures[0].areas[0], 12.5);
  for (const auto& [from, to] : {std::pair{"\"category_id\": 7", "\"category_id\": 8"},
                                 {"10, 5", "-10, 5"},
                                 {"1, 2, 10, 5", "1, 2"},
                                 {"\"image_id\": 1", "\"image_id\": 2"},
                                 {"\"bbox\"", "\"box\""}}) {
    std::string bad = good;
    bad.replace(bad.find(from), std::string(from).size(), to);
    io::write_file_atomic("a.json", bad);
    EXPECT_THROW(read_coco("a.json", ""), IoError) << to;
  }
}

// What targets say is what detect() finds.
TEST_F(Detection, TargetsAreFoundAgain) {
  const Detector net({.classes = 3, .channels = 1, .size = 64, .width = 4});
  EXPECT_EQ(net.anchors().shape(), Shape({(64 + 16 + 4) * 4, 4}));
  const Tensor boxes = boxes_of({3, 4, 20, 22, 30, 8, 60, 50}), labels = tensor<int64_t>({2, 0});
  const Detector::Targets targets = net.targets(boxes, labels);
  const Tensor sure = one_hot(targets.labels, 4) * 20.0;
  const auto found = net.detect({unsqueeze(sure, 0), unsqueeze(targets.offsets, 0)}, 0.5, 0.45);
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(found[0].labels.numel(), 2);
  EXPECT_LT(
      max(abs(box_iou(found[0].boxes, boxes) - cast(unsqueeze(found[0].labels, 1) == labels, kF32)))
          .item(),
      1e-3);
  const Tensor none = net.targets(boxes_of({}), zeros({0}, kI64)).labels;
  EXPECT_EQ(sum(none).item(), 0);
  EXPECT_THROW(net.targets(boxes, tensor<int64_t>({3, 0})), ValueError);
  EXPECT_THROW(net(zeros({1, 32, 32, 1})), ShapeError);
  EXPECT_THROW(Detector({.size = 100}), ShapeError);
}

TEST_F(Detection, LossOfTheHardest) {
  const Detector net({.classes = 1, .channels = 1, .size = 32, .width = 1});
  const int64_t count = net.anchors().size(0);
  std::vector<int64_t> labels(static_cast<size_t>(count));
  labels[5] = 1;
  // All are as sure of nothing as of a thing: four of them count, log 2 each.
  const Detector::Output even{zeros({1, count, 2}), zeros({1, count, 4})};
  const Tensor l = from_vector(labels, {1, count});
  EXPECT_NEAR(net.loss(even, l, zeros({1, count, 4})).item(), 4 * std::log(2.0), 1e-5);
  // And the distance of its four offsets: 1 each counts a half.
  EXPECT_NEAR(net.loss(even, l, ones({1, count, 4})).item(), 4 * std::log(2.0) + 2, 1e-5);
  EXPECT_EQ(net.loss(even, zeros({1, count}, kI64), zeros({1, count, 4})).item(), 0);
}

// ---- Autoencoders -------------------------------------------------------------------------------

// The subspace of the code of a linear one is that of the principal components: the columns of its
// decoder are spanned by them (Bourlard & Kamp 1988).
TEST_F(Detection, ALinearAutoEncoderSpansThePrincipalComponents) {
  manual_seed(4);
  AutoEncoder net({.kind = AutoEncoderKind::kLinear, .size = 3, .code = 2, .hidden = {}});
  // Centred data whose variance lies mostly along two known axes.
  const Tensor scale = tensor({5.0f, 0.3f, 0.2f, 3.0f, 0.1f, 0.3f, 0.2f, 0.1f, 0.2f});
  Tensor x = randn({400, 9}) * scale;
  x = reshape(x - mean(x, {0}, true), {400, 3, 3, 1});
  optim::LBFGS optimizer(net.parameters(), {.max_iter = 400,
                                            .tolerance_change = 1e-12,
                                            .line_search_fn = optim::LineSearch::kStrongWolfe});
  optimizer.step([&] { return net.loss(x); });
  // The two axes of the most variance by power iteration on the covariance in f64.
  const Tensor flat = cast(reshape(x, {400, 9}), kF64), c = matmul(transpose(flat), flat);
  Tensor q = cast(randn({9, 2}), kF64);
  for (int i = 0; i < 300; ++i) {
    q = matmul(c, q);
    const Tensor a = index(q, {Slice{}, Slice{0, 1}});
    const Tensor u = a / sqrt(sum(square(a)));
    Tensor b = index(q, {Slice{}, Slice{1, 2}});
    b = b - u * sum(u * b);
    q = concat({u, b / sqrt(sum(square(b)))}, 1);
    eval(q);
  }
  // How far each column of the decoder lies outside of what they span: the sine of its angle.
  const Tensor w = cast(net.decoder[0].weight.tensor(), kF64);
  const Tensor outside = w - matmul(q, matmul(transpose(q), w));
  const Tensor sines = sqrt(sum(square(outside), {0}) / sum(square(w), {0}));
  EXPECT_LT(max(sines).item(), 1e-3);
}

TEST_F(Detection, EachKindOfAutoEncoderLearns) {
  manual_seed(5);
  const Tensor x = uniform({32, 8, 8, 1}, 0, 1);
  using enum AutoEncoderKind;
  for (const AutoEncoderKind kind :
       {kLinear, kDense, kConv, kTied, kSparse, kDenoising, kContractive}) {
    AutoEncoder net({.kind = kind, .size = 8, .code = 4, .hidden = {16}});
    if (kind == kDense || kind == kDenoising) pretrain(net, x, {.batch = 16});
    EXPECT_EQ(net.encode(x).shape(), Shape({32, 4}));
    optim::Adam optimizer(net.parameters(), {.lr = 1e-2});
    const double before = net.loss(x).item();
    for (int i = 0; i < 40; ++i) optimizer.step(gradients(net.loss(x), net.parameters()));
    EXPECT_LT(net.loss(x).item(), before) << static_cast<int>(kind);
  }
  // A tied one has its encoder's matrices and no others.
  const AutoEncoder tied({.kind = kTied, .size = 8, .code = 4, .hidden = {16}});
  EXPECT_EQ(tied.parameter_count(), 64 * 16 + 16 * 4 + 16 + 4 + 16 + 64);
  EXPECT_THROW(AutoEncoder({.kind = kConv, .size = 10}), ShapeError);
  EXPECT_THROW(AutoEncoder({.code = 0}), ShapeError);
  EXPECT_THROW(tied.encode(zeros({1, 9, 8, 1})), ShapeError);
  EXPECT_THROW(tied.decode(zeros({1, 5})), ShapeError);
}

// Of one linear layer the derivatives are its matrix, whatever the direction is in the mean.
TEST_F(Detection, TheContractivePenaltyIsTheJacobiansNorm) {
  manual_seed(6);
  AutoEncoder net(
      {.kind = AutoEncoderKind::kContractive, .size = 2, .code = 3, .hidden = {}, .penalty = 1});
  const Tensor x = uniform({2000, 2, 2, 1}, 0, 1);
  const double with = net.loss(x).item();
  net.eval();
  const double without = net.loss(x).item();
  const double norm = sum(square(net.encoder[0].weight.tensor())).item();
  EXPECT_NEAR(with - without, norm, 0.1 * norm);
}

}  // namespace
}  // namespace glia::vision
