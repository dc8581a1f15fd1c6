// Arcade games on 10 x 10 cells, by the rules of MinAtar (Young & Tian 2019).
#pragma once

#include <memory>

#include "glia/rl/env.h"

namespace glia::rl {

struct MinAtarOptions {
  double sticky_action_prob = 0.1;  // how often the action before is taken once more
};

// A paddle returns a ball that breaks three rows of bricks, each worth 1; new rows come when all
// are broken and the ball is down again. It ends when the ball is missed. What is observed is (10,
// 10, 4) f32 of zeros and ones: paddle, ball, where the ball was, bricks. Actions, the least there
// are: 0 stay, 1 left, 2 right. The state: column and row of the ball, its direction (0 up and
// left, 1 up and right, 2 down and right, 3 down and left), the paddle's column, whether a brick
// was hit in the last step, column and row of the ball before, the action before, whether it has
// ended, and the 30 cells of the rows 1 to 3 with a brick. Without a limit of steps of its own:
// rl::make gives it 10,000. Throws ValueError for a probability that is none.
std::unique_ptr<Env> breakout(const MinAtarOptions& options = {});

}  // namespace glia::rl
