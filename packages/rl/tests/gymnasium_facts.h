// What Gymnasium 1.4.0 (NumPy 2.4) gives from these states. The action of step i is i / 2 % 2 of
// CartPole, i / 15 * 2 % 3 of the other discrete spaces, and (i * 37 % 41 - 20) / 8 of boxes.
#pragma once

#include <cstdint>
#include <vector>

namespace glia::rl {

struct Fact {
  int64_t steps;
  std::vector<double> state;
  double reward;  // of that step
};

struct Trajectory {
  const char* name;
  std::vector<double> start;
  int64_t terminated;  // in which step at first; 0: never
  std::vector<Fact> facts;
};

inline const std::vector<Trajectory> kTrajectories = {
    {"CartPole-v1",
     {0.01, -0.02, 0.03, -0.04},
     21,
     {{1,
       {0x1.3a92a30553262p-7, -0x1.b96c852bbf6a9p-3, 0x1.de69ad42c3c9fp-6, 0x1.0c4879d74e1efp-2},
       0x1p+0},
      {2,
       {0x1.5aa26173c5643p-8, -0x1.a4ee50b8ccd7cp-2, 0x1.1a21b6ecca8dcp-5, 0x1.20a2f57db8ac8p-1},
       0x1p+0},
      {10,
       {-0x1.e5d3d1846da3ap-6, -0x1.ab9c9269fd3f8p-2, 0x1.622d17c6a93bp-4, 0x1.6b5bcc56eb785p-1},
       0x1p+0},
      {60,
       {-0x1.dcb025eb4cddcp-3, 0x1.703a37c258246p-2, 0x1.acd58a3d30b84p+1, 0x1.0dc8bf22b3733p+3},
       0x0p+0}}},
    {"CartPole-v1",
     {1.0, -1.0, 0.1, 2.0},
     3,
     {{1,
       {0x1.f5c28f5c28f5cp-1, -0x1.322df97583ce8p+0, 0x1.1eb851eb851ecp-3, 0x1.29341f7896677p+1},
       0x1p+0},
      {2,
       {0x1.e98347f10f353p-1, -0x1.6460f253f2b04p+0, 0x1.7dd33d454ed97p-3, 0x1.53bc618387958p+1},
       0x1p+0},
      {10,
       {0x1.86d85785f784fp-1, -0x1.679464e7c63aep+0, 0x1.3a0d947ee8d11p-1, 0x1.bb326176f1184p+1},
       0x0p+0},
      {60,
       {-0x1.377bc34aa6deep-2, -0x1.0b1f214f53f6cp+0, 0x1.92a1c70878874p+2, 0x1.79ae937e1da74p+1},
       0x0p+0}}},
    {"MountainCar-v0",
     {-0.5, 0.0},
     0,
     {{1, {-0x1.009a404c6e4d4p-1, -0x1.348098dc9a8f8p-10}, -0x1p+0},
      {2, {-0x1.01cd99705f838p-1, -0x1.335923f136424p-9}, -0x1p+0},
      {10, {-0x1.1ef66ff1b73b8p-1, -0x1.53a32f483af06p-7}, -0x1p+0},
      {60, {-0x1.e38aab7f0329ap-2, -0x1.4bea1ef11baedp-6}, -0x1p+0}}},
    {"MountainCar-v0",
     {0.45, 0.05},
     2,
     {{1, {0x1.fe6a53e93ab38p-2, 0x1.8cec38e36f355p-5}, -0x1p+0},
      {2, {0x1.176828cedd951p-1, 0x1.832feda403b4cp-5}, -0x1p+0},
      {10, {0x1.3333333333333p-1, 0x1.631c13b46c6adp-5}, -0x1p+0},
      {60, {0x1.3333333333333p-1, 0x1.042da14040f25p-4}, -0x1p+0}}},
    {"MountainCarContinuous-v0",
     {-0.5, 0.0},
     0,
     {{1, {-0x1.00dbcap-1, -0x1.b79308p-10}, -0x1.4p-1},
      {2, {-0x1.01088p-1, -0x1.65b5cp-12}, -0x1.ce66666666667p-2},
      {10, {-0x1.f94b8ap-2, -0x1.6f317cp-9}, -0x1.68p-2},
      {60, {-0x1.0f7ddcp-1, 0x1.445fp-11}, -0x1.4p-3}}},
    {"MountainCarContinuous-v0",
     {0.4, 0.05},
     2,
     {{1, {0x1.ca561cp-2, 0x1.85e412p-5}, -0x1.4p-1},
      {2, {0x1.fc07b2p-2, 0x1.8d8caep-5}, 0x1.8e3199999999ap+6},
      {10, {0x1.333334p-1, 0x1.a2db4p-5}, 0x1.8e98p+6},
      {60, {0x1.333334p-1, 0x1.189fp-4}, 0x1.8f6p+6}}},
    {"Acrobot-v1",
     {0.1, -0.2, 0.3, -0.4},
     0,
     {{1,
       {0x1.3c44c67b8b7adp-3, -0x1.1e6407e7b4cc4p-2, 0x1.d924ec4bbf77p-3, -0x1.8056f8887f68dp-2},
       -0x1p+0},
      {2,
       {0x1.807ac93d1990ep-3, -0x1.5e7c8e765d2eep-2, 0x1.803d43eceef6p-4, -0x1.e318853cc9e8cp-3},
       -0x1p+0},
      {10,
       {-0x1.74bb77b8cf4b7p-6, -0x1.089aa0ca14fa2p-2, 0x1.c6af49c99b086p-3, -0x1.711d2ff8d5c42p-2},
       -0x1p+0},
      {60,
       {0x1.efdead4b4443cp-2, -0x1.7962e176b5d99p-1, 0x1.78a4c60fc5ccp-2, -0x1.58b643a7db385p-1},
       -0x1p+0}}},
    {"Acrobot-v1",
     {2.5, -1.0, 4.0, -9.0},
     20,
     {{1,
       {-0x1.905eb043c14e3p+1, -0x1.52e7606a547c1p+1, 0x1.618b0b10da639p+1, -0x1.f622111793248p+2},
       -0x1p+0},
      {2,
       {-0x1.453f59e1d80bap+1, 0x1.01e5211bac18ep+1, 0x1.c217b3437d266p+1, -0x1.184420fab1d2ep+3},
       -0x1p+0},
      {10,
       {-0x1.5f19c091149e4p-1, -0x1.139c05ccf53b6p+1, 0x1.797ef205ffeb3p+2, -0x1.465ffd1b8b03ap+3},
       -0x1p+0},
      {60,
       {0x1.bb126e11a35d4p-1, 0x1.8086d983be45ap+1, 0x1.5c2273ce4de7ep+2, -0x1.235f99be780efp+3},
       -0x1p+0}}},
    {"Pendulum-v1",
     {3.0, -0.5},
     0,
     {{1, {0x1.7b8eb03231bc8p+1, -0x1.6368f05075199p-1}, -0x1.20ed91688cccdp+3},
      {2, {0x1.79e06a0d11fa8p+1, -0x1.0cebd733d93c2p-2}, -0x1.1b0b6831a4559p+3},
      {10, {0x1.941111e686c9p+1, 0x1.9f712a1b80862p-3}, -0x1.3bb09a8f8f524p+3},
      {60, {0x1.90d7b6de57e41p+1, -0x1.b509c8081495fp-4}, -0x1.3af50f7a7ccd5p+3}}},
    {"Pendulum-v1",
     {-9.0, 7.0},
     0,
     {{1, {-0x1.15c648657e4fp+3, 0x1.9904b02443a92p+2}, -0x1.891f6471c4e6cp+3},
      {2, {-0x1.0be1ce44247dcp+3, 0x1.8bb3153608b0ep+2}, -0x1.3aba902c85542p+3},
      {10, {-0x1.c06424f4cfc43p+2, 0x1.9d5a0b807f99dp-1}, -0x1.b05498ea40effp-1},
      {60, {-0x1.ce406dd026136p+2, 0x1.abb78e2c5d23p-2}, -0x1.129ace6a7ee3fp+0}}},
};

}  // namespace glia::rl
